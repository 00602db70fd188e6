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
                "the answer is a time of day without a date, so an error of whole days cannot be seen"
                    .to_owned()
            }
            Note::DateMayBeCached { cache } => format!(
                "the Date header may be up to {} old; if this server is known to renew it in time, {} proves more",
                limit(*cache),
                self.with(Setting::DateCache, "0s"),
            ),
            Note::ResemblesTimeZone { zone } => format!(
                "the error is {}, which looks like a time zone: either the answer is local time and was read as \
                 UTC, or the clock was set to local time",
                signed(*zone)
            ),
            Note::FewReferences { answered, asked } => format!(
                "only {answered} of {asked} references could be used, so the result does not rest on a majority"
            ),
            Note::AddressSkipped { address, cause } => {
                format!("{address} was skipped: {}", self.cause(cause))
            }
            Note::AddressesUnknown(cause) => {
                format!("there may be more addresses than were checked: {}", self.cause(cause))
            }
            Note::Redirected { url } => format!("reached by a redirect from {url}"),
            Note::OnTheWay { url, note } => format!("on the way, at {url}: {}", self.note(note)),
            Note::NotVerified => {
                "the certificate was not verified, as requested: anybody on the way could have answered"
                    .to_owned()
            }
            Note::CertificateEndsSoon { left } if left.as_nanos() > 0 => {
                format!(
                    "the certificate expires in {}: check that it is being renewed",
                    length(left.magnitude())
                )
            }
            Note::CertificateEndsSoon { left } => {
                format!("the certificate expired {} ago, by the reference's time", length(left.magnitude()))
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
                "this machine was suspended during the round, so the measurements before that do not count"
                    .to_owned()
            }
            Doubt::WallClockStepped { step } => {
                format!("this machine's clock was stepped by {} during the round", signed(*step))
            }
            Doubt::ReferencesDisagree => {
                "the references contradict each other and no majority agrees, so the time is not known"
                    .to_owned()
            }
            Doubt::NoReference => {
                "no time server gave a usable time, so there is nothing to compare with".to_owned()
            }
            Doubt::ReferenceNotVouchedFor => {
                "nothing vouches for this machine's clock, from which the offsets are measured".to_owned()
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
                "the reference itself is only known to ± {}, so no answer can prove more",
                length(*max_error)
            ),
        }
    }
}

pub(super) fn missing_backends(missing: &MissingBackends) -> String {
    let MissingBackends { met, expected, are_nameless } = missing;
    if *are_nameless {
        format!(
            "{expected} or more backends are expected, but only {met} of those that answered sent an \
             `instance`, so they cannot be counted"
        )
    } else {
        format!("{met} of the {expected} expected backends were reached")
    }
}

fn few_connections(connections: u32, rejected: u32) -> String {
    let then = match connections {
        1 => "one connection at a time".to_owned(),
        several => format!("{several} connections at a time"),
    };
    match rejected {
        0 => format!("some parallel connections had to wait, so the service was asked over {then}"),
        1 => format!("one parallel connection failed, so the service was asked over {then}"),
        several => {
            format!("{several} parallel connections failed, so the service was asked over {then}")
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
        if pause.is_zero() { "one at a time".to_owned() } else { format!("once every {}", length(pause)) };
    format!("the service limits requests: it {rejected}, and was then asked {then}")
}

fn keeps_rejecting(asked: u32, rejected: u32, pause: Duration) -> String {
    format!(
        "the service was asked over single connections with pauses of {}, and rejected {rejected} of {asked} \
         requests as too many: perhaps one of several backends rejects all of its requests",
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
            "the answers contradict each other{by}: either many clocks without names answer here, or one clock \
             jumps back and forth"
        );
    }
    format!(
        "the answers contradict each other{by}, so several clocks answer here; they send no names, and only \
         their times tell them apart"
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
                "the server closed {count} kept-alive connection(s) before it answered a request on them"
            );
        }
        Note::OneClockAssumed => {
            "the answers are vaguer than the limit and name no instance: this result assumes that they all come \
             from one clock"
        }
        Note::BackendsUncounted => {
            "the answers name no instance, so backends whose clocks agree look like one: a rare backend that is \
             wrong may have been missed"
        }
        Note::BackendsMayBeMissing { .. } => {
            "the round ended too early to reach every backend with confidence: this address may have more"
        }
        Note::ServerUnsynchronized => "the server says that its own clock is not synchronized (NTP)",
        _ => "",
    };
    sentence.to_owned()
}
