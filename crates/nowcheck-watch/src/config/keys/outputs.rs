//! The keys of what leaves the monitor by itself: alerts, when there are none, the heartbeat, exports.

use super::{FROM_ZERO, Key, PERIOD, POSITIVE, Shape, Table};

const HTTP: &[&str] = &["webhook", "slack", "alertmanager"];
const EMAIL: &[&str] = &["email"];

pub(in crate::config) const ALERT: Table = Table {
    name: "alert",
    is_list: true,
    about: "Who is alerted, and how.",
    groups: &[&[
        Key::new("name", Shape::Name, "Its name.").example("\"night\"").required(),
        Key::new(
            "type",
            Shape::Choice(&["webhook", "slack", "email", "alertmanager", "exec"]),
            "How it is sent.",
        )
        .required(),
        Key::new("after", FROM_ZERO, "How long an incident must be open before it is alerted.")
            .default("\"0s\""),
        Key::new("remind", PERIOD, "After how long an open incident is mentioned again. Default: never.")
            .example("\"4h\"")
            .known_as(&["repeat", "repeat_interval"]),
        Key::new("timeout", POSITIVE, "The most that one attempt may take.").default("\"10s\""),
        Key::new("url", Shape::Url, "Where Alertmanager is.")
            .example("\"http://alertmanager.example:9093\"")
            .only_for(&["alertmanager"]),
        Key::new("url", Shape::Secret, "Where it is sent. The URL is a secret.")
            .example("/run/secrets/hook HOOK_URL")
            .only_for(HTTP),
        Key::new("secret", Shape::Secret, "Signs each message: X-Nowcheck-Signature, an HMAC with SHA-256.")
            .example("/run/secrets/hook-key HOOK_KEY")
            .only_for(&["webhook"]),
        Key::new("ca_file", Shape::Path, "Authorities to trust besides those of this machine: PEM.")
            .example("\"/etc/nowcheck/ca.pem\"")
            .commented()
            .only_for(&["webhook", "slack", "alertmanager", "email"]),
        Key::new("server", Shape::HostAndPort, "The SMTP server.")
            .example("\"smtp.example:587\"")
            .only_for(EMAIL)
            .known_as(&["smtp", "smarthost", "host"]),
        Key::new("tls", Shape::Choice(&["starttls", "tls", "none"]), "How the connection is encrypted.")
            .default("\"starttls\"")
            .only_for(EMAIL),
        Key::new("from", Shape::Text, "The sender.").example("\"nowcheck@shop.example\"").only_for(EMAIL),
        Key::new("to", Shape::List, "The recipients.").example("[\"on-call@shop.example\"]").only_for(EMAIL),
        Key::new("user", Shape::Text, "Who logs in to the SMTP server.")
            .example("\"nowcheck\"")
            .only_for(EMAIL)
            .known_as(&["username"]),
        Key::new("password", Shape::Secret, "The password of that user.")
            .example("/run/secrets/smtp SMTP_PASSWORD")
            .only_for(EMAIL),
        Key::new(
            "command",
            Shape::List,
            "A program and its arguments. It gets the message as JSON on standard input. No shell is used.",
        )
        .example("[\"/usr/local/bin/page\", \"--team\", \"web\"]")
        .only_for(&["exec"])
        .known_as(&["exec", "program"]),
    ]],
    named_by: "name",
};

pub(in crate::config) const MAINTENANCE: Table = Table {
    name: "maintenance",
    is_list: true,
    about: "When no alert is opened: once (from), or each week (weekly).",
    groups: &[&[
        Key::new("name", Shape::Name, "Its name.").example("\"patch day\"").required(),
        Key::new("from", Shape::Moment, "When it begins.").example("\"2026-12-06T02:00[Europe/Madrid]\""),
        Key::new("until", Shape::Moment, "When it ends; or say for.")
            .example("\"2026-12-06T04:00[Europe/Madrid]\"")
            .commented(),
        Key::new("weekly", Shape::Weekly, "When it begins in each week, instead of from.")
            .example("\"Sun 02:00\"")
            .commented(),
        Key::new("for", POSITIVE, "How long it is.").example("\"2h\"").known_as(&["duration", "length"]),
        Key::new("zone", Shape::Zone, "The time zone of times that do not say theirs.")
            .default("\"UTC\"")
            .known_as(&["timezone", "time_zone", "tz"]),
        Key::new("checks", Shape::Names, "Of which checks. Default: all.").example("[\"shop\"]"),
    ]],
    named_by: "name",
};

pub(in crate::config) const HEARTBEAT: Table = Table {
    name: "heartbeat",
    is_list: false,
    about: "Pings a dead-man's switch while rounds are held.",
    groups: &[&[
        Key::new("url", Shape::Secret, "What is requested. The URL is a secret.")
            .example("/run/secrets/heartbeat HEARTBEAT_URL"),
        Key::new("every", PERIOD, "The period.").default("\"1m\"").known_as(&["interval", "period"]),
    ]],
    named_by: "",
};

pub(in crate::config) const EXPORT: Table = Table {
    name: "export",
    is_list: true,
    about: "Where metrics are sent or written.",
    groups: &[&[
        Key::new(
            "type",
            Shape::Choice(&["otlp", "emf", "textfile"]),
            "OpenTelemetry, CloudWatch, or a file for node_exporter.",
        )
        .required(),
        Key::new("every", PERIOD, "The period.").default("\"1m\"").known_as(&["interval", "period"]),
        Key::new("url", Shape::Url, "The collector, which speaks OTLP over HTTP.")
            .example("\"http://collector.example:4318\"")
            .only_for(&["otlp"])
            .known_as(&["endpoint"]),
        Key::new("headers", Shape::Secret, "Headers for the collector, as lines of NAME: VALUE.")
            .example("/run/secrets/collector COLLECTOR_HEADERS")
            .only_for(&["otlp"]),
        Key::new("ca_file", Shape::Path, "Authorities to trust besides those of this machine: PEM.")
            .example("\"/etc/nowcheck/ca.pem\"")
            .commented()
            .only_for(&["otlp"]),
        Key::new("path", Shape::Path, "The file. Lines for CloudWatch go to standard output without one.")
            .example("\"/var/lib/node_exporter/nowcheck.prom\"")
            .only_for(&["emf", "textfile"])
            .known_as(&["file"]),
        Key::new("namespace", Shape::Text, "The namespace of CloudWatch.")
            .example("\"nowcheck\"")
            .only_for(&["emf"]),
    ]],
    named_by: "",
};
