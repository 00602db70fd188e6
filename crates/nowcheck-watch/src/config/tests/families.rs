//! Bad files of every kind.

use super::{SHOP, beside_a_check, parse, said};
use crate::config::{Config, System};
use crate::incident::Window;
use std::path::Path;

#[test]
fn tables_that_are_none_are_named() {
    beside_a_check(&[
        ("[[chek]]\nname = \"a\"", &["4: unknown table chek; did you mean [[check]]?"]),
        ("[alerts]", &["4: unknown table alerts; did you mean [[alert]]?"]),
        ("[[server]]", &["4: server must be a table; write [server]"]),
        (
            "[alert]\nname = \"a\"\ntype = \"exec\"\ncommand = [\"a\"]",
            &["4: alert must be a table; write [[alert]]"],
        ),
    ]);
    assert_eq!(
        said("every = \"1m\"\n[[check]]\nname = \"a\"\nurl = \"http://a\"\n"),
        ["1: unknown key every; it belongs into [defaults], [[check]], [heartbeat] or [[export]]"]
    );
    assert_eq!(
        said("needs = [\"b\"]\n[[check]]\nname = \"a\"\nurl = \"http://a\"\n"),
        ["1: unknown key needs; it belongs into [defaults] or [[check]]"]
    );
    assert_eq!(
        said("server = 3\n[[check]]\nname = \"a\"\nurl = \"http://a\"\n"),
        ["1: server must be a table; write [server]"]
    );
}

#[test]
fn a_file_without_a_check_says_so() {
    for text in ["", "# nothing\n", "[server]\n", "\u{feff}"] {
        assert_eq!(
            said(text),
            ["has no check; add [[check]] with a name and a url, or [[probe]] for checks on request"],
            "{text:?}"
        );
    }
    assert_eq!(
        said("check = []\n"),
        ["has no check; add [[check]] with a name and a url, or [[probe]] for checks on request"]
    );
}

