//! The configuration file while the monitor runs. It is read beside the rounds: a disk that does not answer delays none.
//!
//! A file that could not be loaded is tried again with each look, even if it stays as it is: a secret that it names may have come
//! later than the file.

use std::convert::Infallible;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::config::{Config, ConfigErrors, Fingerprint};

/// What is to be used from now on: a configuration and what it cannot do on this machine, or why there is none.
pub(super) type Loaded = Result<(Config, Vec<String>), ConfigErrors>;

/// What the file holds; none if it cannot be read, or can be read only once, as a pipe.
type Content = Option<Fingerprint>;

/// The file, and what it held when it was loaded last.
#[derive(Debug)]
pub(super) struct WatchedFile {
    path: Option<PathBuf>,
    seen: Content,
    /// Why it could not be loaded since then.
    failed: Option<String>,
    reading: Option<JoinHandle<Reading>>,
    /// Whether it has to be loaded once more, because that was asked for while it was being read.
    is_asked_for: bool,
}

/// What one look at the file found.
#[derive(Debug)]
struct Reading {
    content: Content,
    /// None if there is no reason to load it.
    loaded: Option<Loaded>,
    is_asked_for: bool,
}

impl WatchedFile {
    /// A file from which that was loaded. Without a path there is none, and nothing ever happens.
    pub(super) fn new(path: Option<PathBuf>, loaded: Fingerprint) -> Self {
        let can_change = path.as_deref().and_then(regular).is_some();
        Self { path, seen: can_change.then_some(loaded), failed: None, reading: None, is_asked_for: false }
    }

    /// Loads it if it has changed since it was loaded last, or could not be loaded. Does nothing while it is being read.
    pub(super) fn look(&mut self) {
        if self.reading.is_none() {
            self.begin(false);
        }
    }

    /// Loads it, whether it has changed or not.
    pub(super) fn load(&mut self) {
        if self.reading.is_some() {
            self.is_asked_for = true;
        } else {
            self.begin(true);
        }
    }

    /// What was loaded. It waits until something is, and may be dropped meanwhile. A failure that is as before, and that nobody
    /// asked for, is nothing new.
    pub(super) async fn loaded(&mut self) -> Loaded {
        loop {
            let Some(reading) = &mut self.reading else {
                match std::future::pending::<Infallible>().await {}
            };
            let ended = reading.await;
            self.reading = None;
            let Reading { content, loaded, is_asked_for } = match ended {
                Ok(reading) => reading,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            if std::mem::take(&mut self.is_asked_for) {
                self.begin(true);
            }
            match loaded {
                Some(Ok(loaded)) => {
                    (self.seen, self.failed) = (content, None);
                    return Ok(loaded);
                }
                Some(Err(errors)) => {
                    let why = Some(errors.to_string());
                    let before = std::mem::replace(&mut self.failed, why);
                    if is_asked_for || before != self.failed {
                        return Err(errors);
                    }
                }
                None => {}
            }
        }
    }

    fn begin(&mut self, is_asked_for: bool) {
        let Some(path) = self.path.clone() else { return };
        let seen = self.seen;
        let is_due = is_asked_for || self.failed.is_some();
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let (content, loaded) = read(&path, seen, is_due);
            Reading { content, loaded, is_asked_for }
        }));
    }
}

fn read(path: &Path, seen: Content, is_due: bool) -> (Content, Option<Loaded>) {
    // Before it is loaded: what is written in between is a change for the next look.
    let content = content(path);
    let loaded = (is_due || seen != content).then(|| {
        let config = Config::load(path)?;
        let warnings = config.warnings();
        Ok((config, warnings))
    });
    (content, loaded)
}

fn content(path: &Path) -> Content {
    regular(path)?;
    std::fs::read(path).ok().map(|bytes| Fingerprint::of(&bytes))
}

