//! What several tests need: a notice of each event.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use url::Url;

use super::{Context, Notice, NoticeEvent};
use crate::config::{AlertConfig, Config, SecretSource};
use crate::incident::{
    Change, ChangeKind, Ending, Event, Evidence, IncidentId, Message, OffsetBounds, Place, Scope, Subject,
    Trouble, TroubleKind,
};

/// A message about a check, or about the monitor.
pub(crate) fn message(event: Event, scope: Scope) -> Message {
    let at: Timestamp = "2026-11-28T15:00:10.25Z".parse().unwrap();
    let since: Timestamp = "2026-11-28T15:00:00Z".parse().unwrap();
    let offset = OffsetBounds { lower: 2_900_000_001, upper: 3_100_000_000 };
    let trouble = Trouble { offset: Some(offset), ..Trouble::new(TroubleKind::Wrong, "desynchronized") };
    let incident: IncidentId = serde_json::from_str("\"1795878000-1\"").unwrap();
    let kind = match event {
        Event::Opened | Event::Reminder => ChangeKind::Opened,
        Event::Changed => ChangeKind::Grew,
        Event::Flapping => ChangeKind::Flapping,
        Event::Closed => ChangeKind::Closed(Ending::Recovered),
    };
    let places = [(Place::Backend("i-1".to_owned()), trouble)].into();
    Message {
        id: format!("{incident}-night-2"),
        receiver: "night".to_owned(),
        event,
        is_flapping: event == Event::Flapping,
        change: Change {
            incident,
            kind,
            subject: match &scope {
                Scope::Check(check) => Subject::Check(check.clone()),
                Scope::Monitor(part) => Subject::Monitor(part.clone()),
            },
            scope,
            status: Some(TroubleKind::Wrong),
            reason: "desynchronized".to_owned(),
            since,
            at,
            evidence: Evidence {
                summary: "the clock is 3.0 s ± 100 ms ahead".to_owned(),
                offset: Some(offset),
                places,
            },
        },
    }
}

/// A notice about the check `shop`.
pub(super) fn notice(event: NoticeEvent) -> Notice {
    let external_url: Url = "https://now.example/monitor/".parse().unwrap();
    let labels = [("team".to_owned(), "web".to_owned())].into();
    let context = Context {
        monitor: "frankfurt",
        external_url: Some(&external_url),
        labels: Some(&labels),
        advice: Some("on the server, look at `chronyc tracking`"),
    };
    let of = |event| Notice::new(&message(event, Scope::Check("shop".to_owned())), &context);
    match event {
        NoticeEvent::Opened => of(Event::Opened),
        NoticeEvent::Changed => of(Event::Changed),
        NoticeEvent::Closed => of(Event::Closed),
        NoticeEvent::Flapping => of(Event::Flapping),
        NoticeEvent::Reminder => of(Event::Reminder),
        NoticeEvent::Test => Notice::test("night", &context, "2026-11-28T15:00:00Z".parse().unwrap()),
    }
}

/// Environment variables that hold secrets.
struct Variables<'a>(BTreeMap<&'a str, &'a str>);

impl SecretSource for Variables<'_> {
    fn file(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|&value| value.to_owned())
    }
}

/// An alert as a configuration has it: lines of its table, and the secrets that they name.
pub(super) fn alert(name: &str, lines: &str, secrets: &[(&str, &str)]) -> AlertConfig {
    let text = format!(
        "[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\n[[alert]]\nname = \"{name}\"\n{lines}"
    );
    let variables = Variables(secrets.iter().copied().collect());
    let mut config = Config::parse("a.toml", text.as_bytes(), Path::new(""), &variables).unwrap();
    config.alerts.remove(0)
}

/// A signed webhook.
pub(super) fn webhook(name: &str, url: &str) -> AlertConfig {
    let lines = "type = \"webhook\"\nurl_env = \"URL\"\nsecret_env = \"KEY\"\ntimeout = \"2s\"\n";
    alert(name, lines, &[("URL", url), ("KEY", "k3y")])
}
