//! Answers that a client may have already (RFC 9110 section 13.1.2).

use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use ring::digest::{SHA256, digest};
use serde::Serialize;

use super::respond::{Reply, with_status};

/// The answer, or 304 if the client has seen this content. The tag is a weak one: the same content may be sent with
/// another instant in it.
pub(super) fn unless_known(
    headers: &HeaderMap,
    content: &impl Serialize,
    answer: impl FnOnce() -> Reply,
) -> Reply {
    let Ok(content) = serde_json::to_vec(content) else { return answer() };
    let hash = digest(&SHA256, &content);
    let begin = hash.as_ref().first_chunk().copied().unwrap_or_default();
    let tag = format!("W/\"{:032x}\"", u128::from_be_bytes(begin));
    let mut reply =
        if is_known(headers, &tag) { with_status(StatusCode::NOT_MODIFIED, None, "") } else { answer() };
    if let Ok(tag) = HeaderValue::from_str(&tag)
        && matches!(reply.status(), StatusCode::OK | StatusCode::NOT_MODIFIED)
    {
        let headers = reply.headers_mut();
        headers.insert(ETAG, tag);
        // It may be kept by the client alone, and has to be asked for again.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    reply
}

/// Whether the client has it, by the weak comparison.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let listed = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_a_list_weak_or_strong() {
        let known = |text: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(text).unwrap())]);
            is_known(&headers, "W/\"ab\"")
        };
        for (text, expected) in [
            ("W/\"ab\"", true),
            ("\"ab\"", true),
            ("\"x\", W/\"ab\"", true),
            ("*", true),
            ("\"a\"", false),
            ("ab", false),
            ("", false),
        ] {
            assert_eq!(known(text), expected, "{text}");
        }
        assert!(!is_known(&HeaderMap::new(), "W/\"ab\""));
    }
}
