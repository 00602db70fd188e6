use http::StatusCode;

use super::*;
use crate::outcome::{AnswerFault, Cause};
use crate::round::tests::{failed, healthy};

#[test]
fn redirects_are_followed_five_times_and_no_further() {
    let way: Vec<Target> =
        (0..6).map(|nth| Target::parse(&format!("http://time.example/{nth}"), "/now").unwrap()).collect();
    let mut redirected = redirected_to("/other");
    assert_eq!(destination(&mut redirected, &way[..5]).unwrap().to_string(), "http://time.example/other");
    assert_eq!(destination(&mut redirected, &way), None);
    assert_eq!(destination(&mut healthy("192.0.2.1:80"), &way[..1]), None);
}

#[test]
fn a_redirect_that_leads_back_is_named_and_not_followed() {
    let way = ["/a", "/b"].map(|path| Target::parse(&format!("http://time.example{path}"), "/now").unwrap());
    for (location, words) in
        [("/a", "a redirect to /a, which leads in a circle"), ("#x", "leads in a circle")]
    {
        let mut redirected = redirected_to(location);
        assert_eq!(destination(&mut redirected, &way), None);
        let sentence = redirected.finding.failure().unwrap().to_string();
        assert!(sentence.contains(words), "{sentence}");
    }
}

fn redirected_to(location: &str) -> TargetOutcome {
    let limit = Some(MOST_REDIRECTS);
    let problem = AnswerProblem::Redirect { location: Some(location.to_owned()), limit, is_loop: false };
    let fault = AnswerFault { status: StatusCode::FOUND, problem };
    failed("192.0.2.1:80", Cause::Answer(Box::new(fault)))
}
