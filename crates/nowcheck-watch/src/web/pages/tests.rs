use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use maud::Markup;
use nowcheck::clock::Clock;
use nowcheck::outcome::Phases;
use proptest::prelude::*;

use super::shown::Shown;
use super::*;
use crate::board::{BackendState, Board, LatestRound, Unlisted};
use crate::config::{Config, Shorthand};
use crate::dispatch::Dispatch;
use crate::drift::DriftBounds;
use crate::history::testing::in_memory;
use crate::history::{PastIncident, Period, Range, Restored, Summary};
use crate::incident::{
    Change, ChangeKind, Evidence, OffsetBounds, Place, Scope, Subject, Trouble, TroubleKind,
};
use crate::jumps::Jump;
use crate::log::Log;
use crate::metrics::MetricSource;
use crate::peers::Peers;
use crate::prober::Prober;
use crate::report::{CheckReport, Clock as MetClock, Drift, Report};
use crate::results::{Outlets, Results};
use crate::web::auth::Guard;
use crate::web::query::Query;
use crate::web::{Streams, assets};

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + second).unwrap()
}

/// A monitor of these URLs that measures nothing. It has to be made on a runtime.
fn served(urls: &[&str]) -> Arc<Served> {
    let clock = Clock::start();
    let config = Config::of_shorthand(&Shorthand {
        urls: urls.iter().map(|&url| url.to_owned()).collect(),
        every: Duration::from_secs(10),
        listen: "127.0.0.1:0".parse().unwrap(),
        history: None,
        trust_system_clock: true,
    });
    let config = config.unwrap();
    let (history, _) = in_memory();
    let runtime = tokio::runtime::Handle::current();
    let (dispatch, _) = Dispatch::start(&runtime, &config, "here", (&history, Vec::new()), clock);
    let board = Arc::new(Board::default());
    let peers = Arc::new(Peers::new(clock, "here", runtime));
    let outlets = Outlets { board: Arc::clone(&board), log: Log::new().0, history, dispatch, peers };
    let results = Arc::new(Results::new(clock, outlets, &Restored::default()));
    results.configure(&config);
    let metrics = MetricSource::new(clock, Arc::clone(&board), Arc::clone(&results));
    let (guard, streams) = (Guard::new(None), Streams::default());
    let prober = Prober::start(clock, 1).unwrap();
    Arc::new(Served { clock, board, results, metrics, guard, streams, monitor: "here".to_owned(), prober })
}

/// What a hostile service, or a careless operator, has everywhere.
#[derive(Debug, Clone)]
struct Texts([String; 4]);

fn latest(texts: &Texts) -> LatestRound {
    let [summary, advice, reference, _] = texts.0.clone();
    LatestRound {
        at: second(-3),
        duration: Duration::from_millis(4),
        lateness: Duration::ZERO,
        summary,
        advice: Some(advice),
        offset: Some(OFFSET),
        round_trip: Some(Duration::from_millis(1)),
        phases: Phases::default(),
        certificate_expires_at: Some(second(86_400)),
        reference,
        reference_error: None,
        requests: 2,
        full_because: None,
    }
}

const OFFSET: OffsetBounds = OffsetBounds { lower: -20_000, upper: 90_000 };

/// Gives the only check a state in which everything that can be shown is shown.
fn show(served: &Served, texts: &Texts, status: CheckStatus) {
    let name = served.board.checks()[0].identity.name.clone();
    let [one, two, three, four] = texts.0.clone();
    served.board.update(&name, |state| {
        let identity = Arc::make_mut(&mut state.identity);
        identity.labels = [(one.clone(), two.clone()), ("team".to_owned(), "web".to_owned())].into();
        identity.url.clone_from(&three);
        state.status = status;
        state.reason.clone_from(&four);
        state.since = second(-200);
        state.stands_until = second(10);
        state.latest = Some(latest(texts));
        state.recent.add(second(-100), second(-80), CheckStatus::Ok, Some(OFFSET));
        state.recent.add(second(-30), second(10), status, None);
        state.next_round = Some(second(7));
        state.found_within = Some(Duration::from_mins(2));
        state.backends = [Some(one), None]
            .into_iter()
            .map(|instance| BackendState {
                address: two.clone(),
                instance,
                status,
                offset: OFFSET,
                last_heard: second(-3),
            })
            .collect();
    });
}

