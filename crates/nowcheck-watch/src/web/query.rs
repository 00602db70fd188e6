//! The query string of a URL.

use nowcheck::text::printable;
use url::form_urlencoded;

/// The pairs of a query string. A name that is said twice counts as it is said first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

/// Why a program's query cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the parameter {0} is given twice")]
pub(super) struct Twice(String);

impl Query {
    /// Everything is a query: what cannot be read is replaced, as browsers do it.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The same of a program, which wants to know of its mistakes.
    ///
    /// # Errors
    /// A parameter is given twice: then it is not clear which one is meant.
    pub(super) fn each_once(text: Option<&str>) -> Result<Self, Twice> {
        let query = Self::parse(text);
        let is_again = |(nth, (name, _)): &(usize, &(String, String))| {
            query.0[..*nth].iter().any(|(earlier, _)| earlier == name)
        };
        match query.0.iter().enumerate().find(is_again) {
            Some((_, (name, _))) => Err(Twice(printable(name.as_bytes(), 60))),
            None => Ok(query),
        }
    }

    /// What is said of a name, if it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    }
}

/// A query string with these pairs, with its question mark; those without a value are left out.
pub(super) fn written(pairs: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    let text = text.finish();
    if text.is_empty() { text } else { format!("?{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_may_say_a_name_twice_and_a_program_may_not() {
        let twice = Some("a=1&b=2&a=3");
        assert_eq!(Query::parse(twice).get("a"), Some("1"));
        let error = Query::each_once(twice).unwrap_err();
        assert_eq!(error.to_string(), "the parameter a is given twice");
        assert_eq!(Query::each_once(Some("a=1&b=2")).unwrap().get("b"), Some("2"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = written(&[("q", "a&b=ü \"<"), ("status", "")]);
        assert_eq!(text, "?q=a%26b%3D%C3%BC+%22%3C");
        let query = Query::parse(Some(&text[1..]));
        assert_eq!((query.get("q"), query.get("status")), (Some("a&b=ü \"<"), None));
    }
}
