//! Badges: what a check is, or how available it was, as a small picture for other pages.

use maud::{Markup, html};
use percent_encoding::percent_decode_str;

use crate::availability::FourTimes;
use crate::incident::ServiceStatus;
use crate::report::words;

/// The days that the badge of availability is about.
pub(super) const UPTIME_DAYS: u32 = 30;

const HEIGHT: u32 = 20;
const PADDING: u32 = 7;

/// Which badge a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Badge {
    /// `/badge/NAME.svg`: what the check is.
    Status(String),
    /// `/badge/NAME/uptime-30d.svg`: how available it was.
    Uptime(String),
}

impl Badge {
    pub(super) fn of(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/badge/")?;
        let uptime = rest.strip_suffix("/uptime-30d.svg").map(|name| (name, Self::Uptime as fn(_) -> _));
        let status = || rest.strip_suffix(".svg").map(|name| (name, Self::Status as fn(_) -> _));
        let (name, badge) = uptime.or_else(status)?;
        if name.is_empty() || name.contains('/') {
            return None;
        }
        Some(badge(percent_decode_str(name).decode_utf8().ok()?.into_owned()))
    }
}

/// What a check is.
pub(super) fn status(name: &str, status: ServiceStatus) -> Markup {
    let color = match status {
        ServiceStatus::Ok => "#1a7f37",
        ServiceStatus::Unknown => "#5b6470",
        ServiceStatus::Wrong => "#b54708",
        ServiceStatus::Down => "#b91c28",
    };
    badge(name, status.name(), color)
}

/// How available it was, as a range: `99.93–99.97 %`.
pub(super) fn uptime(name: &str, times: &FourTimes) -> Markup {
    badge(&format!("{name} {UPTIME_DAYS} days"), &words::availability(times), "#0b57a4")
}

fn badge(left: &str, right: &str, color: &str) -> Markup {
    let (left_length, right_length) = (width(left), width(right));
    let split = left_length + 2 * PADDING;
    let all = split + right_length + 2 * PADDING;
    let label = format!("{left}: {right}");
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(all) height=(HEIGHT) viewBox={ "0 0 " (all) " " (HEIGHT) } role="img" aria-label=(label)
            font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" fill="#fff" {
            title { (label) }
            clipPath id="round" { rect width=(all) height=(HEIGHT) rx="3" {} }
            g clip-path="url(#round)" {
                rect width=(split) height=(HEIGHT) fill="#3b4249" {}
                rect x=(split) width=(all - split) height=(HEIGHT) fill=(color) {}
            }
            text x=(PADDING) y="14" textLength=(left_length) { (left) }
            text x=(split + PADDING) y="14" textLength=(right_length) { (right) }
        }
    }
}

/// About how wide a text is in 11 px; the picture stretches it to that.
fn width(text: &str) -> u32 {
    let tenths = |one: char| match one {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ' ' | '\'' | '|' => 38,
        'm' | 'w' | 'M' | 'W' | '%' => 104,
        one if one.is_ascii_uppercase() => 78,
        one if one.is_ascii() => 67,
        '–' => 70,
        _ => 110,
    };
    text.chars().map(tenths).sum::<u32>().div_ceil(10).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_path_names_a_check_and_a_kind_of_badge() {
        let status = |name: &str| Some(Badge::Status(name.to_owned()));
        assert_eq!(Badge::of("/badge/shop.svg"), status("shop"));
        assert_eq!(Badge::of("/badge/a%20b%2E.svg"), status("a b."));
        assert_eq!(Badge::of("/badge/uptime-30d.svg"), status("uptime-30d"));
        assert_eq!(Badge::of("/badge/shop/uptime-30d.svg"), Some(Badge::Uptime("shop".to_owned())));
        for nothing in [
            "/badge/",
            "/badge/.svg",
            "/badge/a/b.svg",
            "/badge//uptime-30d.svg",
            "/badge/%ff.svg",
            "/badge/shop",
        ] {
            assert_eq!(Badge::of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_badge_says_it_in_words_and_escapes_the_name() {
        let picture = status("<b>\"&", ServiceStatus::Down).into_string();
        assert!(picture.contains("<title>&lt;b&gt;&quot;&amp;: down</title>"), "{picture}");
        assert!(!picture.contains("<b>"), "{picture}");
        let hours = |hours: u64| Duration::from_hours(hours);
        let times = FourTimes { ok: hours(997), down: hours(1), unknown: hours(2), ..FourTimes::default() };
        let picture = uptime("shop", &times).into_string();
        assert!(picture.contains("shop 30 days: 99.70–99.90 %"), "{picture}");
    }
}
