//! The keys of checks, of their default values and of the modules of `/probe`.

use super::{FROM_ZERO, Key, PERIOD, POSITIVE, Shape, Table};
use nowcheck::check::MOST_REQUESTS;

/// The names of `nowcheck::time_format::Format` are checked when the value is read: a pattern is allowed too.
const ROUND: &[Key] = &[
    Key::new(
        "timeout",
        POSITIVE,
        "The most that a whole round may take; at most `every`, of which a tenth stays free.",
    )
    .default("\"10s\""),
    Key::new("max_offset", POSITIVE, "A clock that is off by more is wrong; exactly this is right.")
        .default("\"1s\"")
        .known_as(&["critical", "limit"]),
    Key::new("warn_offset", POSITIVE, "A clock that is not proven to be within this deserves a warning.")
        .example("\"500ms\"")
        .known_as(&["warning"]),
    Key::new("references", Shape::List, "What clocks are compared with: \"system\", or \"ntp:HOST[:PORT]\".")
        .default("[\"system\"]")
        .known_as(&["ntp", "ntp_server", "ntp_servers", "time_servers"]),
    Key::new("strict", Shape::Boolean, "Whether a doubt about the reference makes the result unknown.")
        .default("false"),
    Key::new(
        "trust_system_clock",
        Shape::Boolean,
        "This machine's clock is known to be right, whatever its kernel says.",
    )
    .default("false"),
    Key::new(
        "field",
        Shape::Text,
        "Where the time stands: a member of the JSON body (a.b.c), a JSON Pointer, header:NAME, or body.",
    )
    .example("\"data.now\""),
    Key::new(
        "format",
        Shape::Text,
        "How the time is written: the name of a format, or a pattern of strptime.",
    )
    .default("\"auto\""),
    Key::new("zone", Shape::Zone, "The time zone of times that do not say theirs.")
        .example("\"Europe/Madrid\"")
        .known_as(&["timezone", "time_zone", "tz"]),
    Key::new("date_cache", FROM_ZERO, "How long the server may go on sending an old Date header.")
        .default("\"1s\""),
    Key::new("expect_backends", Shape::Integer(1, 100), "How many instances must answer.")
        .example("4")
        .known_as(&["backends"]),
    Key::new(
        "miss_probability",
        Shape::Probability,
        "The chance of having missed a backend that is small enough.",
    )
    .default("\"1%\""),
    Key::new(
        "samples",
        Shape::Integer(1, MOST_REQUESTS),
        "Requests on each connection of a full round, at least.",
    )
    .default("2"),
    Key::new("connections", Shape::Integer(1, 100), "The most connections side by side.").default("8"),
    Key::new("follow", Shape::Boolean, "Whether redirects are followed.")
        .default("false")
        .known_as(&["follow_redirects", "redirects"]),
    Key::new("ca_file", Shape::Path, "Authorities to trust besides those of this machine: PEM.")
        .example("\"/etc/nowcheck/ca.pem\""),
    Key::new(
        "insecure",
        Shape::Boolean,
        "Whether certificates are accepted unverified: anybody on the way can answer.",
    )
    .default("false")
    .known_as(&["insecure_skip_verify"]),
    Key::new("resolve", Shape::List, "Addresses to use instead of those of the DNS: \"HOST:ADDR\".")
        .example("[\"shop.example:192.0.2.7\"]"),
    Key::new("ip_version", Shape::IpVersion, "The only IP version that is used.").example("4").known_as(&[
        "ipv4",
        "ipv6",
        "ip_protocol",
        "preferred_ip_protocol",
    ]),
    Key::new(
        "headers",
        Shape::Headers,
        "Headers that are sent. Secret ones belong into headers_file, one a line.",
    )
    .example("{ Accept = \"application/json\" }")
    .known_as(&["header"]),
    Key::new("headers", Shape::Secret, "Further headers, as lines of NAME: VALUE.")
        .example("/run/secrets/headers SHOP_HEADERS"),
    Key::new("basic_auth", Shape::Secret, "Credentials (Basic): one line, user:password.")
        .example("/run/secrets/shop SHOP_CREDENTIALS")
        .known_as(&["user_file", "user", "username", "password", "auth"]),
    Key::new("client_certificate", Shape::Path, "What is shown to servers that ask for a certificate: PEM.")
        .example("\"/etc/nowcheck/client.pem\"")
        .known_as(&["cert", "cert_file", "client_cert"]),
    Key::new("client_key", Shape::Path, "The file of its private key: PEM.")
        .example("\"/etc/nowcheck/client.key\"")
        .known_as(&["key", "key_file"]),
];

const SCHEDULE: &[Key] = &[Key::new("every", PERIOD, "The period of rounds.")
    .default("\"30s\"")
    .example("\"10s\"")
    .known_as(&["interval", "period", "scrape_interval"])];

const CONTEXT: &[Key] = &[
    Key::new("labels", Shape::Labels, "Labels of the metrics and messages of a check.")
        .default("{}")
        .example("{ team = \"web\" }"),
    Key::new(
        "needs",
        Shape::Names,
        "Other checks: while one of them is not ok, no alert is opened for this one.",
    )
    .default("[]")
    .example("[\"network\"]")
    .known_as(&["depends_on", "parents"]),
    Key::new("alert", Shape::Names, "The alerts that this check uses. Default: all.").example("[\"night\"]"),
    Key::new("public", Shape::Boolean, "Whether the status page shows it.").default("false").example("true"),
];

const IDENTITY: &[Key] = &[
    Key::new("name", Shape::Name, "Its name, in pages, metrics and messages.").example("\"shop\"").required(),
    Key::new(
        "url",
        Shape::Url,
        "What is checked. A URL without a path means /now, or / with field = \"header:NAME\".",
    )
    .example("\"http://shop.example/now\"")
    .required()
    .known_as(&["target", "host", "address"]),
];

pub(in crate::config) const DEFAULTS: Table = Table {
    name: "defaults",
    is_list: false,
    about: "Every key of a check but name and url. A key of a check replaces it; labels are merged.",
    groups: &[SCHEDULE, ROUND, CONTEXT],
    named_by: "",
};

pub(in crate::config) const CHECK: Table = Table {
    name: "check",
    is_list: true,
    about: "A service to watch. Every key of [defaults] may stand here too.",
    groups: &[IDENTITY, SCHEDULE, CONTEXT, ROUND],
    named_by: "name",
};

const MODULE: &[Key] = &[
    Key::new("module", Shape::Name, "The name that a scrape gives: /probe?module=NAME.")
        .example("\"web\"")
        .required(),
    Key::new(
        "allow",
        Shape::List,
        "Which URLs may be probed. * stands for any text within the host or the path.",
    )
    .example("[\"https://*.example/*\"]")
    .required(),
];

pub(in crate::config) const PROBE: Table = Table {
    name: "probe",
    is_list: true,
    about: "A module of /probe. How it measures is set as for a check; [defaults] count.",
    groups: &[MODULE, ROUND],
    named_by: "module",
};
