//! `[server]`, `[history]`, `[[peer]]` and `[quorum]`: this instance and others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::duration::written;
use super::problem::Problem;
use super::secret::Secret;
use super::section::{Given, Section};
use super::values::Secrets;

/// Who may connect.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the dashboard, the API and the metrics are.
    pub listen: SocketAddr,
    /// Where the public page is, if there is one.
    pub status_page: Option<SocketAddr>,
    /// Who may log in; none if everybody may connect.
    pub users: Option<Vec<User>>,
    /// How this instance calls itself; none for the name of the machine.
    pub name: Option<String>,
    /// Where people reach the dashboard.
    pub external_url: Option<Url>,
}

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The hash of the password, as bcrypt writes it: `$2y$…`.
    pub password_hash: Secret,
}

impl User {
    /// How slow the hash is: each more doubles the time. Zero for what is no hash.
    pub(crate) fn cost(&self) -> u8 {
        self.password_hash.expose().split('$').nth(2).and_then(|cost| cost.parse().ok()).unwrap_or(0)
    }
}

/// What is stored, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The `SQLite` file; none keeps what is in memory.
    pub path: Option<PathBuf>,
    /// How long each round is kept.
    pub keep_rounds: Duration,
    /// How long minutes are kept; not less than rounds.
    pub keep_minutes: Duration,
    /// How long hours are kept; not less than minutes.
    pub keep_hours: Duration,
}

/// Another instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its name.
    pub name: String,
    /// Where its dashboard is.
    pub url: Url,
    /// What proves to it who asks.
    pub token: Option<Secret>,
    /// The line of its beginning.
    pub(super) line: usize,
}

/// Reads `[server]`.
pub(super) fn server(section: &Section<'_>, secrets: Secrets<'_>) -> Option<ServerConfig> {
    let listen = section.socket_address("listen");
    let status_page = section.socket_address("status_page");
    let name = section.name("name").map(|given| given.value);
    let external_url = section.url("external_url").map(|given| given.value);
    let users = users(section, secrets);
    let listen = listen?.value;
    if let Some(page) = &status_page
        && page.value == listen
        && page.value.port() != 0
    {
        let problem = Problem::Value {
            key: "status_page".to_owned(),
            value: format!("\"{}\"", page.value),
            must: "is the address of listen too; the public page needs a listener of its own".to_owned(),
            closest: None,
        };
        section.wrong(page.line, problem);
    }
    Some(ServerConfig {
        listen,
        status_page: status_page.map(|given| given.value),
        users,
        name,
        external_url,
    })
}

/// The lines of `auth_file`.
fn users(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Vec<User>> {
    let Given { value: text, line } = section.secret_file("auth_file", secrets)?;
    let mut users: Vec<User> = Vec::new();
    let wrong = |must: String| section.wrong(line, Problem::Hidden { key: "auth_file".to_owned(), must });
    let mut is_right = true;
    for (nth, one) in text.expose().lines().enumerate() {
        if one.trim().is_empty() || one.starts_with('#') {
            continue;
        }
        let nth = nth + 1;
        match one.trim_end().split_once(':') {
            Some((name, hash)) if !name.is_empty() && is_bcrypt(hash) => {
                if users.iter().any(|user| user.name == name) {
                    wrong(format!("has a user twice, the second time in its line {nth}; leave one out"));
                }
                users.push(User { name: name.to_owned(), password_hash: Secret::new(hash) });
            }
            _ => {
                is_right = false;
                wrong(format!("has no name:bcrypt in its line {nth}; write such a line with htpasswd -B"));
            }
        }
    }
    // Otherwise its lines are what is wrong.
    if users.is_empty() && is_right {
        wrong("names nobody, so that nobody could log in; write a line with htpasswd -B".to_owned());
    }
    Some(users)
}

/// `$2y$05$` and 53 characters: salt and hash.
fn is_bcrypt(hash: &str) -> bool {
    let Some((cost, rest)) =
        hash.strip_prefix("$2").and_then(|rest| rest.get(2..)).and_then(|rest| rest.split_once('$'))
    else {
        return false;
    };
    let has_version = ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version));
    let is_in_alphabet = |one: u8| one.is_ascii_alphanumeric() || one == b'.' || one == b'/';
    has_version
        && cost.len() == 2
        && cost.parse::<u8>().is_ok_and(|cost| (4..=31).contains(&cost))
        && rest.len() == 53
        && rest.bytes().all(is_in_alphabet)
}

