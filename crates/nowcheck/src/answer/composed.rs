//! Times that are not one text or number in JSON, but an array or an object of their parts.

use serde_json::Value;

/// Members of an object that count seconds, and what their fraction is counted in, by its decimals.
const SECONDS: [(&str, &str, usize); 10] = [
    // Protocol buffers in JSON of several libraries; js-joda.
    ("seconds", "nanos", 9),
    ("seconds", "nanoseconds", 9),
    // Firestore.
    ("_seconds", "_nanoseconds", 9),
    // serde: std::time::SystemTime.
    ("secs_since_epoch", "nanos_since_epoch", 9),
    // Jackson and Gson without a module: java.time.Instant.
    ("epochSecond", "nano", 9),
    ("epochSeconds", "nanosecondsOfSecond", 9),
    // timespec and timeval.
    ("tv_sec", "tv_nsec", 9),
    ("tv_sec", "tv_usec", 6),
    ("sec", "nsec", 9),
    ("sec", "usec", 6),
];

/// The time in an array or an object, as one text; none when it has no form that is known.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Array(_) => of_array(value),
        Value::Object(_) => of_seconds(value).or_else(|| of_date(value)),
        _ => None,
    }
}

/// `{"seconds": 1795464711, "nanos": 123000000}`. Protocol buffers leave out what is zero.
fn of_seconds(object: &Value) -> Option<String> {
    SECONDS.iter().find_map(|(seconds, fraction, decimals)| {
        let seconds = whole(object.get(*seconds)?)?;
        let fraction = whole(object.get(*fraction)?)?;
        (fraction < 10_u64.pow(u32::try_from(*decimals).ok()?))
            .then(|| format!("{seconds}.{fraction:0decimals$}"))
    })
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// `MongoDB`'s `{"$date": …}`, and PHP's `{"date": …, "timezone_type": 3, "timezone": "UTC"}`.
fn of_date(object: &Value) -> Option<String> {
    if let Some(date) = object.get("$date") {
        return match date {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            other => Some(other.get("$numberLong")?.as_str()?.to_owned()),
        };
    }
    object.get("timezone_type")?;
    let (date, zone) = (object.get("date")?.as_str()?, object.get("timezone")?.as_str()?);
    let is_name = zone.contains('/') || zone == "UTC" || zone.starts_with(['+', '-']);
    is_name.then(|| format!("{date} {zone}"))
}

/// `[2026, 11, 23, 20, 11, 51, 123000000]`: year, month, day, hour, minute, and seconds and nanoseconds that are left out
/// when they are zero, as Jackson writes a `LocalDateTime`; `[[2026, 11, 23], [20, 11, 51]]` as Erlang has it; and
/// `[2026, 327, 20, 11, 51, 123000000, 0, 0, 0]` as Rust's `time` writes an `OffsetDateTime`, with the day of the year and
/// the offset.
fn of_array(value: &Value) -> Option<String> {
    let items = value.as_array()?;
    let flat: Vec<&Value> = items
        .iter()
        .flat_map(|item| item.as_array().map_or_else(|| vec![item], |inner| inner.iter().collect()))
        .collect();
    let parts: Vec<i64> = flat.into_iter().map(Value::as_i64).collect::<Option<_>>()?;
    if let [year, day, hour, minute, second, nanos, offset @ ..] = &parts[..]
        && let [hours, minutes, _] = offset
    {
        let sign = if *hours < 0 || *minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (hours.abs(), minutes.abs());
        return Some(format!(
            "{year:04}-{day:03}T{hour:02}:{minute:02}:{second:02}.{nanos:09}{sign}{hours:02}:{minutes:02}"
        ));
    }
    let [year, month, day, hour, minute, rest @ ..] = &parts[..] else { return None };
    let seconds = match rest {
        [] => String::new(),
        [second] => format!(":{second:02}"),
        [second, nanos] => format!(":{second:02}.{nanos:09}"),
        _ => return None,
    };
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}{seconds}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_put_together() {
        for (value, text) in [
            (json!([2026, 11, 23, 20, 11]), "2026-11-23T20:11"),
            (json!([2026, 11, 23, 20, 11, 51, 123_000_000]), "2026-11-23T20:11:51.123000000"),
            (json!([[2026, 11, 23], [20, 11, 51]]), "2026-11-23T20:11:51"),
            (json!([2026, 327, 16, 41, 51, 123_000_000, -3, -30, 0]), "2026-327T16:41:51.123000000-03:30"),
            (json!({"seconds": "1795464711", "nanos": 5}), "1795464711.000000005"),
            (json!({"sec": 1_795_464_711, "usec": 123}), "1795464711.000123"),
            (json!({"$date": {"$numberLong": "1795464711123"}}), "1795464711123"),
            (json!({"$date": "2026-11-23T20:11:51.123Z"}), "2026-11-23T20:11:51.123Z"),
            (
                json!({"date": "2026-11-23 20:11:51.123456", "timezone_type": 3, "timezone": "UTC"}),
                "2026-11-23 20:11:51.123456 UTC",
            ),
        ] {
            assert_eq!(as_text(&value).as_deref(), Some(text), "{value}");
        }
        for other in [
            json!([1, 2]),
            json!(["a"]),
            json!({"seconds": 1}),
            json!({}),
            json!(7),
            json!({"sec": 1, "usec": 1_000_000}),
        ] {
            assert_eq!(as_text(&other), None, "{other}");
        }
    }
}
