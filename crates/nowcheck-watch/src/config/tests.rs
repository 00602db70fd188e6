//! Whole files, and the exact lines that are said about them.

mod families;
mod secrets;

use std::io;
use std::path::Path;
use std::sync::LazyLock;

use nowcheck::probe::tls::Trust;

use proptest::prelude::*;

use super::*;

/// Files and variables that exist nowhere.
struct Made;

impl SecretSource for Made {
    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let text = match path.to_str().unwrap_or_default() {
            "/run/secrets/hook" | "/run/secrets/heartbeat" => "https://hooks.example/T0KEN\n".to_owned(),
            "/run/secrets/headers" | "/run/secrets/collector" => "X-Key: T0KEN\n".to_owned(),
            "/run/secrets/bad-headers" => "X-Key T0KEN\n".to_owned(),
            "/run/secrets/shop" => "me:T0KEN\n".to_owned(),
            "/run/secrets/no-colon" | "/run/secrets/hook-key" | "/run/secrets/smtp" => "T0KEN\n".to_owned(),
            "/run/secrets/peer" => "T0KEN-of-many-characters\n".to_owned(),
            "/run/secrets/empty" => "\n".to_owned(),
            "/run/secrets/large" => "T0KEN".repeat(20_000),
            "/run/secrets/bytes" => return Ok(b"T0KEN\xff".to_vec()),
            "/run/users" => format!("anna:$2y$05${}\n# a comment\n", "a".repeat(53)),
            "/run/bad-users" => "anna:T0KEN\n".to_owned(),
            _ => return Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        };
        Ok(text.into_bytes().into_iter().take(usize::try_from(most).unwrap()).collect())
    }

    fn authorities(&self) -> Trust {
        static READ: LazyLock<Trust> = LazyLock::new(Trust::of_this_machine);
        READ.clone()
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOOK_URL" => Some("http://hooks.example/T0KEN".to_owned()),
            "NO_URL" => Some("T0KEN".to_owned()),
            _ => None,
        }
    }
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse("nowcheck.toml", text.as_bytes(), Path::new("/etc/nowcheck"), &Made)
}

/// What is said about a file, without its name. No secret is ever said.
fn said(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(errors) => {
            assert!(!errors.0.is_empty());
            let told = format!("{errors}\n{errors:?}");
            assert!(!told.contains("T0KEN"), "{told}");
            errors
                .to_string()
                .lines()
                .map(|line| line.strip_prefix("nowcheck.toml:").unwrap().trim_start().to_owned())
                .collect()
        }
    }
}

/// A check that is right, in the lines 1 to 3; what is said begins at line 4.
const SHOP: &str = "[[check]]\nname = \"shop\"\nurl = \"http://shop.example/now\"\n";

/// Each text after a check that is right, and all that is said about it.
fn beside_a_check(rows: &[(&str, &[&str])]) {
    for (text, sentences) in rows {
        assert_eq!(said(&format!("{SHOP}{text}\n")), *sentences, "{text}");
    }
}

/// Each line of keys of a check, and what is said about it.
fn keys_of_a_check(rows: &[(&str, &str)]) {
    for (line, sentence) in rows {
        let expected =
            if sentence.is_empty() { vec![] } else { vec![format!("4: check \"shop\": {sentence}")] };
        assert_eq!(said(&format!("{SHOP}{line}\n")), expected, "{line}");
    }
}

