//! What the clocks were compared with.

use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::{Interval, Offset};

use super::Failure;
use crate::clock::Synchronization;

/// The name of this machine's clock, on the command line and in every output.
pub const SYSTEM: &str = "system";

/// What the clocks were compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceOutcome {
    /// Whether it may be judged by.
    pub standing: Standing,
    /// What the kernel says of this machine's clock.
    pub system: Synchronization,
    /// The reference's own error, at most; none when nothing vouches for it.
    pub max_error: Option<Duration>,
    /// How far this machine's clock is from it, when it is time servers that agree.
    pub local_offset: Option<Interval<Offset>>,
    /// Everybody who was asked.
    pub sources: Vec<SourceOutcome>,
}

impl ReferenceOutcome {
    /// Whether this machine's clock was given as a reference.
    #[must_use]
    pub fn lists_system(&self) -> bool {
        self.sources.iter().any(SourceOutcome::is_system)
    }

    /// Whether time servers were given.
    #[must_use]
    pub fn asks_servers(&self) -> bool {
        !self.sources.iter().all(SourceOutcome::is_system)
    }

    /// Whether an offset from it is a measurement. From a clock that nobody trusts it is none.
    #[must_use]
    pub fn measures(&self) -> bool {
        match self.standing {
            Standing::Agreed | Standing::Trusted | Standing::OnlyUnvouched => true,
            Standing::Disagreement | Standing::Unreachable => false,
        }
    }
}

/// How far a reference is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Most of the sources that made a claim agree (with one source: it made a claim).
    Agreed,
    /// This machine's clock is all there is. Nothing vouches for it, but the user does.
    Trusted,
    /// No more than half of them do.
    Disagreement,
    /// This machine's clock is all there is, and nobody vouches for it.
    OnlyUnvouched,
    /// No time server could be used.
    Unreachable,
}

impl Standing {
    /// Whether a verdict may rest on it.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Agreed | Self::Trusted)
    }
}

/// One source of the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceOutcome {
    /// As it was given: `system`, `ntp:HOST`.
    pub name: String,
    /// Which address of a time server was asked.
    pub address: Option<SocketAddr>,
    /// What became of its claim.
    pub standing: SourceStanding,
    /// How far its claim is from what was agreed; if nothing was, from this machine's clock.
    pub offset: Option<Interval<Offset>>,
    /// What a time server says of itself.
    pub facts: Option<SourceFacts>,
}

impl SourceOutcome {
    /// Whether it is this machine's clock.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.name == SYSTEM
    }
}

/// What became of the claim of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceStanding {
    /// It takes part in the agreement (the word is that of RFC 5905 section 11.2.1, as are the next two).
    Truechimer,
    /// This machine's clock, which takes part in the agreement because the user vouches for it, and nothing else.
    Trusted,
    /// It contradicts the agreement.
    Falseticker,
    /// Nothing was agreed.
    Undecided,
    /// It did not answer.
    Silent,
    /// It gave no time that can be used.
    Unusable(Unusable),
    /// It is a server that has a vote already, under another name.
    Duplicate {
        /// That name.
        of: String,
    },
    /// This machine's clock, for which nobody vouches: it makes no claim.
    NotVouchedFor,
}

impl SourceStanding {
    /// Whether it takes part in the agreement.
    #[must_use]
    pub fn agrees(&self) -> bool {
        matches!(self, Self::Truechimer | Self::Trusted)
    }
}

/// Why a time server gave no time that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// Its name has no address.
    Unresolved(Failure),
    /// What came, or that nothing can come.
    Ntp(NtpError),
    /// It has refused before, and is left alone.
    Refused(Restraint),
}

/// Why a server is not asked: it has refused before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restraint {
    /// It does not want to be asked at all.
    NeverAgain {
        /// Its code.
        code: String,
    },
    /// It wants to be asked less often.
    LessOften {
        /// How often it is asked.
        pause: Duration,
    },
}

/// Why a time server's answer is of no use. Begins in lower case and ends without a full stop, to stand behind the
/// server's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NtpError {
    /// Nothing came until the deadline.
    #[error("no answer came: check that firewalls let UDP through to this port and back")]
    Silent,
    /// Packets came until the deadline, and none of them is an answer to the request.
    #[error("{count} packets came, but none answers the request: check that an NTP server uses this port")]
    OnlyStrays {
        /// How many.
        count: u32,
    },
    /// Nothing listens on the port.
    #[error("nothing listens on this port (connection refused): check that an NTP server runs there")]
    Refused,
    /// The network says that the host cannot be reached.
    #[error("the network cannot reach it ({why}): check the address")]
    Unreachable {
        /// The system's words.
        why: String,
    },
    /// This machine has no route to the address, as one without IPv6 has none to an IPv6 address.
    #[error("this machine has no route to it ({why}): name a reference that it can reach")]
    NoRoute {
        /// The system's words.
        why: String,
    },
    /// Another fault on the checker's side.
    #[error("this machine cannot ask it ({why}): check this machine's firewall and limits")]
    Local {
        /// The system's words.
        why: String,
    },
    /// The server refuses: a kiss-o'-death (RFC 5905 section 7.4).
    #[error("the server refused the request (kiss code {code}): {}", kiss_code_advice(code))]
    KissOfDeath {
        /// Up to four letters, made printable.
        code: String,
    },
    /// The server itself does not know the time.
    #[error("the server says that its clock is not synchronized: wait until it is, or name another one")]
    Unsynchronized,
    /// The answer lacks a time stamp.
    #[error("the server's answer holds no time: name another one")]
    NoTime,
    /// The time stamps of the answer cannot all be true.
    #[error("the times in the server's answer contradict each other: name another one")]
    Contradiction,
}

/// What to do about a kiss code. Those that are not known here are read as a refusal (RFC 5905 section 7.4).
#[must_use]
pub fn kiss_code_advice(code: &str) -> &'static str {
    match code {
        "RATE" => "ask it less often",
        "INIT" | "STEP" => "its own clock is being set, so wait, or name another one",
        _ => "name another one, or have its owner allow this machine",
    }
}

/// What a time server says of itself (RFC 5905 section 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFacts {
    /// How many servers it is away from a clock that is right by itself.
    pub stratum: u8,
    /// Whether a leap second is announced.
    pub leap: Leap,
    /// The round trip to that clock.
    pub root_delay: Duration,
    /// The error gathered on the way.
    pub root_dispersion: Duration,
    /// The round trip of the answer that was taken.
    pub round_trip: Duration,
    /// Whether it spreads leap seconds over hours, as far as it tells or its operator has published.
    pub smears: bool,
}

/// What the last minute of the day (of the month, says RFC 5905) will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leap {
    /// 60 seconds, as always.
    None,
    /// 61 seconds.
    InsertSecond,
    /// 59 seconds.
    DeleteSecond,
}
