//! What the main thread does once a second: it reads the clock's status, wakes the other threads to sweep their
//! connections, and logs what has changed.

use std::mem;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::clock;
use crate::clock::source::{BoundSource, ClockStatusSource};
use crate::clock::status::ClockStatus;
use crate::logging::background_writer::LineSender;
use crate::metrics::Totals;
use crate::metrics::emf;
use crate::process::metric_sources::MetricSources;
use crate::process::worker::Lifecycle;
use crate::readiness::hysteresis::{ClockTrust, TrustChange};

/// How often the clock's status is read and connections are swept.
const INTERVAL: Duration = Duration::from_secs(1);

/// A metric line is written each minute, from the first second on.
const TICKS_PER_METRIC_LINE: u64 = 60;

/// Ticks from one warning of dropped lines to the next.
const TICKS_PER_DROPPED_LINES_WARNING: u64 = 60;

pub(crate) struct Housekeeping {
    source: ClockStatusSource,
    trust: ClockTrust,
    /// Connections rejected before the limit was reached; `None` while it is not.
    refused_before_full: Option<u64>,
    dropped_lines: DroppedLines,
    metric_sources: MetricSources,
    metrics: Option<(emf::EmfWriter, LineSender)>,
}

/// Rate limit for the warning of dropped lines.
#[derive(Debug, Default)]
struct DroppedLines {
    reported: u64,
    /// Ticks until the next warning is allowed.
    pause: u64,
}

impl DroppedLines {
    /// Call once a second. Returns the number of dropped lines when it is time to report it.
    fn observe(&mut self, dropped: u64) -> Option<u64> {
        self.pause = self.pause.saturating_sub(1);
        if dropped == self.reported || self.pause > 0 {
            return None;
        }
        *self = Self { reported: dropped, pause: TICKS_PER_DROPPED_LINES_WARNING };
        Some(dropped)
    }
}

impl Housekeeping {
    pub(crate) fn new(
        source: ClockStatusSource,
        max_clock_error: Option<Duration>,
        metric_sources: MetricSources,
        metrics: Option<(emf::EmfWriter, LineSender)>,
    ) -> Self {
        let trust = ClockTrust::new(max_clock_error, metric_sources.service_state.clock.load());
        Self {
            source,
            trust,
            refused_before_full: None,
            dropped_lines: DroppedLines::default(),
            metric_sources,
            metrics,
        }
    }

    /// Runs for ever.
    pub(crate) async fn run(&mut self, lifecycle: &watch::Sender<Lifecycle>) {
        let mut ticker = interval(INTERVAL);
        // After a pause of the machine, missed ticks are not made up for: the counts below are of seconds.
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if !self.trust.is_trusted() {
            not_trusted(self.metric_sources.service_state.clock.load());
        }
        for ticks in 0_u64.. {
            ticker.tick().await;
            self.update_clock_status();
            self.report_connection_limit();
            if let Some(dropped) = self.dropped_lines.observe(self.metric_sources.dropped_lines()) {
                warn!(
                    dropped,
                    "{dropped} lines of the log, the access log and the metrics were dropped since the start: \
                     the reader of standard output or standard error is too slow"
                );
            }
            if ticks.is_multiple_of(TICKS_PER_METRIC_LINE) {
                self.write_metrics();
            }
            // Wakes all threads that wait for a change, even though nothing changed.
            lifecycle.send_modify(|_| {});
        }
    }

    /// Writes a metric line, if there are any, of what happened since the last one.
    pub(crate) fn write_metrics(&mut self) {
        if let Some((lines, sender)) = &mut self.metrics {
            sender.write_line(lines.line(clock::now(), &self.metric_sources.snapshot()).as_bytes());
        }
    }

    fn update_clock_status(&mut self) {
        let shared = &self.metric_sources.service_state;
        let (before, (now, bound_source)) = (shared.clock.load(), self.source.read());
        shared.clock.store(now);
        log_bound_source(bound_source);
        match self.trust.observe(now) {
            Some(TrustChange::Lost) => {
                shared.set_trust(false);
                not_trusted(now);
            }
            Some(TrustChange::Regained) => {
                shared.set_trust(true);
                info!("the clock is trusted again, it {now}: /readyz answers 200");
            }
            None if mem::discriminant(&before) != mem::discriminant(&now) => info!("the clock now {now}"),
            None => {}
        }
    }

    fn refused(&self) -> u64 {
        Totals::of(&self.metric_sources.counters).refused_connections()
    }

    /// Logs when the limit on connections is reached, and when a tenth of it is free again.
    fn report_connection_limit(&mut self) {
        let connection_limit = &self.metric_sources.connection_limit;
        let (taken, limit) = (connection_limit.regular_connections(), connection_limit.limit());
        if self.refused_before_full.is_none() && taken >= limit {
            self.refused_before_full = Some(self.refused());
            warn!("all {limit} connections of --max-connections are taken: further ones get 503");
        } else if let Some(before) = self.refused_before_full
            && !connection_limit.is_nearly_full()
        {
            self.refused_before_full = None;
            let refused = self.refused() - before;
            info!(
                refused,
                "{taken} of {limit} connections are taken: further ones are served again, after \
                 {refused} were refused"
            );
        }
    }
}

fn not_trusted(status: ClockStatus) {
    warn!("the clock is not trusted, it {status} (see --max-clock-error): /readyz answers 503");
}

/// Logs a new source of the bound on the clock's error.
pub(crate) fn log_bound_source(bound_source: Option<BoundSource>) {
    match bound_source {
        Some(BoundSource::ClockBound { file }) => {
            info!("the bound on the clock's error is ClockBound's, from {}", file.display());
        }
        Some(BoundSource::Kernel { why }) => {
            warn!("the bound on the clock's error is the kernel's: the file at --clock-bound {why}");
        }
        Some(BoundSource::EcsMetadata) => {
            info!("the bound on the clock's error is what the ECS task metadata states");
        }
        Some(BoundSource::NoEcsMetadata { why }) => {
            warn!(
                "the ECS task metadata states no bound on the clock's error; the last one, if any, grows: {why}"
            );
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_lines_are_told_at_once_and_then_once_a_minute_while_there_are_more() {
        let mut dropped_lines = DroppedLines::default();
        let reported: Vec<(u64, u64)> = (0..300)
            .filter_map(|tick| {
                // None at first, then one a second for a while.
                let dropped = u64::clamp(tick, 10, 110) - 10;
                dropped_lines.observe(dropped).map(|reported| (tick, reported))
            })
            .collect();
        assert_eq!(reported, [(11, 1), (71, 61), (131, 100)]);
    }
}
