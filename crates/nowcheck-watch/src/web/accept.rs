//! Which of several types a client wants (RFC 9110 section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// A type that can be had: its name without parameters, and the parameters that a range may ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    /// Such as `text/csv`.
    pub(super) name: &'static str,
    /// Such as `("version", "1.0.0")`. A range that asks for another value does not mean this type.
    pub(super) parameters: &'static [(&'static str, &'static str)],
}

/// The offer that the client wants the most, the first of equal ones; none if it wants none of them.
pub(super) fn preferred(headers: &HeaderMap, offers: &[Offer]) -> Option<usize> {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges: Vec<Range<'_>> =
        values.iter().flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
    if ranges.is_empty() {
        // No preference, or none that can be read.
        return Some(0);
    }
    let quality = |offer: &Offer| {
        let fitting = ranges.iter().filter_map(|range| Some((range.precision(offer)?, range.quality)));
        // The most precise range decides; of several equal ones, the one that wants it the most.
        fitting.max().map_or(0, |(_, quality)| quality)
    };
    let mut best = (0, None);
    for (nth, offer) in offers.iter().enumerate() {
        let quality = quality(offer);
        if quality > best.0 {
            best = (quality, Some(nth));
        }
    }
    best.1
}

/// A media range with its weight in thousandths.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let (mut parameters, mut quality) = (Vec::new(), 1_000);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                quality = thousandths(value)?;
            } else {
                parameters.push((name, value));
            }
        }
        Some(Self { kind, subtype, parameters, quality })
    }

    /// How precisely it means an offer; none if it does not.
    fn precision(&self, offer: &Offer) -> Option<usize> {
        let (kind, subtype) = offer.name.split_once('/')?;
        let same = |pattern: &str, text: &str| pattern.eq_ignore_ascii_case(text);
        let of_name = match (self.kind, self.subtype) {
            ("*", "*") => 0,
            (range, "*") if same(range, kind) => 1,
            (range, name) if same(range, kind) && same(name, subtype) => 2,
            _ => return None,
        };
        // Parameters that the offer does not know, such as a charset, tell no types apart.
        let known = |name: &str| offer.parameters.iter().find(|(own, _)| same(own, name));
        let asked = self.parameters.iter().filter_map(|(name, value)| Some((known(name)?.1, *value)));
        let mut fitting = 0;
        for (own, value) in asked {
            if !same(own, value) {
                return None;
            }
            fitting += 1;
        }
        Some(of_name + fitting)
    }
}

/// A weight from 0 to 1 with at most three digits (RFC 9110 section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let quality: f64 = text.parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
    Some((quality * 1_000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OFFERS: [Offer; 2] = [
        Offer { name: "text/plain", parameters: &[("version", "0.0.4")] },
        Offer { name: "text/csv", parameters: &[] },
    ];

    fn chosen(accept: &str) -> Option<usize> {
        preferred(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]), &OFFERS)
    }

    #[test]
    fn the_type_that_is_wanted_the_most_is_chosen_and_none_that_is_not_wanted() {
        assert_eq!(preferred(&HeaderMap::new(), &OFFERS), Some(0));
        for (accept, expected) in [
            ("*/*", Some(0)),
            ("text/*", Some(0)),
            ("text/csv", Some(1)),
            ("TEXT/CSV; charset=utf-8", Some(1)),
            ("text/plain;q=0.5, text/csv;q=0.9", Some(1)),
            ("text/csv;q=0, */*", Some(0)),
            ("text/plain;version=1.0.0, text/csv;q=0.1", Some(1)),
            ("text/plain; version=\"0.0.4\"; q=0.3, */*; q=0.1", Some(0)),
            ("text/plain;q=0, text/csv;q=0", None),
            ("image/png", None),
            ("text/plain;q=5", Some(0)),
            ("nonsense", Some(0)),
        ] {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
    }
}
