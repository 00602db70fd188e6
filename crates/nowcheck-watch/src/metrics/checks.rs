//! The metrics of the checks, from the board.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Counted, Family, Histogram, Labels, Sample, Samples, Unit};
use crate::board::{CheckState, DURATION_LIMITS};
use crate::figures::seconds;
use crate::scheduler::MISSED_REASONS;
use crate::status::CheckStatus;

const DRIFT: &str = "nowcheck_clock_drift";

/// The phases of a request, in order.
const PHASES: [&str; 5] = ["resolve", "connect", "tls", "wait", "transfer"];

/// What rounds find most often, by status. These series begin at 0, so that the first such round is an increase.
const FIXED_REASONS: [(CheckStatus, &str); 7] = [
    (CheckStatus::Ok, "in_sync"),
    (CheckStatus::Warning, "desynchronized"),
    (CheckStatus::Unknown, "undetermined"),
    (CheckStatus::Unknown, "checker_fault"),
    (CheckStatus::Wrong, "desynchronized"),
    (CheckStatus::Wrong, "stale_cache"),
    (CheckStatus::Down, "down"),
];

/// All checks at one moment.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) states: Vec<Arc<CheckState>>,
    pub(super) now: Timestamp,
}

impl Checks {
    pub(super) fn families(&self) -> Vec<Family> {
        let mut families = Vec::from(self.statuses());
        families.extend(self.clocks());
        families.extend(self.latest_rounds());
        families.extend(self.counters());
        families
    }

    /// What one round tells, without what is known of several.
    pub(super) fn of_one_round(&self) -> Vec<Family> {
        let mut families = Vec::from(self.statuses());
        families.extend(self.clocks().into_iter().filter(|family| family.name != DRIFT));
        families.extend(self.latest_rounds());
        families
    }

    /// The samples that each check has.
    fn each<V>(&self, of: impl Fn(&CheckState) -> Vec<Sample<V>>) -> Vec<Sample<V>> {
        self.states.iter().flat_map(|state| of(state)).collect()
    }

    /// A gauge with one series for each check.
    fn one_each(
        &self,
        name: &'static str,
        help: &'static str,
        unit: Option<Unit>,
        value: impl Fn(&CheckState) -> f64,
    ) -> Family {
        let one = |state: &CheckState| vec![Sample { labels: labels(state, &[]), value: value(state) }];
        Family::new(name, help, unit, Samples::Gauge(self.each(one)))
    }

    fn statuses(&self) -> [Family; 2] {
        let statuses = self.each(|state| {
            let status = state.status_at(self.now);
            let one = |is: &CheckStatus| Sample {
                labels: labels(state, &[("status", is.name())]),
                value: f64::from(u8::from(*is == status)),
            };
            CheckStatus::ALL.iter().map(one).collect()
        });
        [
            Family::new(
                "nowcheck_status",
                "1 for what the check is, 0 for what it is not",
                None,
                Samples::Gauge(statuses),
            ),
            self.one_each(
                "nowcheck_up",
                "1 while the service is up, 0 while it is down or unknown",
                None,
                |state| f64::from(u8::from(state.status_at(self.now).is_up())),
            ),
        ]
    }

    fn clocks(&self) -> [Family; 4] {
        let offsets = self.each(|state| {
            let offset = state.offset_at(self.now);
            bounds(state, None, offset.map(|offset| (seconds(offset.lower), seconds(offset.upper))))
        });
        let of_backends = self.each(|state| {
            let named = state.backends.iter().filter_map(|backend| {
                let bound = (seconds(backend.offset.lower), seconds(backend.offset.upper));
                Some(bounds(state, Some(backend.instance.as_deref()?), Some(bound)))
            });
            named.flatten().collect()
        });
        let drifts =
            self.each(|state| bounds(state, None, state.drift.map(|drift| (drift.lower, drift.upper))));
        [
            Family::new(
                DRIFT,
                "Bounds on the drift of the clock against the reference, over all backends and the last day; NaN while nothing is proven",
                Some(Unit::Ratio),
                Samples::Gauge(drifts),
            ),
            Family::new(
                "nowcheck_clock_offset",
                "Bounds on the offset of the clock, server minus reference, over all backends; NaN while nothing is proven",
                Some(Unit::Seconds),
                Samples::Gauge(offsets),
            ),
            Family::new(
                "nowcheck_backend_clock_offset",
                "The same for each backend, when it was met last",
                Some(Unit::Seconds),
                Samples::Gauge(of_backends),
            ),
            self.one_each("nowcheck_backends", "Backends that were met lately", None, |state| {
                f64::from(u32::try_from(state.backends.len()).unwrap_or(u32::MAX))
            }),
        ]
    }

