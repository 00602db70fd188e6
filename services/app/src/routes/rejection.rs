//! The response to a request that is rejected: a problem, as JSON for programs or as a page for people.

use hyper::header::{
    ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response};

use crate::http::accept;
use crate::http::problem::Problem;
use crate::page::static_files::NO_SNIFFING;
use crate::page::{HTML, NO_REFERRER, problem_page};
use crate::routes::options::METHODS;

const FIVE_SECONDS: HeaderValue = HeaderValue::from_static("5");
const ON_ACCEPT: HeaderValue = HeaderValue::from_static("Accept");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The form of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemForm {
    Json,
    Html,
}

impl ProblemForm {
    /// As the client prefers it.
    #[cold]
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        if accept::prefers_html(headers) { Self::Html } else { Self::Json }
    }

    /// As the client prefers it whose head could not be parsed.
    #[cold]
    pub(crate) fn preferred_in_head(head: &[u8]) -> Self {
        if accept::prefers_html_in_head(head) { Self::Html } else { Self::Json }
    }

    pub(crate) fn body(self, problem: &Problem) -> String {
        match self {
            Self::Json => problem.body(),
            Self::Html => problem_page::page(problem),
        }
    }

    /// Sets the status and the headers that such a response has, and others do not.
    #[cold]
    pub(crate) fn set_headers<B>(self, problem: &Problem, response: &mut Response<B>) {
        *response.status_mut() = problem.status();
        let headers = response.headers_mut();
        headers.insert(VARY, ON_ACCEPT);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        match self {
            Self::Json => {
                headers.insert(CONTENT_TYPE, PROBLEM);
            }
            Self::Html => {
                headers.insert(CONTENT_TYPE, HTML);
                headers.insert(CONTENT_SECURITY_POLICY, problem_page::POLICY);
                headers.insert(REFERRER_POLICY, NO_REFERRER);
            }
        }
        match problem {
            Problem::MethodNotAllowed { .. } => {
                headers.insert(ALLOW, METHODS);
            }
            Problem::Full => {
                headers.insert(RETRY_AFTER, FIVE_SECONDS);
            }
            _ => {}
        }
    }
}
