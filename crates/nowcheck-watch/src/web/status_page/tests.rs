use std::collections::BTreeSet;
use std::time::Duration;

use http::header::IF_NONE_MATCH;
use http_body_util::BodyExt;
use proptest::prelude::*;

use super::published::{DAYS, Day, Happening, PublicIncident, PublicService, Published};
use super::*;
use crate::availability::FourTimes;
use crate::history::PastIncident;
use crate::incident::{
    Change, ChangeKind, Ending, Evidence, OffsetBounds, Place, Scope, ServiceStatus, Subject, Trouble,
    TroubleKind,
};

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn before(length: Duration) -> Timestamp {
    now().checked_sub(length).unwrap()
}

/// Days of which all but the last were ok; the last had trouble.
fn days() -> Vec<Day> {
    let hours = |hours: u64| Duration::from_hours(hours);
    let mut days: Vec<Day> = (0..u64::from(DAYS))
        .map(|nth| Day {
            from: before(hours(24 * (u64::from(DAYS) - 1 - nth) + 12)),
            times: FourTimes { ok: hours(24), ..FourTimes::default() },
        })
        .collect();
    days.last_mut().unwrap().times =
        FourTimes { ok: hours(10), down: hours(1), unknown: hours(1), ..FourTimes::default() };
    days
}

fn service(name: &str, status: ServiceStatus) -> PublicService {
    PublicService {
        name: name.to_owned(),
        status,
        since: Some(before(Duration::from_hours(3))),
        off_by: (status == ServiceStatus::Ok).then_some(Duration::from_micros(90)),
        is_maintained: false,
        days: days(),
    }
}

fn published(services: Vec<PublicService>, incidents: Vec<PublicIncident>) -> Published {
    Published { at: now(), services, incidents, knows_the_past: true }
}

fn incident(service: &str) -> PublicIncident {
    let since = before(Duration::from_hours(2));
    let happening = |text: &str| Happening { at: since, text: text.to_owned() };
    PublicIncident {
        service: service.to_owned(),
        status: ServiceStatus::Down,
        since,
        until: None,
        story: vec![happening("It does not give the time.")],
    }
}

fn content(published: &Published) -> Content {
    Content::new(published, &FeedName::new([7; 16], now()))
}

fn ask(content: &Content, method: Method, path: &str, tag: Option<&str>) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = tag {
        request = request.header(IF_NONE_MATCH, tag);
    }
    answer(&request.body(()).unwrap(), content)
}

fn body(reply: Reply) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(reply.into_body().collect()).unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn text(content: &Content, path: &str) -> String {
    body(ask(content, Method::GET, path, None))
}

/// A change of an incident as full of internals as it can be.
fn internal(kind: ChangeKind, status: Option<TroubleKind>, reason: &str, place: Place) -> Change {
    let trouble = Trouble::new(TroubleKind::Wrong, "SECRET");
    Change {
        incident: serde_json::from_value("1-77".into()).unwrap(),
        kind,
        scope: Scope::Check("shop".to_owned()),
        subject: Subject::Backend { check: "shop".to_owned(), instance: "SECRET".to_owned() },
        status,
        reason: reason.to_owned(),
        since: before(Duration::from_hours(1)),
        at: before(Duration::from_hours(1)),
        evidence: Evidence {
            summary: "SECRET".to_owned(),
            offset: Some(OffsetBounds { lower: 1_400_000_000, upper: 1_401_000_000 }),
            places: [(place, trouble)].into(),
        },
    }
}

#[test]
fn an_incident_is_told_in_words_that_name_no_host_no_address_and_no_instance() {
    use ChangeKind::{Closed, Flapping, Grew, Opened, Shifted, Shrank};
    let secret = || "SECRET".to_owned();
    let (down, wrong) = (Some(TroubleKind::Down), Some(TroubleKind::Wrong));
    let changes = vec![
        internal(Opened, wrong, "desynchronized", Place::Backend(secret())),
        internal(Shifted, wrong, "desynchronized", Place::Address(secret())),
        internal(Shifted, wrong, "stale_cache", Place::Address(secret())),
        internal(Grew, down, "SECRET", Place::Address(secret())),
        internal(Shifted, down, "backends_missing", Place::Service),
        internal(Shifted, down, "SECRET", Place::Check(secret())),
        internal(Shrank, down, "SECRET", Place::Address(secret())),
        internal(Flapping, None, "SECRET", Place::Address(secret())),
        internal(Closed(Ending::Recovered), None, "SECRET", Place::Address(secret())),
    ];
    let past = PastIncident {
        id: "1-77".to_owned(),
        scope: Scope::Check("shop".to_owned()),
        since: before(Duration::from_hours(1)),
        until: Some(now()),
        changes,
    };
    let told = PublicIncident::new(&past).unwrap();
    let story: Vec<&str> = told.story.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        story,
        [
            "The clock of one of its servers is off by +1.40050 s ± 500 µs.",
            "Its clock is off by +1.40050 s ± 500 µs.",
            "It gives an old time: something caches its answers.",
            "More of it is affected.",
            "Fewer of its servers answer than should.",
            "It does not give the time.",
            "Less of it is affected.",
            "It fails and recovers again and again.",
            "It works again.",
        ]
    );
    let all = content(&published(vec![service("shop", ServiceStatus::Ok)], vec![told]));
    for path in ["/", "/feed.atom", "/badge/shop.svg", "/badge/shop/uptime-30d.svg"] {
        let text = text(&all, path);
        assert!(!text.contains("SECRET") && !text.contains("1-77"), "{path}: {text}");
    }
}