    fn latest_rounds(&self) -> [Family; 4] {
        let at = |at: Option<Timestamp>| at.map_or(f64::NAN, |at| seconds(at.as_nanosecond()));
        let phases = self.each(|state| {
            let phases = state.latest.as_ref().map(|latest| latest.phases).unwrap_or_default();
            let one = |phase| {
                let took = phases.named().find(|(name, _)| *name == phase).map(|(_, took)| took);
                let value = took.map_or(f64::NAN, |took| took.as_secs_f64());
                Sample { labels: labels(state, &[("phase", phase)]), value }
            };
            PHASES.into_iter().map(one).collect()
        });
        [
            self.one_each(
                "nowcheck_last_round_timestamp",
                "When the latest round began; NaN before the first one",
                Some(Unit::Seconds),
                |state| at(state.latest.as_ref().map(|latest| latest.at)),
            ),
            self.one_each(
                "nowcheck_certificate_expiry_timestamp",
                "When the first certificate of the service expires; NaN without one",
                Some(Unit::Seconds),
                |state| at(state.latest.as_ref().and_then(|latest| latest.certificate_expires_at)),
            ),
            self.one_each(
                "nowcheck_reference_error",
                "Bound on the error of what the clock was compared with; NaN while nothing vouches for it",
                Some(Unit::Seconds),
                |state| {
                    let error = state.latest.as_ref().and_then(|latest| latest.reference_error);
                    error.map_or(f64::NAN, |error| error.as_secs_f64())
                },
            ),
            Family::new(
                "nowcheck_phase_duration",
                "How long each phase of the first request of the latest round took; NaN if it had none",
                Some(Unit::Seconds),
                Samples::Gauge(phases),
            ),
        ]
    }

    fn counters(&self) -> [Family; 3] {
        let rounds = self.each(|state| {
            let counted = &state.counters.rounds;
            let mut rounds: BTreeMap<(CheckStatus, &str), u64> =
                FIXED_REASONS.into_iter().map(|key| (key, 0)).collect();
            rounds
                .extend(counted.iter().map(|((status, reason), count)| ((*status, reason.as_str()), *count)));
            let one = |((status, reason), value): ((CheckStatus, &str), u64)| Sample {
                labels: labels(state, &[("status", status.name()), ("reason", reason)]),
                value: Counted { since: state.watched_since, value },
            };
            rounds.into_iter().map(one).collect()
        });
        let missed = self.each(|state| {
            let one = |reason| Sample {
                labels: labels(state, &[("reason", reason)]),
                value: Counted {
                    since: state.watched_since,
                    value: state.counters.missed.get(reason).copied().unwrap_or_default(),
                },
            };
            MISSED_REASONS.into_iter().map(one).collect()
        });
        let durations = self.each(|state| {
            let value = Histogram {
                limits: DURATION_LIMITS.to_vec(),
                counts: state.counters.durations.to_vec(),
                sum: state.counters.duration_sum.as_secs_f64(),
            };
            vec![Sample { labels: labels(state, &[]), value: Counted { since: state.watched_since, value } }]
        });
        [
            Family::new(
                "nowcheck_rounds",
                "Rounds, by what they found and why",
                None,
                Samples::Counter(rounds),
            ),
            Family::new(
                "nowcheck_rounds_missed",
                "Slots in which no round was held, by the reason",
                None,
                Samples::Counter(missed),
            ),
            Family::new(
                "nowcheck_round_duration",
                "How long rounds took",
                Some(Unit::Seconds),
                Samples::Histogram(durations),
            ),
        ]
    }
}

/// The labels of a series: those of its check first.
fn labels(state: &CheckState, further: &[(&'static str, &str)]) -> Labels {
    let own = state.identity.labels.iter().map(|(name, value)| (name.clone(), value.clone()));
    let named = std::iter::once(("check".to_owned(), state.identity.name.clone()));
    Labels {
        check: named.chain(own).collect(),
        further: further.iter().map(|(name, value)| (*name, (*value).to_owned().into())).collect(),
    }
}

/// Two bounds on something; NaN while there are none.
fn bounds(state: &CheckState, backend: Option<&str>, value: Option<(f64, f64)>) -> Vec<Sample<f64>> {
    let (lower, upper) = value.unwrap_or((f64::NAN, f64::NAN));
    let one = |(name, value)| {
        let mut further: Vec<(&'static str, &str)> = backend.iter().map(|name| ("backend", *name)).collect();
        further.push(("bound", name));
        Sample { labels: labels(state, &further), value }
    };
    [("lower", lower), ("upper", upper)].map(one).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nowcheck::outcome::Phases;

    use super::*;
    use crate::board::testing::ok_until;

    #[test]
    fn the_offset_is_not_a_number_once_the_result_stands_no_more() {
        let end = Timestamp::from_second(60).unwrap();
        let offsets = |second| {
            let now = Timestamp::from_second(second).unwrap();
            let [_, offset, ..] = Checks { states: vec![ok_until(end)], now }.clocks();
            assert_eq!(offset.name, "nowcheck_clock_offset");
            let Samples::Gauge(samples) = offset.samples else { panic!("{:?}", offset.samples) };
            samples.into_iter().map(|sample| sample.value).collect::<Vec<_>>()
        };
        assert_eq!(offsets(59), [-0.000_001, 0.000_001]);
        assert!(offsets(60).iter().all(|value| value.is_nan()));
    }

    #[test]
    fn every_phase_of_a_round_has_a_series() {
        let some = Some(Duration::ZERO);
        let phases = Phases { resolve: some, connect: some, tls: some, wait: some, transfer: some };
        assert!(phases.named().map(|(name, _)| name).eq(PHASES));
    }
}
