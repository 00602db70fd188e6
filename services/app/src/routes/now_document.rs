//! The document of `GET /now`: a pure function of a time, a zone, the clock's status and the instance.
//!
//! Its form is specified in `contract/now.schema.json`; `contract/golden/now.json` has examples to the byte.

use std::fmt::Write as _;
use std::rc::Rc;

use jiff::SignedDuration;
use jiff::tz::{Offset, TimeZone};

use crate::clock::status::ClockStatus;
use crate::clock::text::timestamp;

/// The document of one second. Only the nanoseconds are missing, which [`Document::at`] fills in.
///
/// Made once a second for each thread, it keeps calendars and formatting out of requests.
#[derive(Debug)]
pub(crate) struct Document {
    text: Rc<[u8]>,
    /// The positions of the nine digits of the fraction: in `datetime` and in `unix_time`.
    fractions: [usize; 2],
}

impl Document {
    /// `seconds` since 1970; `zone` if one was asked for.
    pub(crate) fn new(seconds: u64, zone: Option<&TimeZone>, clock: ClockStatus, instance: &str) -> Self {
        let timestamp = timestamp(seconds);
        let offset = zone.map_or(Offset::UTC, |zone| zone.to_offset(timestamp));
        let local = offset.to_datetime(timestamp);
        let name = zone.and_then(TimeZone::iana_name).unwrap_or("UTC");

        let mut text = String::with_capacity(256);
        let time = local.time().strftime("%H:%M:%S").to_string();
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{{"current_time":"{time}","datetime":"{}T{time}."#, local.date());
        let in_datetime = text.len();
        text.push_str("000000000");
        match zone {
            // A zone that is UTC is written `Z`, as without a zone.
            Some(_) if offset != Offset::UTC => push_offset(&mut text, offset),
            _ => text.push('Z'),
        }
        let _ = write!(text, r#"","timezone":"{name}""#);
        if zone.is_some() {
            let _ = write!(text, r#","utc_offset":{}"#, offset.seconds());
        }
        let _ = write!(text, r#","unix_time":{seconds}."#);
        let in_unix_time = text.len();
        text.push_str("000000000");
        let (status, max_error) = match clock {
            ClockStatus::Synchronized { max_error_micros: us } => {
                ("synchronized", &*format!("{}.{:06}", us / 1_000_000, us % 1_000_000))
            }
            ClockStatus::Unsynchronized => ("unsynchronized", "null"),
            ClockStatus::Unknown => ("unknown", "null"),
        };
        let _ = writeln!(
            text,
            r#","clock":{{"status":"{status}","max_error":{max_error}}},"instance":"{instance}"}}"#
        );
        Self { text: text.into_bytes().into(), fractions: [in_datetime, in_unix_time] }
    }

    /// The document for the time `nanos` nanoseconds into its second.
    pub(crate) fn at(&mut self, nanos: u32) -> Rc<[u8]> {
        // In place: the text is copied only while the previous document is still in use.
        write_fractions(Rc::make_mut(&mut self.text), self.fractions, nanos);
        Rc::clone(&self.text)
    }

    /// The document of any time of this second, and the positions for [`write_fractions`] in it.
    pub(crate) fn template(&self) -> (&[u8], [usize; 2]) {
        (&self.text, self.fractions)
    }
}

/// Writes nine digits at each of these positions.
pub(crate) fn write_fractions(text: &mut [u8], fractions: [usize; 2], nanos: u32) {
    let digits = nine_digits(nanos);
    for start in fractions {
        text[start..start + digits.len()].copy_from_slice(&digits);
    }
}

/// Decimal digits, zero-padded; `nanos` is below 1 000 000 000.
fn nine_digits(mut nanos: u32) -> [u8; 9] {
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit += (nanos % 10) as u8;
        nanos /= 10;
    }
    digits
}

/// `+HH:MM`, as precise as RFC 3339 allows. Current zones have whole minutes; older ones are truncated.
fn push_offset(text: &mut String, offset: Offset) {
    let (sign, ahead) = if offset.is_negative() { ('-', -offset.seconds()) } else { ('+', offset.seconds()) };
    let minutes = SignedDuration::from_secs(ahead.into()).as_mins();
    let _ = write!(text, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::http::time_zone;

    /// The body for one case of the golden file.
    fn produced(given: &Value) -> String {
        let nanos: u128 = given["unix_nanos"].as_str().unwrap().parse().unwrap();
        let zone = given["tz"].as_str().map(|name| time_zone::by_name(name).unwrap());
        let clock = match given["status"].as_str().unwrap() {
            "synchronized" => ClockStatus::Synchronized {
                max_error_micros: given["max_error_micros"].as_u64().unwrap().try_into().unwrap(),
            },
            "unsynchronized" => ClockStatus::Unsynchronized,
            _ => ClockStatus::Unknown,
        };
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap();
        let mut document = Document::new(seconds, zone.as_ref(), clock, given["instance"].as_str().unwrap());
        let body = document.at(u32::try_from(nanos % 1_000_000_000).unwrap());
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn every_golden_body_is_produced_byte_for_byte() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../../contract/golden/now.json")).unwrap();
        let cases = golden.as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            assert_eq!(produced(&case["given"]), case["body"].as_str().unwrap(), "{}", case["name"]);
        }
    }

    #[test]
    fn one_document_serves_every_nanosecond_of_its_second() {
        let mut document = Document::new(0, None, ClockStatus::Unknown, "00000000");
        for nanos in [0, 1, 42, 123_456_789, 999_999_999] {
            let body = document.at(nanos);
            let read: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(read["datetime"], format!("1970-01-01T00:00:00.{nanos:09}Z"));
            assert!(String::from_utf8_lossy(&body).contains(&format!(r#""unix_time":0.{nanos:09},"#)));
        }
    }
}
