//! Where metrics come from.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use nowcheck::clock::Clock;

use super::checks::Checks;
use super::{Counted, Family, Labels, Sample, Samples};
use crate::board::{Board, CheckState};
use crate::results::Results;
use crate::timestamps;

/// Reads the metrics of a moment from the board.
#[derive(Debug, Clone)]
pub(crate) struct MetricSource {
    clock: Clock,
    started: Timestamp,
    board: Arc<Board>,
    results: Arc<Results>,
}

/// The state of the monitor itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MonitorFigures {
    pub(crate) open_incidents: usize,
    /// Rounds that wait to be written.
    pub(crate) history_queue_length: usize,
    /// Rounds that were not stored because too many waited.
    pub(crate) history_dropped: u64,
    /// Whether the file in use is the current one.
    pub(crate) reload_succeeded: bool,
}

impl MetricSource {
    /// Of a monitor that starts now.
    pub(crate) fn new(clock: Clock, board: Arc<Board>, results: Arc<Results>) -> Self {
        Self { clock, started: timestamps::now(clock), board, results }
    }

    /// The clock by which this moment is meant.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// The checks at this moment.
    pub(crate) fn checks(&self) -> Vec<Arc<CheckState>> {
        self.board.checks()
    }

    /// The metrics of this moment.
    pub(crate) fn read(&self) -> Vec<Family> {
        let checks = Checks { states: self.board.checks(), now: timestamps::now(self.clock) };
        let mut families = checks.families();
        families.extend(self.of_monitor());
        families.extend(self.of_other_instances());
        families
    }

    /// The monitor itself at this moment.
    pub(crate) fn monitor(&self) -> MonitorFigures {
        let history = self.results.history().health();
        MonitorFigures {
            open_incidents: self.results.open_incidents(),
            history_queue_length: history.queue_length,
            history_dropped: history.dropped,
            reload_succeeded: self.results.reload_succeeded(),
        }
    }

    /// What is told of the monitor itself.
    fn of_monitor(&self) -> Vec<Family> {
        let figures = self.monitor();
        let messages = self.results.messages_sent().into_iter().map(|((alert, result), count)| Sample {
            labels: further(&[("alert", alert.into()), ("result", result.into())]),
            value: self.counted(count),
        });
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2⁵³")]
        let number = |number: usize| gauge(number as f64);
        vec![
            Family::new(
                "nowcheck_incidents_open",
                "Incidents that are open",
                None,
                number(figures.open_incidents),
            ),
            Family::new(
                "nowcheck_alerts",
                "Tries to deliver a message, by alert and result",
                None,
                Samples::Counter(messages.collect()),
            ),
            Family::new(
                "nowcheck_history_queue_length",
                "Rounds that wait to be written",
                None,
                number(figures.history_queue_length),
            ),
            Family::new(
                "nowcheck_config_reload_success",
                "0 while the file is invalid and an older one is in use",
                None,
                gauge(f64::from(u8::from(figures.reload_succeeded))),
            ),
            Family::new(
                "nowcheck_history_dropped",
                "Rounds that were not stored because too many waited",
                None,
                Samples::Counter(vec![Sample {
                    labels: Labels::default(),
                    value: self.counted(figures.history_dropped),
                }]),
            ),
            Family::new(
                "nowcheck_build",
                "This program",
                None,
                Samples::Info(further(&[("version", env!("CARGO_PKG_VERSION").into())])),
            ),
        ]
    }

    /// What is told of other instances.
    fn of_other_instances(&self) -> [Family; 2] {
        let peers = self.results.peers();
        let standings = peers.standings().into_iter().filter(|peer| !peer.is_this);
        let up = standings.map(|peer| Sample {
            labels: further(&[("peer", peer.name.into())]),
            value: f64::from(u8::from(peer.lives)),
        });
        let agree = gauge(f64::from(u8::from(peers.contradiction().is_none())));
        let about_agreement = "0 while instances prove that a reference of one of them is wrong";
        [
            Family::new(
                "nowcheck_peer_up",
                "Whether another instance is heard of",
                None,
                Samples::Gauge(up.collect()),
            ),
            Family::new("nowcheck_references_agree", about_agreement, None, agree),
        ]
    }

    fn counted(&self, value: u64) -> Counted<u64> {
        Counted { since: self.started, value }
    }
}

fn further(labels: &[(&'static str, Cow<'static, str>)]) -> Labels {
    Labels { check: Vec::new(), further: labels.to_vec() }
}

fn gauge(value: f64) -> Samples {
    Samples::Gauge(vec![Sample { labels: Labels::default(), value }])
}
