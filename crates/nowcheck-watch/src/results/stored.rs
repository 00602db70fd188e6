//! What the history keeps of the parts of the monitor, read again when it starts. What cannot be read is never overwritten.

use serde::de::DeserializeOwned;

use crate::history::Restored;

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

#[cfg(test)]
mod tests {
    use super::*;

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