/// Reads `[history]`.
pub(super) fn history(section: &Section<'_>, secrets: Secrets<'_>) -> Option<HistoryConfig> {
    let path = section.path("path");
    let [rounds, minutes, hours] =
        ["keep_rounds", "keep_minutes", "keep_hours"].map(|key| section.duration(key));
    let (rounds, minutes, hours) = (rounds?, minutes?, hours?);
    let minutes = not_less(section, ("keep_minutes", minutes), ("keep_rounds", &rounds));
    let hours = not_less(section, ("keep_hours", hours), ("keep_minutes", &minutes));
    let path = path?;
    let line = path.line;
    let path = (path.value.as_os_str() != "none").then(|| secrets.resolved(&path.value));
    if let Some(folder) = path.as_ref().filter(|path| path.is_dir()) {
        let must = format!("must be a file, and is a folder; write {}", folder.join("nowcheck.db").display());
        let value = format!("\"{}\"", nowcheck::text::printable(folder.as_os_str().as_encoded_bytes(), 100));
        section.wrong(line, Problem::Value { key: "path".to_owned(), value, must, closest: None });
    }
    Some(HistoryConfig {
        path,
        keep_rounds: rounds.value,
        keep_minutes: minutes.value,
        keep_hours: hours.value,
    })
}

/// Minutes are made of rounds, and hours of minutes. A default gives way.
fn not_less(
    section: &Section<'_>,
    (key, kept): (&str, Given<Duration>),
    (other, least): (&str, &Given<Duration>),
) -> Given<Duration> {
    if kept.value >= least.value {
        return kept;
    }
    if kept.line.is_some() {
        let problem = Problem::Value {
            key: key.to_owned(),
            value: format!("\"{}\"", written(kept.value)),
            must: format!("must not be less than {other} ({})", written(least.value)),
            closest: None,
        };
        section.wrong(kept.line, problem);
    }
    Given { value: least.value, line: kept.line }
}

/// Reads a peer.
pub(super) fn peer(section: &Section<'_>, secrets: Secrets<'_>) -> Option<PeerConfig> {
    let name = section.name("name");
    let url = section.url("url");
    let token = section.secret("token", secrets);
    if let Some(given) = &token
        && let Some(must) = unusable_token(given.value.expose())
    {
        section.wrong(given.line, Problem::Hidden { key: "token".to_owned(), must: must.to_owned() });
    }
    let token = token.map(|given| given.value);
    Some(PeerConfig { name: name?.value, url: url?.value, token, line: section.line.unwrap_or_default() })
}

/// What is wrong with a token: somebody may guess it, or no header can hold it.
fn unusable_token(token: &str) -> Option<&'static str> {
    if token.len() < 16 {
        Some("is shorter than 16 characters; make one with: openssl rand -hex 32")
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("must have no spaces, and only characters of ASCII; make one with: openssl rand -hex 32")
    } else {
        None
    }
}

/// Reads how many instances must agree on “down”.
pub(super) fn quorum(section: &Section<'_>, peers: usize) -> u32 {
    let Some(down) = section.integer("down") else { return 1 };
    let instances = u32::try_from(peers).unwrap_or(u32::MAX).saturating_add(1);
    if down.value > instances {
        let problem = Problem::Value {
            key: "down".to_owned(),
            value: down.value.to_string(),
            must: format!(
                "must be at most {instances}, the number of instances (every [[peer]] and this one)"
            ),
            closest: None,
        };
        section.wrong(down.line, problem);
    }
    down.value
}
