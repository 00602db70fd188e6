//! The page at `/`, for people.
//!
//! It contains the time, so it is rendered for each request and never stored. It is complete without a script. Its
//! constant parts are compressed when the program is built (`build.rs`).
//!
//! Functions that are called from outside are `#[cold]`, to stay out of the code that answers `/now`.

pub(crate) mod gzip;
pub(crate) mod html;
pub(crate) mod problem_page;
pub(crate) mod static_files;

use hyper::header::{
    CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};
use jiff::tz::{Offset, TimeZone};

use crate::clock::status::ClockStatus;
use crate::clock::text::timestamp;
use crate::http::content_coding::{self, GZIP};
use crate::http::problem::Problem;
use crate::page::gzip::GzipWriter;
use crate::page::html::{escaped, sentence};
use crate::page::static_files::{NO_SNIFFING, ON_ENCODING};

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The page runs its own script, with its own style and icon, and connects to this service only. `form-action` is for
/// choosing a zone without a script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);
pub(crate) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(crate) const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const REQUIRE_CORP: HeaderValue = HeaderValue::from_static("require-corp");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// A part of the page.
#[derive(Debug)]
enum TemplatePart {
    Text {
        plain: &'static str,
        /// The same as complete DEFLATE blocks; empty where compression does not pay.
        deflated: &'static [u8],
    },
    Value(Placeholder),
}

/// What differs between pages; `@TIME@` in the template is [`Placeholder::Time`].
#[derive(Clone, Copy, Debug)]
enum Placeholder {
    /// The message about an unknown time zone.
    Notice,
    Datetime,
    Time,
    Date,
    Zone,
    UtcOffset,
    Command,
    ClockStatus,
    ClockBound,
    ClockWords,
    Instance,
}

/// A request for the page.
#[derive(Debug, PartialEq)]
pub(crate) struct PageRequest {
    /// Scheme and host of the URL of this service.
    origin: String,
    zone: Option<TimeZone>,
    rejection: Option<(StatusCode, String)>,
    takes_gzip: bool,
    is_isolated: bool,
}

impl PageRequest {
    /// `host` is the host in the client's URL, `zone` the time zone in its query.
    #[cold]
    pub(crate) fn new(headers: &HeaderMap, host: &str, zone: Result<Option<TimeZone>, Problem>) -> Self {
        // As reported by the load balancer. Only the text of the page depends on it.
        let mut schemes = content_coding::list(headers, &FORWARDED_PROTO);
        // The first value is that of the client; the next ones are of proxies in between.
        let is_https = schemes.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let (zone, rejection) = match zone {
            Ok(zone) => (zone, None),
            // The form was submitted with an empty field.
            Err(Problem::ZoneEmpty) => (None, None),
            Err(problem) => (None, Some((problem.status(), sentence(&problem.to_string())))),
        };
        Self {
            origin: format!(
                "{}://{}",
                if is_https { "https" } else { "http" },
                if is_plain(host) { host } else { "localhost:8080" }
            ),
            zone,
            rejection,
            takes_gzip: content_coding::accepts(headers, "gzip"),
            is_isolated: is_https || is_this_machine(host),
        }
    }

    /// The page for a time, as `seconds` since 1970.
    #[cold]
    pub(crate) fn page(&self, seconds: u64, clock: ClockStatus, instance: &str) -> Vec<u8> {
        let timestamp = timestamp(seconds);
        let offset = self.zone.as_ref().map_or(Offset::UTC, |zone| zone.to_offset(timestamp));
        let local = offset.to_datetime(timestamp);
        let zone = self.zone.as_ref().and_then(TimeZone::iana_name);
        let value = |placeholder: Placeholder| match placeholder {
            Placeholder::Notice => self.notice(),
            Placeholder::Datetime => timestamp.to_string(),
            Placeholder::Time => local.strftime("%H:%M:%S").to_string(),
            Placeholder::Date => local.strftime("%A, %-d %B %Y").to_string(),
            Placeholder::Zone => zone.unwrap_or("UTC").to_owned(),
            Placeholder::UtcOffset => zone.map(|_| utc_offset_text(offset)).unwrap_or_default(),
            Placeholder::Command => self.command(zone),
            Placeholder::ClockStatus => status_text(clock).to_owned(),
            Placeholder::ClockBound => error_bound_text(clock),
            Placeholder::ClockWords => clock_text(clock).to_owned(),
            Placeholder::Instance => instance.to_owned(),
        };
        if self.takes_gzip { gzipped(PAGE, value) } else { plain(PAGE, value).into_bytes() }
    }

