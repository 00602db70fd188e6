//! Values: the shape of a key → a type of Rust, or what it must be.

mod network;
mod round;
mod secrets;
mod time;

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::closest::closest;
use super::duration;
use super::keys::{Key, Milliseconds, Shape};
use super::section::{Given, Section, Wrong, in_words};

pub(super) use network::http_url;
pub(super) use secrets::Secrets;

/// A text that is not empty.
pub(super) fn text(key: &Key, value: &DeValue<'_>) -> Result<String, Wrong> {
    match value.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(Wrong::must(format!("must be a text in quotes, such as {}", key.example))),
    }
}

impl Section<'_> {
    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<Given<String>> {
        self.value(name, text)
    }

    /// A name that may stand in a URL and in a message.
    pub(super) fn name(&self, name: &str) -> Option<Given<String>> {
        self.value(name, |key, value| {
            let text = text(key, value)?;
            let is_name = text.len() <= 100
                && text.trim() == text
                && !text.contains(['/', '\\'])
                && !text.chars().any(char::is_control)
                && text != "."
                && text != "..";
            let must = "must have at most 100 bytes, no slash, no control character and no space at its ends";
            if is_name { Ok(text) } else { Err(Wrong::must(must)) }
        })
    }

    /// True or false.
    pub(super) fn boolean(&self, name: &str) -> Option<Given<bool>> {
        self.value(name, |_, value| {
            value.as_bool().ok_or_else(|| Wrong::must("must be true or false, without quotes"))
        })
    }

    /// A whole number in the range of its key.
    pub(super) fn integer(&self, name: &str) -> Option<Given<u32>> {
        self.value(name, |key, value| {
            let Shape::Integer(least, most) = key.shape else { return Err(Wrong::must("is no number")) };
            whole(value)
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| Wrong::must(format!("must be a whole number from {least} to {most}")))
        })
    }

    /// One of the words of its key.
    pub(super) fn choice(&self, name: &str) -> Option<Given<&'static str>> {
        self.value(name, |key, value| {
            let Shape::Choice(words) = key.shape else { return Err(Wrong::must("is no word")) };
            let text = value.as_str().unwrap_or_default();
            words.iter().find(|word| **word == text).copied().ok_or_else(|| {
                let known = in_words(words.iter().map(|word| format!("\"{word}\"")));
                let meant = closest(text, words.iter().copied()).map(|word| format!("\"{word}\""));
                Wrong::must(format!("must be {known}")).or(meant)
            })
        })
    }

    /// A length of time in the range of its key.
    pub(super) fn duration(&self, name: &str) -> Option<Given<Duration>> {
        self.value(name, |key, value| {
            let Shape::Duration(Milliseconds(least, most)) = key.shape else {
                return Err(Wrong::must("is no duration"));
            };
            let advice = "must be a duration with its unit (ms, s, m, h, d, w, y), such as \"30s\"";
            if let Some(number) = whole(value) {
                return Err(Wrong::must(advice).or(Some(format!("\"{number}s\""))));
            }
            let text = value.as_str().ok_or_else(|| Wrong::must(advice))?;
            let duration = duration::parse(text).ok_or_else(|| Wrong::must(advice))?;
            if duration < Duration::from_millis(least) {
                let least = duration::written(Duration::from_millis(least));
                let bound = if least == "1ms" {
                    "must be more than zero".to_owned()
                } else {
                    format!("must be {least} or more")
                };
                return Err(Wrong::must(bound));
            }
            if duration > Duration::from_millis(most) {
                let most = duration::written(Duration::from_millis(most));
                return Err(Wrong::must(format!("must be at most {most}")));
            }
            Ok(duration)
        })
    }

    /// A path as it is written.
    pub(super) fn path(&self, name: &str) -> Option<Given<PathBuf>> {
        self.value(name, |_, value| match value.as_str() {
            // Somebody pasted what the file should hold.
            Some(text) if text.contains("-----BEGIN") => {
                Err(Wrong::must("must be the path of a file, and not what is in it").showing(""))
            }
            Some(text) if !text.is_empty() && !text.contains('\0') => Ok(PathBuf::from(text)),
            _ => Err(Wrong::must("must be the path of a file in quotes")),
        })
    }

    /// A list of texts.
    pub(super) fn list(&self, name: &str) -> Option<Given<Vec<String>>> {
        self.value(name, |key, value| {
            let must = || {
                let example = if key.example.is_empty() { key.default } else { key.example };
                Wrong::must(format!("must be a list of texts, such as {example}"))
            };
            let items = value.as_array().ok_or_else(must)?;
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            let texts: Vec<String> = texts.collect::<Option<_>>().ok_or_else(must)?;
            if texts.iter().any(|text| text.trim().is_empty()) { Err(must()) } else { Ok(texts) }
        })
    }
}

/// A whole number that is not negative and not too large.
pub(super) fn whole(value: &DeValue<'_>) -> Option<u32> {
    let integer = value.as_integer()?;
    u32::from_str_radix(integer.as_str(), integer.radix()).ok()
}
