//! Where a redirect points, as it may be shown. Nobody but the server knows which part of it is a secret.

use super::user_info::masked;

/// What stands in place of a value.
const MASK: &str = "***";

/// A destination without its credentials and without the values of its query and fragment.
#[must_use]
pub fn shown_location(location: &str) -> String {
    let location = masked(location);
    let Some(end) = location.find(['?', '#']) else { return location };
    let (path, rest) = location.split_at(end);
    let (query, fragment) = rest.find('#').map_or((rest, ""), |begin| rest.split_at(begin));
    format!("{path}{}{}", without_values(query), without_values(fragment))
}

/// A query or a fragment, with the character that begins it. What has no name is a value.
fn without_values(part: &str) -> String {
    let pairs = part.split_inclusive(['?', '#', '&', ';']).map(|pair| {
        let text = pair.trim_end_matches(['?', '#', '&', ';']);
        let separator = &pair[text.len()..];
        match text.split_once('=') {
            Some((name, value)) if !value.is_empty() => format!("{name}={MASK}{separator}"),
            None if !text.is_empty() => format!("{MASK}{separator}"),
            _ => pair.to_owned(),
        }
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_query_or_fragment_is_shown() {
        for (location, shown) in [
            ("/v2/now", "/v2/now"),
            ("/now?token=s3cr3t&tz=UTC", "/now?token=***&tz=***"),
            (
                "http://bob:s3cr3t@time.example/?sig=s3cr3t#access_token=s3cr3t",
                "http://***@time.example/?sig=***#access_token=***",
            ),
            ("/?s3cr3t", "/?***"),
            ("/#s3cr3t", "/#***"),
            ("/?a=&b", "/?a=&***"),
            ("/?a=b?s3cr3t=c=d", "/?a=***?s3cr3t=***"),
        ] {
            assert_eq!(shown_location(location), shown, "{location}");
        }
    }
}
