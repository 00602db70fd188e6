//! Values that are passed to a check of the library.

use nowcheck::answer::Field;
use nowcheck::probe::address_overrides::AddressOverride;
use nowcheck::reference::source::ReferenceSource;
use nowcheck::request_headers::RequestHeaders;
use nowcheck::text::printable;
use nowcheck::time_format::{Form, Format};
use toml::de::DeValue;

use super::{Given, Section, Wrong, text};
use crate::config::closest::closest;
use crate::config::keys::Key;

/// Names of headers that are secrets, whole or in part.
const SECRET_HEADERS: [&str; 8] =
    ["auth", "cookie", "token", "secret", "password", "api-key", "apikey", "session"];

impl Section<'_> {
    /// More than zero and at most a half.
    pub(in crate::config) fn probability(&self, name: &str) -> Option<Given<f64>> {
        self.value(name, |_, value| {
            let written = match value {
                DeValue::String(text) => text.to_string(),
                DeValue::Float(number) => number.as_str().to_owned(),
                DeValue::Integer(number) => number.as_str().to_owned(),
                _ => String::new(),
            };
            let (number, scale) =
                written.strip_suffix('%').map_or((&*written, 1.0), |number| (number, 100.0));
            let number = number.trim().parse::<f64>().ok().map(|number| number / scale);
            number
                .filter(|number| (0.000_001..=0.5).contains(number))
                .ok_or_else(|| Wrong::must("must be from 0.0001% to 50%, such as \"1%\" or 0.01"))
        })
    }

    /// What clocks are compared with.
    pub(in crate::config) fn references(&self, name: &str) -> Option<Given<Vec<ReferenceSource>>> {
        let given = self.list(name)?;
        let line = given.line;
        let mut sources: Vec<ReferenceSource> = Vec::new();
        for text in &given.value {
            let shown = printable(text.as_bytes(), 60);
            let wrong = match text.parse() {
                Ok(source) if sources.contains(&source) => "is given twice; it would vote twice".to_owned(),
                Ok(source) => {
                    sources.push(source);
                    continue;
                }
                Err(error) => format!("cannot be used: {error}"),
            };
            self.item_is_wrong((name, line), &shown, &wrong);
        }
        if given.value.is_empty() {
            self.item_is_wrong(
                (name, line),
                "",
                "must name at least one; write [\"system\"] or [\"ntp:HOST\"]",
            );
        }
        (sources.len() == given.value.len() && !sources.is_empty()).then_some(Given { value: sources, line })
    }

    /// Addresses to use for hosts.
    pub(in crate::config) fn addresses(&self, name: &str) -> Option<Given<Vec<AddressOverride>>> {
        let given = self.list(name)?;
        let mut addresses = Vec::new();
        for text in &given.value {
            match text.parse() {
                Ok(address) => addresses.push(address),
                Err(error) => {
                    let shown = printable(text.as_bytes(), 60);
                    self.item_is_wrong((name, given.line), &shown, &format!("cannot be used: {error}"));
                }
            }
        }
        (addresses.len() == given.value.len()).then_some(Given { value: addresses, line: given.line })
    }

    fn item_is_wrong(&self, (name, line): (&str, Option<usize>), item: &str, wrong: &str) {
        let value = if item.is_empty() { "[]".to_owned() } else { format!("[\"{item}\"]") };
        let problem = crate::config::Problem::Value {
            key: name.to_owned(),
            value,
            must: wrong.to_owned(),
            closest: None,
        };
        self.wrong(line, problem);
    }

    /// Where the time stands.
    pub(in crate::config) fn field(&self, name: &str) -> Option<Given<Field>> {
        self.value(name, |key, value| {
            // An empty JSON Pointer is the whole document (RFC 6901).
            let field = if value.as_str() == Some("") { String::new() } else { text(key, value)? };
            field.parse().map_err(|error| Wrong::must(format!("cannot be used: {error}")))
        })
    }

    /// How the time is written.
    pub(in crate::config) fn format(&self, name: &str) -> Option<Given<Form>> {
        self.value(name, |key, value| {
            let written = text(&Key { example: "\"rfc3339\"", ..*key }, value)?;
            if written.contains('%') {
                let pattern = written.parse();
                return pattern
                    .map(Form::Pattern)
                    .map_err(|error| Wrong::must(format!("cannot be used: {error}")));
            }
            let known = Format::ALL.into_iter().find(|format| format.name() == written);
            known.map(Form::Known).ok_or_else(|| {
                let names = || Format::ALL.into_iter().map(Format::name);
                let meant = closest(&written, names()).map(|name| format!("\"{name}\""));
                let all: Vec<&str> = names().collect();
                Wrong::must(format!("must be a pattern with % or one of {}", all.join(", "))).or(meant)
            })
        })
    }

    /// Headers that are no secrets, as lines of `NAME: VALUE` that can be sent.
    pub(in crate::config) fn headers(&self, name: &str) -> Option<Given<Vec<String>>> {
        self.value(name, |key, value| {
            let must = || {
                Wrong::must(format!("must be a table such as {}, or a list of \"NAME: VALUE\"", key.example)).showing("")
            };
            let lines: Option<Vec<String>> = match value {
                DeValue::Table(table) => table
                    .iter()
                    .map(|(name, value)| Some(format!("{}: {}", name.get_ref(), value.get_ref().as_str()?)))
                    .collect(),
                DeValue::Array(items) => {
                    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
                }
                _ => None,
            };
            let mut headers = RequestHeaders::default();
            let lines = lines.ok_or_else(must)?;
            for line in &lines {
                let header = line.split(':').next().unwrap_or_default().to_lowercase();
                if SECRET_HEADERS.iter().any(|part| header.contains(part)) {
                    let header = printable(header.as_bytes(), 60);
                    let must = format!(
                        "holds {header}, which is a secret and must not stand in this file; write it into a file and name \
                         that with {name}_file, or a variable with {name}_env"
                    );
                    return Err(Wrong::must(must).showing(""));
                }
                headers.add(line).map_err(|error| Wrong::must(format!("cannot be sent: {error}")).showing(""))?;
            }
            Ok(lines)
        })
    }
}
