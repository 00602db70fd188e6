//! What a reader should know beside the verdict.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{Interval, Offset, Span};

/// What a reader should know beside the verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// Nobody vouches for this machine's clock.
    ReferenceNotVouchedFor,
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
    OneClockIsBelieved,
    /// Answers name no instance, so that backends whose clocks agree look like one.
    BackendsUncounted,
    /// The reference rests on half of those that were given as references, or fewer.
    FewReferences {
        /// How many made a claim.
        answered: usize,
        /// How many were asked.
        asked: usize,
    },
    /// Clocks that do not name themselves contradict each other.
    SeveralNamelessClocks,
    /// One process contradicts itself: its clock was stepped.
    ClockWasStepped {
        /// Its name.
        instance: Arc<str>,
    },
    /// The round ended before every backend was likely seen.
    BackendsMayBeMissing,
    /// A server that says of its own clock that nothing disciplines it.
    ServerSaysUnsynchronised,
    /// Kept connections that the server closed; the requests were repeated.
    KeptConnectionsLost {
        /// How many.
        count: u32,
    },
    /// An address that was left out, and why.
    AddressSkipped {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: String,
    },
    /// The DNS did not answer for one family of addresses.
    AddressesUnknown {
        /// What it did instead.
        why: String,
    },
    /// The target was reached by a redirect.
    RedirectedFrom {
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
    /// This machine's wall clock was stepped during the round.
    WallClockStepped {
        /// By how much.
        step: Offset,
    },
    /// This machine was suspended during the round.
    Suspended,
    /// Too few backends.
    BackendsMissing {
        /// How many different ones were met, behind all addresses of the URL.
        met: usize,
        /// How many should have been.
        expected: usize,
        /// Whether some answers name no instance, so that they cannot be counted.
        are_nameless: bool,
    },
    /// The references contradict each other.
    ReferencesDisagree,
    /// No time server could be used.
    NoReference,
    /// Most of the references that were asked for did not answer, and that is not enough for `--strict`.
    TooFewReferences,
    /// This machine's clock, which was given as a reference, is proven to be wrong by the others.
    LocalClockWrong {
        /// How far it is from the agreed time.
        offset: Interval<Offset>,
    },
    /// The certificate ends soon.
    CertificateEndsSoon {
        /// How much is left of it.
        left: Span,
    },
    /// The reference's own bound is wider than the limit.
    ReferenceTooWide {
        /// That bound.
        max_error: Duration,
        /// Whether it is that of time servers, or of this machine's clock.
        is_of_servers: bool,
    },
}
