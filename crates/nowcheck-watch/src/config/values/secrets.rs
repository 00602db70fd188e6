//! Secrets: `KEY_file` or `KEY_env`, read while the file is validated. No message holds a value.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::{Given, Section};
use crate::config::problem::Problem;
use crate::config::secret::{KnownSecrets, Secret, SecretSource};
use crate::config::trusts::Trusts;

/// The most that is read of a secret: more of it would be another file.
const MOST: u64 = 64 * 1024;

/// Where secrets are read from, where relative paths begin, and which authorities were read already.
#[derive(Clone, Copy)]
pub(in crate::config) struct Secrets<'a> {
    pub(in crate::config) source: &'a dyn SecretSource,
    pub(in crate::config) folder: &'a Path,
    pub(in crate::config) trusts: &'a Trusts,
    /// All that were read.
    pub(in crate::config) known: &'a RefCell<KnownSecrets>,
}

impl Secrets<'_> {
    /// A path of the file, as it is opened.
    pub(in crate::config) fn resolved(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// A text file, without the line break at its end.
    fn file(&self, path: &Path) -> Result<Secret, String> {
        let bytes = self.source.file(&self.resolved(path), MOST + 1).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MOST {
            return Err("is larger than 64 KiB; is this the right file?".to_owned());
        }
        let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        Ok(self.noted(None, not_empty(&text)?))
    }

    fn variable(&self, name: &str) -> Result<Secret, String> {
        let text =
            self.source.variable(name).ok_or("is not set, or is not UTF-8; set this environment variable")?;
        Ok(self.noted(Some(name), not_empty(&text)?))
    }

    fn noted(&self, variable: Option<&str>, secret: Secret) -> Secret {
        self.known.borrow_mut().add(variable, &secret);
        secret
    }
}

fn not_empty(text: &str) -> Result<Secret, String> {
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() { Err("is empty".to_owned()) } else { Ok(Secret::new(text)) }
}

impl Section<'_> {
    /// A secret, from `NAME_file` or `NAME_env`.
    pub(in crate::config) fn secret(&self, name: &str, secrets: Secrets<'_>) -> Option<Given<Secret>> {
        debug_assert!(self.table.secret(name).is_some(), "{name} is not described in {}", self.table.name);
        let [file, variable] = ["_file", "_env"].map(|ending| format!("{name}{ending}"));
        if let (true, Some(line)) = (self.has(&file), self.line_of(&variable)) {
            self.wrong(Some(line), Problem::Both { key: file, other: variable });
            return None;
        }
        self.read_secret(&file, "the path of a file", |path| secrets.file(Path::new(path))).or_else(|| {
            self.read_secret(&variable, "the name of an environment variable", |name| secrets.variable(name))
        })
    }

    /// A text file that is secret as a whole, by the path in a key of its own.
    pub(in crate::config) fn secret_file(&self, key: &str, secrets: Secrets<'_>) -> Option<Given<Secret>> {
        self.read_secret(key, "the path of a file", |path| secrets.file(Path::new(path)))
    }

    /// Whether a secret is given, right or wrong.
    pub(in crate::config) fn has_secret(&self, name: &str) -> bool {
        ["", "_file", "_env"].iter().any(|ending| self.has(&format!("{name}{ending}")))
    }

    fn read_secret(
        &self,
        key: &str,
        what: &str,
        read: impl Fn(&str) -> Result<Secret, String>,
    ) -> Option<Given<Secret>> {
        let (line, written) = self.entry(key)?;
        let is_name = |text: &&str| {
            !text.is_empty()
                && text.len() <= 4_096
                && !text.chars().any(char::is_control)
                && !text.contains("://")
        };
        // What stands there may be the secret itself.
        let hidden = |must: String| {
            self.wrong(Some(line), Problem::Hidden { key: key.to_owned(), must });
            None
        };
        let Some(name) = written.get_ref().as_str().filter(is_name) else {
            return hidden(format!("must be {what}, and not the secret itself"));
        };
        let is_variable = |name: &str| name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
        if key.ends_with("_env") && !is_variable(name) {
            return hidden(format!(
                "must be {what} (letters, digits and underscores), and not the secret itself"
            ));
        }
        match read(name) {
            Ok(value) => Some(Given { value, line: Some(line) }),
            // Without a slash, or in lower case, it may be the secret itself.
            Err(why) if !name.contains('/') && name.chars().any(char::is_lowercase) => {
                hidden(format!("cannot be read: {why}"))
            }
            Err(why) => {
                let (key, value) = (key.to_owned(), self.report.written(written.span()));
                let must = format!("cannot be read: {why}");
                self.wrong(Some(line), Problem::Value { key, value, must, closest: None });
                None
            }
        }
    }
}
