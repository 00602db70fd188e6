//! `[[alert]]` and `[heartbeat]`: what is sent, and where.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::problem::Problem;
use super::secret::{KnownSecrets, Secret};
use super::section::Section;
use super::trusts::CaFile;
use super::values::{Secrets, http_url};

/// Who is alerted, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertConfig {
    /// Its name, which no other alert has.
    pub name: String,
    /// How long an incident must be open before it is alerted.
    pub after: Duration,
    /// After how long an open incident is mentioned again; none for never.
    pub remind: Option<Duration>,
    /// The most that one attempt may take.
    pub timeout: Duration,
    /// How it is sent.
    pub receiver: Receiver,
    /// The line of its beginning.
    pub(super) line: usize,
}

/// How an alert is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// JSON, by POST.
    Webhook {
        /// Where it is sent.
        hook: Hook,
        /// Signs each message.
        secret: Option<Secret>,
    },
    /// What Slack and programs like it read.
    Slack(Hook),
    /// The API of Alertmanager, version 2.
    Alertmanager(Hook),
    /// E-mail.
    Email(Email),
    /// A program and its arguments.
    Exec {
        /// The program, and its arguments.
        command: Vec<String>,
        /// What it does not get from the environment of the monitor, and what is taken out of its output.
        secrets: Arc<KnownSecrets>,
    },
}

impl Receiver {
    /// Programs get no secret of the configuration by accident, and those that they print are not shown.
    pub(super) fn keeps_from_programs(&mut self, known: &Arc<KnownSecrets>) {
        if let Self::Exec { secrets, .. } = self {
            *secrets = Arc::clone(known);
        }
    }
}

/// A URL that is a secret, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// A valid URL of HTTP.
    pub url: Secret,
    /// Authorities to trust besides those of this machine.
    pub ca_file: Option<CaFile>,
}

/// How e-mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Host and port of the SMTP server.
    pub server: String,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// The sender.
    pub from: String,
    /// The recipients; at least one.
    pub to: Vec<String>,
    /// User and password, if the server wants them.
    pub login: Option<(String, Secret)>,
    /// Authorities to trust besides those of this machine.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to an SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// The connection begins in the clear; without TLS, nothing is sent (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314).
    Tls,
    /// Not at all.
    None,
}

/// What is pinged while rounds are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// A valid URL of HTTP.
    pub url: Secret,
    /// The period.
    pub every: Duration,
}

/// Reads an alert.
pub(super) fn alert(section: &Section<'_>, secrets: Secrets<'_>) -> Option<AlertConfig> {
    let name = section.name("name");
    let kind = section.choice("type");
    let after = section.duration("after");
    let remind = section.duration("remind");
    let timeout = section.duration("timeout");
    let receiver = receiver(section, kind?.value, secrets);
    Some(AlertConfig {
        name: name?.value,
        after: after?.value,
        remind: remind.map(|given| given.value),
        timeout: timeout?.value,
        receiver: receiver?,
        line: section.line.unwrap_or_default(),
    })
}

fn receiver(section: &Section<'_>, kind: &str, secrets: Secrets<'_>) -> Option<Receiver> {
    match kind {
        "webhook" => {
            let secret = section.secret("secret", secrets).map(|given| given.value);
            Some(Receiver::Webhook { hook: hook(section, secrets)?, secret })
        }
        "slack" => hook(section, secrets).map(Receiver::Slack),
        "alertmanager" => alertmanager(section, secrets).map(Receiver::Alertmanager),
        "email" => email(section, secrets).map(Receiver::Email),
        _ => {
            let command = required_list(section, "command")?;
            Some(Receiver::Exec { command, secrets: Arc::default() })
        }
    }
}

pub(super) fn ca_file(section: &Section<'_>, secrets: Secrets<'_>) -> Option<CaFile> {
    let given = section.path("ca_file")?;
    let path = secrets.resolved(&given.value);
    match secrets.trusts.with_ca_file(&path) {
        Ok(trust) => Some(CaFile { path, trust }),
        Err(error) => {
            let must = nowcheck::text::printable(error.to_string().as_bytes(), 200);
            let value =
                format!("\"{}\"", nowcheck::text::printable(given.value.as_os_str().as_encoded_bytes(), 100));
            let problem = Problem::Value { key: "ca_file".to_owned(), value, must, closest: None };
            section.wrong(given.line, problem);
            None
        }
    }
}

