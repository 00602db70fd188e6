//! The incidents as an Atom feed (RFC 4287).

use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};
use nowcheck::text::figures;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::published::{PublicIncident, Published};
use crate::timestamps::elapsed;

/// What the feed is called for ever, so that readers know it again after a restart or at another address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FeedName {
    /// Made up at random: it tells nothing of this machine.
    pub(super) id: String,
    pub(super) created: Timestamp,
}

impl FeedName {
    pub(super) fn new(random: [u8; 16], created: Timestamp) -> Self {
        Self { id: urn(random, 4), created }
    }

    /// The name of an entry: always the same for an incident.
    fn of_entry(&self, incident: &PublicIncident) -> String {
        let hash = digest(&SHA256, format!("{} {}", self.id, incident.key()).as_bytes());
        urn(hash.as_ref().first_chunk().copied().unwrap_or_default(), 8)
    }
}

/// A UUID of that version with these bits (RFC 9562).
fn urn(bytes: [u8; 16], version: u128) -> String {
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (version << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    format!("urn:uuid:{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The feed. Links are relative, because only the reader knows how the page is reached.
pub(super) fn feed(published: &Published, name: &FeedName) -> Markup {
    let updated = published.incidents.iter().map(PublicIncident::updated).max().unwrap_or(name.created);
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"))
        feed xmlns="http://www.w3.org/2005/Atom" {
            id { (name.id) }
            title { "Incidents" }
            updated { (rfc3339(updated)) }
            author { name { "Status page" } }
            link rel="self" type="application/atom+xml" href="feed.atom" {}
            link rel="alternate" type="text/html" href="./" {}
            @for incident in &published.incidents { (entry(incident, name)) }
        }
    }
}

fn entry(incident: &PublicIncident, name: &FeedName) -> Markup {
    html! {
        entry {
            id { (name.of_entry(incident)) }
            title { (incident.service) ": " (incident.status.name()) @if let Some(until) = incident.until { ", for " (figures::length(elapsed(incident.since, until))) } }
            published { (rfc3339(incident.since)) }
            updated { (rfc3339(incident.updated())) }
            link rel="alternate" type="text/html" href={ "./#incident-" (incident.key()) } {}
            content type="text" {
                @for one in &incident.story { (one.at.strftime("%Y-%m-%d %H:%M:%S UTC")) " " (one.text) "\n" }
            }
        }
    }
}

/// To the millisecond: readers compare `updated` to see that an entry is another one now, and an incident may end within the
/// second in which it began.
fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_uuid_of_its_version_and_variant() {
        assert_eq!(urn([0xff; 16], 4), "urn:uuid:ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(urn([0; 16], 8), "urn:uuid:00000000-0000-8000-8000-000000000000");
    }
}
