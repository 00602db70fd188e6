use http::StatusCode;
use std::net::IpAddr;
use std::sync::Arc;

use url::Url;

use super::*;
use crate::outcome::{AnswerFault, Cause};
use crate::round::tests::{failed, healthy};

#[test]
fn redirects_are_followed_five_times_and_no_further() {
    let way: Vec<Target> =
        (0..6).map(|nth| Target::parse(&format!("http://time.example/{nth}"), "/now").unwrap()).collect();
    let mut redirected = redirected_to("/other");
    assert_eq!(
        destination(&mut redirected, &way[..5], &Destinations::default()).unwrap().to_string(),
        "http://time.example/other"
    );
    assert_eq!(destination(&mut redirected, &way, &Destinations::default()), None);
    assert_eq!(destination(&mut healthy("192.0.2.1:80"), &way[..1], &Destinations::default()), None);
}

#[test]
fn a_redirect_that_leads_back_is_named_and_not_followed() {
    let way = ["/a", "/b"].map(|path| Target::parse(&format!("http://time.example{path}"), "/now").unwrap());
    for (location, words) in
        [("/a", "a redirect to /a, which leads in a circle"), ("#x", "leads in a circle")]
    {
        let mut redirected = redirected_to(location);
        assert_eq!(destination(&mut redirected, &way, &Destinations::default()), None);
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

/// Permits one host.
struct Only(&'static str);

impl crate::check::DestinationRule for Only {
    fn permits(&self, url: &Url) -> bool {
        url.host_str() == Some(self.0)
    }

    fn permits_address(&self, _: &Url, _: IpAddr) -> bool {
        true
    }
}

#[test]
fn a_redirect_that_leads_to_what_is_not_permitted_is_not_followed() {
    let check = crate::check::Check::of(["http://time.example"]).build().unwrap();
    let check = check.connecting_only_to(Arc::new(Only("time.example")));
    let way = [check.targets()[0].clone()];
    for (location, is_followed) in [
        ("/other", true),
        ("https://TIME.example:8443/", true),
        ("http://169.254.169.254/", false),
        ("//time.example.evil.test/", false),
        ("http://time.example@evil.test/", false),
    ] {
        let followed = destination(&mut redirected_to(location), &way, &check.destinations);
        assert_eq!(followed.is_some(), is_followed, "{location}");
    }
}
