//! Secrets, and the tables whose keys depend on their type.

use super::{SHOP, beside_a_check, parse, said};
use crate::config::{Export, Receiver};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn secrets_are_read_and_never_told() {
    let hook = "[[alert]]\nname = \"a\"\ntype = \"webhook\"\n";
    let of = |keys: &str| said(&format!("{SHOP}{hook}{keys}\n"));
    let literal = "is a secret and must not stand in this file; write";
    for (keys, line) in [
        ("url_file = \"/run/secrets/hook\"", ""),
        ("url_env = \"HOOK_URL\"", ""),
        (
            "url = \"https://hooks.example/T0KEN\"",
            &*format!("7: alert \"a\": url {literal} url_file = \"PATH\" or url_env = \"VARIABLE\""),
        ),
        (
            "url_file = \"/run/secrets/hook\"\nsecret = \"T0KEN\"",
            &format!("8: alert \"a\": secret {literal} secret_file = \"PATH\" or secret_env = \"VARIABLE\""),
        ),
        (
            "url_file = \"https://hooks.example/T0KEN\"",
            "7: alert \"a\": url_file must be the path of a file, and not the secret itself",
        ),
        (
            "url_env = \"https://hooks.example/T0KEN\"",
            "7: alert \"a\": url_env must be the name of an environment variable, and not the secret itself",
        ),
        (
            "url_file = \"/run/secrets/none\"",
            "7: alert \"a\": url_file = \"/run/secrets/none\" cannot be read: no such file",
        ),
        (
            "url_file = \"/run/secrets/hook\"\nsecret_file = \"T0KENabc\"",
            "8: alert \"a\": secret_file cannot be read: no such file",
        ),
        (
            "url_file = \"/run/secrets/empty\"",
            "7: alert \"a\": url_file = \"/run/secrets/empty\" cannot be read: is empty",
        ),
        (
            "url_file = \"/run/secrets/large\"",
            "7: alert \"a\": url_file = \"/run/secrets/large\" cannot be read: is larger than 64 KiB; is this the right file?",
        ),
        (
            "url_file = \"/run/secrets/bytes\"",
            "7: alert \"a\": url_file = \"/run/secrets/bytes\" cannot be read: is not UTF-8",
        ),
        (
            "url_env = \"UNSET\"",
            "7: alert \"a\": url_env = \"UNSET\" cannot be read: is not set, or is not UTF-8; set this environment variable",
        ),
        (
            "url_env = \"NO_URL\"",
            "7: alert \"a\": url_env holds no URL; write one such as https://HOST/PATH on one line",
        ),
        (
            "url_env = \"HOOK_URL\"\nurl_file = \"/run/secrets/hook\"",
            "7: alert \"a\": url_file and url_env are both given; leave one out",
        ),
        ("", "4: alert \"a\": url is missing; write url_file = \"PATH\" or url_env = \"VARIABLE\""),
    ] {
        let expected = if line.is_empty() { vec![] } else { vec![line.to_owned()] };
        assert_eq!(of(keys), expected, "{keys}");
    }
    let config =
        parse(&format!("{SHOP}{hook}url_env = \"HOOK_URL\"\nsecret_file = \"/run/secrets/hook-key\"\n"))
            .unwrap();
    assert!(!format!("{config:?}").contains("T0KEN"));
    let Receiver::Webhook { hook, secret: Some(secret) } = &config.alerts[0].receiver else { panic!() };
    assert_eq!((hook.url.expose(), secret.expose()), ("http://hooks.example/T0KEN", "T0KEN"));
}

