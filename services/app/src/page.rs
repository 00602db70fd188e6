//! The page at `/`, for people, and its assets.
//!
//! The page holds a time, so it is written anew for each request and never stored; it says all that matters without a
//! script. What is always the same in it has been compressed when the program was built (`build.rs`), and so have the
//! assets, whose names change with their content, so that they can be kept for ever.
//!
//! What is called from outside is `#[cold]`: it stays out of the code that answers `/now`.

use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::clock::Status;
use crate::problem::Problem;

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The page runs its own script, with its own style and icon, and speaks to this service alone. `form-action` is for
/// the choice of a zone without a script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);
const BROTLI: HeaderValue = HeaderValue::from_static("br");
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const ON_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");
const REQUIRE_CORP: HeaderValue = HeaderValue::from_static("require-corp");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What comes with the page, or for it.
#[derive(Debug)]
pub(crate) struct Asset {
    stem: &'static str,
    ending: &'static str,
    /// Changes with the content; it is in the name and in the `ETag`.
    tag: &'static str,
    media_type: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

/// A piece of the page.
#[derive(Debug)]
enum Piece {
    Text {
        plain: &'static str,
        /// The same as whole blocks of DEFLATE; empty where that is not worth it.
        packed: &'static [u8],
    },
    Value(Place),
}

/// What is different in each page; `@TIME@` in the template is [`Place::Time`].
#[derive(Clone, Copy, Debug)]
enum Place {
    /// What the zone that was asked for is answered with when there is none of that name.
    Notice,
    Datetime,
    Time,
    Date,
    Zone,
    UtcOffset,
    Command,
    ClockBound,
    ClockWords,
    Instance,
}

/// Somebody who asks for the page.
#[derive(Debug, PartialEq)]
pub(crate) struct Visit {
    /// How this service is called: scheme and host.
    origin: String,
    zone: Option<TimeZone>,
    refusal: Option<(StatusCode, String)>,
    takes_gzip: bool,
    isolates: bool,
}

impl Visit {
    /// `host` is the name by which the client calls this service, `zone` what it asked for.
    #[cold]
    pub(crate) fn new(headers: &HeaderMap, host: &str, zone: Result<Option<TimeZone>, Problem>) -> Self {
        // What the load balancer says; nothing but the page's own words depends on it.
        let is_https = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
        let (zone, refusal) = match zone {
            Ok(zone) => (zone, None),
            // A form that was sent without a name.
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
            refusal,
            takes_gzip: accepts(headers, "gzip"),
            isolates: is_https || is_this_machine(host),
        }
    }

    /// The page for a time, as `seconds` since 1970.
    #[cold]
    pub(crate) fn page(&self, seconds: u64, clock: Status, instance: &str) -> Vec<u8> {
        let timestamp = i64::try_from(seconds)
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok())
            .unwrap_or(Timestamp::MAX);
        let offset = self.zone.as_ref().map_or(Offset::UTC, |zone| zone.to_offset(timestamp));
        let local = offset.to_datetime(timestamp);
        let zone = self.zone.as_ref().and_then(TimeZone::iana_name);
        let value = |place: Place| {
            match place {
            Place::Notice => match &self.refusal {
                Some((_, words)) => format!("<p class=\"notice\" id=\"notice\">{}</p>", escaped(words)),
                None => String::new(),
            },
            Place::Datetime => timestamp.to_string(),
            Place::Time => local.strftime("%H:%M:%S").to_string(),
            Place::Date => local.strftime("%A, %-d %B %Y").to_string(),
            Place::Zone => zone.unwrap_or("UTC").to_owned(),
            Place::UtcOffset => zone.map(|_| told_offset(offset)).unwrap_or_default(),
            Place::Command => match zone {
                // Some shells look for a file where a `?` stands bare.
                Some(zone) => format!("curl \"{}/now?tz={zone}\"", self.origin),
                None => format!("curl {}/now", self.origin),
            },
            Place::ClockBound => told_bound(clock),
            Place::ClockWords => match clock {
                Status::Synchronized { .. } => {
                    "It is kept right, and its kernel vouches that it is wrong by no more than this."
                }
                Status::Unsynchronized => {
                    "Nothing keeps it right at the moment (its kernel says that it is not synchronised), so there is no \
                     bound on how wrong it is."
                }
                Status::Unknown => "Its kernel could not be asked, so there is no bound on how wrong it is.",
            }
            .to_owned(),
            Place::Instance => instance.to_owned(),
        }
        };
        if self.takes_gzip { gzipped(PAGE, value) } else { plain(PAGE, value).into_bytes() }
    }