/// The URL of a webhook, which is a secret: whoever has it can send.
fn hook(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Hook> {
    let ca_file = ca_file(section, secrets);
    Some(Hook { url: secret_url(section, secrets)?, ca_file })
}

/// Alertmanager has no secret in its URL, but may have one before it.
fn alertmanager(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Hook> {
    let ca_file = ca_file(section, secrets);
    let Some(line) = section.line_of("url") else {
        return Some(Hook { url: secret_url(section, secrets)?, ca_file });
    };
    let other = ["url_file", "url_env"].into_iter().find(|key| section.has(key));
    if let Some(other) = other {
        section.wrong(Some(line), Problem::Both { key: "url".to_owned(), other: other.to_owned() });
    }
    Some(Hook { url: Secret::new(section.url("url")?.value), ca_file })
}

/// A URL that is a secret, and has to be given.
fn secret_url(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Secret> {
    if !section.has_secret("url") {
        section.is_missing("url");
    }
    let given = section.secret("url", secrets)?;
    if http_url(given.value.expose()).is_some() {
        return Some(Secret::new(given.value.expose().trim()));
    }
    let key = if section.has("url_file") { "url_file" } else { "url_env" };
    let must = "holds no URL; write one such as https://HOST/PATH on one line".to_owned();
    section.wrong(given.line, Problem::Hidden { key: key.to_owned(), must });
    None
}

fn required_list(section: &Section<'_>, key: &str) -> Option<Vec<String>> {
    if !section.has(key) {
        section.is_missing(key);
    }
    let given = section.list(key)?;
    if given.value.is_empty() {
        let must = "must have at least one entry".to_owned();
        let problem = Problem::Value { key: key.to_owned(), value: "[]".to_owned(), must, closest: None };
        section.wrong(given.line, problem);
        return None;
    }
    Some(given.value)
}

fn email(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Email> {
    for key in ["server", "from"] {
        if !section.has(key) {
            section.is_missing(key);
        }
    }
    let server = section.host_and_port("server");
    let encryption = section.choice("tls").map(|given| match given.value {
        "starttls" => Encryption::StartTls,
        "tls" => Encryption::Tls,
        _ => Encryption::None,
    });
    let from = section.text("from");
    let to = required_list(section, "to");
    let senders = from.iter().map(|given| ("from", given.value.as_str()));
    for (key, address) in senders.chain(to.iter().flatten().map(|address| ("to", address.as_str()))) {
        must_be_address(section, key, address);
    }
    let user = section.text("user");
    let password = section.secret("password", secrets);
    let login = login(section, user.map(|given| given.value), password.map(|given| given.value));
    let ca_file = ca_file(section, secrets).map(|file| file.path);
    Some(Email { server: server?.value, encryption: encryption?, from: from?.value, to: to?, login, ca_file })
}

fn login(section: &Section<'_>, user: Option<String>, password: Option<Secret>) -> Option<(String, Secret)> {
    let has_password = section.has_secret("password");
    if section.has("user") && !has_password {
        section.is_missing("password");
    }
    if has_password && !section.has("user") {
        section.is_missing("user");
    }
    Some((user?, password?))
}

/// Good enough to catch what is none; the server knows better (RFC 5321 section 4.1.2).
fn must_be_address(section: &Section<'_>, key: &str, address: &str) {
    // A name may stand before it: Ops <ops@shop.example>.
    let bare =
        address.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(address, |(_, bare)| bare);
    let has_both = bare.rsplit_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty());
    if has_both && !bare.chars().any(char::is_whitespace) && !address.chars().any(char::is_control) {
        return;
    }
    let value = format!("\"{}\"", nowcheck::text::printable(address.as_bytes(), 60));
    let must = "must be an e-mail address, such as on-call@shop.example".to_owned();
    section.wrong(section.line_of(key), Problem::Value { key: key.to_owned(), value, must, closest: None });
}

/// Reads `[heartbeat]`.
pub(super) fn heartbeat(section: &Section<'_>, secrets: Secrets<'_>) -> Option<HeartbeatConfig> {
    let url = secret_url(section, secrets);
    let every = section.duration("every");
    Some(HeartbeatConfig { url: url?, every: every?.value })
}
