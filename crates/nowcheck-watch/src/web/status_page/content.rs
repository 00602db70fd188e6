//! Everything that the status page serves, made once and sent to all.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderValue;
use maud::Markup;
use ring::digest::{SHA256, digest};

use super::feed::{FeedName, feed};
use super::page;
use super::published::Published;
use crate::web::badge::{self, Badge, UPTIME_DAYS};

/// Something that can be had.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    /// A strong one: of these bytes.
    pub(super) tag: HeaderValue,
}

impl Resource {
    fn new(content_type: &'static str, body: Markup) -> Self {
        let body = body.into_string();
        let hash = digest(&SHA256, body.as_bytes());
        let begin = hash.as_ref().first_chunk().copied().unwrap_or_default();
        // It has digits and quotes alone.
        let tag = HeaderValue::from_str(&format!("\"{:032x}\"", u128::from_be_bytes(begin)));
        Self { content_type, body: body.into(), tag: tag.unwrap_or(HeaderValue::from_static("\"\"")) }
    }

    fn html(body: Markup) -> Self {
        Self::new("text/html; charset=utf-8", body)
    }
}

/// How to get to the page from a path, by its depth. Nobody mistypes a deeper one than the last.
const ROOTS: [Option<&str>; 5] = [Some("./"), Some("../"), Some("../../"), Some("../../../"), None];

/// All of it, at one moment.
#[derive(Debug)]
pub(super) struct Content {
    page: Resource,
    feed: Resource,
    badges: BTreeMap<String, Badges>,
    /// Where nothing is: by the depth of the path, and at last for all that are deeper.
    not_found: Vec<Resource>,
}

#[derive(Debug)]
struct Badges {
    status: Resource,
    uptime: Option<Resource>,
}

impl Content {
    pub(super) fn new(published: &Published, name: &FeedName) -> Self {
        let badges = published.services.iter().map(|service| {
            let svg = |badge: Markup| Resource::new("image/svg+xml", badge);
            let times = service.times(usize::try_from(UPTIME_DAYS).unwrap_or_default());
            let badges = Badges {
                status: svg(badge::status(&service.name, service.status)),
                uptime: published.knows_the_past.then(|| svg(badge::uptime(&service.name, &times))),
            };
            (service.name.clone(), badges)
        });
        Self {
            page: Resource::html(page::page(published)),
            feed: Resource::new("application/atom+xml; charset=utf-8", feed(published, name)),
            badges: badges.collect(),
            not_found: ROOTS.iter().map(|root| Resource::html(page::not_found(*root))).collect(),
        }
    }

    /// What there is instead at a path with nothing.
    pub(super) fn instead_of(&self, path: &str) -> Option<&Resource> {
        let depth = path.matches('/').count().saturating_sub(1);
        self.not_found.get(depth).or(self.not_found.last())
    }

    /// What is at a path.
    pub(super) fn at(&self, path: &str) -> Option<&Resource> {
        match path {
            "/" => Some(&self.page),
            "/feed.atom" => Some(&self.feed),
            _ => match Badge::of(path)? {
                Badge::Status(name) => Some(&self.badges.get(&name)?.status),
                Badge::Uptime(name) => self.badges.get(&name)?.uptime.as_ref(),
            },
        }
    }
}
