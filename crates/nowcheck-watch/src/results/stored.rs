//! What the history keeps of the parts of the monitor, read again when it starts. What cannot be read is never overwritten.

use serde::de::DeserializeOwned;

use super::ALERTS;
use crate::alerts::Pending;
use crate::history::{History, Restored, Step};
use crate::incident::Alerts;

/// What is read, and what could not be.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    restored: &'a Restored,
    unreadable: Vec<Unreadable>,
}

/// A part that begins anew.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) problem: String,
    /// The name under which what stood there is kept, and that.
    pub(super) kept: (String, String),
}

impl<'a> Stored<'a> {
    pub(super) const fn new(restored: &'a Restored) -> Self {
        Self { restored, unreadable: Vec::new() }
    }

    /// The part of that name. It begins anew if nothing is stored or that cannot be read.
    pub(super) fn part<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let Some(json) = self.restored.state.get(name) else { return T::default() };
        serde_json::from_str::<Option<T>>(json).map_or_else(|error| {
            let aside = format!("{name} (unreadable)");
            let problem = format!(
                "what the history says of {name} cannot be read ({error}): that begins anew, and the history keeps \
                 what stood there as state “{aside}”"
            );
            self.unreadable.push(Unreadable { problem, kept: (aside, json.clone()) });
            T::default()
        }, Option::unwrap_or_default)
    }

    /// What could not be read.
    pub(super) fn unreadable(self) -> Vec<Unreadable> {
        self.unreadable
    }
}

/// The messages of an earlier run that are still to be sent.
pub(crate) fn left_over(restored: &Restored, history: &History) -> Vec<Pending> {
    let (left, done) = split(restored);
    if !done.is_empty() {
        history.commit(Step { done, ..Step::default() });
    }
    left
}

/// Those messages, and the names of repetitions about incidents that are not known any more, as after the history was damaged.
/// Nothing would ever end them.
fn split(restored: &Restored) -> (Vec<Pending>, Vec<String>) {
    let alerts: Alerts = Stored::new(restored).part(ALERTS);
    let messages = restored.outbox.iter().filter_map(|message| serde_json::from_str(&message.body).ok());
    let is_wanted = |one: &Pending| !one.repeats || alerts.are_about(&one.id, &one.receiver);
    let (left, ended): (Vec<Pending>, Vec<Pending>) = messages.partition(is_wanted);
    (left, ended.into_iter().map(|one| one.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::OutboxMessage;

    #[test]
    fn a_repetition_ends_when_its_incident_is_not_known_any_more() {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let stored = |id: &str, receiver: &str, repeats| {
            let pending = Pending { repeats, ..Pending::new(id, receiver, String::new(), at) };
            let body = serde_json::to_string(&pending).unwrap();
            let (id, receiver) = (id.to_owned(), receiver.to_owned());
            OutboxMessage { id, receiver, body, first_try: at, next_try: at, tries: 0 }
        };
        let outbox = vec![
            stored("1795878000-1-am-1", "am", true),
            stored("1795878000-1-other-1", "other", true),
            stored("1795878000-12-am-1", "am", true),
            stored("1795878000-12-am-2", "am", false),
        ];
        let sent = r#"{"sent": {"1795878000-1": {"am": {"count": 1, "last": "1970-01-01T00:00:00Z"}}}}"#;
        let restored = Restored { state: [(ALERTS.to_owned(), sent.to_owned())].into(), outbox };
        let (left, ended) = split(&restored);
        let left: Vec<_> = left.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(left, ["1795878000-1-am-1", "1795878000-12-am-2"]);
        assert_eq!(ended, ["1795878000-1-other-1", "1795878000-12-am-1"]);
    }

    #[test]
    fn what_cannot_be_read_begins_anew_and_is_kept() {
        let state = [("good", "[1]"), ("bad", "[1"), ("other", "{\"a\": 1}")];
        let state = state.map(|(name, json)| (name.to_owned(), json.to_owned())).into();
        let restored = Restored { state, outbox: Vec::new() };
        let mut stored = Stored::new(&restored);
        assert_eq!(stored.part::<Vec<i32>>("good"), [1]);
        for anew in ["bad", "other", "never stored"] {
            assert!(stored.part::<Vec<i32>>(anew).is_empty());
        }
        let unreadable = stored.unreadable();
        let kept: Vec<_> =
            unreadable.iter().map(|part| (part.kept.0.as_str(), part.kept.1.as_str())).collect();
        assert_eq!(kept, [("bad (unreadable)", "[1"), ("other (unreadable)", "{\"a\": 1}")]);
        assert!(unreadable[0].problem.contains("what the history says of bad cannot be read (EOF"));
    }
}
