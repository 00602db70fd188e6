use std::time::Duration;

use nowcheck::outcome::Phases;

use super::*;
use crate::board::{Identity, LatestRound, Recent};
use crate::incident::OffsetBounds;

const FIGURES: MonitorFigures =
    MonitorFigures { open_incidents: 1, history_queue_length: 3, history_dropped: 2, reload_succeeded: true };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_874_400 + seconds).unwrap()
}

fn latest(offset: Option<OffsetBounds>) -> LatestRound {
    LatestRound {
        at: at(0),
        duration: Duration::from_millis(4),
        lateness: Duration::ZERO,
        summary: String::new(),
        advice: None,
        offset,
        round_trip: None,
        phases: Phases::default(),
        certificate_expires_at: None,
        reference: String::new(),
        reference_error: Some(Duration::from_micros(250)),
        full_because: None,
        requests: 1,
    }
}

fn state(rounds: &[(CheckStatus, u64)], offset: Option<OffsetBounds>) -> Arc<CheckState> {
    let identity = Identity {
        name: "shop".to_owned(),
        url: "http://shop.example/now".to_owned(),
        labels: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        every: Duration::from_secs(30),
        max_offset: Duration::from_secs(1),
        is_public: false,
    };
    let mut counters = Counters::default();
    for (status, millis) in rounds {
        counters.count_round(*status, "any", Duration::from_millis(*millis));
    }
    Arc::new(CheckState {
        identity: Arc::new(identity),
        status: rounds.last().map_or(CheckStatus::Unknown, |(status, _)| *status),
        reason: "any".to_owned(),
        watched_since: at(-60),
        since: at(0),
        stands_for: Duration::from_mins(1),
        stands_until: at(60),
        latest: Some(latest(offset)),
        recent: Recent::default(),
        backends: Vec::new(),
        unlisted: None,
        drift: None,
        found_within: None,
        next_round: None,
        counters,
    })
}

/// Both lines: that of the check, and that of the monitor.
fn lines(emf: &mut EmfLines, state: &Arc<CheckState>, now: Timestamp) -> [Value; 2] {
    let text = emf.at(now, std::slice::from_ref(state), FIGURES);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.try_into().unwrap()
}

fn emf() -> EmfLines {
    EmfLines::new("Shops".to_owned(), "frankfurt".to_owned())
}

#[test]
fn a_line_declares_each_of_its_metrics_once_and_each_has_a_value() {
    let offset = OffsetBounds { lower: -1_500_000, upper: 2_500_000 };
    let written = lines(&mut emf(), &state(&[(CheckStatus::Ok, 3)], Some(offset)), at(1));
    for (line, dimension) in written.iter().zip(["check", "monitor"]) {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Shops");
        assert_eq!(directive["Dimensions"], json!([[dimension]]));
        assert!(line[dimension].is_string());
        let metrics = directive["Metrics"].as_array().unwrap();
        let mut names: Vec<&str> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        for name in &names {
            assert!(line[*name].is_number() || line[*name]["Values"].is_array(), "{name}: {line}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), metrics.len());
        assert_eq!(line["_aws"]["Timestamp"], json!(1_795_874_401_000_i64));
    }
    let [check, monitor] = written;
    assert_eq!(check["nowcheck_clock_offset_lower_seconds"], json!(-0.0015));
    assert_eq!(check["nowcheck_clock_offset_upper_seconds"], json!(0.0025));
    assert_eq!((&check["status"], &check["labels"]["team"]), (&json!("ok"), &json!("web")));
    assert_eq!(check["nowcheck_round_duration_seconds"], json!({"Values": [0.005], "Counts": [1]}));
    assert_eq!((&monitor["nowcheck_incidents_open"], &monitor["monitor"]), (&json!(1), &json!("frankfurt")));
}

#[test]
fn counts_are_those_since_the_line_before() {
    let mut emf = emf();
    lines(&mut emf, &state(&[(CheckStatus::Ok, 3)], None), at(1));
    let rounds = [(CheckStatus::Ok, 3), (CheckStatus::Down, 3), (CheckStatus::Down, 20_000)];
    let [check, monitor] = lines(&mut emf, &state(&rounds, None), at(2));
    assert_eq!(check["nowcheck_rounds"], json!(2));
    assert_eq!(check["nowcheck_round_duration_seconds"], json!({"Values": [0.005, 30.0], "Counts": [1, 1]}));
    assert_eq!(monitor["nowcheck_history_dropped"], json!(0));
    // A check that is watched anew counts from its beginning.
    let mut anew = CheckState::clone(&state(&[(CheckStatus::Ok, 3)], None));
    anew.watched_since = at(2);
    assert_eq!(lines(&mut emf, &Arc::new(anew), at(3))[0]["nowcheck_rounds"], json!(1));
}

/// The alarm `monitor-wrong` of `services/Monitor.yaml` rests on that.
#[test]
fn only_what_is_wrong_is_up_and_not_ok() {
    for status in CheckStatus::ALL {
        let [check, _] = lines(&mut emf(), &state(&[(status, 3)], None), at(1));
        let [up, ok] = ["nowcheck_up", "nowcheck_ok"].map(|name| check[name].as_i64().unwrap());
        assert_eq!(up - ok, i64::from(status == CheckStatus::Wrong), "{status:?}");
    }
}

#[test]
fn what_is_not_known_is_no_metric_and_a_wrong_clock_is_up_and_not_ok() {
    let [check, _] = lines(&mut emf(), &state(&[(CheckStatus::Wrong, 3)], None), at(1));
    assert_eq!((&check["nowcheck_up"], &check["nowcheck_ok"]), (&json!(1), &json!(0)));
    assert!(check.get("nowcheck_clock_offset_lower_seconds").is_none());
    assert!(check.get("nowcheck_certificate_remaining_seconds").is_none());
    // Nothing stands for ever.
    let offset = OffsetBounds { lower: -1_500_000, upper: 2_500_000 };
    let [check, _] = lines(&mut emf(), &state(&[(CheckStatus::Ok, 3)], Some(offset)), at(61));
    assert_eq!((&check["nowcheck_up"], &check["reason"]), (&json!(0), &json!("overdue")));
    assert!(check.get("nowcheck_clock_offset_lower_seconds").is_none());
}
