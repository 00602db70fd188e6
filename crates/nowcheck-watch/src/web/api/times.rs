//! Parameters that mean instants and lengths of time.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use crate::config::parse_duration;
use crate::history::Range;
use crate::web::query::Query;
use crate::web::respond::{Reply, problem};

/// The earliest and latest instants that are asked for; beyond them, arithmetic could leave the calendar.
const FIRST: i64 = 0;
const LAST: i64 = 32_503_680_000;

/// The time between `from` and `to`; without them, the last of that length until now.
///
/// # Errors
/// A problem that says which parameter is wrong.
pub(super) fn range(query: &Query, default_length: Duration, now: Timestamp) -> Result<Range, Box<Reply>> {
    let to = instant(query, "to")?.unwrap_or(now);
    let from = instant(query, "from")?;
    let from = from.unwrap_or_else(|| to.checked_sub(default_length).unwrap_or(Timestamp::UNIX_EPOCH));
    if from >= to {
        return Err(bad("from must be earlier than to"));
    }
    Ok(Range { from, to, now })
}

/// An instant, as RFC 3339 or as seconds since 1970.
fn instant(query: &Query, name: &str) -> Result<Option<Timestamp>, Box<Reply>> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let of_seconds = |seconds: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "in range, and milliseconds are enough")]
        let millis = (seconds * 1_000.0).round() as i64;
        Timestamp::from_millisecond(millis).ok()
    };
    let parsed = match text.parse::<f64>() {
        #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
        Ok(seconds) => {
            Some(seconds).filter(|at| (FIRST as f64..=LAST as f64).contains(at)).and_then(of_seconds)
        }
        Err(_) => text.parse::<Timestamp>().ok().filter(|at| (FIRST..=LAST).contains(&at.as_second())),
    };
    let must = || {
        bad(&format!(
            "{name} must be an instant of RFC 3339, such as 2026-11-28T15:05:19Z, or seconds since 1970"
        ))
    };
    parsed.map(Some).ok_or_else(must)
}

/// A length of time, as `5m` or as seconds.
pub(super) fn length(query: &Query, name: &str) -> Result<Option<Duration>, Box<Reply>> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => parse_duration(text),
    };
    let is_usable =
        |length: &Duration| (Duration::from_secs(1)..=Duration::from_hours(24 * 512)).contains(length);
    let must = || bad(&format!("{name} must be a length of time from 1s to 512d, such as 5m, or seconds"));
    parsed.filter(is_usable).map(Some).ok_or_else(must)
}

/// A bad request.
pub(super) fn bad(detail: &str) -> Box<Reply> {
    Box::new(problem(StatusCode::BAD_REQUEST, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Range, ()> {
        let now = "2026-11-28T15:00:00Z".parse().unwrap();
        range(&Query::each_once(Some(query)).unwrap(), Duration::from_hours(1), now).map_err(drop)
    }

    #[test]
    fn a_range_ends_now_and_is_as_long_as_is_usual() {
        let last = asked("").unwrap();
        assert_eq!(last.from.to_string(), "2026-11-28T14:00:00Z");
        assert_eq!(last.to, last.now);
        let given = asked("from=1795867200&to=2026-11-28T14:00:00%2B01:00").unwrap();
        assert_eq!(
            (given.from.as_second(), given.to.to_string().as_str()),
            (1_795_867_200, "2026-11-28T13:00:00Z")
        );
    }

    #[test]
    fn what_is_no_instant_or_ends_before_it_begins_is_rejected() {
        for query in [
            "from=soon",
            "from=-1",
            "to=1e300",
            "to=NaN",
            "from=2026-11-28",
            "from=2&to=1",
            "from=9999-12-31T00:00:00Z",
        ] {
            assert!(asked(query).is_err(), "{query}");
        }
    }
}
