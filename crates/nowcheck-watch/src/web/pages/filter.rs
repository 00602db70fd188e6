//! Which checks the overview shows.

use jiff::Timestamp;

use super::parts::Depth;
use crate::board::CheckState;
use crate::status::CheckStatus;
use crate::web::query::{Query, written};

/// Checks on a page, at most.
pub(super) const ON_A_PAGE: usize = 200;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) text: String,
    /// The words of the text in lower case: each has to be in the name, the URL or a label.
    words: Vec<String>,
    pub(super) status: Option<CheckStatus>,
    /// Which page of them, counted from one.
    pub(super) page: usize,
}

impl Filter {
    pub(super) fn asked(query: &Query) -> Self {
        let text = query.get("q").unwrap_or_default();
        let named = |name: &str| CheckStatus::ALL.into_iter().find(|status| status.name() == name);
        Self {
            text: text.to_owned(),
            words: text.split_whitespace().map(str::to_lowercase).collect(),
            status: query.get("status").and_then(named),
            page: query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1),
        }
    }

    /// Whether it leaves anything out.
    pub(super) fn is_set(&self) -> bool {
        !self.words.is_empty() || self.status.is_some()
    }

    /// Whether a check is what is looked for, whatever its status.
    pub(super) fn has_words(&self, check: &CheckState) -> bool {
        let identity = &check.identity;
        self.words.iter().all(|word| {
            identity.name.to_lowercase().contains(word)
                || identity.url.to_lowercase().contains(word)
                || identity
                    .labels
                    .iter()
                    .any(|(name, value)| label(name, value).to_lowercase().contains(word))
        })
    }

    /// Whether a check has the status that is looked for.
    pub(super) fn has_status(&self, check: &CheckState, now: Timestamp) -> bool {
        self.status.is_none_or(|status| check.status_at(now) == status)
    }

    /// The address of the same with another status.
    pub(super) fn with_status(&self, status: Option<CheckStatus>) -> String {
        address(&self.text, status, 1)
    }

    /// The address of another page of the same.
    pub(super) fn with_page(&self, page: usize) -> String {
        address(&self.text, self.status, page)
    }
}

/// The address of all checks that have a text.
pub(super) fn with_text(text: &str) -> String {
    address(text, None, 1)
}

/// A label as it is looked for.
pub(super) fn label(name: &str, value: &str) -> String {
    format!("{name}={value}")
}

/// Only the overview links to it.
fn address(text: &str, status: Option<CheckStatus>, page: usize) -> String {
    let page = if page > 1 { page.to_string() } else { String::new() };
    let query = written(&[("q", text), ("status", status.map_or("", CheckStatus::name)), ("page", &page)]);
    format!("{}{query}", Depth::Top.root())
}