    /// What the page says about a zone that it does not know.
    fn notice(&self) -> String {
        match &self.rejection {
            Some((_, text)) => format!("<p class=\"notice\" id=\"notice\">{}</p>", escaped(text)),
            None => String::new(),
        }
    }

    /// The command that gets the same time.
    fn command(&self, zone: Option<&str>) -> String {
        match zone {
            // Some shells expand a `?` that is not quoted.
            Some(zone) => format!("curl \"{}/now?tz={zone}\"", self.origin),
            None => format!("curl {}/now", self.origin),
        }
    }

    /// Sets the status and the headers that a page has, and other responses do not.
    #[cold]
    pub(crate) fn set_headers<B>(&self, response: &mut Response<B>) {
        if let Some((status, _)) = self.rejection {
            *response.status_mut() = status;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HTML);
        headers.insert(VARY, ON_ENCODING);
        if self.takes_gzip {
            headers.insert(CONTENT_ENCODING, GZIP);
        }
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        headers.insert(REFERRER_POLICY, NO_REFERRER);
        // A page that shares its process with no other site may read its clock to 5 µs instead of 100, so its bounds
        // are narrower. Browsers respect the two headers only in a secure context, and complain elsewhere.
        if self.is_isolated {
            headers.insert(OPENER_POLICY, SAME_ORIGIN);
            headers.insert(EMBEDDER_POLICY, REQUIRE_CORP);
        }
    }
}

fn plain(parts: &[TemplatePart], value: impl Fn(Placeholder) -> String) -> String {
    let mut text = String::with_capacity(8192);
    for part in parts {
        match part {
            TemplatePart::Text { plain, .. } => text.push_str(plain),
            TemplatePart::Value(placeholder) => text.push_str(&value(*placeholder)),
        }
    }
    text
}

fn gzipped(parts: &[TemplatePart], value: impl Fn(Placeholder) -> String) -> Vec<u8> {
    let mut file = GzipWriter::new();
    for part in parts {
        match part {
            TemplatePart::Text { plain, deflated } if !deflated.is_empty() => {
                file.push_deflated(plain, deflated);
            }
            TemplatePart::Text { plain, .. } => file.push(plain),
            TemplatePart::Value(placeholder) => file.push(&value(*placeholder)),
        }
    }
    file.finish()
}

/// Whether a `Host` header can be put into HTML and into a shell command unchanged.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

/// Whether a `Host` header names the client's own machine.
fn is_this_machine(host: &str) -> bool {
    let port = |c: char| c == ':' || c.is_ascii_digit();
    match host.strip_prefix("[::1]") {
        Some(rest) => rest.chars().all(port),
        None => matches!(host.split(':').next(), Some("localhost" | "127.0.0.1")),
    }
}

/// `UTC`, `UTC+1`, `UTC−3:30`.
fn utc_offset_text(offset: Offset) -> String {
    let seconds = offset.seconds().unsigned_abs();
    let sign = if offset.is_negative() { '−' } else { '+' };
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

// `page.js` has the same texts, for the answers that come later.

fn status_text(clock: ClockStatus) -> &'static str {
    match clock {
        ClockStatus::Synchronized { .. } => "Synchronized",
        ClockStatus::Unsynchronized => "Not synchronized",
        ClockStatus::Unknown => "Status not known",
    }
}

fn clock_text(clock: ClockStatus) -> &'static str {
    match clock {
        ClockStatus::Synchronized { .. } => {
            "Its host keeps it synchronized, and vouches that it is wrong by no more than this."
        }
        ClockStatus::Unsynchronized => {
            "Nothing keeps it right at the moment, so nobody can say how wrong it is."
        }
        ClockStatus::Unknown => "Its host could not be asked, so nobody can say how wrong it is.",
    }
}

fn error_bound_text(clock: ClockStatus) -> String {
    match clock {
        ClockStatus::Synchronized { max_error_micros: us } => format!("± {}.{:03} ms", us / 1000, us % 1000),
        ClockStatus::Unsynchronized | ClockStatus::Unknown => "Error not known".to_owned(),
    }
}

#[cfg(test)]
mod tests;
