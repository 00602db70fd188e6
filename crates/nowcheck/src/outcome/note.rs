//! What a reader should know beside the verdict.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{Offset, Span};

use super::{Cause, Doubt, MissingBackends};

/// What a reader should know beside the verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// A time of day was read: whole days cannot be seen.
    WholeDaysUnseen,
    /// A `Date` header was read, and taken to be as old as the server may keep it.
    DateMayBeCached {
        /// How old.
        cache: Duration,
    },
    /// The offset is near a whole multiple of 15 minutes.
    ResemblesTimeZone {
        /// That multiple.
        zone: Offset,
    },
    /// Answers too vague for the limit, which name no instance, are taken to come from one clock.
    OneClockAssumed,
    /// Answers name no instance, so that backends whose clocks agree look like one.
    BackendsUncounted,
    /// The reference rests on half of those that were given as references, or fewer.
    FewReferences {
        /// How many made a claim.
        answered: usize,
        /// How many were asked.
        asked: usize,
    },
    /// Answers that name nobody contradict each other.
    SeveralNamelessClocks {
        /// How many clocks explain them.
        clocks: usize,
        /// By how much they contradict each other.
        apart: Span,
    },
    /// One process contradicts itself: its clock was stepped.
    ClockStepped {
        /// As it names itself.
        instance: Arc<str>,
    },
    /// The round ended before every backend was likely seen.
    BackendsMayBeMissing {
        /// How many connections see them all, likely enough; none if that is not known.
        needed: Option<u32>,
    },
    /// A server that says of its own clock that nothing disciplines it.
    ServerUnsynchronized,
    /// Kept connections that the server closed; the requests were repeated.
    KeptConnectionsLost {
        /// How many.
        count: u32,
    },
    /// The service takes fewer connections side by side than it was asked over at first.
    FewConnections {
        /// How many it takes.
        connections: u32,
        /// Connections and requests that it turned away. None, when it let them wait.
        rejected: u32,
    },
    /// The service limits how often it may be asked.
    RateLimited {
        /// How long a pause it needs between two requests.
        pause: Duration,
        /// Connections and requests that it turned away.
        rejected: u32,
    },
    /// The service says again and again that it is asked too often, however gently it is asked.
    KeepsRejecting {
        /// How many requests it was sent alone, with pauses.
        asked: u32,
        /// How many of them it rejected.
        rejected: u32,
        /// The pause.
        pause: Duration,
    },
    /// An address that was left out, and why.
    AddressSkipped {
        /// That was left out.
        address: SocketAddr,
        /// What went wrong there.
        cause: Cause,
    },
    /// The DNS did not answer for one family of addresses, because of this.
    AddressesUnknown(Cause),
    /// The target was reached by a redirect.
    Redirected {
        /// The URL that redirected.
        url: String,
    },
    /// A note on an address that redirected to the target.
    OnTheWay {
        /// The URL that redirected.
        url: String,
        /// The note.
        note: Box<Note>,
    },
    /// The server's certificate was not verified, because the user wants it so.
    NotVerified,
    /// The certificate ends soon.
    CertificateEndsSoon {
        /// How much is left of it; negative afterwards.
        left: Span,
    },
    /// Too few backends answered.
    BackendsMissing(MissingBackends),
    /// Something is wrong with this machine or with the reference.
    Doubt(Doubt),
}

impl Note {
    /// Whether it is about the reference or this machine, and not about what answered.
    pub(super) fn is_on_the_reference(&self) -> bool {
        matches!(self, Self::Doubt(_) | Self::FewReferences { .. })
    }

    /// As the contract calls it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WholeDaysUnseen => "whole_days_unseen",
            Self::DateMayBeCached { .. } => "date_may_be_cached",
            Self::ResemblesTimeZone { .. } => "resembles_time_zone",
            Self::OneClockAssumed => "one_clock_assumed",
            Self::BackendsUncounted => "backends_uncounted",
            Self::FewReferences { .. } => "few_references",
            Self::SeveralNamelessClocks { .. } => "several_nameless_clocks",
            Self::ClockStepped { .. } => "clock_stepped",
            Self::BackendsMayBeMissing { .. } => "backends_may_be_missing",
            Self::ServerUnsynchronized => "server_unsynchronized",
            Self::KeptConnectionsLost { .. } => "kept_connections_lost",
            Self::FewConnections { .. } => "few_connections",
            Self::RateLimited { .. } => "rate_limited",
            Self::KeepsRejecting { .. } => "keeps_rejecting",
            Self::AddressSkipped { .. } => "address_skipped",
            Self::AddressesUnknown(_) => "addresses_unknown",
            Self::Redirected { .. } => "redirected",
            Self::OnTheWay { note, .. } => note.code(),
            Self::NotVerified => "not_verified",
            Self::CertificateEndsSoon { .. } => "certificate_ends_soon",
            Self::BackendsMissing(_) => "backends_missing",
            Self::Doubt(doubt) => match doubt {
                Doubt::Suspended => "suspended",
                Doubt::WallClockStepped { .. } => "wall_clock_stepped",
                Doubt::ReferencesDisagree => "references_disagree",
                Doubt::NoReference => "no_reference",
                Doubt::ReferenceNotVouchedFor => "reference_not_vouched_for",
                Doubt::TooFewReferences => "too_few_references",
                Doubt::LocalClockWrong { .. } => "local_clock_wrong",
                Doubt::ReferenceTooWide { .. } => "reference_too_wide",
            },
        }
    }
}
