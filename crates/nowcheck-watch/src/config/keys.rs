//! How the keys of the file are described. The parser, the schema and the example are made from one description.

mod check;
mod outputs;
mod process;

/// The least and the greatest value, both allowed, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Milliseconds(pub(super) u64, pub(super) u64);

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Any text but the empty one.
    Text,
    /// A name, which may stand in a URL.
    Name,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Boolean,
    /// A whole number in a range.
    Integer(u32, u32),
    /// 4 or 6.
    IpVersion,
    /// More than zero and at most a half, as a number or in percent.
    Probability,
    /// A length of time.
    Duration(Milliseconds),
    /// A path; a relative one begins at the folder of the configuration.
    Path,
    /// An HTTP URL without credentials.
    Url,
    /// An IP address and a port.
    SocketAddress,
    /// A host and a port.
    HostAndPort,
    /// A list of texts.
    List,
    /// A list of the names of other tables.
    Names,
    /// A table of texts.
    Labels,
    /// A table of texts, or a list of `NAME: VALUE`.
    Headers,
    /// A date and a time of day.
    Moment,
    /// A day of the week and a time of day.
    Weekly,
    /// A time zone of the IANA database.
    Zone,
    /// Stands for two keys: `NAME_file` and `NAME_env`.
    Secret,
}

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// As it is written; without `_file` and `_env` for a secret.
    pub(super) name: &'static str,
    /// What its value looks like.
    pub(super) shape: Shape,
    /// What it means, in a sentence.
    pub(super) about: &'static str,
    /// The value that it has when it is not given, in TOML; empty if there is none.
    pub(super) default: &'static str,
    /// A value in TOML, for the example.
    pub(super) example: &'static str,
    /// Whether it has to be given.
    pub(super) is_required: bool,
    /// Whether the example mentions it in a comment only.
    pub(super) is_commented: bool,
    /// The values of `type` that it goes with; empty for all.
    pub(super) only_for: &'static [&'static str],
    /// What people may write instead, from other programs.
    pub(super) synonyms: &'static [&'static str],
}

impl Key {
    const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            name,
            shape,
            about,
            default: "",
            example: "",
            is_required: false,
            is_commented: false,
            only_for: &[],
            synonyms: &[],
        }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    const fn commented(self) -> Self {
        Self { is_commented: true, ..self }
    }

    const fn only_for(self, only_for: &'static [&'static str]) -> Self {
        Self { only_for, ..self }
    }

    const fn known_as(self, synonyms: &'static [&'static str]) -> Self {
        Self { synonyms, ..self }
    }

    /// The keys that are written in a file.
    pub(super) fn spellings(&self) -> Vec<String> {
        match self.shape {
            Shape::Secret => vec![format!("{}_file", self.name), format!("{}_env", self.name)],
            _ => vec![self.name.to_owned()],
        }
    }

    /// Whether it goes with this `type`.
    pub(super) fn goes_with(&self, kind: Option<&str>) -> bool {
        self.only_for.is_empty() || kind.is_none_or(|kind| self.only_for.contains(&kind))
    }
}

/// A table of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// As it is written.
    pub(super) name: &'static str,
    /// Whether there may be several: `[[name]]`.
    pub(super) is_list: bool,
    /// What it is for, in a sentence.
    pub(super) about: &'static str,
    /// Its keys, in groups that tables share.
    pub(super) groups: &'static [&'static [Key]],
    /// The key by which messages call one of several; empty if they have no name.
    pub(super) named_by: &'static str,
}

impl Table {
    /// Its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// The key that is not a secret, by its name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.shape != Shape::Secret && key.name == name)
    }

    /// The key that is a secret, by its name without `_file` and `_env`.
    pub(super) fn secret(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.shape == Shape::Secret && key.name == name)
    }

    /// The key that is written so.
    pub(super) fn spelled(&self, text: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.spellings().iter().any(|spelling| spelling == text))
    }

    /// The values that its `type` may have; empty if it has none.
    pub(super) fn types(&self) -> &'static [&'static str] {
        match self.key("type").map(|key| key.shape) {
            Some(Shape::Choice(types)) => types,
            _ => &[],
        }
    }

    /// As a user writes it.
    pub(super) fn heading(&self) -> String {
        if self.is_list { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }
}

pub(super) use check::{CHECK, DEFAULTS, PROBE};
pub(super) use outputs::{ALERT, EXPORT, HEARTBEAT, MAINTENANCE};
pub(super) use process::{HISTORY, PEER, QUORUM, SERVER};

/// Every table, in the order of the example.
pub(super) const TABLES: [&Table; 11] =
    [&SERVER, &HISTORY, &DEFAULTS, &CHECK, &ALERT, &MAINTENANCE, &HEARTBEAT, &PEER, &QUORUM, &EXPORT, &PROBE];

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 60 * 60 * SECOND;
/// The longest time that a round or a pause may take.
const YEAR: u64 = 366 * DAY;
/// Long enough for any history.
const CENTURY: u64 = 100 * 365 * DAY;

/// More than zero.
const POSITIVE: Shape = Shape::Duration(Milliseconds(1, YEAR));
/// Zero means at once, or none.
const FROM_ZERO: Shape = Shape::Duration(Milliseconds(0, YEAR));
/// Work that is repeated, and shall not be all that is done.
const PERIOD: Shape = Shape::Duration(Milliseconds(SECOND, YEAR));
/// How long something is kept.
const KEPT: Shape = Shape::Duration(Milliseconds(60 * SECOND, CENTURY));
