use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + second).unwrap()
}

fn message(receiver: &str, id: &str, second: i64) -> Pending {
    Pending::new(id, receiver, format!("{{\"id\":\"{id}\"}}"), at(second))
}

fn ids(started: &[Pending]) -> Vec<&str> {
    started.iter().map(|one| one.id.as_str()).collect()
}

fn outbox(messages: &[(&str, &str)]) -> Outbox {
    let mut outbox = Outbox::default();
    for (receiver, id) in messages {
        outbox.add(message(receiver, id, 0));
    }
    outbox
}

const REJECTED: Setback = Setback { is_rejected: true, retry_after: None };

#[test]
fn a_receiver_gets_one_message_at_a_time_and_waits_for_no_other_receiver() {
    let mut outbox = outbox(&[("a", "1-a-1"), ("a", "1-a-2"), ("b", "1-b-1")]);
    assert_eq!(ids(&outbox.start(at(0))), ["1-a-1", "1-b-1"]);
    assert!(outbox.start(at(0)).is_empty());
    outbox.delivered("a", "1-a-1", None, at(0));
    assert_eq!(ids(&outbox.start(at(0))), ["1-a-2"]);
}

#[test]
fn pauses_grow_to_ten_minutes_and_end_after_a_day() {
    let mut outbox = outbox(&[("a", "1-a-1")]);
    let (mut now, mut pauses) = (at(0), Vec::new());
    loop {
        assert_eq!(outbox.start(now).len(), 1);
        match outbox.failed("a", "1-a-1", Setback::default(), now) {
            Next::Retry(next) => {
                pauses.push(Duration::try_from(next.duration_since(now)).unwrap());
                now = next;
            }
            Next::GaveUp => break,
        }
    }
    for (nth, pause) in pauses.iter().enumerate().take(pauses.len() - 1) {
        let longest = Duration::from_secs(1 << nth.min(10)).min(Duration::from_mins(10));
        assert!(*pause <= longest && *pause >= longest * 3 / 4, "{nth}: {pause:?}");
    }
    assert!(now <= at(86_400) && now >= at(86_400 - 60), "{now}");
    assert!(outbox.pending().is_empty());
}

#[test]
fn a_rejected_message_holds_up_its_own_incident_and_no_other() {
    let mut outbox = outbox(&[("a", "1-a-1"), ("a", "1-a-2"), ("a", "2-a-1")]);
    outbox.start(at(0));
    outbox.failed("a", "1-a-1", REJECTED, at(0));
    assert_eq!(ids(&outbox.start(at(0))), ["2-a-1"]);
    outbox.delivered("a", "2-a-1", None, at(0));
    assert!(outbox.start(at(0)).is_empty());
    assert_eq!(ids(&outbox.start(at(60))), ["1-a-1"]);
}

#[test]
fn a_receiver_that_fails_is_tried_with_one_message_only() {
    let mut outbox = outbox(&[("a", "1-a-1"), ("a", "2-a-1")]);
    outbox.start(at(0));
    let Next::Retry(next) = outbox.failed("a", "1-a-1", Setback::default(), at(0)) else { panic!() };
    assert!(next > at(0) && outbox.start(at(0)).is_empty());
    assert_eq!(outbox.next_try(), Some(next));
    assert_eq!(ids(&outbox.start(next)), ["1-a-1"]);
}

#[test]
fn a_message_that_fails_again_and_again_holds_up_no_other_incident() {
    let mut outbox = outbox(&[("a", "1-a-1"), ("a", "1-a-2")]);
    let mut now = at(0);
    for _ in 0..3 {
        assert_eq!(ids(&outbox.start(now)), ["1-a-1"]);
        let Next::Retry(next) = outbox.failed("a", "1-a-1", Setback::default(), now) else { panic!() };
        now = next;
    }
    outbox.add(Pending::new("2-a-1", "a", String::new(), now));
    assert_eq!(ids(&outbox.start(now)), ["2-a-1"], "what is new first");
    outbox.delivered("a", "2-a-1", None, now);
    assert_eq!(ids(&outbox.start(now)), ["1-a-1"]);
}

#[test]
fn what_failed_is_tried_at_once_when_the_receiver_works_again() {
    let mut outbox = outbox(&[("a", "1-a-1")]);
    let mut now = at(0);
    for _ in 0..8 {
        outbox.start(now);
        let Next::Retry(next) = outbox.failed("a", "1-a-1", Setback::default(), now) else { panic!() };
        now = next;
    }
    outbox.start(now);
    outbox.failed("a", "1-a-1", Setback::default(), now);
    outbox.add(Pending::new("2-a-1", "a", String::new(), now));
    outbox.start(now);
    outbox.delivered("a", "2-a-1", None, now);
    assert_eq!(ids(&outbox.start(now)), ["1-a-1"]);
}

#[test]
fn the_pause_that_a_receiver_asks_for_is_kept_up_to_ten_minutes() {
    for (asked, expected) in [(120, 120), (1_000_000, 600)] {
        let mut outbox = outbox(&[("a", "1-a-1")]);
        outbox.start(at(0));
        let setback = Setback { is_rejected: false, retry_after: Some(Duration::from_secs(asked)) };
        assert_eq!(outbox.failed("a", "1-a-1", setback, at(0)), Next::Retry(at(expected)));
    }
}

