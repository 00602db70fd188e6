use std::time::Duration;

use clock_offset::Span;

use super::*;
use crate::outcome::{Finding, Undetermined};
use crate::round::tests::{found, healthy};

#[test]
fn what_is_to_be_known_of_an_address_that_redirects_is_kept_but_for_what_is_said_of_its_time() {
    let mut redirected = healthy("192.0.2.1:80");
    let kept = Note::CertificateEndsSoon { left: Span::from(Duration::from_hours(24)) };
    redirected.notes = vec![Note::BackendsUncounted, kept.clone(), Note::WholeDaysUnseen];
    let url = redirected.url.clone();
    let notes: Vec<Note> = notes_on_the_way(redirected).collect();
    assert_eq!(notes, [Note::OnTheWay { url, note: Box::new(kept) }]);
}

fn place(url: &str) -> TargetOutcome {
    TargetOutcome {
        url: url.to_owned(),
        ..found("192.0.2.1:80", Finding::Undetermined(Undetermined::NothingAsked))
    }
}

#[test]
fn what_was_followed_stands_where_the_redirect_was() {
    let urls = |places: &[&str]| places.iter().map(|url| place(url)).collect::<Vec<_>>();
    let followed = [(1, urls(&["b", "c"])), (1, urls(&["d"])), (2, urls(&["f"]))];
    let all = in_their_places(urls(&["a", "e", "g"]), followed.into_iter());
    let all: Vec<&str> = all.iter().map(|outcome| outcome.url.as_str()).collect();
    assert_eq!(all, ["a", "b", "c", "d", "e", "f", "g"]);
}
