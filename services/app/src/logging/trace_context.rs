//! The trace that a request is part of (W3C Trace Context, Level 1).

use crate::logging::header_values::HeaderValues;

/// The ids of the trace and of the calling span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceIds<'a> {
    pub(crate) trace: &'a [u8],
    pub(crate) parent: &'a [u8],
}

/// The ids in these headers. Two `traceparent` headers count as none (section 3.2.1): either could be wrong.
pub(crate) fn of(headers: &(impl HeaderValues + ?Sized)) -> Option<TraceIds<'_>> {
    let mut values = headers.values("traceparent");
    let value = values.next()?;
    if values.next().is_some() { None } else { ids(value) }
}

/// The ids in the value of a `traceparent`, if it is valid.
pub(crate) fn ids(value: &[u8]) -> Option<TraceIds<'_>> {
    let is_hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |part: &[u8]| part.iter().all(|&byte| byte == b'0');
    let (head, further) = value.split_at_checked(55)?;
    let parts: [&[u8]; 4] = head.split(|&byte| byte == b'-').collect::<Vec<_>>().try_into().ok()?;
    let [version, trace, parent, flags] = parts;
    let is_valid = [version.len(), trace.len(), parent.len(), flags.len()] == [2, 32, 16, 2]
        && parts.into_iter().all(is_hex)
        && version != b"ff"
        && !is_zero(trace)
        && !is_zero(parent)
        // Later versions may add fields after another hyphen.
        && (further.is_empty() || (version != b"00" && further[0] == b'-'));
    is_valid.then_some(TraceIds { trace, parent })
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn two_traceparents_are_as_good_as_none() {
        let value = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), None);
        headers.append("traceparent", value.clone());
        assert!(of(&headers).is_some());
        headers.append("traceparent", value);
        assert_eq!(of(&headers), None);
    }

    #[test]
    fn a_traceparent_is_taken_apart_only_when_it_is_valid() {
        let (id, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let good = format!("00-{id}-{parent}-01");
        assert_eq!(ids(good.as_bytes()), Some(TraceIds { trace: id.as_bytes(), parent: parent.as_bytes() }));
        assert!(ids(format!("cc-{id}-{parent}-01-what-the-future-brings").as_bytes()).is_some());
        for bad in [
            String::new(),
            format!("ff-{id}-{parent}-01"),
            format!("00-{id}-{parent}-01-more"),
            format!("00-{id}-{parent}"),
            format!("00-{}-{parent}-01", id.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{id}-{}-01", "0".repeat(16)),
            format!("00-{id}x{parent}-01"),
            format!("00-{id}-{parent}-0é"),
        ] {
            assert_eq!(ids(bad.as_bytes()), None, "{bad}");
        }
    }
}
