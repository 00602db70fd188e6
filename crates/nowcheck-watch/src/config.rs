//! The configuration: TOML → everything that is watched, or a list of everything that is wrong.
//!
//! The keys are described once, in `keys.rs`. From that come what the parser accepts, the JSON Schema ([`schema`]) and the
//! commented example ([`example`]). A file is validated as a whole, with the secrets that it names, before anything starts.
//!
//! A relative path in the file begins at the folder of the file.

mod alert;
mod check;
pub(crate) mod closest;
mod document;
mod duration;
mod example;
mod export;
mod fingerprint;
mod keys;
mod maintenance;
mod policy;
mod probe;
mod problem;
mod process;
mod relations;
mod report;
mod schema;
mod secret;
mod section;
mod setting_names;
mod shorthand;
#[cfg(test)]
mod tests;
mod trusts;
mod unusable;
mod values;
mod warnings;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

pub use alert::{AlertConfig, Email, Encryption, HeartbeatConfig, Hook, Receiver};
pub use check::CheckConfig;
pub use duration::parse as parse_duration;
pub use example::example;
pub use export::{Export, ExportConfig};
pub(crate) use fingerprint::Fingerprint;
pub use maintenance::MaintenanceConfig;
pub use probe::{AllowedUrl, ProbeModule};
pub use problem::{ConfigError, ConfigErrors, Problem};
pub use process::{HistoryConfig, PeerConfig, ServerConfig, User};
pub use schema::schema;
pub use secret::{KnownSecrets, Secret, SecretSource, System};
pub use setting_names::{FileKeys, words};
pub use shorthand::Shorthand;
pub use trusts::CaFile;
pub use unusable::UnusableSetting;

/// The most that a configuration may be, in bytes.
pub const LARGEST: usize = 8 * 1024 * 1024;

/// Everything that a file says, validated together.
///
/// ```
/// use std::path::Path;
/// use nowcheck_watch::config::{Config, System};
///
/// let text = "[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\nmax_ofset = \"2s\"\n";
/// let errors = Config::parse("nowcheck.toml", text.as_bytes(), Path::new(""), &System).expect_err("a key is unknown");
/// let line = "nowcheck.toml:4: check \"shop\": unknown key max_ofset; did you mean max_offset?";
/// assert_eq!(errors.to_string(), line);
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// Who may connect.
    pub server: ServerConfig,
    /// What is stored, and for how long.
    pub history: HistoryConfig,
    /// What is watched; at least one, unless there are modules of `/probe`.
    pub checks: Vec<CheckConfig>,
    /// Who is alerted, and how.
    pub alerts: Vec<AlertConfig>,
    /// When no alert is opened.
    pub maintenance: Vec<MaintenanceConfig>,
    /// What is pinged while rounds are held.
    pub heartbeat: Option<HeartbeatConfig>,
    /// Other instances.
    pub peers: Vec<PeerConfig>,
    /// How many instances, this one included, must see a service down.
    pub quorum_down: u32,
    /// Where metrics are sent or written.
    pub exports: Vec<ExportConfig>,
    /// The modules of `/probe`.
    pub probes: Vec<ProbeModule>,
    /// The text that says all this.
    pub(crate) fingerprint: Fingerprint,
}

impl Config {
    /// Reads a file, and the secrets that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let file = path.display().to_string();
        let folder = path.parent().unwrap_or(Path::new(""));
        match System.file(path, LARGEST as u64 + 1) {
            Ok(bytes) => Self::parse(&file, &bytes, folder, &System),
            Err(error) => Err(of_the_file(&file, None, Problem::Unreadable(error.to_string()))),
        }
    }

    /// Reads an environment variable that holds the text of a file, which messages call `env:NAME`. Relative paths begin at
    /// the working directory.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of_variable(name: &str) -> Result<Self, ConfigErrors> {
        let file = format!("env:{name}");
        match System.variable(name) {
            Some(text) => Self::parse(&file, text.as_bytes(), Path::new(""), &System),
            None => Err(of_the_file(&file, None, Problem::NoVariable)),
        }
    }

    /// Reads the text of a file, which messages call `file`. Relative paths begin at `folder`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(
        file: &str,
        bytes: &[u8],
        folder: &Path,
        secrets: &dyn SecretSource,
    ) -> Result<Self, ConfigErrors> {
        if bytes.len() > LARGEST {
            return Err(of_the_file(file, None, Problem::TooLarge));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let (trusts, known) = (trusts::Trusts::default(), RefCell::default());
                let secrets = values::Secrets { source: secrets, folder, trusts: &trusts, known: &known };
                let mut config = document::read(file, text, secrets)?;
                config.fingerprint = Fingerprint::of(bytes);
                let known = Arc::new(known.take());
                for alert in &mut config.alerts {
                    alert.receiver.keeps_from_programs(&known);
                }
                Ok(config)
            }
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = before.split(|byte| *byte == b'\n').count();
                Err(of_the_file(file, Some(line), Problem::NotUtf8))
            }
        }
    }
}

fn of_the_file(file: &str, line: Option<usize>, problem: Problem) -> ConfigErrors {
    ConfigErrors(vec![ConfigError { file: file.to_owned(), line, table: String::new(), problem }])
}