#[test]
fn an_unknown_key_is_named_with_the_closest_one() {
    keys_of_a_check(&[
        ("max_ofset = \"2s\"", "unknown key max_ofset; did you mean max_offset?"),
        ("max-offset = \"2s\"", "unknown key max-offset; did you mean max_offset?"),
        ("Every = \"2m\"", "unknown key Every; did you mean every?"),
        ("interval = \"2m\"", "unknown key interval; did you mean every?"),
        ("cert = \"x\"", "unknown key cert; did you mean client_certificate?"),
        ("user_file = \"x\"", "unknown key user_file; did you mean basic_auth_file?"),
        ("keep_rounds = \"7d\"", "unknown key keep_rounds; it belongs into [history]"),
        ("remind = \"7d\"", "unknown key remind; it belongs into [[alert]]"),
        ("xyzzy = \"T0KEN\"", "unknown key xyzzy"),
        ("\"a\\u001bb\" = 1", "unknown key a\\u{1b}b"),
        ("password = \"T0KEN\"", "unknown key password; did you mean basic_auth_file?"),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_value_that_cannot_be_is_named_with_what_it_must_be() {
    let unit = "must be a duration with its unit (ms, s, m, h, d, w, y), such as \"30s\"";
    keys_of_a_check(&[
        ("every = \"30\"", &format!("every = \"30\" {unit}")),
        ("every = 30", &format!("every = 30 {unit}; did you mean \"30s\"?")),
        ("every = \"-5m\"", &format!("every = \"-5m\" {unit}")),
        ("every = true", &format!("every = true {unit}")),
        ("every = \"10ms\"", "every = \"10ms\" must be 1s or more"),
        ("every = \"2y\"", "every = \"2y\" must be at most 1y1d"),
        ("timeout = \"0s\"", "timeout = \"0s\" must be more than zero"),
        (
            "every = \"5s\"",
            "every = \"5s\" must not be less than timeout (10s, the default); write timeout = \"5s\" or less",
        ),
        (
            "timeout = \"1m\"",
            "timeout = \"1m\" must not be more than every (30s, the default); write every = \"1m\" or more",
        ),
        (
            "warn_offset = \"1s\"",
            "warn_offset = \"1s\" must be less than max_offset (1s), or it could never warn",
        ),
        ("public = \"yes\"", "public = \"yes\" must be true or false, without quotes"),
        ("connections = 0", "connections = 0 must be a whole number from 1 to 100"),
        ("connections = \"8\"", "connections = \"8\" must be a whole number from 1 to 100"),
        ("expect_backends = 101", "expect_backends = 101 must be a whole number from 1 to 100"),
        ("samples = 1.5", "samples = 1.5 must be a whole number from 1 to 100"),
        ("miss_probability = 1", "miss_probability = 1 must be from 0.0001% to 50%, such as \"1%\" or 0.01"),
        (
            "miss_probability = nan",
            "miss_probability = nan must be from 0.0001% to 50%, such as \"1%\" or 0.01",
        ),
        ("ip_version = 5", "ip_version = 5 must be 4 or 6"),
        (
            "zone = \"Europe/Atlantis\"",
            "zone = \"Europe/Atlantis\" has no time zone that is known; write one such as \"Europe/Madrid\" or \"UTC\"",
        ),
        ("references = []", "references = [] must name at least one; write [\"system\"] or [\"ntp:HOST\"]"),
        ("references = \"system\"", "references = \"system\" must be a list of texts, such as [\"system\"]"),
        (
            "references = [\"gps\"]",
            "references = [\"gps\"] cannot be used: write `system` or `ntp:HOST[:PORT]`, such as ntp:time.example",
        ),
        (
            "references = [\"system\", \"system\"]",
            "references = [\"system\"] is given twice; it would vote twice",
        ),
        (
            "resolve = [\"other.example:192.0.2.1\"]",
            "resolve = [\"other.example:…\"] names a host that neither url nor references have",
        ),
        (
            "labels = { 1a = \"b\" }",
            "labels = { 1a = \"b\" } has the label 1a, which must be of letters, digits and underscores and begin with a letter",
        ),
        (
            "labels = { check = \"b\" }",
            "labels = { check = \"b\" } has the label check, which the metrics use themselves; choose another one",
        ),
        ("labels = { a = 1 }", "labels = { a = 1 } must be a table of texts, such as { team = \"web\" }"),
        (
            "ca_file = \"-----BEGIN CERTIFICATE-----T0KEN\"",
            "ca_file must be the path of a file, and not what is in it",
        ),
        (
            "client_certificate = \"/c.pem\"",
            "client_key is missing; client_certificate and client_key go together; both may be the same file",
        ),
        ("url = \"http://b\"", "url is given twice; leave one out"),
        (
            "format = \"unix_ms\"",
            "format = \"unix_ms\" must be a pattern with % or one of auto, rfc3339, unix-s, unix-ms, unix-us, unix-ns, hms, http-date; did you mean \"unix-ms\"?",
        ),
        (
            "field = \"header:no spaces\"",
            "field = \"header:no spaces\" cannot be used: `no spaces` is not the name of a header: invalid HTTP header name",
        ),
    ]);
}

#[test]
fn what_is_right_is_accepted() {
    keys_of_a_check(&[
        ("every = \"10s\"", ""),
        ("every = \"1m30s\"", ""),
        ("miss_probability = \"0.1%\"", ""),
        ("miss_probability = 0.001", ""),
        ("ip_version = 6", ""),
        ("headers = { Accept = \"application/json\" }", ""),
        ("headers = [\"Accept: application/json\"]", ""),
        ("headers_file = \"/run/secrets/headers\"", ""),
        ("basic_auth_file = \"/run/secrets/shop\"", ""),
        ("field = \"header:date\"", ""),
        ("format = \"%d.%m.%Y %H:%M:%S\"", ""),
        ("zone = \"Europe/Madrid\"", ""),
        ("resolve = [\"shop.example:192.0.2.1\"]", ""),
        ("references = [\"ntp:a.example\", \"ntp:b.example:1123\"]", ""),
        ("needs = []", ""),
        ("alert = []", ""),
    ]);
}

#[test]
fn defaults_count_for_every_check_that_says_nothing_else() {
    let text = format!(
        "[defaults]\nevery = \"1m\"\nlabels = {{ site = \"a\", team = \"x\" }}\nneeds = [\"shop\"]\nmax_offset = \"2s\"\n\
         basic_auth_file = \"/run/secrets/shop\"\n{SHOP}[[check]]\nname = \"till\"\nurl = \"http://till.example\"\n\
         every = \"20s\"\nlabels = {{ team = \"y\" }}\nheaders = {{ Accept = \"text/html\" }}\n"
    );
    let config = parse(&text).unwrap();
    let [shop, till] = &config.checks[..] else { panic!() };
    assert_eq!((shop.every.as_secs(), till.every.as_secs()), (60, 20));
    assert_eq!(shop.check.limits().max_offset.as_secs(), 2);
    assert_eq!((shop.labels["team"].as_str(), till.labels["team"].as_str()), ("x", "y"));
    assert_eq!(till.labels["site"], "a");
    assert!(shop.needs.is_empty(), "what all need does not need itself");
    assert_eq!(till.needs, ["shop"]);
    assert!(!format!("{config:?}").contains("T0KEN"));
}

#[test]
fn built_in_values_are_those_that_the_design_names() {
    let config = parse(SHOP).unwrap();
    let check = &config.checks[0];
    assert_eq!((check.every.as_secs(), check.check.limits().max_offset.as_secs()), (30, 1));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.history.path.as_deref(), Some(Path::new("/etc/nowcheck/nowcheck.db")));
    let days = [config.history.keep_rounds, config.history.keep_minutes, config.history.keep_hours];
    assert_eq!(days.map(|kept| kept.as_secs() / 86_400), [7, 30, 730]);
    assert_eq!((config.quorum_down, config.heartbeat), (1, None));
}

#[test]
fn all_errors_are_told_at_once_in_the_order_of_lines() {
    let text = "[server]\nlisten = \"localhost:1\"\n[[check]]\nname = \"a\"\nurl = \"ftp://x\"\nevry = \"1m\"\n\
                timeout = 3\n[[check]]\nurl = \"http://b\"\n";
    assert_eq!(
        said(text),
        [
            "2: server: listen = \"localhost:1\" must be an IP address and a port, such as \"127.0.0.1:9464\" or \
             \"[::]:9464\"; did you mean \"127.0.0.1:1\"?",
            "5: check \"a\": url = \"ftp://x\" is not a URL to check: its scheme is `ftp`; write http:// or https://",
            "6: check \"a\": unknown key evry; did you mean every?",
            "7: check \"a\": timeout = 3 must be a duration with its unit (ms, s, m, h, d, w, y), such as \"30s\"; did you \
             mean \"3s\"?",
            "8: check 2: name is missing; write name = \"shop\"",
        ]
    );
}

#[test]
fn the_example_is_right_and_has_every_key() {
    let text = example();
    assert_eq!(said(&text), [""; 0], "{text}");
    for table in keys::TABLES {
        for spelling in table.keys().flat_map(keys::Key::spellings) {
            let is_there = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{spelling} = "));
            assert!(text.lines().any(is_there), "{} {spelling}", table.name);
        }
    }
}

/// Keys that need a file of this machine, or exclude a key that is shown.
const NOT_ALONE: [&str; 4] = ["ca_file", "client_certificate", "client_key", "auth_file"];

#[test]
fn what_the_example_has_in_comments_is_right_too() {
    let text = example();
    let lines: Vec<&str> = text.lines().collect();
    let mut count = 0;
    for (nth, line) in lines.iter().enumerate() {
        let Some((key, _)) = line.strip_prefix("# ").and_then(|line| line.split_once(" = ")) else {
            continue;
        };
        let excludes_another =
            key.ends_with("_env") || ["until", "weekly", "url_file", "resolve"].contains(&key);
        if key.contains(' ') || NOT_ALONE.contains(&key) || excludes_another {
            continue;
        }
        let mut changed = lines.clone();
        changed[nth] = &line[2..];
        assert_eq!(said(&changed.join("\n")), [""; 0], "{line}");
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

/// `UPDATE_EXPECT=1` writes it.
fn must_be_written(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    expect_test::expect_file![path].assert_eq(text);
}

#[test]
fn the_schema_and_the_example_are_those_of_the_contract() {
    must_be_written("contract/nowcheck-config.schema.json", &schema());
    must_be_written("contract/nowcheck.example.toml", &example());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Config::parse("a.toml", &bytes, Path::new(""), &Made);
    }

    #[test]
    fn no_change_of_an_example_makes_it_panic(at in 0_usize..20_000, with in "[\\[\\]={}\",.#a-z0-9\n]{0,4}", cut in 0_usize..20) {
        let mut text = example();
        let at = (0..=at % text.len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let end = (at + cut).min(text.len());
        if text.is_char_boundary(end) {
            text.replace_range(at..end, &with);
        }
        let _ = said(&text);
    }
}
