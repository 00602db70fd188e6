//! What the TLS library says, in words: it names many faults by identifiers of its source.

/// The text without payloads in brackets, and with each identifier such as `NoCipherSuitesInCommon` taken apart.
#[must_use]
pub(super) fn plain(text: &str) -> String {
    let text = text.split(['(', '{', '[']).next().unwrap_or_default();
    let words: Vec<String> = text.split_whitespace().map(taken_apart).collect();
    words.join(" ")
}

fn taken_apart(word: &str) -> String {
    if !is_identifier(word) {
        return word.to_owned();
    }
    let mut words = String::new();
    for character in word.chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    // The versions of TLS lose their dots in identifiers.
    words
        .replace("tls12", "TLS 1.2")
        .replace("tls13", "TLS 1.3")
        .replace("or13", "or 1.3")
        .replace("tls", "TLS")
}

/// Whether a word has capitals in the middle, and is no abbreviation.
fn is_identifier(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|first| first.is_ascii_uppercase())
        && characters.next().is_some_and(|second| second.is_ascii_lowercase())
        && word.chars().all(|character| character.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_words() {
        for (text, words) in [
            ("NoCipherSuitesInCommon", "no cipher suites in common"),
            ("ServerDoesNotSupportTls12Or13", "server does not support TLS 1.2 or 1.3"),
            ("peer misbehaved: IllegalTlsInnerPlaintext", "peer misbehaved: illegal TLS inner plaintext"),
            ("invalid peer certificate: BadEncoding", "invalid peer certificate: bad encoding"),
            (
                "UnsupportedSignatureAlgorithm { signature_algorithm_id: [42, 134] }",
                "unsupported signature algorithm",
            ),
            ("ServerRejectedEncryptedClientHello(Some([]))", "server rejected encrypted client hello"),
            ("cannot decrypt peer's message", "cannot decrypt peer's message"),
            ("HTTP/2 and ECDHE", "HTTP/2 and ECDHE"),
        ] {
            assert_eq!(plain(text), words);
        }
    }
}
