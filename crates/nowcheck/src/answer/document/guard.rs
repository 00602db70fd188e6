//! What servers put around JSON so that no page of another site can run it as a script.

/// What stands before JSON, of Angular, Google, Facebook and others (OWASP, “AJAX Security Cheat Sheet”).
const PREFIXES: [&str; 8] =
    [")]}'", "while(1);", "while (1);", "for(;;);", "for (;;);", "throw 1;", "&&&START&&&", "{}&&"];

/// The JSON behind a prefix or in the call of a function (JSONP), if there is one of them.
pub(super) fn taken_off(text: &str) -> Option<&str> {
    let text = text.trim();
    behind_a_prefix(text).or_else(|| in_a_call(text))
}

fn behind_a_prefix(text: &str) -> Option<&str> {
    let rest = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix))?;
    // `)]}',` and `throw 1; <dont be evil>`.
    let begin = rest.find(['{', '[', '"'])?;
    let is_of_the_prefix = |c: char| c.is_whitespace() || matches!(c, ',' | '<' | '>') || c.is_alphabetic();
    rest[..begin].chars().all(is_of_the_prefix).then_some(&rest[begin..])
}

/// `/**/callback({…});`
fn in_a_call(text: &str) -> Option<&str> {
    let text = text.strip_prefix("/**/").unwrap_or(text).trim_start();
    let (name, rest) = text.split_once('(')?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '[' | ']' | ' ' | '&' | '=');
    let is_call = !name.is_empty() && name.chars().all(is_name);
    is_call.then(|| rest.trim_end_matches([';', ' ', '\n', '\r']).strip_suffix(')')).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_behind_the_guards_that_servers_use() {
        for text in [
            ")]}',\n{\"a\": 1}",
            ")]}'\n{\"a\": 1}",
            "while(1);{\"a\": 1}",
            "for (;;);{\"a\": 1}",
            "throw 1; <dont be evil> {\"a\": 1}",
            "&&&START&&&{\"a\": 1}",
            "{}&&{\"a\": 1}",
            "callback({\"a\": 1});",
            "/**/ angular.callbacks._0({\"a\": 1})",
            "/**/typeof_cb && cb({\"a\": 1});\n",
        ] {
            assert_eq!(taken_off(text), Some("{\"a\": 1}"), "{text}");
        }
    }

    #[test]
    fn other_text_has_no_guard() {
        for text in
            ["", "{\"a\": 1}", "hello", "Error (42)", "<html>(x)", "(1)", ")]}'", "noon (sharp); or so"]
        {
            let inside = taken_off(text);
            assert!(inside.is_none_or(|inside| !inside.starts_with('{')), "{text}: {inside:?}");
        }
    }
}
