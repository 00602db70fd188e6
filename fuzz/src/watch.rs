//! The monitor: its configuration.

use std::io;
use std::path::Path;
use std::sync::LazyLock;

use nowcheck::probe::tls::Trust;
use nowcheck_watch::config::{Config, SecretSource};

use crate::assert_is_printable;

/// Nothing outside of the bytes is read, but files of certificates that they name.
struct Nothing;

const HIDDEN: &str = "http://hooks.example/T0KEN";

impl SecretSource for Nothing {
    fn file(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Ok(HIDDEN.as_bytes().to_vec())
    }

    fn authorities(&self) -> Trust {
        static READ: LazyLock<Trust> = LazyLock::new(Trust::of_this_machine);
        READ.clone()
    }

    fn variable(&self, _: &str) -> Option<String> {
        Some(HIDDEN.to_owned())
    }
}

/// A file. What is wrong with it is told in lines, and never with a secret.
pub fn watch_config(data: &[u8]) {
    match Config::parse("nowcheck.toml", data, Path::new("/nonexistent"), &Nothing) {
        Ok(config) => {
            assert!(!config.checks.is_empty());
            assert!(!format!("{config:?}").contains(HIDDEN));
        }
        Err(errors) => {
            assert!(!errors.0.is_empty());
            for error in &errors.0 {
                let line = error.to_string();
                assert_is_printable(&line, 4_000);
                assert!(
                    !line.contains(HIDDEN)
                        || data.windows(HIDDEN.len()).any(|part| part == HIDDEN.as_bytes())
                );
            }
        }
    }
}