#[test]
fn secret_headers_and_credentials_come_from_files() {
    beside_a_check(&[
        (
            "headers = { Authorization = \"Bearer T0KEN\" }",
            &[
                "4: check \"shop\": headers holds authorization, which is a secret and must not stand in this file; write it into a \
             file and name that with headers_file, or a variable with headers_env",
            ],
        ),
        (
            "headers = [\"X-Api-Key: T0KEN\"]",
            &[
                "4: check \"shop\": headers holds x-api-key, which is a secret and must not stand in this file; write it into a \
             file and name that with headers_file, or a variable with headers_env",
            ],
        ),
        (
            "headers = { Accept = 1 }",
            &[
                "4: check \"shop\": headers must be a table such as { Accept = \"application/json\" }, or a list of \"NAME: VALUE\"",
            ],
        ),
        ("headers = [\"Accept\"]", &["4: check \"shop\": headers cannot be sent: write NAME: VALUE"]),
        (
            "basic_auth_file = \"/run/secrets/no-colon\"",
            &["4: check \"shop\": basic_auth_file has no colon; write user:password on one line"],
        ),
        (
            "headers_file = \"/run/secrets/bad-headers\"",
            &["4: check \"shop\": headers_file write NAME: VALUE"],
        ),
        (
            "basic_auth = \"me:T0KEN\"",
            &[
                "4: check \"shop\": basic_auth is a secret and must not stand in this file; write basic_auth_file = \"PATH\" or basic_auth_env = \"VARIABLE\"",
            ],
        ),
    ]);
}

#[test]
fn keys_go_with_the_type_of_their_table() {
    beside_a_check(&[
        (
            "[[alert]]\nname = \"a\"\ntype = \"slak\"\nurl_env = \"HOOK_URL\"",
            &[
                "6: alert \"a\": type = \"slak\" must be \"webhook\", \"slack\", \"email\", \"alertmanager\" or \"exec\"; did you mean \"slack\"?",
            ],
        ),
        (
            "[[alert]]\nname = \"a\"\ntype = \"exec\"\ncommand = []",
            &["7: alert \"a\": command = [] must have at least one entry"],
        ),
        (
            "[[alert]]\nname = \"a\"\ntype = \"exec\"\ncommand = [\"a\"]\nserver = \"a:25\"",
            &["8: alert \"a\": server goes with type = \"email\", and this one is \"exec\""],
        ),
        ("[[alert]]\nname = \"a\"\ntype = \"alertmanager\"\nurl = \"http://am.example:9093\"", &[]),
        (
            "[[alert]]\nname = \"a\"\ntype = \"email\"\nserver = \"smtp.example\"\nfrom = \"me\"\nto = [\"x@y\"]\nuser = \"me\"",
            &[
                "4: alert \"a\": password is missing; write password_file = \"PATH\" or password_env = \"VARIABLE\"",
                "7: alert \"a\": server = \"smtp.example\" must be a host and a port, such as \"smtp.example:587\"",
                "8: alert \"a\": from = \"me\" must be an e-mail address, such as on-call@shop.example",
            ],
        ),
        (
            "[[export]]\ntype = \"textfile\"",
            &["4: export 1: path is missing; write path = \"/var/lib/node_exporter/nowcheck.prom\""],
        ),
        (
            "[[export]]\ntype = \"otlp\"\nendpoint = \"http://a\"",
            &[
                "4: export 1: url is missing; write url = \"http://collector.example:4318\"",
                "6: export 1: unknown key endpoint; did you mean url?",
            ],
        ),
        (
            "[[export]]\ntype = \"otlp\"\nurl = \"https://a\"\nca_file = \"/nowhere/ca.pem\"",
            &[
                "7: export 1: ca_file = \"/nowhere/ca.pem\" cannot be read as PEM certificates: No such file or directory (os error 2)",
            ],
        ),
        (
            "[[export]]\ntype = \"emf\"\npath = \"/a\"\n[[export]]\ntype = \"textfile\"\npath = \"/a\"",
            &["7: export 2: path is the file of the export in line 4 too; write to another one"],
        ),
    ]);
    let config = parse(&format!("{SHOP}[[export]]\ntype = \"emf\"\n")).unwrap();
    assert!(matches!(config.exports[0].destination, Export::Emf { path: None, .. }));
}