    /// What is different about the answer that the page is sent with.
    #[cold]
    pub(crate) fn describe<B>(&self, response: &mut Response<B>) {
        if let Some((status, _)) = self.refusal {
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
        // A page that shares its process with no other site may read its clock to 5 µs instead of 100: the bounds that
        // it finds are narrower. Browsers heed this, and do not complain about it, only where nobody can listen in.
        if self.isolates {
            headers.insert(OPENER_POLICY, SAME_ORIGIN);
            headers.insert(EMBEDDER_POLICY, REQUIRE_CORP);
        }
    }
}

/// The asset of that path, and whether it is of exactly that name.
///
/// While a new version is brought out, the page may come from one process and the assets be asked for at another: what
/// that one has is better than none, but it must not be kept under the other's name.
fn asset(path: &str) -> Option<(&'static Asset, bool)> {
    let name = path.strip_prefix("/assets/")?;
    ASSETS.iter().find_map(|asset| {
        let tag = name.strip_prefix(asset.stem)?.strip_prefix('-')?;
        let tag = tag.strip_suffix(asset.ending)?.strip_suffix('.')?;
        let is_one =
            tag.len() == asset.tag.len() && tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then_some((asset, tag == asset.tag))
    })
}

#[cold]
pub(crate) fn has_asset(path: &str) -> bool {
    asset(path).is_some()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Encoding {
    Plain,
    Gzip,
    Brotli,
}

/// An asset as it is asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    asset: &'static Asset,
    is_exact: bool,
    encoding: Encoding,
    etag: String,
    /// The client has it already.
    is_known: bool,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        (&self.etag, self.is_exact, self.is_known) == (&other.etag, other.is_exact, other.is_known)
    }
}

impl Wanted {
    #[cold]
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Option<Self> {
        let (asset, is_exact) = asset(path)?;
        let encoding = if accepts(headers, "br") {
            Encoding::Brotli
        } else if accepts(headers, "gzip") {
            Encoding::Gzip
        } else {
            Encoding::Plain
        };
        // Other bytes, another tag, as a strong one has to be.
        let etag = match encoding {
            Encoding::Plain => format!("\"{}\"", asset.tag),
            Encoding::Gzip => format!("\"{}-gzip\"", asset.tag),
            Encoding::Brotli => format!("\"{}-br\"", asset.tag),
        };
        let is_known = list(headers, &IF_NONE_MATCH)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag);
        Some(Self { asset, is_exact, encoding, etag, is_known })
    }

    pub(crate) fn body(&self) -> &'static [u8] {
        match self.encoding {
            _ if self.is_known => &[],
            Encoding::Plain => self.asset.plain,
            Encoding::Gzip => self.asset.gzip,
            Encoding::Brotli => self.asset.brotli,
        }
    }

    /// What is different about the answer that it is sent with.
    #[cold]
    pub(crate) fn describe<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        headers.insert(VARY, ON_ENCODING);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        if let Ok(etag) = HeaderValue::try_from(&self.etag) {
            headers.insert(ETAG, etag);
        }
        if self.is_exact {
            headers.insert(CACHE_CONTROL, FOREVER);
        }
        if self.is_known {
            headers.remove(CONTENT_TYPE);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.asset.media_type));
        match self.encoding {
            Encoding::Plain => None,
            Encoding::Gzip => headers.insert(CONTENT_ENCODING, GZIP),
            Encoding::Brotli => headers.insert(CONTENT_ENCODING, BROTLI),
        };
    }
}

/// The members of a header that is a list.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// Whether the client takes that content coding (RFC 9110, section 12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let mut takes_any = false;
    for member in list(headers, &ACCEPT_ENCODING) {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        // `q=0` and `q=0.000` are how a client says that it does not.
        let is_refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.bytes().all(|b| matches!(b, b'0' | b'.')))
        });
        if name.eq_ignore_ascii_case(coding) {
            return !is_refused;
        }
        if name == "*" {
            takes_any = !is_refused;
        }
    }
    takes_any
}

fn plain(pieces: &[Piece], value: impl Fn(Place) -> String) -> String {
    let mut text = String::with_capacity(8192);
    for piece in pieces {
        match piece {
            Piece::Text { plain, .. } => text.push_str(plain),
            Piece::Value(place) => text.push_str(&value(*place)),
        }
    }
    text
}

