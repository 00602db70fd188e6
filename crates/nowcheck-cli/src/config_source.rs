//! Where a configuration is: in a file, or in an environment variable for containers that have no file.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use nowcheck_watch::config::{Config, ConfigErrors};

/// What was said with `--config`: `FILE` or `env:NAME`. A file of such a name is `./env:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigSource {
    File(PathBuf),
    Variable(String),
}

impl ConfigSource {
    /// # Errors
    /// Everything that is wrong with the configuration.
    pub(crate) fn load(&self) -> Result<Config, ConfigErrors> {
        match self {
            Self::File(file) => Config::load(file),
            Self::Variable(name) => Config::of_variable(name),
        }
    }

    /// The file, which may change. A variable of this process does not.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Variable(_) => None,
        }
    }
}

impl From<OsString> for ConfigSource {
    fn from(given: OsString) -> Self {
        match given.to_str().and_then(|text| text.strip_prefix("env:")) {
            Some(name) => Self::Variable(name.to_owned()),
            None => Self::File(given.into()),
        }
    }
}

/// As messages call it.
impl fmt::Display for ConfigSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(formatter, "{}", file.display()),
            Self::Variable(name) => write!(formatter, "env:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_with_env_and_anything_else_is_a_file() {
        let source = |given: &str| ConfigSource::from(OsString::from(given));
        assert_eq!(source("env:CONFIG"), ConfigSource::Variable("CONFIG".to_owned()));
        for file in ["nowcheck.toml", "./env:CONFIG", "environment", "env"] {
            assert_eq!(source(file), ConfigSource::File(file.into()));
        }
        assert_eq!(source("env:CONFIG").to_string(), "env:CONFIG");
        assert_eq!(source("env:CONFIG").file(), None);
    }
}
