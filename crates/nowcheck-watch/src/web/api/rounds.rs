//! `/api/v1/checks/NAME/rounds`: each round of a check, or what they came to in steps; as JSON or CSV.

use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderValue, VARY};
use jiff::Timestamp;
use nowcheck::text::figures::{decimal_duration, decimal_seconds};
use serde_json::{Value, json};

use super::times::{bad, length, range};
use super::{no_check, past};
use crate::history::{BackendOffset, Point, Range, RoundRecord};
use crate::report;
use crate::web::Served;
use crate::web::accept::{Offer, preferred};
use crate::web::conditional::unless_known;
use crate::web::query::Query;
use crate::web::respond::{self, Reply, ok};

/// The time that is meant if none is said.
const USUAL: Duration = Duration::from_hours(1);

/// Rounds in one answer, at most.
const MOST_ROUNDS: usize = 20_000;

/// Points in one answer, at most.
const MOST_POINTS: usize = 2_000;

const FORMATS: [Offer; 2] =
    [Offer { name: "application/json", parameters: &[] }, Offer { name: "text/csv", parameters: &[] }];

/// The columns of rounds. Offsets are server minus reference. What is not known is empty.
const COLUMNS: &str =
    "start,status,reason,duration_seconds,offset_lower_seconds,offset_upper_seconds,round_trip_seconds\r\n";

/// The rounds that are asked for.
pub(super) async fn answer(
    served: &Served,
    headers: &HeaderMap,
    (name, query): (String, &Query),
    now: Timestamp,
) -> Reply {
    let Some(check) = served.board.check(&name) else { return no_check() };
    let asked = range(query, USUAL, now).and_then(|range| Ok((range, length(query, "step")?)));
    let (range, step) = match asked {
        Ok(asked) => asked,
        Err(reply) => return *reply,
    };
    let as_csv = preferred(headers, &FORMATS) == Some(1);
    let name = &check.identity.name;
    let found = match step {
        Some(step) => points(served, name.clone(), (range, step)).await.map(|points| {
            if as_csv {
                return Value::from(report::csv_of(name, &points, check.identity.max_offset));
            }
            points_as_json(name, range, &points)
        }),
        None => rounds(served, name.clone(), range).await.map(|rounds| {
            if as_csv { Value::from(as_table(&rounds)) } else { as_json(name, range, &rounds) }
        }),
    };
    let mut reply = match found {
        Ok(found) => unless_known(headers, content(&found), || match &found {
            Value::String(table) => ok("text/csv; charset=utf-8", table.clone()),
            document => respond::json(document),
        }),
        Err(reply) => *reply,
    };
    reply.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    reply
}

/// What differs when something has changed: not the range, which ends now if nothing else is asked for.
fn content(found: &Value) -> &Value {
    found.get("rounds").or_else(|| found.get("points")).unwrap_or(found)
}

async fn rounds(served: &Served, check: String, range: Range) -> Result<Vec<RoundRecord>, Box<Reply>> {
    let found = past::read(served, move |reader| reader.rounds(&check, range, MOST_ROUNDS + 1)).await?;
    if found.len() > MOST_ROUNDS {
        return Err(bad(&format!(
            "there are more than {MOST_ROUNDS} rounds; ask for less time, or give a step"
        )));
    }
    Ok(found)
}

async fn points(
    served: &Served,
    check: String,
    (range, step): (Range, Duration),
) -> Result<Vec<Point>, Box<Reply>> {
    // Whole steps, so that no shorter one covers the range with as many points.
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let [from, to] = [range.from, range.to].map(Timestamp::as_millisecond);
    let (from, to) = (from - from.rem_euclid(step), to + (step - to.rem_euclid(step)) % step);
    let count = usize::try_from((to - from) / step).unwrap_or(usize::MAX);
    if count > MOST_POINTS {
        return Err(bad(&format!(
            "that is more than {MOST_POINTS} points; ask for less time, or a longer step"
        )));
    }
    let instant = |millis| Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    let range = Range { from: instant(from), to: instant(to), now: range.now };
    let found = past::read(served, move |reader| reader.series(&check, range, count)).await?;
    Ok(found.into_iter().filter(|point| !point.summary.times.total().is_zero()).collect())
}

fn points_as_json(check: &str, range: Range, points: &[Point]) -> Value {
    let step = points.first().map(|point| crate::timestamps::elapsed(point.from, point.to));
    json!({
        "check": check,
        "from": range.from,
        "to": range.to,
        "step_seconds": step.map(report::seconds),
        "points": points.iter().map(|point| report::stretch(point.from, point.to, &point.summary)).collect::<Vec<_>>(),
    })
}

fn as_json(check: &str, range: Range, rounds: &[RoundRecord]) -> Value {
    json!({
        "check": check,
        "from": range.from,
        "to": range.to,
        "rounds": rounds.iter().map(round).collect::<Vec<_>>(),
    })
}

fn round(round: &RoundRecord) -> Value {
    let backend = |backend: &BackendOffset| json!({ "instance": backend.instance, "offset": report::bounds(backend.offset) });
    json!({
        "start": round.start,
        "duration_seconds": report::seconds(round.duration),
        "status": round.status.name(),
        "reason": round.reason,
        "offset": round.offset.map(report::bounds),
        "round_trip_seconds": round.round_trip.map(report::seconds),
        "summary": round.cause,
        "backends": round.backends.iter().map(backend).collect::<Vec<_>>(),
    })
}

/// A line for each round. Status and reason are words of the contract, so nothing has to be quoted.
fn as_table(rounds: &[RoundRecord]) -> String {
    let mut table = COLUMNS.to_owned();
    for round in rounds {
        let offset =
            round.offset.map(|offset| [offset.lower, offset.upper].map(decimal_seconds)).unwrap_or_default();
        let cells = [
            format!("{:.3}", round.start),
            round.status.name().to_owned(),
            round.reason.clone(),
            decimal_duration(round.duration),
            offset[0].clone(),
            offset[1].clone(),
            round.round_trip.map(decimal_duration).unwrap_or_default(),
        ];
        table.push_str(&cells.join(","));
        table.push_str("\r\n");
    }
    table
}