#[test]
fn what_is_a_day_old_is_not_tried_any_more() {
    let mut outbox = outbox(&[("a", "1-a-1")]);
    assert!(outbox.start(at(86_400)).is_empty());
    assert_eq!(ids(&outbox.expired(at(86_400))), ["1-a-1"]);
}

#[test]
fn a_receiver_that_forgets_is_told_again_until_the_incident_goes_on() {
    let minute = Some(Duration::from_mins(1));
    let mut outbox = outbox(&[("am", "1-am-1")]);
    outbox.start(at(0));
    outbox.delivered("am", "1-am-1", minute, at(0));
    assert!(outbox.start(at(59)).is_empty());
    assert_eq!(ids(&outbox.start(at(60))), ["1-am-1"]);
    outbox.delivered("am", "1-am-1", minute, at(60));
    let mut outbox = Outbox::new(outbox.pending().to_vec());
    assert_eq!(ids(&outbox.add(message("am", "1-am-2", 70))), ["1-am-1"]);
    assert_eq!(ids(&outbox.start(at(120))), ["1-am-2"]);
    outbox.delivered("am", "1-am-2", None, at(120));
    assert_eq!(outbox.next_try(), None);
}

#[test]
fn what_is_new_goes_before_repetitions() {
    let mut outbox = outbox(&[("am", "1-am-1")]);
    outbox.start(at(0));
    outbox.delivered("am", "1-am-1", Some(Duration::from_mins(1)), at(0));
    outbox.add(message("am", "2-am-1", 60));
    assert_eq!(ids(&outbox.start(at(60))), ["2-am-1"]);
}

#[test]
fn a_repetition_that_is_under_way_when_the_incident_closes_does_not_come_back() {
    let minute = Some(Duration::from_mins(1));
    let mut outbox = outbox(&[("am", "1-am-1")]);
    outbox.start(at(0));
    outbox.add(message("am", "1-am-2", 0));
    outbox.delivered("am", "1-am-1", minute, at(0));
    assert_eq!(ids(outbox.pending()), ["1-am-2"]);
}

#[test]
fn a_repetition_is_never_given_up() {
    let mut outbox = outbox(&[("am", "1-am-1")]);
    outbox.start(at(0));
    outbox.delivered("am", "1-am-1", Some(Duration::from_mins(1)), at(0));
    let days = at(3 * 86_400);
    assert!(outbox.expired(days).is_empty(), "the monitor was off");
    assert_eq!(ids(&outbox.start(days)), ["1-am-1"]);
    let Next::Retry(next) = outbox.failed("am", "1-am-1", Setback::default(), days) else { panic!() };
    assert!(next > days && next <= days + Duration::from_secs(1), "{next}");
    assert_eq!(ids(&outbox.start(next)), ["1-am-1"]);
}

#[test]
fn a_step_of_the_wall_clock_makes_no_message_older_and_delays_none() {
    for step in [SignedDuration::from_hours(24 * 365), SignedDuration::from_hours(-48)] {
        let mut outbox = outbox(&[("a", "1-a-1")]);
        outbox.start(at(0));
        let Next::Retry(next) = outbox.failed("a", "1-a-1", REJECTED, at(0)) else { panic!() };
        outbox.wall_clock_was_stepped(step);
        assert!(outbox.expired(at(1) + step).is_empty());
        assert_eq!(outbox.next_try(), Some(next + step));
        assert_eq!(ids(&outbox.start(next + step)), ["1-a-1"]);
        assert!(matches!(outbox.failed("a", "1-a-1", REJECTED, next + step), Next::Retry(_)));
    }
}

#[test]
fn a_clock_that_goes_back_delays_nothing() {
    let mut outbox = outbox(&[("a", "1-a-1")]);
    assert_eq!(ids(&outbox.start(at(-5_000))), ["1-a-1"]);
}

#[test]
fn the_same_message_is_taken_once() {
    let mut outbox = outbox(&[("a", "1-a-1"), ("a", "1-a-1")]);
    assert_eq!(outbox.pending().len(), 1);
    outbox.start(at(0));
    outbox.delivered("a", "1-a-1", None, at(0));
    assert!(outbox.pending().is_empty());
}

#[test]
fn what_is_for_nobody_is_taken_out() {
    let mut outbox = outbox(&[("a", "1-a-1"), ("b", "1-b-1")]);
    assert_eq!(ids(&outbox.without_receiver(|name| name == "a")), ["1-b-1"]);
    assert_eq!(ids(outbox.pending()), ["1-a-1"]);
}

#[test]
fn order_is_that_of_the_counter_after_a_restart_whatever_the_clock_did() {
    let rows = vec![message("a", "1-a-10", 5), message("a", "2-a-1", 7), message("a", "1-a-9", 10)];
    assert_eq!(ids(Outbox::new(rows).pending()), ["1-a-9", "1-a-10", "2-a-1"]);
}
