use std::path::Path;

use nowcheck::outcome::{Cause, ExchangeFault, Failure, Finding, Phase, TargetOutcome};

use super::*;
use crate::alerts::{DeliveryResult, Fault, Report};
use crate::config::{Config, System};
use crate::history::testing::in_memory;
use crate::incident::testing::outcome;

fn configured(lines: &str) -> Config {
    Config::parse("a.toml", format!("{NIGHT}[[check]]\n{lines}\n").as_bytes(), Path::new(""), &System)
        .unwrap()
}

const NIGHT: &str =
    "[[alert]]\nname = \"night\"\ntype = \"exec\"\ncommand = [\"/bin/true\"]\nafter = \"1d\"\n";
const SHOP: &str = "name = \"shop\"\nurl = \"http://127.0.0.1:1\"\nevery = \"1s\"\ntimeout = \"100ms\"\n";

/// The check `shop`.
pub(super) fn configured_shop() -> CheckConfig {
    configured(SHOP).checks.remove(0)
}

/// Results of a monitor that watches `shop`. It has to be made on a runtime.
fn results() -> (Results, Arc<CheckConfig>) {
    let (clock, config) = (Clock::start(), configured(SHOP));
    let runtime = tokio::runtime::Handle::current();
    let (history, restored) = in_memory();
    let left_over = left_over(&restored, &history);
    let (dispatch, _) = Dispatch::start(&runtime, &config, "here", (&history, left_over), clock);
    let peers = Arc::new(Peers::new(clock, "here", runtime));
    let outlets = Outlets { board: Arc::default(), log: Log::new().0, history, dispatch, peers };
    let results = Results::new(clock, outlets, &restored);
    results.configure(&config);
    (results, Arc::new(config.checks[0].clone()))
}

/// A round that found its service down, and ended then.
fn down(config: &Arc<CheckConfig>, ended: MonotonicInstant) -> HeldRound {
    let cause = Cause::Exchange(ExchangeFault::Silent);
    let failure = Failure { phase: Phase::Wait, cause, elapsed: Duration::ZERO };
    let finding = Finding::of_failure(failure, Vec::new());
    let target = TargetOutcome::new("http://127.0.0.1:1", "127.0.0.1:1".parse().ok(), finding);
    let outcome = outcome(vec![target]);
    HeldRound {
        config: Arc::clone(config),
        outcome,
        lateness: Duration::ZERO,
        next: Timestamp::MAX,
        found_within: Duration::ZERO,
        full_because: None,
        names_left_out: false,
        ended,
    }
}

#[tokio::test]
async fn a_round_of_what_is_no_longer_watched_like_that_opens_nothing_and_counts_nowhere() {
    for after in [
        "name = \"blog\"\nurl = \"http://127.0.0.1:1\"".to_owned(),
        SHOP.replace(":1\"", ":2\""),
        format!("{SHOP}max_offset = \"5s\""),
    ] {
        let (results, before) = results();
        results.take(down(&before, results.clock.now()));
        assert!(results.has_incident("shop"), "it is watched still");
        results.configure(&configured("name = \"blog\"\nurl = \"http://127.0.0.1:1\""));
        results.configure(&configured(&after));
        assert!(!results.has_incident("shop"));
        results.take(down(&before, results.clock.now()));
        results.take_in(&down(&before, results.clock.now()), Meaning::AsItSays);
        results.missed(&before, "overrun", 1);
        assert_eq!(results.open_incidents(), 0, "{after}");
        if let Some(shop) = results.board.check("shop") {
            let counted = shop.counters.round_total() + shop.counters.missed_total();
            assert_eq!((shop.reason.as_str(), counted), (NOT_CHECKED_YET, 0));
        }
    }
}

#[tokio::test]
async fn a_round_that_waited_longer_than_it_stands_is_what_it_is_judged_as() {
    let (results, config) = results();
    let ended = results.clock.now();
    tokio::time::sleep(stands_for(&config)).await;
    results.take_in(&down(&config, ended), Meaning::AsItSays);
    assert!(results.has_incident("shop"));
    let shop = results.board.check("shop").unwrap();
    assert_eq!((shop.status, shop.reason.as_str()), (CheckStatus::Down, "down"));
    assert_eq!(shop.status_at(timestamps::now(results.clock)), CheckStatus::Unknown, "it stands no more");
}

#[tokio::test]
async fn a_receiver_that_flapped_and_took_its_last_message_is_calm_without_another_one() {
    let (results, _) = results();
    let now = timestamps::now(results.clock);
    let second = |second: u64| now + Duration::from_secs(second);
    let part = MonitorPart::Receiver("night".to_owned());
    let report =
        |result| results.delivered(&Report { receiver: "night".to_owned(), id: String::new(), result });
    let failed = || DeliveryResult::GaveUp { fault: Fault::Damaged };
    let flap = |state: &mut State, from: u64| {
        for start in 0..5 {
            state.incidents.report_fault(&part, "500", second(from + start * 10));
            state.incidents.report_working(&part, "", second(from + start * 10 + 5));
        }
    };
    let end = |state: &mut State, from: u64| {
        (from..from + 1_900).find(|at| !state.report_receivers(second(*at)).is_empty()).map(|at| at - from)
    };
    flap(&mut results.lock(), 0);
    report(failed());
    assert_eq!(end(&mut results.lock(), 50), None, "its last message failed");
    report(DeliveryResult::Delivered);
    assert_eq!(end(&mut results.lock(), 2_000), Some(1_740));
    assert_eq!(results.open_incidents(), 0);
}
