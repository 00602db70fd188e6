//! The keys of the monitor itself, and of other instances.

use super::{KEPT, Key, Shape, Table};

pub(in crate::config) const SERVER: Table = Table {
    name: "server",
    is_list: false,
    about: "Who may connect.",
    groups: &[&[
        Key::new("listen", Shape::SocketAddress, "Where the dashboard, the API and the metrics are.")
            .default("\"127.0.0.1:9464\"")
            .known_as(&["address", "bind", "port"]),
        Key::new("status_page", Shape::SocketAddress, "A public page, which shows only checks with public = true.")
            .example("\"0.0.0.0:8081\""),
        Key::new("auth_file", Shape::Path, "Lines of name:bcrypt, as htpasswd -B writes. Required everywhere except /healthz, /readyz and the status page.")
            .example("\"/etc/nowcheck/users\"")
            .commented(),
        Key::new("name", Shape::Name, "How this instance calls itself. Default: the name of the machine.")
            .example("\"madrid\""),
        Key::new("external_url", Shape::Url, "Where people reach the dashboard: links in messages begin with it, and a proxy beside it may use this name.")
            .example("\"https://nowcheck.example\""),
    ]],
    named_by: "",
};

pub(in crate::config) const HISTORY: Table = Table {
    name: "history",
    is_list: false,
    about: "What is stored, and for how long. Days are kept for ever.",
    groups: &[&[
        Key::new("path", Shape::Path, "The SQLite file; \"none\" keeps what is in memory.")
            .default("\"nowcheck.db\"")
            .known_as(&["file", "database"]),
        Key::new("keep_rounds", KEPT, "How long each round is kept.").default("\"7d\""),
        Key::new("keep_minutes", KEPT, "How long minutes are kept; not less than rounds.").default("\"30d\""),
        Key::new("keep_hours", KEPT, "How long hours are kept; not less than minutes.").default("\"2y\""),
    ]],
    named_by: "",
};

pub(in crate::config) const PEER: Table = Table {
    name: "peer",
    is_list: true,
    about: "Another instance, elsewhere.",
    groups: &[&[
        Key::new("name", Shape::Name, "Its name: name in [server] there.")
            .example("\"frankfurt\"")
            .required(),
        Key::new("url", Shape::Url, "Where its dashboard is.")
            .example("\"https://nowcheck.fra.example\"")
            .required(),
        Key::new("token", Shape::Secret, "What all instances show each other, as Authorization: Bearer.")
            .example("/run/secrets/peer PEER_TOKEN"),
    ]],
    named_by: "name",
};

pub(in crate::config) const QUORUM: Table = Table {
    name: "quorum",
    is_list: false,
    about: "How many instances must agree, including this one. A proven wrong clock needs one.",
    groups: &[&[Key::new("down", Shape::Integer(1, 1_000), "How many must see a service down.")
        .default("1")
        .example("2")]],
    named_by: "",
};
