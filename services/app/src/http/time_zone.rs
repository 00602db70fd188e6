//! The time zone of a request: the parameter `tz` of its query.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::http::problem::Problem;

/// The time zone that this query asks for, if any.
pub(crate) fn in_query(query: &str) -> Result<Option<TimeZone>, Problem> {
    let Some(name) = name_in_query(query)? else { return Ok(None) };
    by_name(&name).map(Some).ok_or(Problem::ZoneUnknown { name })
}

/// The value of the parameter `tz`. Other parameters are ignored, but must be well-formed, and not spelled `TZ`.
pub(crate) fn name_in_query(query: &str) -> Result<Option<String>, Problem> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if name != "tz" {
            // Ignoring it would answer with UTC instead of the zone that was meant.
            if name.eq_ignore_ascii_case("tz") {
                return Err(Problem::ZoneSpelling { name });
            }
            continue;
        }
        if value.is_empty() {
            return Err(Problem::ZoneEmpty);
        }
        if found.replace(value).is_some() {
            return Err(Problem::ZoneTwice);
        }
    }
    Ok(found)
}

/// The time zone of that IANA name, in any case, from the database in the binary.
pub(crate) fn by_name(name: &str) -> Option<TimeZone> {
    // jiff's own name for “no time zone” is not a place.
    TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown())
}

/// Decodes percent-encoding. A `+` stands for itself: names of zones contain it (`Etc/GMT+5`), and none contains the
/// space that HTML forms encode as `+`.
fn decode(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(Problem::QueryEncoding),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Problem::QueryEncoding)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_found_among_parameters_that_are_ignored() {
        assert_eq!(name_in_query("tz=Europe/Madrid").unwrap().as_deref(), Some("Europe/Madrid"));
        assert_eq!(name_in_query("a=1&tz=Europe%2fMadrid&&b").unwrap().as_deref(), Some("Europe/Madrid"));
        assert_eq!(name_in_query("%74z=Etc/GMT%2B1").unwrap().as_deref(), Some("Etc/GMT+1"));
        assert_eq!(name_in_query("tz=Etc/GMT+1").unwrap().as_deref(), Some("Etc/GMT+1"));
        for without in ["", "tzz=x", "&"] {
            assert_eq!(name_in_query(without).unwrap(), None, "{without}");
        }
    }

    #[test]
    fn a_name_that_is_a_link_is_answered_as_it_was_asked_for() {
        assert_eq!(by_name("us/pacific").unwrap().iana_name(), Some("US/Pacific"));
        assert!(by_name("Mars/Olympus_Mons").is_none());
    }

    #[test]
    fn a_query_that_is_not_well_formed_is_refused() {
        for broken in ["tz=%", "tz=%2", "tz=%zz", "tz=%+1", "tz=%ff", "other=%ff", "%=x"] {
            assert!(matches!(name_in_query(broken), Err(Problem::QueryEncoding)), "{broken}");
        }
        assert!(matches!(name_in_query("TZ=Europe/Madrid"), Err(Problem::ZoneSpelling { .. })));
        assert!(matches!(name_in_query("tz=UTC&tz=UTC"), Err(Problem::ZoneTwice)));
        assert!(matches!(name_in_query("tz="), Err(Problem::ZoneEmpty)));
        assert!(matches!(name_in_query("tz"), Err(Problem::ZoneEmpty)));
    }
}
