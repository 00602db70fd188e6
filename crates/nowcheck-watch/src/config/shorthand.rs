//! A configuration without a file: some URLs and what is said of all of them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::duration::written;
use super::{Config, ConfigError, ConfigErrors, System};

/// What is said on the command line.
#[derive(Debug, Clone)]
pub struct Shorthand {
    /// What is watched.
    pub urls: Vec<String>,
    /// The period of rounds.
    pub every: Duration,
    /// Where the dashboard is.
    pub listen: SocketAddr,
    /// The file of the history; none keeps what is in memory.
    pub history: Option<PathBuf>,
    /// Whether this machine's clock is known to be right.
    pub trust_system_clock: bool,
}

/// The longest timeout, which is the default one; a shorter period has a shorter timeout.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A name may have 100 bytes; this leaves room for a number.
const LONGEST_NAME: usize = 90;

impl Config {
    /// The configuration that a shorthand means. It is written as a file would be, so that it is validated in the same way.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of_shorthand(shorthand: &Shorthand) -> Result<Self, ConfigErrors> {
        let history = shorthand.history.as_ref().map_or("none".into(), |path| path.to_string_lossy());
        let mut text = format!(
            "[server]\nlisten = {}\n[history]\npath = {}\n[defaults]\nevery = {}\ntimeout = {}\ntrust_system_clock = {}\n",
            quoted(&shorthand.listen.to_string()),
            quoted(&history),
            quoted(&written(shorthand.every)),
            quoted(&written(shorthand.every.min(TIMEOUT))),
            shorthand.trust_system_clock,
        );
        if shorthand.urls.is_empty() {
            // A file needs a check, so that nobody believes to watch something. Here everybody sees that there is none.
            text.push_str("[[check]]\nname = \"none\"\nurl = \"http://localhost\"\n");
        }
        for (name, url) in names_of(&shorthand.urls).iter().zip(&shorthand.urls) {
            let (name, url) = (quoted(name), quoted(url));
            // Writing to a String cannot fail.
            let _ = write!(text, "[[check]]\nname = {name}\nurl = {url}\n");
        }
        let mut config =
            Self::parse("command line", text.as_bytes(), Path::new(""), &System).map_err(without_lines)?;
        config.checks.truncate(shorthand.urls.len());
        Ok(config)
    }
}

/// The lines are those of a text that nobody wrote.
fn without_lines(ConfigErrors(errors): ConfigErrors) -> ConfigErrors {
    ConfigErrors(errors.into_iter().map(|error| ConfigError { line: None, ..error }).collect())
}

/// The URLs as names of their checks. Those that would have one name are numbered.
fn names_of(urls: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for url in urls {
        let name = name_of(url);
        let is_free = |name: &String| !names.contains(name);
        let numbered = (2..).map(|number| format!("{name} {number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(is_free);
        names.push(free.unwrap_or(name));
    }
    names
}

/// A URL as the name of its check: the host, and the words of a path that is not the usual one. A name has no slash.
fn name_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let words = path.split('/').filter(|word| !word.is_empty() && path != "now");
    let name = std::iter::once(host).chain(words).collect::<Vec<_>>().join(" ");
    // What is longer would be no name.
    let mut name: String = name.chars().filter(|one| !one.is_control()).collect();
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    name.trim().to_owned()
}

/// A string of TOML: what JSON writes is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(urls: &[&str]) -> Result<Config, ConfigErrors> {
        Config::of_shorthand(&Shorthand {
            urls: urls.iter().map(|&url| url.to_owned()).collect(),
            every: Duration::from_secs(2),
            listen: "127.0.0.1:0".parse().unwrap(),
            history: None,
            trust_system_clock: true,
        })
    }

    #[test]
    fn a_check_is_named_after_its_url_without_secrets() {
        let long = format!("http://shop.example/{}", "long/".repeat(40));
        let urls = [
            "http://shop.example:8080/a/b?key=secret",
            "http://shop.example:8080/a/b?key=other",
            "https://api.example/now",
            "api.example",
            &long,
        ];
        let config = of(&urls).unwrap();
        let names: Vec<&str> = config.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(
            names[..4],
            ["shop.example:8080 a b", "shop.example:8080 a b 2", "api.example", "api.example 2"]
        );
        assert!(names[4].starts_with("shop.example long long"));
        assert_eq!(
            config.checks[0].check.timeout(),
            Duration::from_millis(1_800),
            "the next slot stays free"
        );
    }

    #[test]
    fn without_a_url_nothing_is_watched() {
        assert!(of(&[]).unwrap().checks.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_as_for_a_file() {
        let errors = of(&["ftp://shop.example"]).unwrap_err().to_string();
        assert!(errors.contains("shop.example") && errors.contains("url"), "{errors}");
        let errors = of(&["http://ops:secret@shop.example"]).unwrap_err().to_string();
        assert!(errors.contains("credentials") && !errors.contains("secret"), "{errors}");
    }
}
