//! An outcome in words and as JSON. Nothing here reads or writes anything.

mod advice;
mod hints;
pub mod json;
mod names;
mod notes;
mod references;
mod settings;
mod summary;

pub use settings::{Setting, SettingNames};
pub use summary::place;

/// Turns outcomes into sentences, for a user who knows the settings by these names.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    names: &'a dyn SettingNames,
}

impl<'a> Words<'a> {
    /// Sentences that name settings as `names` does.
    #[must_use]
    pub fn new(names: &'a dyn SettingNames) -> Self {
        Self { names }
    }

    fn name(self, setting: Setting) -> &'static str {
        self.names.name(setting)
    }

    fn with(self, setting: Setting, value: &str) -> String {
        self.names.with(setting, value)
    }
}
