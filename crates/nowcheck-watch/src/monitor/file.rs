//! The configuration file while the monitor runs. It is read beside the rounds: a disk that does not answer delays none.

use std::convert::Infallible;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::config::{Config, ConfigErrors};

/// What is to be used from now on: a configuration and what it cannot do on this machine, or why there is none.
pub(super) type Loaded = Result<(Config, Vec<String>), ConfigErrors>;

/// What the file holds; none if it cannot be read, or can be read only once, as a pipe.
type Content = Option<Vec<u8>>;

/// The file, and what it held when it was read last.
#[derive(Debug)]
pub(super) struct WatchedFile {
    path: Option<PathBuf>,
    /// Nothing before it was looked at for the first time.
    seen: Option<Content>,
    reading: Option<JoinHandle<Reading>>,
    /// Whether it has to be loaded once more, because that was asked for while it was being read.
    is_asked_for: bool,
}

/// What one look at the file found.
#[derive(Debug)]
struct Reading {
    content: Content,
    /// None if it has not changed.
    loaded: Option<Loaded>,
}

impl WatchedFile {
    /// Without a path there is no file, and nothing ever happens.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, seen: None, reading: None, is_asked_for: false }
    }

    /// Loads it if it has changed since it was read last. Does nothing while it is being read.
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

    /// What was loaded. It waits until something is, and may be dropped meanwhile.
    pub(super) async fn loaded(&mut self) -> Loaded {
        loop {
            let Some(reading) = &mut self.reading else {
                match std::future::pending::<Infallible>().await {}
            };
            let ended = reading.await;
            self.reading = None;
            let Reading { content, loaded } = match ended {
                Ok(reading) => reading,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            self.seen = Some(content);
            if std::mem::take(&mut self.is_asked_for) {
                self.begin(true);
            }
            if let Some(loaded) = loaded {
                return loaded;
            }
        }
    }

    fn begin(&mut self, is_asked_for: bool) {
        let Some(path) = self.path.clone() else { return };
        let seen = self.seen.clone();
        let read = move || read(&path, seen.as_ref(), is_asked_for);
        self.reading = Some(tokio::task::spawn_blocking(read));
    }
}

fn read(path: &Path, seen: Option<&Content>, is_asked_for: bool) -> Reading {
    // Before it is loaded: what is written in between is a change for the next look.
    let content = content(path);
    let has_changed = seen.is_some_and(|seen| *seen != content);
    let loaded = (is_asked_for || has_changed).then(|| {
        let config = Config::load(path)?;
        let warnings = config.warnings();
        Ok((config, warnings))
    });
    Reading { content, loaded }
}

fn content(path: &Path) -> Content {
    path.metadata().ok().filter(Metadata::is_file)?;
    std::fs::read(path).ok()
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

    #[tokio::test]
    async fn a_file_is_loaded_when_it_has_changed_and_when_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.toml");
        std::fs::write(&path, SHOP).unwrap();
        let mut file = WatchedFile::new(Some(path.clone()));
        assert!(looked(&mut file).await.is_none(), "the first look only remembers");
        std::fs::write(&path, format!("{SHOP}[history]\npath = \"/nowhere/a.db\"\n")).unwrap();
        let (config, warnings) = looked(&mut file).await.unwrap().unwrap();
        assert_eq!((config.checks.len(), warnings.len()), (1, 1), "{warnings:?}");
        std::fs::write(&path, "nothing").unwrap();
        assert!(looked(&mut file).await.unwrap().is_err());
        assert!(looked(&mut file).await.is_none(), "an invalid file is loaded only once");
        file.load();
        assert!(found(&mut file).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn one_reading_is_under_way_and_no_request_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.toml");
        std::fs::write(&path, SHOP).unwrap();
        let mut file = WatchedFile::new(Some(path));
        file.look();
        let first = file.reading.as_ref().unwrap().id();
        file.look();
        file.load();
        assert_eq!(file.reading.as_ref().unwrap().id(), first);
        assert!(found(&mut file).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn without_a_file_nothing_is_read() {
        let mut file = WatchedFile::new(None);
        file.load();
        assert!(file.reading.is_none());
    }
}