#[test]
fn an_incident_of_the_monitor_is_not_published() {
    let scope = Scope::Monitor(crate::incident::MonitorPart::Receiver("SECRET".to_owned()));
    let past = PastIncident { id: "a".to_owned(), scope, since: now(), until: None, changes: Vec::new() };
    assert_eq!(PublicIncident::new(&past), None);
}

#[test]
fn only_pages_the_feed_and_badges_of_public_checks_are_there() {
    let all = content(&published(vec![service("my shop", ServiceStatus::Down)], vec![]));
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/?from=a&to=b", "text/html; charset=utf-8"),
        ("/feed.atom", "application/atom+xml; charset=utf-8"),
        ("/badge/my%20shop.svg", "image/svg+xml"),
        ("/badge/my%20shop/uptime-30d.svg", "image/svg+xml"),
    ] {
        let reply = ask(&all, Method::GET, path, None);
        assert_eq!(
            (reply.status(), reply.headers()[CONTENT_TYPE].to_str().unwrap()),
            (StatusCode::OK, kind),
            "{path}"
        );
        assert_eq!(ask(&all, Method::HEAD, path, None).status(), StatusCode::OK);
        assert_eq!(ask(&all, Method::POST, path, None).status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    for path in [
        "/metrics",
        "/api/v1/checks",
        "/events",
        "/checks/my%20shop",
        "/incidents",
        "/healthz",
        "/probe",
        "/badge/other.svg",
        "/badge/",
        "//",
        "/index.html",
        "/openapi.json",
    ] {
        let reply = ask(&all, Method::GET, path, None);
        assert_eq!(reply.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(reply.headers()[CACHE_CONTROL], "no-store");
    }
}

#[test]
fn who_has_the_same_bytes_gets_none_and_who_has_others_gets_them() {
    let all = content(&published(vec![service("shop", ServiceStatus::Ok)], vec![]));
    for path in ["/", "/feed.atom", "/badge/shop.svg"] {
        let first = ask(&all, Method::GET, path, None);
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(first.headers()[CACHE_CONTROL], "public, max-age=10");
        let again = ask(&all, Method::GET, path, Some(&tag));
        assert_eq!(
            (again.status(), again.headers()[ETAG].to_str().unwrap()),
            (StatusCode::NOT_MODIFIED, tag.as_str())
        );
        assert_eq!(body(again), "");
        assert_eq!(ask(&all, Method::GET, path, Some("\"other\"")).status(), StatusCode::OK);
    }
    let later = content(&published(vec![service("shop", ServiceStatus::Down)], vec![]));
    let tag = ask(&all, Method::GET, "/badge/shop.svg", None).headers()[ETAG].clone();
    let reply = ask(&later, Method::GET, "/badge/shop.svg", Some(tag.to_str().unwrap()));
    assert_eq!(reply.status(), StatusCode::OK);
}

#[test]
fn the_title_says_how_many_do_not_work_and_claims_nothing_that_is_unknown() {
    use ServiceStatus::{Down, Ok, Unknown, Wrong};
    for (states, expected) in [
        (vec![], "Status"),
        (vec![Ok], "The service works"),
        (vec![Ok, Ok], "All 2 services work"),
        (vec![Unknown], "It is not known whether the service works"),
        (vec![Ok, Unknown], "It is not known whether 1 of 2 services work"),
        (vec![Down, Ok, Unknown], "1 of 3 services does not work"),
        (vec![Down, Wrong, Ok], "2 of 3 services do not work"),
    ] {
        let services =
            states.iter().enumerate().map(|(nth, state)| service(&nth.to_string(), *state)).collect();
        let page = text(&content(&published(services, vec![])), "/");
        assert!(page.contains(&format!("<title>{expected}</title>")), "{expected}: {page}");
    }
}

#[test]
fn a_past_that_cannot_be_read_is_said_and_not_shown_as_empty() {
    let mut all = published(vec![service("shop", ServiceStatus::Ok)], vec![]);
    all.knows_the_past = false;
    let all = content(&all);
    let page = text(&all, "/");
    assert!(page.contains("The past cannot be read at the moment"), "{page}");
    assert!(!page.contains("<svg") && !page.contains("None in the last"), "{page}");
    assert_eq!(ask(&all, Method::GET, "/badge/shop/uptime-30d.svg", None).status(), StatusCode::NOT_FOUND);
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_the_page_and_no_other() {
    let all = content(&published(vec![service("shop", ServiceStatus::Wrong)], vec![incident("shop")]));
    let page = text(&all, "/");
    let reply = ask(&all, Method::GET, "/", None);
    let policy = reply.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    for element in ["script", "style"] {
        let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
        let [_, rest] = page.split(&begin).collect::<Vec<_>>()[..] else { panic!("one {element}") };
        let hash = crate::web::assets::hash(rest.split(&end).next().unwrap());
        assert!(policy.contains(&format!("{element}-src {hash}")), "{policy}");
    }
    let runs = |tag: &String| tag.split(' ').skip(1).any(|name| name.starts_with("on") || name == "style=");
    assert!(!tags(&page).iter().any(runs), "neither would run");
}

#[test]
fn everything_links_to_the_page_and_the_feed_below_the_path_at_which_it_is_served() {
    let site = "https://corp.example/status/";
    let all = content(&published(vec![service("shop", ServiceStatus::Ok)], vec![incident("shop")]));
    let links = |path: &str| -> BTreeSet<String> {
        let text = text(&all, path);
        let at = url::Url::parse(site).unwrap().join(&path[1..]).unwrap();
        let links = text.split(" href=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
        links.filter(|link| !link.starts_with("data:")).map(|link| at.join(link).unwrap().into()).collect()
    };
    let (page, feed) = (site.to_owned(), format!("{site}feed.atom"));
    assert_eq!(links("/"), [feed.clone()].into());
    for path in ["/feed.atom", "/index.html", "/checks/shop", "/badge/other/uptime-30d.svg", "/a/b/c/d"] {
        assert_eq!(links(path), [page.clone(), feed.clone()].into(), "{path}");
    }
    for deep in ["/a/b/c/d/e".to_owned(), "/a".repeat(1000)] {
        assert_eq!(links(&deep), BTreeSet::new(), "there would be no end of those");
    }
}

#[test]
fn an_entry_of_the_feed_keeps_its_name_when_it_changes_and_others_have_another() {
    let ids = |incidents: Vec<PublicIncident>| -> BTreeSet<String> {
        let feed = text(&content(&published(vec![], incidents)), "/feed.atom");
        feed.split("<id>").skip(1).map(|rest| rest.split("</id>").next().unwrap().to_owned()).collect()
    };
    let mut over = incident("shop");
    over.until = Some(now());
    over.story.push(Happening { at: now(), text: "It works again.".to_owned() });
    assert_eq!(ids(vec![incident("shop")]), ids(vec![over]));
    assert_eq!(ids(vec![incident("shop"), incident("api")]).len(), 3, "the feed and two entries");
}

#[test]
fn everything_is_made_again_after_a_change_and_when_it_is_old_and_not_otherwise() {
    use ServiceStatus::{Down, Ok};
    let mut pace = Pace::default();
    let sign = |status| vec![("shop".to_owned(), status, None, false)];
    let at = |second: u64| now().checked_add(Duration::from_secs(second)).unwrap();
    let mut due = |status, second| pace.is_due(sign(status), at(second));
    assert_eq!([due(Ok, 0), due(Ok, 1), due(Ok, 2)], [true; 3], "it is new");
    assert_eq!([due(Ok, 3), due(Ok, 11), due(Ok, 12)], [false, false, true]);
    assert_eq!([due(Down, 13), due(Down, 14), due(Down, 15), due(Down, 16)], [true, true, true, false]);
    assert!(pace.is_due(sign(Down), before(Duration::from_mins(1))), "the clock went back");
}

fn tags(text: &str) -> Vec<String> {
    let all = text.split('<').skip(1).map(|rest| {
        let tag = rest.split('>').next().unwrap_or_default();
        tag.split('"').step_by(2).collect::<String>()
    });
    all.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_name_of_a_check_changes_what_a_page_the_feed_or_a_badge_is_made_of(
        name in prop_oneof!["[<>\"'&=;a-z`\u{202e}ü]{1,30}", Just("</script><b onclick=x>".to_owned()), any::<String>()],
    ) {
        let name: String = name.chars().filter(|one| !one.is_control() && *one != '/' && *one != '\\').collect();
        prop_assume!(!name.is_empty());
        let all = |name: &str| content(&published(vec![service(name, ServiceStatus::Down)], vec![incident(name)]));
        let (plain, hostile) = (all("a"), all(&name));
        let encoded = crate::web::pages::parts::encoded(&name);
        for (path, other) in [
            ("/", "/".to_owned()),
            ("/feed.atom", "/feed.atom".to_owned()),
            ("/badge/a.svg", format!("/badge/{encoded}.svg")),
            ("/badge/a/uptime-30d.svg", format!("/badge/{encoded}/uptime-30d.svg")),
        ] {
            prop_assert_eq!(tags(&text(&plain, path)), tags(&text(&hostile, &other)), "{}", other);
        }
    }
}