#[test]
fn a_file_that_is_none_is_rejected_in_a_sentence() {
    let of = |bytes: &[u8]| Config::parse("n.toml", bytes, Path::new(""), &System).unwrap_err().to_string();
    assert_eq!(of(b"# a\n\xff"), "n.toml:2: is not UTF-8 from here on; save the file as UTF-8");
    let large = "is larger than 8 MiB, the most that a configuration may be; is this the right file?";
    assert_eq!(of(&vec![b'#'; 10 * 1024 * 1024]), format!("n.toml: {large}"));
    assert!(
        Config::load(Path::new("/nonexistent/n.toml")).unwrap_err().to_string().contains("cannot be read")
    );
    assert!(Config::load(Path::new("/")).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn a_variable_is_read_as_a_file_is() {
    let of = |name: &str| Config::of_variable(name).unwrap_err().to_string();
    let unset = "env:NOT_SET: is not set, or is not UTF-8; set this environment variable to the text of a configuration";
    assert_eq!(of("NOT_SET"), unset);
    let other = of("PATH");
    assert!(other.starts_with("env:PATH:1: is not TOML: "), "{other}");
}

#[test]
fn what_is_not_toml_is_told_with_its_line_and_without_what_follows_from_it() {
    let lines = said(&format!("{SHOP}every = 10s\nmax_ofset = \"2s\"\n"));
    assert!(lines[0].starts_with("4: check \"shop\": is not TOML: "), "{lines:?}");
    assert_eq!(lines[1..], ["5: check \"shop\": unknown key max_ofset; did you mean max_offset?"]);
    for text in [
        "[[check]\nname = \"a\"",
        "name = \"T0KEN",
        "a = [[[[",
        "= 3",
        "[a]\n[a]",
        "\"\"\"",
        "a.b = 1\na = 2",
        "\0",
    ] {
        assert!(!said(text).is_empty(), "{text}");
    }
    let lines = said("[[check]\nname = \"a\"\nurl = \"http://a\"\nneeds = [\"b\"]\n");
    assert!(lines.len() == 1 && lines[0].starts_with("1: is not TOML: "), "{lines:?}");
    let nested = format!("a = {}", "[".repeat(100_000));
    assert!(said(&nested)[0].contains("is not TOML"));
}

#[test]
fn very_many_errors_are_counted_and_not_listed() {
    let keys = (0..40_000).map(|nth| format!("every{nth} = 1\n")).collect::<Vec<_>>().concat();
    let lines = said(&format!("{SHOP}{keys}"));
    assert_eq!(lines.len(), 101);
    assert_eq!(lines[100], "and 39900 more errors; correct these first");
}

#[test]
fn urls_with_credentials_and_urls_that_are_none_are_rejected_without_what_may_be_secret() {
    let of = |url: &str| said(&format!("[[check]]\nname = \"a\"\nurl = \"{url}\"\n"));
    for url in ["http://me:T0KEN@shop.example", "me:T0KEN@shop.example", "http://T0KEN@shop.example"] {
        assert_eq!(
            of(url),
            [
                "3: check \"a\": url holds credentials, which must not stand in this file; write them into a file and name it"
            ],
            "{url}"
        );
    }
    for url in [
        "ftp://shop.example/?key=T0KEN",
        "http://",
        "http://?T0KEN",
        "http://a b",
        "",
        "http://a:99999/",
        "mailto:a",
    ] {
        let lines = of(url);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("3: check \"a\": url = "), "{lines:?}");
    }
}

#[test]
fn names_must_differ_and_exist() {
    let two = "[[check]]\nname = \"shop\"\nurl = \"http://b\"";
    let one_alert = "[[alert]]\nname = \"night\"\ntype = \"exec\"\ncommand = [\"/bin/true\"]";
    beside_a_check(&[
        (
            two,
            &[
                "4: check \"shop\": the name is used twice, first in line 1; every check needs a name of its own",
            ],
        ),
        (
            "needs = [\"netwrk\"]\n[[check]]\nname = \"network\"\nurl = \"http://b\"",
            &["4: check \"shop\": needs: there is no check \"netwrk\"; did you mean \"network\"?"],
        ),
        (
            &format!("alert = [\"nigth\"]\n{one_alert}"),
            &["4: check \"shop\": alert: there is no alert \"nigth\"; did you mean \"night\"?"],
        ),
        (
            &format!("{one_alert}\n{one_alert}"),
            &[
                "8: alert \"night\": the name is used twice, first in line 4; every alert needs a name of its own",
            ],
        ),
        (
            "[[maintenance]]\nname = \"a\"\nweekly = \"Sun 02:00\"\nfor = \"2h\"\nchecks = [\"shpo\"]",
            &["8: maintenance \"a\": checks: there is no check \"shpo\"; did you mean \"shop\"?"],
        ),
        (
            "needs = [\"shop\"]",
            &["4: check \"shop\": needs goes in a circle: \"shop\" → \"shop\"; leave one of them out"],
        ),
        (
            "needs = [\"b\"]\n[[check]]\nname = \"b\"\nurl = \"http://b\"\nneeds = [\"shop\", \"c\"]\n[[check]]\nname = \"c\"\nurl = \"http://c\"",
            &[
                "4: check \"shop\": needs goes in a circle: \"shop\" → \"b\" → \"shop\"; leave one of them out",
            ],
        ),
    ]);
    for name in ["a/b", ".", "..", " a", "a\\n", ""] {
        let lines = said(&format!("[[check]]\nname = \"{name}\"\nurl = \"http://a\"\n"));
        assert_eq!(lines.len(), 1, "{name}: {lines:?}");
    }
}

#[test]
fn thousands_of_checks_that_need_each_other_in_a_row_are_followed() {
    let check =
        |nth: usize, needs: String| format!("[[check]]\nname = \"c{nth}\"\nurl = \"http://a\"\n{needs}\n");
    let row = |last: &str| {
        let needs =
            |nth: usize| if nth < 5_000 { format!("needs = [\"c{}\"]", nth + 1) } else { last.to_owned() };
        (0..=5_000).map(|nth| check(nth, needs(nth))).collect::<String>()
    };
    assert_eq!(parse(&row("")).unwrap().checks.len(), 5_001);
    let lines = said(&row("needs = [\"c0\"]"));
    assert!(lines.len() == 1 && lines[0].contains("\"c0\" → \"c1\"") && lines[0].contains("…"), "{lines:?}");
}

#[test]
fn time_servers_are_not_asked_more_often_than_courtesy_allows() {
    // One answer serves all rounds of all checks, so their periods do not matter.
    beside_a_check(&[
        ("references = [\"ntp:time.example\"]\nevery = \"10s\"", &[]),
        ("references = [\"ntp:127.0.0.1\"]\nevery = \"1s\"\ntimeout = \"1s\"", &[]),
    ]);
    // What one answer cannot serve is queried for itself.
    let checks = |count: usize, server: &str| {
        let check = |nth| {
            let references = format!("references = [\"{server}\", \"ntp:10.0.0.{nth}\"]");
            format!("[[check]]\nname = \"c{nth}\"\nurl = \"http://a\"\n{references}\n")
        };
        (1..=count).map(check).collect::<String>()
    };
    for (count, server) in [(4, "ntp:time.example"), (64, "ntp:192.168.1.1")] {
        assert!(parse(&checks(count, server)).is_ok(), "{count} {server}");
    }
    let same = "[[check]]\nname = \"d\"\nurl = \"http://d\"\nreferences = [\"ntp:time.example\", \"ntp:10.0.0.1\"]\n";
    assert!(parse(&(checks(4, "ntp:time.example") + same)).is_ok());
    assert_eq!(
        said(&checks(5, "ntp:time.example")),
        [
            "20: check \"c5\": references would ask the time server ntp:time.example more often than once in 16s, the most that courtesy \
          allows (RFC 4330 section 10): it stands in 5 different sets of references, each of which is asked once in 64s. Give checks \
          the same references, resolve, ip_version and trust_system_clock, and they share one answer"
        ]
    );
    assert_eq!(said(&checks(65, "ntp:192.168.1.1")).len(), 1);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn maintenance_has_a_beginning_an_end_and_a_zone() {
    let of = |keys: &str| parse(&format!("{SHOP}[[maintenance]]\nname = \"a\"\n{keys}\n"));
    for keys in [
        "from = \"2026-12-06T02:00[Europe/Madrid]\"\nfor = \"2h\"",
        "from = \"2026-12-06T02:00\"\nzone = \"Europe/Madrid\"\nuntil = \"2026-12-06T04:00\"",
        "from = 2026-12-06T01:00:00Z\nuntil = 2026-12-06T03:00:00Z",
        "from = 2026-12-06T01:00:00\nuntil = \"2026-12-06T04:00+01:00\"",
    ] {
        let window = of(keys).unwrap().maintenance[0].window.clone();
        let Window::Once { from, until } = window else { panic!() };
        assert_eq!(
            (from.to_string().as_str(), until.to_string().as_str()),
            ("2026-12-06T01:00:00Z", "2026-12-06T03:00:00Z"),
            "{keys}"
        );
    }
    for keys in [
        "weekly = \"Sun 02:00\"\nfor = \"2h\"\nzone = \"Europe/Madrid\"",
        "weekly = \"sunday 02:00[Europe/Madrid]\"\nfor = \"2h\"",
    ] {
        let window = of(keys).unwrap().maintenance[0].window.clone();
        let Window::Weekly { weekday, zone, .. } = window else { panic!() };
        assert_eq!((weekday, zone.iana_name()), (jiff::civil::Weekday::Sunday, Some("Europe/Madrid")));
    }
    let moment =
        "must be a date and a time of day, with a zone that is known: \"2026-12-06T02:00[Europe/Madrid]\"";
    for (keys, line) in [
        ("", "4: maintenance \"a\": from is missing; write from = \"2026-12-06T02:00[Europe/Madrid]\""),
        ("from = \"2026-12-06T02:00\"", "4: maintenance \"a\": for is missing; write for = \"2h\""),
        (
            "from = \"tomorrow\"\nfor = \"2h\"",
            &*format!("6: maintenance \"a\": from = \"tomorrow\" {moment}"),
        ),
        ("from = 2026-12-06\nfor = \"2h\"", &format!("6: maintenance \"a\": from = 2026-12-06 {moment}")),
        (
            "from = \"2026-12-06T02:00[Europe/Atlantis]\"\nfor = \"2h\"",
            &format!("6: maintenance \"a\": from = \"2026-12-06T02:00[Europe/Atlantis]\" {moment}"),
        ),
        (
            "from = \"2026-12-06T02:00\"\nuntil = \"2026-12-06T02:00\"",
            "7: maintenance \"a\": until = \"2026-12-06T02:00:00Z\" must be later than from (\"2026-12-06T02:00:00Z\")",
        ),
        (
            "weekly = \"Sun 25:00\"\nfor = \"2h\"",
            "6: maintenance \"a\": weekly = \"Sun 25:00\" must be a day of the week and a time of day, such as \"Sun 02:00\"",
        ),
        (
            "weekly = \"S 02:00\"\nfor = \"2h\"",
            "6: maintenance \"a\": weekly = \"S 02:00\" must be a day of the week and a time of day, such as \"Sun 02:00\"",
        ),
        (
            "weekly = \"Sun 02:00\"\nfor = \"7d\"",
            "7: maintenance \"a\": for = \"7d\" must be less than a week with weekly",
        ),
        (
            "weekly = \"Sun 02:00\"\nfrom = \"2026-12-06T02:00\"\nfor = \"2h\"",
            "6: maintenance \"a\": weekly and from are both given; leave one out",
        ),
        (
            "from = \"9999-12-30T02:00\"\nfor = \"300d\"",
            "7: maintenance \"a\": for = \"300d\" ends later than any date",
        ),
    ] {
        assert_eq!(said(&format!("{SHOP}[[maintenance]]\nname = \"a\"\n{keys}\n")), [line], "{keys}");
    }
}

#[test]
fn the_process_has_its_rules() {
    beside_a_check(&[
        (
            "[server]\nlisten = \"0.0.0.0:80\"\nstatus_page = \"0.0.0.0:80\"",
            &[
                "6: server: status_page = \"0.0.0.0:80\" is the address of listen too; the public page needs a listener of its own",
            ],
        ),
        (
            "[server]\nlisten = 9464",
            &[
                "5: server: listen = 9464 must be an IP address and a port, such as \"127.0.0.1:9464\" or \"[::]:9464\"; did you mean \"127.0.0.1:9464\"?",
            ],
        ),
        ("[server]\nauth_file = \"/run/users\"", &[]),
        (
            "[server]\nauth_file = \"/run/bad-users\"",
            &["5: server: auth_file has no name:bcrypt in its line 1; write such a line with htpasswd -B"],
        ),
        ("[history]\nkeep_rounds = \"60d\"", &[]),
        (
            "[history]\nkeep_rounds = \"60d\"\nkeep_minutes = \"30d\"",
            &["6: history: keep_minutes = \"30d\" must not be less than keep_rounds (60d)"],
        ),
        ("[history]\npath = \"none\"", &[]),
        (
            "[quorum]\ndown = 2",
            &["5: quorum: down = 2 must be at most 1, the number of instances (every [[peer]] and this one)"],
        ),
        (
            "[[peer]]\nname = \"a\"\nurl = \"nowhere\"\ntoken = \"T0KEN\"",
            &[
                "6: peer \"a\": url = \"nowhere\" is not a URL; write one such as \"https://nowcheck.fra.example\"",
                "7: peer \"a\": token is a secret and must not stand in this file; write token_file = \"PATH\" or token_env = \"VARIABLE\"",
            ],
        ),
        (
            "[[peer]]\nname = \"a\"\nurl = \"http://a\"\ntoken_file = \"/run/secrets/hook-key\"",
            &["7: peer \"a\": token is shorter than 16 characters; make one with: openssl rand -hex 32"],
        ),
        (
            "[heartbeat]\nevery = \"1m\"",
            &["4: heartbeat: url is missing; write url_file = \"PATH\" or url_env = \"VARIABLE\""],
        ),
        (
            "[[probe]]\nmodule = \"web\"\nallow = [\"*\"]",
            &[
                "6: probe \"web\": allow = [\"*\"] must list URLs such as \"https://*.example/*\": a scheme, a host and a path, of which host and path may have *",
            ],
        ),
    ]);
    let config = parse(&format!(
        "{SHOP}[[probe]]\nmodule = \"web\"\nallow = [\"https://*.example/*\"]\nmax_offset = \"3s\"\n"
    ))
    .unwrap();
    let module = &config.probes[0];
    let check = |url: &str| module.check(url).unwrap();
    assert_eq!(check("https://a.example/now").unwrap().limits().max_offset.as_secs(), 3);
    for other in ["https://a.test/now", "http://a.example/now", "https://me:pw@a.example/now", "a.example"] {
        assert!(check(other).is_none(), "{other}");
    }
}