fn incident(texts: &Texts) -> PastIncident {
    let [one, two, three, four] = texts.0.clone();
    let trouble = Trouble { offset: Some(OFFSET), ..Trouble::new(TroubleKind::Wrong, &three) };
    let change = Change {
        incident: serde_json::from_value(serde_json::Value::from(one.clone())).unwrap(),
        kind: ChangeKind::Opened,
        scope: Scope::Check(two.clone()),
        subject: Subject::Check(two.clone()),
        status: Some(TroubleKind::Wrong),
        reason: four,
        since: second(-200),
        at: second(-200),
        evidence: Evidence {
            summary: three,
            offset: Some(OFFSET),
            places: [(Place::Backend(one.clone()), trouble)].into(),
        },
    };
    PastIncident {
        id: one,
        scope: Scope::Check(two),
        since: second(-200),
        until: None,
        changes: vec![change],
    }
}

fn report(texts: &Texts) -> Report {
    let [one, two, ..] = texts.0.clone();
    let range = Range::last(Duration::from_hours(1), now());
    let rate = DriftBounds { lower: 1e-6, upper: 2e-6 };
    let drift = Drift { since: second(-900), until: second(-3), rate, expected: None };
    let clock = MetClock {
        instance: Some(one.clone()),
        first: second(-900),
        last: second(-3),
        rounds: 90,
        offset: OFFSET,
        drift: Some(drift),
    };
    let check = CheckReport {
        name: two,
        watched: None,
        period: Period { from: range.from, to: range.to, summary: Summary::default() },
        points: Vec::new(),
        jumps: vec![Jump { after: second(-60), until: second(-50), size: OFFSET, clock: Some(one) }],
        clocks: vec![clock],
        certificate_expiry: None,
    };
    Report { range, checks: vec![check], incidents: vec![incident(texts)] }
}

/// All pages, with these texts everywhere.
fn pages(texts: &Texts) -> Vec<Markup> {
    let served = served(&["http://shop.example"]);
    show(&served, texts, CheckStatus::Wrong);
    let state = &served.board.checks()[0];
    let shown = Shown::asked(&Query::default(), now());
    let filter = format!("q={}+zq7&status=down", parts::encoded(&texts.0[0]));
    vec![
        overview::overview(&served, &Query::default(), now()),
        overview::overview(&served, &Query::parse(Some(&filter)), now()),
        check::content(&served, state, &Ok(Some(report(texts))), shown, now()),
        check::content(&served, state, &Err(texts.0[3].clone()), shown, now()),
        html! { (incidents::head(&incident(texts), now())) (incidents::story(&incident(texts), &[Some(texts.0[2].clone())])) },
        not_found(&served, now(), Depth::Below, &texts.0[1]),
    ]
}

/// The elements and the names of their attributes. Panics at what is no HTML of ours.
fn skeleton(html: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), html);
    while let Some(begin) = rest.find('<') {
        rest = &rest[begin + 1..];
        let mut quoted = false;
        let end = rest.find(|one: char| {
            quoted ^= one == '"';
            one == '>' && !quoted
        });
        let end = end.expect("a tag ends");
        let tag = &rest[..end];
        let outside: String = tag.split('"').step_by(2).collect();
        assert!(!outside.contains(['<', '\'', '`']), "{tag}");
        found.push(outside);
        rest = &rest[end + 1..];
        for raw in ["script", "style"].into_iter().filter(|raw| tag == *raw) {
            rest = &rest[rest.find(&format!("</{raw}>")).expect("it ends")..];
        }
    }
    found
}

fn on_a_runtime<T>(work: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work() })
}

