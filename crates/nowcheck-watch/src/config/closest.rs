//! What somebody may have meant.

/// The candidate that is written most like a text, if it is close enough to be meant.
pub(crate) fn closest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(text);
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&wanted, &plain(candidate));
    let most = (wanted.chars().count() / 3).max(1);
    // A text of a megabyte is nobody's typing error.
    if wanted.len() > 100 {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 200)
        .map(|candidate| (distance(&candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace('-', "_")
}
