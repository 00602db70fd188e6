use std::path::Path;

use super::*;
use crate::alerts::testing::{message, notice};
use crate::incident::{MonitorPart, TroubleKind};

const EVENTS: [NoticeEvent; 6] = [
    NoticeEvent::Opened,
    NoticeEvent::Changed,
    NoticeEvent::Closed,
    NoticeEvent::Flapping,
    NoticeEvent::Reminder,
    NoticeEvent::Test,
];

fn about_monitor(event: Event) -> Notice {
    let mut message = message(event, Scope::Monitor(MonitorPart::Dns));
    message.change.reason = "dns".to_owned();
    message.change.status = Some(TroubleKind::Down);
    message.change.evidence = crate::incident::Evidence {
        summary: "the DNS does not answer".to_owned(),
        ..crate::incident::Evidence::default()
    };
    Notice::new(&message, &Context { monitor: "frankfurt", ..Context::default() })
}

/// The schema is tested against these lines by `tests/test_alert_schema.py`. `UPDATE_EXPECT=1` rewrites them.
#[test]
fn the_messages_of_every_event_are_the_golden_ones() {
    let mut notices: Vec<Notice> = EVENTS.map(notice).into();
    notices.extend([Event::Opened, Event::Closed].map(about_monitor));
    let lines: Vec<String> = notices.iter().map(Notice::to_json).collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract/golden/alerts.jsonl");
    expect_test::expect_file![golden].assert_eq(&format!("{}\n", lines.join("\n")));
}

#[test]
fn what_was_stored_is_read_as_it_was() {
    for event in EVENTS {
        let notice = notice(event);
        assert_eq!(Notice::from_json(&notice.to_json()).unwrap(), notice);
    }
    assert!(Notice::from_json("{}").is_err());
}

#[test]
fn an_offset_keeps_all_of_its_digits() {
    let notice = notice(NoticeEvent::Opened);
    assert!(notice.to_json().contains("\"offset\":{\"lower\":2.900000001,\"upper\":3.100000000}"));
}

#[test]
fn a_summary_is_one_line_whatever_a_service_wrote() {
    let mut message = message(Event::Opened, Scope::Check("shop".to_owned()));
    message.change.evidence.summary = "a\r\nBcc: x@y.example\n\u{1b}[2J".to_owned();
    let summary = Notice::new(&message, &Context::default()).summary;
    assert_eq!(summary, "a Bcc: x@y.example \\u{1b}[2J");
}

#[test]
fn what_is_over_is_ok_unless_nobody_looks_any_more() {
    let closed = |ending| {
        let mut message = message(Event::Closed, Scope::Check("shop".to_owned()));
        message.change.kind = ChangeKind::Closed(ending);
        Notice::new(&message, &Context::default()).status
    };
    assert_eq!(closed(Ending::Recovered), ServiceStatus::Ok);
    assert_eq!(closed(Ending::Removed), ServiceStatus::Unknown);
    assert_eq!(about_monitor(Event::Opened).status, ServiceStatus::Unknown);
}

#[test]
fn the_headline_calls_nothing_resolved_that_nobody_looks_at_any_more() {
    let headline = |scope: Scope, ending, summary: &str| {
        let mut message = message(Event::Closed, scope);
        message.change.kind = ChangeKind::Closed(ending);
        summary.clone_into(&mut message.change.evidence.summary);
        Notice::new(&message, &Context { monitor: "frankfurt", ..Context::default() }).headline()
    };
    let shop = || Scope::Check("shop".to_owned());
    assert_eq!(headline(shop(), Ending::Recovered, "in sync"), "shop: resolved: in sync");
    assert_eq!(headline(shop(), Ending::Removed, "shop is no longer watched"), "shop: no longer watched");
    assert_eq!(
        headline(shop(), Ending::Moved, "the URL of shop has changed"),
        "shop: no longer watched: the URL of shop has changed"
    );
    assert_eq!(
        headline(Scope::Monitor(MonitorPart::Dns), Ending::Removed, "it is no longer in the configuration"),
        "monitor frankfurt: no longer watched: it is no longer in the configuration"
    );
}

#[test]
fn the_link_is_below_the_path_of_the_dashboard() {
    for (base, expected) in [
        ("https://now.example", "https://now.example/incidents/7-1"),
        ("https://now.example/monitor", "https://now.example/monitor/incidents/7-1"),
        ("https://now.example/monitor/?a=b#c", "https://now.example/monitor/incidents/7-1"),
    ] {
        assert_eq!(link(&base.parse().unwrap(), "7-1"), expected);
    }
}
