//! What stays as it was at the start, whatever the file says later.

use std::net::SocketAddr;

use crate::config::{Config, HistoryConfig};

/// The settings that only a restart changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    listen: SocketAddr,
    status_page: Option<SocketAddr>,
    /// Metrics, messages and other instances know this one by it.
    name: Option<String>,
    history: HistoryConfig,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen,
            status_page: config.server.status_page,
            name: config.server.name.clone(),
            history: config.history.clone(),
        }
    }

    /// One sentence for each setting that has changed in the file.
    pub(super) fn changes(&self, file: &Self) -> Vec<String> {
        let settings = [
            ("listen", self.listen != file.listen),
            ("status_page", self.status_page != file.status_page),
            ("name", self.name != file.name),
            ("[history]", self.history != file.history),
        ];
        let changed = settings.into_iter().filter(|(_, has_changed)| *has_changed);
        changed.map(|(key, _)| format!("{key} has changed in the file; restart nowcheck to use it")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::System;

    fn fixed(more: &str) -> Fixed {
        let text = format!("[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\n{more}");
        Fixed::of(&Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap())
    }

    #[test]
    fn each_setting_that_needs_a_restart_is_named() {
        let before = fixed("");
        assert!(before.changes(&fixed("labels = { team = \"web\" }\n")).is_empty());
        assert!(before.changes(&fixed("[server]\nexternal_url = \"https://now.example\"\n")).is_empty());
        for (key, more) in [
            ("listen", "[server]\nlisten = \"127.0.0.1:1\"\n"),
            ("status_page", "[server]\nstatus_page = \"127.0.0.1:1\"\n"),
            ("name", "[server]\nname = \"madrid\"\n"),
            ("[history]", "[history]\nkeep_rounds = \"1d\"\n"),
        ] {
            let sentence = format!("{key} has changed in the file; restart nowcheck to use it");
            assert_eq!(before.changes(&fixed(more)), [sentence]);
        }
    }
}
