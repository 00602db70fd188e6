//! Which form of an error a client prefers (`Accept`, RFC 9110, section 12.5.1).

use hyper::HeaderMap;
use hyper::header::ACCEPT;

/// Whether the client asks for HTML rather than JSON, as browsers do.
///
/// One that takes both equally (`*/*`, or no `Accept` at all) is a program.
#[cold]
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    is_html_preferred(headers.get_all(ACCEPT).into_iter().filter_map(|line| line.to_str().ok()))
}

/// [`prefers_html`] for a head that was not parsed, because something else in it is malformed or too long. hyper keeps
/// no head whose target alone is wrong; an empty one is that of a program.
#[cold]
pub(crate) fn prefers_html_in_head(head: &[u8]) -> bool {
    let lines = head.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        name.eq_ignore_ascii_case("accept").then_some(value)
    });
    is_html_preferred(lines)
}

fn is_html_preferred<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let (mut html, mut problem, mut json) = (Best::default(), Best::default(), Best::default());
    for member in lines.flat_map(|line| line.split(',')) {
        let mut parts = member.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        let Some(weight) = weight(parts) else { continue };
        html.consider(range, "text/html", weight);
        problem.consider(range, "application/problem+json", weight);
        json.consider(range, "application/json", weight);
    }
    html.weight > problem.weight.max(json.weight)
}

/// The weight of the most specific range that includes a media type.
#[derive(Default)]
struct Best {
    specificity: u8,
    weight: f32,
}

impl Best {
    fn consider(&mut self, range: &str, media_type: &str, weight: f32) {
        let main_type = media_type.split('/').next().unwrap_or_default();
        let specificity = match range.split_once('/') {
            Some(("*", "*")) => 1,
            Some((main, "*")) if main.eq_ignore_ascii_case(main_type) => 2,
            _ if range.eq_ignore_ascii_case(media_type) => 3,
            _ => return,
        };
        if specificity > self.specificity || (specificity == self.specificity && weight > self.weight) {
            *self = Self { specificity, weight };
        }
    }
}

/// The weight among these parameters, or 1 without one; `None` if it is malformed.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<f32> {
    let is_weight = |parameter: &&str| parameter.get(..2).is_some_and(|name| name.eq_ignore_ascii_case("q="));
    let Some(parameter) = parameters.find(is_weight) else { return Some(1.0) };
    let weight: f32 = parameter[2..].trim().parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIREFOX: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    const CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,\
                          */*;q=0.8,application/signed-exchange;v=b3;q=0.7";

    #[test]
    fn browsers_get_html_and_programs_json() {
        for (line, expected) in [
            (FIREFOX, true),
            (CHROME, true),
            ("text/html", true),
            ("TEXT/HTML;charset=utf-8", true),
            ("text/*", true),
            ("text/html;q=0.9, application/json;q=0.8", true),
            ("text/html, application/problem+json;q=0", true),
            ("", false),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/plain, */*", false),
            ("application/problem+json, text/html", false),
            ("text/html, application/json", false),
            ("text/html;q=0.5, */*", false),
            ("text/html;q=0", false),
            ("text/html;q=0, */*;q=0.1", false),
            ("text/html;q=soon", false),
            ("text/html;q=7", false),
            ("text/plain", false),
            ("image/avif,image/webp,*/*;q=0.8", false),
            (",;/,*,q=1,text/", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, line.parse().unwrap())]);
            assert_eq!(prefers_html(&headers), expected, "{line}");
            let head = format!("GET /<> HTTP/1.1\r\nHost: a\r\naCCEPT:  {line}\r\nX: y\r\n\r\n");
            assert_eq!(prefers_html_in_head(head.as_bytes()), expected, "{line}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
        assert!(!prefers_html_in_head(b"Accept: text/html"), "the first line is no header");
        assert!(!prefers_html_in_head(b"\x16\x03\x01\xff\xfe\n\n\n"));
    }

    #[test]
    fn lines_of_one_header_count_together() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, "text/html".parse().unwrap());
        assert!(prefers_html(&headers));
        headers.append(ACCEPT, "application/json".parse().unwrap());
        assert!(!prefers_html(&headers));
    }
}
