//! `/api/v1`: what programs read. `contract/nowcheck-watch.openapi.json` describes it.

mod checks;
mod incidents;
mod maintenance;
mod past;
mod rounds;
mod times;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::Served;
use super::conditional::unless_known;
use super::query::Query;
use super::respond::{Reply, json, method_not_allowed, ok, problem};

/// The description of all of it.
const DESCRIPTION: &str = include_str!("../../../../contract/nowcheck-watch.openapi.json");

/// What is served at a path of the API.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ApiRoute {
    Checks,
    Check(String),
    Rounds(String),
    Incidents,
    Incident(String),
    Maintenance,
    Window(String),
    Instance,
    Description,
}

impl ApiRoute {
    /// What is at a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        if path == "/openapi.json" {
            return Some(Self::Description);
        }
        let parts: Vec<&str> = path.strip_prefix("/api/v1/")?.split('/').collect();
        let name = |text: &str| {
            let name = percent_decode_str(text).decode_utf8().ok()?.into_owned();
            (!name.is_empty()).then_some(name)
        };
        match parts[..] {
            ["checks"] => Some(Self::Checks),
            ["checks", check] => name(check).map(Self::Check),
            ["checks", check, "rounds"] => name(check).map(Self::Rounds),
            ["incidents"] => Some(Self::Incidents),
            ["incidents", id] => name(id).map(Self::Incident),
            ["maintenance"] => Some(Self::Maintenance),
            ["instance"] => Some(Self::Instance),
            ["maintenance", id] => name(id).map(Self::Window),
            _ => None,
        }
    }

    /// The methods that may be used there.
    fn methods(&self) -> &'static str {
        match self {
            Self::Maintenance => "GET, HEAD, POST",
            Self::Window(_) => "DELETE",
            _ => "GET, HEAD",
        }
    }
}

/// Answers a request to the API.
pub(super) async fn answer(
    route: ApiRoute,
    request: &mut Request<Incoming>,
    served: &Served,
    now: Timestamp,
) -> Reply {
    if !route.methods().split(", ").any(|method| method == request.method().as_str()) {
        return method_not_allowed(route.methods());
    }
    let parameters = match Query::each_once(request.uri().query()) {
        Ok(parameters) => parameters,
        Err(twice) => return problem(StatusCode::BAD_REQUEST, &twice.to_string()),
    };
    let headers = request.headers();
    match route {
        ApiRoute::Checks => {
            let all = checks::checks(served, now);
            unless_known(headers, &all.content(), || json(&all))
        }
        ApiRoute::Check(name) => match checks::check(served, &name, now) {
            Some(check) => unless_known(headers, &check, || json(&check)),
            None => no_check(),
        },
        ApiRoute::Rounds(name) => rounds::answer(served, headers, (name, &parameters), now).await,
        ApiRoute::Incidents => incidents::all(served, headers, &parameters, now).await,
        ApiRoute::Incident(id) => incidents::one(served, headers, id, now).await,
        ApiRoute::Maintenance if *request.method() == Method::POST => {
            maintenance::add(request, served, now).await
        }
        ApiRoute::Maintenance => maintenance::all(served, headers, now),
        ApiRoute::Window(id) => maintenance::remove(headers, served, &id, now),
        ApiRoute::Instance => json(&served.results.told_to_others()),
        ApiRoute::Description => unless_known(headers, &DESCRIPTION, || ok("application/json", DESCRIPTION)),
    }
}

fn no_check() -> Reply {
    problem(StatusCode::NOT_FOUND, "no check of that name is watched; /api/v1/checks lists all")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_in_a_path_is_decoded() {
        let check = |path: &str| ApiRoute::of(&format!("/api/v1/checks/{path}"));
        assert_eq!(check("patch%20day%2Fnight"), Some(ApiRoute::Check("patch day/night".to_owned())));
        assert_eq!(check("a%3Fb/rounds"), Some(ApiRoute::Rounds("a?b".to_owned())));
        for nothing in ["", "a/b", "%ff", "a/rounds/", "/rounds"] {
            assert_eq!(check(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_description_has_the_paths_and_methods_of_the_code() {
        let description: serde_json::Value = serde_json::from_str(DESCRIPTION).unwrap();
        let mut described = 0;
        for (path, item) in description["paths"].as_object().unwrap() {
            let Some(route) = ApiRoute::of(&path.replace(['{', '}'], "")) else { continue };
            described += 1;
            let known = ["get", "head", "post", "put", "patch", "delete", "options"];
            let methods: BTreeSet<String> = item
                .as_object()
                .unwrap()
                .keys()
                .filter(|name| known.contains(&name.as_str()))
                .map(|name| name.to_uppercase())
                .collect();
            assert_eq!(methods, route.methods().split(", ").map(str::to_owned).collect(), "{path}");
        }
        // Checks, one of them, its rounds, incidents, one of them, maintenance, a window of it, the instance, the description.
        assert_eq!(described, 9);
    }
}