fn regular(path: &Path) -> Option<Metadata> {
    path.metadata().ok().filter(Metadata::is_file)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SHOP: &str = "[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\n";

    /// What a look finds; none if it finds nothing new.
    async fn looked(file: &mut WatchedFile) -> Option<Loaded> {
        file.look();
        found(file).await
    }

    async fn found(file: &mut WatchedFile) -> Option<Loaded> {
        // A look that finds nothing ends, too, and the wait for the next one does not.
        timeout(Duration::from_secs(2), file.loaded()).await.ok()
    }

    /// A file of which the monitor has loaded what it holds now.
    fn watched(path: &Path) -> WatchedFile {
        WatchedFile::new(Some(path.to_owned()), Config::load(path).unwrap().fingerprint)
    }

    #[tokio::test]
    async fn a_file_that_names_a_missing_secret_is_loaded_once_the_secret_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.toml");
        std::fs::write(&path, SHOP).unwrap();
        let mut file = watched(&path);
        let alert = "[[alert]]\nname = \"a\"\ntype = \"webhook\"\nurl_file = \"keys/hook\"\n";
        std::fs::write(&path, format!("{SHOP}{alert}")).unwrap();
        assert!(looked(&mut file).await.unwrap().is_err());
        assert!(looked(&mut file).await.is_none(), "the same failure is told once");
        let secret = folder.path().join("keys/hook");
        std::fs::create_dir(secret.parent().unwrap()).unwrap();
        std::fs::write(&secret, "").unwrap();
        let errors = looked(&mut file).await.unwrap().unwrap_err();
        assert!(errors.to_string().contains("is empty"), "another failure is told: {errors}");
        std::fs::write(&secret, "http://hook.example/").unwrap();
        assert_eq!(looked(&mut file).await.unwrap().unwrap().0.alerts.len(), 1);
        assert!(looked(&mut file).await.is_none());
    }

    #[tokio::test]
    async fn a_failure_is_over_when_the_file_is_again_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.toml");
        std::fs::write(&path, SHOP).unwrap();
        let mut file = watched(&path);
        std::fs::write(&path, "nothing").unwrap();
        assert!(looked(&mut file).await.unwrap().is_err());
        std::fs::write(&path, SHOP).unwrap();
        assert!(looked(&mut file).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_is_written_while_the_monitor_starts_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.toml");
        std::fs::write(&path, SHOP).unwrap();
        let loaded = Config::load(&path).unwrap().fingerprint;
        std::fs::write(&path, format!("{SHOP}max_offset = \"1s\"\n")).unwrap();
        let mut file = WatchedFile::new(Some(path), loaded);
        assert!(looked(&mut file).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_file_is_loaded_when_it_has_changed_and_when_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.toml");
        std::fs::write(&path, SHOP).unwrap();
        let mut file = watched(&path);
        assert!(looked(&mut file).await.is_none(), "it is as it was at the start");
        std::fs::write(&path, format!("{SHOP}[history]\npath = \"/nowhere/a.db\"\n")).unwrap();
        let (config, warnings) = looked(&mut file).await.unwrap().unwrap();
        assert_eq!((config.checks.len(), warnings.len()), (1, 1), "{warnings:?}");
        std::fs::write(&path, "nothing").unwrap();
        assert!(looked(&mut file).await.unwrap().is_err());
        assert!(looked(&mut file).await.is_none(), "the same failure is told once");
        file.load();
        assert!(found(&mut file).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn one_reading_is_under_way_and_no_request_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.toml");
        std::fs::write(&path, SHOP).unwrap();
        let mut file = watched(&path);
        file.look();
        let first = file.reading.as_ref().unwrap().id();
        file.look();
        file.load();
        assert_eq!(file.reading.as_ref().unwrap().id(), first);
        assert!(found(&mut file).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn without_a_file_nothing_is_read() {
        let mut file = WatchedFile::new(None, Fingerprint::default());
        file.load();
        assert!(file.reading.is_none());
    }
}
