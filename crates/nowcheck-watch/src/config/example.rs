//! The commented example, which has every key.

use std::fmt::Write;

use super::keys::{CHECK, DEFAULTS, Key, PROBE, Shape, TABLES, Table};

const BEGIN: &str = "\
# The configuration of the monitor, with every key. Only [[check]] with name and url has to be there.
# Durations have a unit: 500ms, 10s, 5m, 2h, 7d, 4w, 2y. A relative path begins at the folder of this file.
# Secrets are read from files (KEY_file) or environment variables (KEY_env); they never stand here.
# A value behind \"Default:\" applies without the key. Remove the # before a key to set it.
";

/// A file with every key, each with a comment. Keys that exclude others, or need something of the machine, are in comments.
#[must_use]
pub fn example() -> String {
    let mut text = BEGIN.to_owned();
    for table in TABLES {
        let types = table.types();
        let kinds: Vec<Option<&str>> =
            if types.is_empty() { vec![None] } else { types.iter().copied().map(Some).collect() };
        for (nth, kind) in kinds.into_iter().enumerate() {
            text.push('\n');
            if nth == 0 {
                let _ = writeln!(text, "# {}", table.about);
            }
            let _ = writeln!(text, "{}", table.heading());
            for key in table.keys().filter(|key| key.goes_with(kind) && is_shown(table, key)) {
                write_key(&mut text, table, key, kind);
            }
        }
    }
    // The checks that others need.
    let _ = write!(text, "\n{}\nname = \"network\"\nurl = \"http://gateway.example/now\"\n", CHECK.heading());
    text
}

/// How rounds measure is shown once, in `[defaults]`.
fn is_shown(table: &Table, key: &Key) -> bool {
    let is_inherited =
        DEFAULTS.keys().any(|inherited| inherited.name == key.name && inherited.shape == key.shape);
    let is_own = ["every", "labels", "needs", "alert", "public"].contains(&key.name);
    match table.name {
        "check" => !is_inherited || is_own,
        "probe" => PROBE.groups[0].iter().any(|own| own.name == key.name),
        _ => true,
    }
}

fn write_key(text: &mut String, table: &Table, key: &Key, kind: Option<&str>) {
    let default = match key.default {
        "" => String::new(),
        default => format!(" Default: {default}"),
    };
    let _ = writeln!(text, "# {}{default}", key.about);
    if key.shape == Shape::Secret {
        return write_secret(text, table, key, kind);
    }
    // What is set for all would need what an example cannot know.
    let is_commented = key.is_commented || table.name == "defaults" && key.default.is_empty();
    let value = match (key.name, kind) {
        ("type", Some(kind)) => format!("\"{kind}\""),
        ("name", Some(kind)) if kind != "webhook" => format!("\"{kind}\""),
        _ if table.name == "defaults" && !key.default.is_empty() => key.default.to_owned(),
        _ if key.example.is_empty() => key.default.to_owned(),
        _ => key.example.to_owned(),
    };
    let value = if table.name == "export" && key.name == "path" && kind == Some("emf") {
        "\"/var/log/nowcheck.emf\"".to_owned()
    } else {
        value
    };
    let _ = writeln!(text, "{}{} = {value}", if is_commented { "# " } else { "" }, key.name);
}

/// One of the two ways, and the other one in a comment.
fn write_secret(text: &mut String, table: &Table, key: &Key, kind: Option<&str>) {
    let (path, variable) = key.example.split_once(' ').unwrap_or((key.example, "SECRET"));
    let is_optional = table.name == "defaults" || kind == Some("alertmanager");
    let [before, after] = if is_optional { ["# ", "# "] } else { ["", "# "] };
    let _ = writeln!(text, "{before}{}_file = \"{path}\"", key.name);
    let _ = writeln!(text, "{after}{}_env = \"{variable}\"", key.name);
}