fn hostile() -> impl Strategy<Value = String> {
    let known = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title>",
        "--><svg/onload=alert(1)>",
        "</script>",
        "&lt;b&gt;",
        "javascript:alert(1)",
        "`${x}`",
        "\u{202e}txt",
        "\u{0}",
        "{{7*7}}",
        "]]>",
        "\u{feff}",
        "\r\nevent: change",
        "ü ≤ 𝔘",
        "..",
        "%00",
        "x y",
        "a/b?c#d",
    ];
    prop_oneof![
        prop::sample::select(known.map(str::to_owned).to_vec()),
        "[<>\"'&=/ a-z`\\\\\u{0}-\u{20}]{1,40}",
        any::<String>().prop_map(|text| text + "x"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_text_of_a_service_changes_what_a_page_is_made_of(
        one in hostile(), two in hostile(), three in hostile(), four in hostile(),
    ) {
        let plain = Texts(["a", "b", "c", "d"].map(str::to_owned));
        let hostile = Texts([one, two, three, four]);
        let [plain, hostile] = on_a_runtime(|| [pages(&plain), pages(&hostile)]);
        for (plain, hostile) in plain.iter().zip(&hostile) {
            prop_assert_eq!(skeleton(&plain.0), skeleton(&hostile.0), "{}", hostile.0);
        }
    }
}

/// The values of the attributes that lead somewhere.
fn addresses(page: &str) -> Vec<&str> {
    let of = |name| page.split(name).skip(1).filter_map(|rest: &str| rest.split('"').next());
    [" href=\"", " action=\"", " data-events=\""].into_iter().flat_map(of).collect()
}

#[test]
fn all_that_a_page_leads_to_is_relative_so_that_it_is_found_below_a_path() {
    for text in ["a", "..", "/", "//elsewhere.example", "a/b?c#d"] {
        let pages = on_a_runtime(|| pages(&Texts([(); 4].map(|()| text.to_owned()))));
        for page in pages {
            let found = addresses(&page.0);
            assert!(!found.is_empty());
            let is_relative = |one: &&str| {
                ["./", "../", "#", "data:image/svg+xml,"].iter().any(|begin| one.starts_with(begin))
            };
            assert!(found.iter().all(is_relative), "{found:?}");
        }
    }
}

#[test]
fn links_of_a_page_lead_to_the_same_address_from_each_depth() {
    for (depth, page) in [
        (Depth::Top, "https://ops.example/now/incidents"),
        (Depth::Below, "https://ops.example/now/checks/shop"),
    ] {
        let page = url::Url::parse(page).unwrap();
        let found = [
            depth.root().to_owned(),
            depth.check("a/b"),
            depth.incidents(),
            depth.incident("1-2"),
            depth.events(Some("a b")),
        ];
        let found =
            found.map(|link| page.join(&link).unwrap().to_string().split_off("https://ops.example".len()));
        assert_eq!(
            found,
            ["/now/", "/now/checks/a%2Fb", "/now/incidents", "/now/incidents/1%2D2", "/now/events?check=a+b"]
        );
    }
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_a_page_and_no_other() {
    use base64ct::{Base64, Encoding};
    let page =
        on_a_runtime(|| overview::overview(&served(&["http://shop.example"]), &Query::default(), now()));
    let policy = assets::POLICY.to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    for (element, directive) in [("script", "script-src"), ("style", "style-src")] {
        let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
        let parts: Vec<&str> = page.0.split(begin.as_str()).skip(1).collect();
        let [part] = parts[..] else { panic!("{} times {element}", parts.len()) };
        let text = part.split(end.as_str()).next().unwrap();
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let source = format!("{directive} 'sha256-{}'", Base64::encode_string(hash.as_ref()));
        assert!(policy.contains(&source), "{source} is not in {policy}");
    }
    let runs = |tag: &String| tag.split(' ').skip(1).any(|name| name.starts_with("on") || name == "style=");
    assert!(!skeleton(&page.0).iter().any(runs), "neither would run");
}

fn text_of(page: &Markup) -> String {
    let body = page.0.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
    let mut text = String::new();
    let mut is_text = false;
    for one in body.chars() {
        match one {
            '<' => is_text = false,
            '>' => is_text = true,
            one if is_text => text.push(one),
            _ => {}
        }
    }
    text
}

#[test]
fn the_worst_check_comes_first_and_the_title_counts_them() {
    on_a_runtime(|| {
        let served = served(&["http://a.example", "http://b.example", "http://c.example"]);
        let texts = Texts(["x", "y", "z", "w"].map(str::to_owned));
        for (name, status) in [
            ("a.example", CheckStatus::Ok),
            ("b.example", CheckStatus::Unknown),
            ("c.example", CheckStatus::Down),
        ] {
            served.board.update(name, |state| {
                (state.status, state.latest) = (status, Some(latest(&texts)));
                state.stands_until = second(10);
            });
        }
        let page = overview::overview(&served, &Query::default(), now());
        assert!(page.0.contains("<title>2 of 3 checks are not ok – nowcheck</title>"), "{}", page.0);
        let place = |name: &str| page.0.find(&format!("id=\"check-{}\"", parts::encoded(name))).unwrap();
        assert!(place("c.example") < place("b.example") && place("b.example") < place("a.example"));
        // What stands no more says nothing.
        let later = overview::overview(&served, &Query::default(), second(11));
        assert!(later.0.contains("3 of 3 checks are not ok"), "{}", text_of(&later));
        assert!(text_of(&later).contains("No round has had a result since then"));
    });
}

#[test]
fn the_page_of_a_check_says_why_clocks_are_not_listed_by_name() {
    on_a_runtime(|| {
        let served = served(&["http://a.example"]);
        let name = served.board.checks()[0].identity.name.clone();
        let clocks = || super::check::backends(&served.board.check(&name).unwrap(), None, now()).0;
        assert!(!clocks().contains("instance"), "{}", clocks());
        served.board.update(&name, |state| state.unlisted = Some(Unlisted::Names));
        assert!(clocks().contains("seems to change with each answer"), "{}", clocks());
    });
}

#[test]
fn a_filter_finds_names_urls_and_labels_and_says_when_nothing_matches() {
    on_a_runtime(|| {
        let served = served(&["http://a.example/x", "http://b.example"]);
        served.board.update("b.example", |state| {
            Arc::make_mut(&mut state.identity).labels = [("team".to_owned(), "Web".to_owned())].into();
        });
        let shown = |query: &str| {
            let page = overview::overview(&served, &Query::parse(Some(query)), now()).0;
            ["a", "b"].map(|one| page.contains(&format!("id=\"check-{one}%2Eexample")))
        };
        assert_eq!(shown(""), [true, true]);
        assert_eq!(shown("q=team%3Dweb"), [false, true]);
        assert_eq!(shown("q=EXAMPLE+a."), [true, false]);
        assert_eq!(shown("status=unknown"), [true, true]);
        assert_eq!(shown("status=down"), [false, false]);
        assert_eq!(shown("page=2"), [false, false]);
        assert_eq!(shown("page=99999999999999999999"), [true, true]);
        let none = overview::overview(&served, &Query::parse(Some("q=zq")), now());
        assert!(text_of(&none).contains("No check matches “zq”"), "{}", text_of(&none));
    });
}

#[test]
fn a_page_without_checks_says_what_to_put_into_the_file_and_the_file_is_valid() {
    let page = on_a_runtime(|| overview::overview(&served(&[]), &Query::default(), now()));
    let text = text_of(&page);
    assert!(text.contains("[[check]]") && text.contains("nowcheck watch --config nowcheck.toml"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let (file, secret) = (folder.path().join("nowcheck.toml"), folder.path().join("hook"));
    std::fs::write(&secret, "https://hooks.example/1").unwrap();
    let valid = overview::FILE.replace("/run/secrets/hook", secret.to_str().unwrap());
    std::fs::write(&file, valid).unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!((config.checks.len(), config.alerts.len()), (1, 1));
}

#[test]
fn many_checks_are_shown_on_pages() {
    on_a_runtime(|| {
        let urls: Vec<String> = (0..450).map(|number| format!("http://{number}.example")).collect();
        let served = served(&urls.iter().map(String::as_str).collect::<Vec<_>>());
        let page = |query: &str| overview::overview(&served, &Query::parse(Some(query)), now());
        let rows = |page: &Markup| page.0.matches("<li class=\"check ").count();
        assert_eq!([rows(&page("")), rows(&page("page=2")), rows(&page("page=3"))], [200, 200, 50]);
        assert!(page("page=2").0.contains("201–400 of 450"));
        assert_eq!(rows(&page("q=44.example")), 5, "44, 144, 244, 344, 444");
    });
}

/// Headings do not skip a level.
fn assert_headings(page: &Markup) {
    let levels: Vec<u32> =
        page.0.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
    assert_eq!(levels.first(), Some(&1), "{levels:?}");
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[test]
fn headings_are_in_order_on_every_page() {
    let texts = Texts(["a", "b", "c", "d"].map(str::to_owned));
    on_a_runtime(|| pages(&texts)).iter().for_each(assert_headings);
}

#[test]
fn a_state_of_two_words_is_one_class_and_its_own() {
    assert!(super::parts::status("at fault").0.contains("class=\"status at-fault\""));
}