/// The page as a file of gzip (RFC 1952). Nothing is compressed here: between the blocks that were made beforehand, the
/// values stand as they are, in blocks that are only stored (RFC 1951, section 3.2.4).
fn gzipped(pieces: &[Piece], value: impl Fn(Place) -> String) -> Vec<u8> {
    const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    /// The last block, with nothing in it.
    const LAST: [u8; 2] = [3, 0];

    fn store(file: &mut Vec<u8>, waiting: &mut String) {
        for chunk in waiting.as_bytes().chunks(u16::MAX.into()) {
            let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
            file.push(0);
            file.extend(length.to_le_bytes());
            file.extend((!length).to_le_bytes());
            file.extend(chunk);
        }
        waiting.clear();
    }

    let mut file = Vec::with_capacity(4096);
    file.extend(HEAD);
    let mut sums = Sums::new();
    // What is to be stored in one block.
    let mut waiting = String::new();
    for piece in pieces {
        let start = waiting.len();
        match piece {
            Piece::Text { plain, packed } if !packed.is_empty() => {
                store(&mut file, &mut waiting);
                file.extend(*packed);
                sums.add(plain.as_bytes());
                continue;
            }
            Piece::Text { plain, .. } => waiting.push_str(plain),
            Piece::Value(place) => waiting.push_str(&value(*place)),
        }
        sums.add(&waiting.as_bytes()[start..]);
    }
    store(&mut file, &mut waiting);
    file.extend(LAST);
    file.extend((!sums.crc).to_le_bytes());
    file.extend(sums.length.to_le_bytes());
    file
}

/// What ends a file of gzip: its checksum, inverted (RFC 1952, section 8), and its length.
struct Sums {
    crc: u32,
    length: u32,
}

impl Sums {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0_u32;
        while byte < 256 {
            let mut rest = byte;
            let mut bit = 0;
            while bit < 8 {
                rest = if rest & 1 == 1 { rest >> 1 ^ 0xedb8_8320 } else { rest >> 1 };
                bit += 1;
            }
            table[byte as usize] = rest;
            byte += 1;
        }
        table
    };

    fn new() -> Self {
        Self { crc: !0, length: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let [low, ..] = self.crc.to_le_bytes();
            self.crc = self.crc >> 8 ^ Self::TABLE[usize::from(low ^ byte)];
            self.length = self.length.wrapping_add(1);
        }
    }
}

/// Whether a Host header can stand in HTML, and in a shell command, as it is.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

/// Whether a Host header names the machine that the client itself is on.
fn is_this_machine(host: &str) -> bool {
    let port = |c: char| c == ':' || c.is_ascii_digit();
    match host.strip_prefix("[::1]") {
        Some(rest) => rest.chars().all(port),
        None => matches!(host.split(':').next(), Some("localhost" | "127.0.0.1")),
    }
}

