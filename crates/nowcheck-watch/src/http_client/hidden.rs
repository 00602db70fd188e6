//! What must not be shown, even when the other side sends it back.

use nowcheck::text::printable;
use percent_encoding::percent_decode_str;
use url::Url;

/// A shorter part of a URL is no secret, and would hide almost everything.
const LEAST: usize = 6;

/// Texts that give a secret away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    /// The parts of a URL: each of them may be the secret.
    pub(crate) fn of_url(url: &Url) -> Self {
        let segments = url.path_segments().into_iter().flatten();
        let query = url.query().into_iter().flat_map(|query| query.split(['&', '=']));
        let parts = url.host_str().into_iter().chain(segments).chain(query);
        let parts = parts.filter(|part| part.len() >= LEAST);
        let credentials = [Some(url.username()), url.password()].into_iter().flatten();
        Self::of(parts.chain(credentials.filter(|text| !text.is_empty())))
    }

    /// These texts, as they are and without percent-encoding.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let both = |text: &str| [comparable(text), comparable(&percent_decode_str(text).decode_utf8_lossy())];
        let mut texts: Vec<String> =
            texts.into_iter().flat_map(both).filter(|text| !text.is_empty()).collect();
        texts.sort();
        texts.dedup();
        Self(texts)
    }

    /// These and others.
    pub(crate) fn with<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let Self(mut all) = Self::of(texts);
        all.extend(self.0.iter().cloned());
        Self(all)
    }

    /// The beginning of what the other side wrote, unless a secret is in it.
    pub(crate) fn excerpt(&self, bytes: &[u8], most: usize) -> Option<String> {
        let all = comparable(&String::from_utf8_lossy(bytes));
        let decoded = comparable(&percent_decode_str(&String::from_utf8_lossy(bytes)).decode_utf8_lossy());
        let is_hidden = self.0.iter().any(|text| all.contains(text) || decoded.contains(text));
        let words = String::from_utf8_lossy(bytes).split_whitespace().collect::<Vec<_>>().join(" ");
        (!is_hidden && !words.is_empty()).then(|| printable(words.as_bytes(), most))
    }
}

/// In lower case, and without what quoting adds: JSON may write `\/`.
fn comparable(text: &str) -> String {
    text.to_lowercase().replace('\\', "")
}
