//! The query of a request: `tz` and nothing else.

use crate::http::problem::Problem;

/// The value of the parameter `tz`; parameters of other names are ignored, but have to be well-formed, and not `TZ`.
pub(crate) fn zone_name(query: &str) -> Result<Option<String>, Problem> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if name != "tz" {
            // Who writes it so would take the time in UTC for the one that was asked for.
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

/// Undoes percent-encoding. A `+` is itself: names of zones have it (`Etc/GMT+5`), and none has the space that HTML
/// forms mean by it.
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
        assert_eq!(zone_name("tz=Europe/Madrid").unwrap().as_deref(), Some("Europe/Madrid"));
        assert_eq!(zone_name("a=1&tz=Europe%2fMadrid&&b").unwrap().as_deref(), Some("Europe/Madrid"));
        assert_eq!(zone_name("%74z=Etc/GMT%2B1").unwrap().as_deref(), Some("Etc/GMT+1"));
        assert_eq!(zone_name("tz=Etc/GMT+1").unwrap().as_deref(), Some("Etc/GMT+1"));
        for without in ["", "tzz=x", "&"] {
            assert_eq!(zone_name(without).unwrap(), None, "{without}");
        }
    }

    #[test]
    fn a_query_that_is_not_well_formed_is_refused() {
        for broken in ["tz=%", "tz=%2", "tz=%zz", "tz=%+1", "tz=%ff", "other=%ff", "%=x"] {
            assert!(matches!(zone_name(broken), Err(Problem::QueryEncoding)), "{broken}");
        }
        assert!(matches!(zone_name("TZ=Europe/Madrid"), Err(Problem::ZoneSpelling { .. })));
        assert!(matches!(zone_name("tz=UTC&tz=UTC"), Err(Problem::ZoneTwice)));
        assert!(matches!(zone_name("tz="), Err(Problem::ZoneEmpty)));
        assert!(matches!(zone_name("tz"), Err(Problem::ZoneEmpty)));
    }
}