/// What a program is told in a line, as people expect it.
fn sentence(line: &str) -> String {
    let mut letters = line.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `UTC`, `UTC+1`, `UTC−3:30`.
fn told_offset(offset: Offset) -> String {
    let seconds = offset.seconds().unsigned_abs();
    let sign = if offset.is_negative() { '−' } else { '+' };
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

fn told_bound(clock: Status) -> String {
    match clock {
        Status::Synchronized { max_error_micros: us } => format!("± {}.{:03} ms", us / 1000, us % 1000),
        Status::Unsynchronized | Status::Unknown => "no bound".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::now;

    const NOON: u64 = 1_795_464_711;
    const WELL: Status = Status::Synchronized { max_error_micros: 312 };

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn visit(host: &str, zone: Option<&str>) -> Visit {
        let zone = zone.map(|name| now::zone(name).ok_or(Problem::ZoneUnknown { name: name.into() }));
        Visit::new(&HeaderMap::new(), host, zone.transpose())
    }

    fn page(host: &str, zone: Option<&str>) -> String {
        String::from_utf8(visit(host, zone).page(NOON, WELL, "3f9c2a7d")).unwrap()
    }

    #[test]
    fn the_page_shows_the_time_and_the_command_for_the_name_it_was_called_by() {
        let page = page("time.example:8080", None);
        for text in [
            r#"datetime="2026-11-23T20:11:51Z""#,
            ">20:11:51<",
            "Monday, 23 November 2026",
            "curl http://time.example:8080/now<",
            "± 0.312 ms",
            "3f9c2a7d",
        ] {
            assert!(page.contains(text), "no {text} in {page}");
        }
        assert!(!page.contains('@'), "a place was left empty: {page}");
    }

    #[test]
    fn the_page_shows_the_time_in_a_zone_and_asks_for_it_in_the_command() {
        let page = page("test", Some("america/st_johns"));
        for text in [
            r#"datetime="2026-11-23T20:11:51Z""#,
            ">16:41:51<",
            "UTC−3:30",
            r#"value="America/St_Johns""#,
            r#"curl "http://test/now?tz=America/St_Johns""#,
        ] {
            assert!(page.contains(text), "no {text} in {page}");
        }
    }

    #[test]
    fn a_zone_that_there_is_not_is_said_on_the_page_and_cannot_write_html() {
        let visit = visit("test", Some("<script>&"));
        let page = String::from_utf8(visit.page(NOON, Status::Unknown, "3f9c2a7d")).unwrap();
        assert!(page.contains("No time zone is called “&lt;script&gt;&amp;”"), "{page}");
        assert!(page.contains(">20:11:51<") && page.contains(">UTC<"), "{page}");
        let mut response = Response::new(());
        visit.describe(&mut response);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(Visit::new(&HeaderMap::new(), "test", Err(Problem::ZoneEmpty)).refusal, None);
    }

    #[test]
    fn a_name_that_is_not_plain_does_not_reach_the_page() {
        for host in ["", "<script>", "a b", "x\"y", "$(reboot)", "a;b", "@TIME@", "é"] {
            assert!(page(host, None).contains("curl http://localhost:8080/now<"), "{host}");
        }
    }

    #[test]
    fn the_compressed_page_is_the_plain_one() {
        let mut visit = visit("test", Some("Europe/Madrid"));
        let plain = visit.page(NOON, WELL, "3f9c2a7d");
        visit.takes_gzip = true;
        let packed = visit.page(NOON, WELL, "3f9c2a7d");
        let mut unpacked = Vec::new();
        // It checks the length and the checksum.
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
        assert!(packed.len() * 3 < plain.len() * 2, "{} of {}", packed.len(), plain.len());
    }

    #[test]
    fn text_that_is_longer_than_a_block_is_stored_in_several() {
        let long = "0123456789".repeat(20_000);
        let packed = gzipped(&[Piece::Value(Place::Notice)], |_| long.clone());
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&*packed).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, long);
    }

    #[test]
    fn every_asset_is_in_the_page_by_its_name_and_the_same_in_every_coding() {
        let page = page("test", None);
        for asset in &ASSETS {
            let path = format!("/assets/{}-{}.{}", asset.stem, asset.tag, asset.ending);
            assert!(page.contains(&format!("\"{path}\"")), "no {path} in {page}");
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(asset.gzip).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, asset.plain);
            unpacked.clear();
            brotli::Decompressor::new(asset.brotli, 4096).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, asset.plain);
        }
        let sent: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
        assert!(sent < 16_000, "{sent} bytes of assets, compressed");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_stands_in_the_page_that_its_policy_forbids() {
        let page = page("test", None);
        for forbidden in ["=\"http", "=\"//", "<style", "style=", "onclick", "url(", "javascript:"] {
            assert!(!page.contains(forbidden), "{forbidden} in {page}");
        }
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script type=\"module\" src=\"/assets/").count()
        );
        for asset in &ASSETS {
            let text = String::from_utf8_lossy(asset.plain).replace("http://www.w3.org/2000/svg", "");
            for elsewhere in ["http:", "https:", "@import", "url(", "eval(", "innerHTML"] {
                assert!(!text.contains(elsewhere), "{elsewhere} in {}.{}", asset.stem, asset.ending);
            }
        }
    }

    #[test]
    fn a_coding_is_taken_when_it_is_named_and_not_refused() {
        for (line, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("br;q=1.0, *;q=0.1", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("*, gzip; q=0.000", false),
            ("*;q=0", false),
            ("gzipped", false),
        ] {
            assert_eq!(accepts(&headers(&[(ACCEPT_ENCODING, line)]), "gzip"), expected, "{line}");
        }
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn an_asset_of_another_version_is_given_as_what_there_is_and_an_unknown_one_is_not() {
        let tag = ASSETS[0].tag;
        assert!(asset(&format!("/assets/page-{tag}.css")).unwrap().1);
        assert!(!asset("/assets/page-000000000000.css").unwrap().1);
        for path in [
            "/assets/",
            "/assets/page.css",
            "/assets/page-.css",
            "/assets/page-00000000000g.css",
            "/assets/page-0000000000000.css",
            "/assets/other-000000000000.css",
            "/assets/page-000000000000.css/",
            "/assets/../assets/page-000000000000.css",
        ] {
            assert!(!has_asset(path), "{path}");
        }
    }

    #[test]
    fn only_a_name_that_is_this_machine_for_certain_is_isolated_without_https() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
            assert!(visit(host, None).isolates, "{host}");
        }
        for host in ["", "time.example", "localhost.example", "127.0.0.1.example", "[::1].example", "[::2]"] {
            assert!(!visit(host, None).isolates, "{host}");
        }
        let https = headers(&[(HeaderName::from_static("x-forwarded-proto"), "https")]);
        let visit = Visit::new(&https, "time.example", Ok(None));
        assert!(visit.isolates);
        assert_eq!(visit.origin, "https://time.example");
    }
}
