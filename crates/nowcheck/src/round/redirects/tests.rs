use std::time::Duration;

use clock_offset::Span;
use http::StatusCode;

use super::*;
use crate::outcome::{AnswerFault, Cause};
use crate::round::tests::{failed, healthy};

#[test]
fn redirects_are_followed_five_times_and_no_further() {
    let target = Target::parse("http://time.example/now", "/now").unwrap();
    let problem =
        AnswerProblem::Redirect { location: Some("/other".to_owned()), limit: Some(MOST_REDIRECTS) };
    let fault = AnswerFault { status: StatusCode::FOUND, problem };
    let redirected = failed("192.0.2.1:80", Cause::Answer(Box::new(fault)));
    assert_eq!(destination(&redirected, &target, 4).unwrap().to_string(), "http://time.example/other");
    assert_eq!(destination(&redirected, &target, 5), None);
    assert_eq!(destination(&healthy("192.0.2.1:80"), &target, 0), None);
}

#[test]
fn what_is_to_be_known_of_an_address_that_redirects_is_kept_but_for_what_is_said_of_its_time() {
    let mut redirected = healthy("192.0.2.1:80");
    let kept = Note::CertificateEndsSoon { left: Span::from(Duration::from_hours(24)) };
    redirected.notes = vec![Note::BackendsUncounted, kept.clone(), Note::WholeDaysUnseen];
    let url = redirected.url.clone();
    let notes: Vec<Note> = notes_on_the_way(redirected).collect();
    assert_eq!(notes, [Note::OnTheWay { url, note: Box::new(kept) }]);
}
