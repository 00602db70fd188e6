//! URLs, addresses and labels.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use nowcheck::probe::resolve::IpVersion;
use nowcheck::target::{Target, masked};
use nowcheck::text::printable;
use url::Url;

use super::{Given, Section, Wrong, text, whole};

/// Labels that the metrics of the monitor have themselves.
const OWN_LABELS: [&str; 11] =
    ["alert", "backend", "bound", "check", "instance", "job", "le", "phase", "reason", "result", "status"];

/// A URL as far as it may be shown: without credentials, and without a query, which may hold a token.
fn shown(text: &str) -> String {
    let masked = masked(text);
    let (begin, query) = masked.split_once('?').map_or((masked.as_ref(), ""), |(begin, _)| (begin, "?…"));
    format!("\"{}{query}\"", printable(begin.as_bytes(), 100))
}

/// A URL of HTTP without credentials. `says` turns a sentence about it into what it must be.
fn without_credentials(url: &str) -> Result<(), Wrong> {
    if masked(url) == url {
        return Ok(());
    }
    Err(Wrong::must(
        "holds credentials, which must not stand in this file; write them into a file and name it",
    )
    .showing(""))
}

/// What [`Url`] reads as an absolute URL of HTTP.
pub(in crate::config) fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

impl Section<'_> {
    /// The URL of a check, as it is written.
    pub(in crate::config) fn target(&self, name: &str) -> Option<Given<String>> {
        self.value(name, |key, value| {
            let url = text(key, value)?;
            without_credentials(&url)?;
            match Target::parse(&url, "/now") {
                Ok(_) => Ok(url),
                Err(error) => {
                    let error = error.to_string();
                    // The library quotes the URL, here it stands before already.
                    let why = error.rsplit_once("is not a URL to check: ").map_or("", |(_, why)| why);
                    Err(Wrong::must(format!("is not a URL to check: {why}")).showing(shown(&url)))
                }
            }
        })
    }

    /// An absolute URL of HTTP.
    pub(in crate::config) fn url(&self, name: &str) -> Option<Given<Url>> {
        self.value(name, |key, value| {
            let url = text(key, value)?;
            without_credentials(&url)?;
            let must = || {
                Wrong::must(format!("is not a URL; write one such as {}", key.example)).showing(shown(&url))
            };
            http_url(&url).ok_or_else(must)
        })
    }

    /// An IP address and a port.
    pub(in crate::config) fn socket_address(&self, name: &str) -> Option<Given<SocketAddr>> {
        self.value(name, |_, value| {
            let text = value.as_str().unwrap_or_default();
            let port = whole(value).and_then(|port| u16::try_from(port).ok());
            let meant = port.map(|port| format!("\"127.0.0.1:{port}\""));
            let meant =
                meant.or_else(|| text.strip_prefix("localhost:").map(|port| format!("\"127.0.0.1:{port}\"")));
            let meant = meant.or_else(|| text.strip_prefix(':').map(|port| format!("\"0.0.0.0:{port}\"")));
            let must = "must be an IP address and a port, such as \"127.0.0.1:9464\" or \"[::]:9464\"";
            text.parse().map_err(|_| Wrong::must(must).or(meant))
        })
    }

    /// A host and a port.
    pub(in crate::config) fn host_and_port(&self, name: &str) -> Option<Given<String>> {
        self.value(name, |key, value| {
            let must = || Wrong::must(format!("must be a host and a port, such as {}", key.example));
            let text = text(key, value)?;
            let authority: http::uri::Authority = text.parse().map_err(|_| must())?;
            let is_both = authority.port_u16().is_some_and(|port| port > 0) && !text.contains('@');
            if is_both && !authority.host().is_empty() { Ok(text) } else { Err(must()) }
        })
    }

    /// 4 or 6.
    pub(in crate::config) fn ip_version(&self, name: &str) -> Option<Given<IpVersion>> {
        self.value(name, |_, value| match (whole(value), value.as_str()) {
            (Some(4), _) | (_, Some("4")) => Ok(IpVersion::V4),
            (Some(6), _) | (_, Some("6")) => Ok(IpVersion::V6),
            _ => Err(Wrong::must("must be 4 or 6")),
        })
    }

    /// Labels of metrics.
    pub(in crate::config) fn labels(&self, name: &str) -> Option<Given<BTreeMap<String, String>>> {
        self.value(name, |key, value| {
            let must = || Wrong::must(format!("must be a table of texts, such as {}", key.example));
            let table = value.as_table().ok_or_else(must)?;
            let mut labels = BTreeMap::new();
            for (label, value) in table {
                let label = label.get_ref().as_ref();
                must_be_label(label)?;
                labels.insert(label.to_owned(), value.get_ref().as_str().ok_or_else(must)?.to_owned());
            }
            Ok(labels)
        })
    }
}

/// The data model of Prometheus: `[a-zA-Z_][a-zA-Z0-9_]*`, and two underscores are its own.
fn must_be_label(label: &str) -> Result<(), Wrong> {
    let shown = printable(label.as_bytes(), 60);
    let begins_well = label.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if !begins_well
        || label.starts_with("__")
        || !label.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
    {
        return Err(Wrong::must(format!(
            "has the label {shown}, which must be of letters, digits and underscores and begin with a letter"
        )));
    }
    if OWN_LABELS.contains(&label) {
        return Err(Wrong::must(format!(
            "has the label {shown}, which the metrics use themselves; choose another one"
        )));
    }
    Ok(())
}
