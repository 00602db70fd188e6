//! What a reader should know beside the verdict, a sentence for each note.

use std::time::Duration;

use clock_offset::Span;

use super::{Setting, Words};
use crate::outcome::{Doubt, MissingBackends, Note};
use crate::text::figures::{length, limit, offset, signed};

impl Words<'_> {
    /// A note as a sentence without a full stop.
    #[must_use]
    pub fn note(self, note: &Note) -> String {
        match note {
            Note::WholeDaysUnseen => {
                "the answer is a time of day without a date: an error of whole days cannot be seen".to_owned()
            }
            Note::DateMayBeCached { cache } => format!(
                "the header Date is taken to be up to {} old; for a server that is known to renew it in \
                 time, {} proves more",
                limit(*cache),
                self.with(Setting::DateCache, "0s"),
            ),
            Note::ResemblesTimeZone { zone } => format!(
                "the error is {}, which looks like a time zone: an answer in local time that is read as \
                 UTC, or a clock that was set to local time",
                signed(*zone)
            ),
            Note::FewReferences { answered, asked } => format!(
                "only {answered} of {asked} references could be used, so no majority of them stands behind \
                 this"
            ),
            Note::AddressSkipped { address, cause } => {
                format!("{address} was left out: {}", self.cause(cause))
            }
            Note::AddressesUnknown(cause) => {
                format!("there may be more addresses than were checked: {}", self.cause(cause))
            }
            Note::Redirected { url } => format!("reached by a redirect from {url}"),
            Note::OnTheWay { url, note } => format!("on the way, at {url}: {}", self.note(note)),
            Note::NotVerified => {
                "the certificate was not verified, as was asked for: anybody on the way could have answered"
                    .to_owned()
            }
            Note::CertificateEndsSoon { left } if left.as_nanos() > 0 => {
                format!(
                    "the certificate ends in {}: see whether it is being renewed",
                    length(left.magnitude())
                )
            }
            Note::CertificateEndsSoon { left } => {
                format!("the certificate ended {} ago by the reference's time", length(left.magnitude()))
            }
            Note::FewConnections { connections, rejected } => few_connections(*connections, *rejected),
            Note::RateLimited { pause, rejected } => rate_limited(*pause, *rejected),
            Note::KeepsRejecting { asked, rejected, pause } => keeps_rejecting(*asked, *rejected, *pause),
            Note::SeveralNamelessClocks { clocks, apart } => several_nameless(*clocks, *apart),
            Note::BackendsMissing(missing) => missing_backends(missing),
            Note::Doubt(doubt) => self.doubt(doubt),
            Note::OneClockAssumed
            | Note::BackendsUncounted
            | Note::ClockStepped { .. }
            | Note::BackendsMayBeMissing { .. }
            | Note::ServerUnsynchronized
            | Note::KeptConnectionsLost { .. } => on_the_answers(note),
        }
    }

    /// Why a finding cannot be relied on, as a sentence without a full stop.
    pub(super) fn doubt(self, doubt: &Doubt) -> String {
        match doubt {
            Doubt::Suspended => {
                "this machine was suspended during the round, and nothing that was measured before counts \
                 after"
                    .to_owned()
            }
            Doubt::WallClockStepped { step } => {
                format!("this machine's clock was stepped by {} during the round", signed(*step))
            }
            Doubt::ReferencesDisagree => {
                "the references contradict each other and no majority agrees: nobody knows what time it is"
                    .to_owned()
            }
            Doubt::NoReference => {
                "no time server gave a time that can be used, so there is nothing to compare with".to_owned()
            }
            Doubt::ReferenceNotVouchedFor => {
                "nothing vouches for this machine's clock; offsets are from that clock as it is".to_owned()
            }
            Doubt::TooFewReferences => format!(
                "{}: no more than half of the references could be used, and that is not enough",
                self.name(Setting::Strict)
            ),
            Doubt::LocalClockWrong { offset: local } => format!(
                "this machine's clock, which was given as a reference, disagrees with the other references: {}",
                offset(local)
            ),
            Doubt::ReferenceTooWide { max_error, .. } => format!(
                "the reference is only known to ± {} itself, so no answer could prove more",
                length(*max_error)
            ),
        }
    }
}

pub(super) fn missing_backends(missing: &MissingBackends) -> String {
    let MissingBackends { met, expected, are_nameless } = missing;
    if *are_nameless {
        format!(
            "{expected} backends or more are expected, but of those that answer only {met} named \
             themselves by an `instance`, so that they cannot be counted"
        )
    } else {
        format!("{met} of the {expected} backends that are expected were met")
    }
}

fn few_connections(connections: u32, rejected: u32) -> String {
    let then = match connections {
        1 => "one connection at a time".to_owned(),
        several => format!("{several} connections at a time"),
    };
    match rejected {
        0 => format!("some connections beside others had to wait, so the service was asked over {then}"),
        1 => format!("one connection beside others failed, so the service was asked over {then}"),
        several => {
            format!("{several} connections beside others failed, so the service was asked over {then}")
        }
    }
}

fn rate_limited(pause: Duration, rejected: u32) -> String {
    let rejected = match rejected {
        0 => "delayed requests".to_owned(),
        1 => "rejected 1 request".to_owned(),
        several => format!("rejected {several} requests"),
    };
    let then =
        if pause.is_zero() { "one at a time".to_owned() } else { format!("once in {}", length(pause)) };
    format!("the service limits how often it may be asked: it {rejected}, and was then asked {then}")
}

fn keeps_rejecting(asked: u32, rejected: u32, pause: Duration) -> String {
    format!(
        "the service was asked over single connections with pauses of {}, and rejected {rejected} of {asked} as too \
         many requests: one of several backends may reject all of them",
        length(pause)
    )
}

/// More clocks than that are hardly told apart by chance, if there are as many at all.
const FEW_CLOCKS: usize = 4;

fn several_nameless(clocks: usize, apart: Span) -> String {
    let by =
        if apart > Span::ZERO { format!(" by up to {}", length(apart.magnitude())) } else { String::new() };
    if clocks > FEW_CLOCKS {
        return format!(
            "the answers contradict each other{by}: either many clocks answer here, which do not name \
             themselves, or one that jumps back and forth"
        );
    }
    format!(
        "the answers contradict each other{by}, so several clocks answer here; they do not name \
         themselves, and are told apart by their times only"
    )
}

/// Notes on what the answers of a target have in common.
fn on_the_answers(note: &Note) -> String {
    let sentence = match note {
        Note::ClockStepped { instance } => {
            return format!(
                "the answers of {instance} contradict each other: its clock was stepped in between, or \
                 runs too fast or too slow"
            );
        }
        Note::KeptConnectionsLost { count } => {
            return format!(
                "the server closed {count} kept connection(s) before a request over them was answered"
            );
        }
        Note::OneClockAssumed => {
            "the answers are vaguer than the limit and name no instance: that they all come from one clock \
             is taken for granted"
        }
        Note::BackendsUncounted => {
            "the answers name no instance: backends whose clocks agree look like one, so a rarer one that \
             is wrong may have been missed"
        }
        Note::BackendsMayBeMissing { .. } => {
            "the round ended before every backend was likely seen: more may stand behind this address"
        }
        Note::ServerUnsynchronized => "the server says that its own clock is not synchronized (NTP)",
        _ => "",
    };
    sentence.to_owned()
}
