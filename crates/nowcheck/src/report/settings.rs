//! What a user can set, by the names that the user knows.

/// What a user can set about a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// The authorities to trust besides those of this machine.
    CaFile,
    /// What proves to a server who asks: a certificate.
    ClientCertificate,
    /// The key of that certificate.
    ClientKey,
    /// The most connections side by side.
    Connections,
    /// How old a `Date` header may be.
    DateCache,
    /// How many backends there are.
    ExpectBackends,
    /// The period of rounds.
    Every,
    /// Where the time stands in an answer.
    Field,
    /// Whether redirects are followed.
    Follow,
    /// How the time is written.
    Format,
    /// The greatest offset that is right.
    MaxOffset,
    /// The chance of having missed a backend that is small enough.
    MissProbability,
    /// What clocks are compared with.
    Reference,
    /// Requests on each connection.
    Samples,
    /// Whether a doubt about the reference makes the result unknown.
    Strict,
    /// The longest that a round may take.
    Timeout,
    /// Whether this machine's clock is right because the user says so.
    TrustSystemClock,
    /// Who asks, for servers that want to know.
    UserFile,
    /// The zone of times that do not say theirs.
    Zone,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Self; 19] = [
        Self::CaFile,
        Self::ClientCertificate,
        Self::ClientKey,
        Self::Connections,
        Self::DateCache,
        Self::ExpectBackends,
        Self::Every,
        Self::Field,
        Self::Follow,
        Self::Format,
        Self::MaxOffset,
        Self::MissProbability,
        Self::Reference,
        Self::Samples,
        Self::Strict,
        Self::Timeout,
        Self::TrustSystemClock,
        Self::UserFile,
        Self::Zone,
    ];
}

/// How a user writes settings: as the flags of a program, or as the keys of a file.
pub trait SettingNames: Sync {
    /// What a setting is for the user: a `flag`, or a `key`.
    fn noun(&self) -> &'static str;

    /// The name of a setting: `--max-offset`, or `max_offset`.
    fn name(&self, setting: Setting) -> &'static str;

    /// A setting with a value: `--max-offset 2s`, or `max_offset = "2s"`.
    fn with(&self, setting: Setting, value: &str) -> String;
}
