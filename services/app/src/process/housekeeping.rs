//! What the main thread does once a second: it asks for the clock's status, wakes the other threads to look after their
//! connections, and says what has changed.

use std::mem;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::clock::status::Status;
use crate::clock::{self, Believed, Source};
use crate::logging::background_writer::Pen;
use crate::metrics::Totals;
use crate::metrics::emf;
use crate::process::metric_sources::Instruments;
use crate::process::worker::Life;
use crate::readiness::hysteresis::{Change, Trust};

/// How often the kernel is asked for its clock's status, and connections are swept.
const PULSE: Duration = Duration::from_secs(1);

/// A metric line is written each minute, from the first second on.
const BEATS_OF_A_METRIC_LINE: u64 = 60;

/// Beats from one word on dropped lines to the next.
const BEATS_OF_DROPPING: u64 = 60;

pub(crate) struct Pulse {
    source: Source,
    trust: Trust,
    /// Connections that had been refused when all seats were found taken, until some are free again.
    full_since: Option<u64>,
    dropping: Dropping,
    instruments: Instruments,
    metrics: Option<(emf::Lines, Pen)>,
}

/// What was said of dropped lines.
#[derive(Debug, Default)]
struct Dropping {
    told: u64,
    /// Beats until there may be another word.
    pause: u64,
}

impl Dropping {
    /// To be called at each beat; says how many lines have been dropped, when that is to be told.
    fn observe(&mut self, dropped: u64) -> Option<u64> {
        self.pause = self.pause.saturating_sub(1);
        if dropped == self.told || self.pause > 0 {
            return None;
        }
        *self = Self { told: dropped, pause: BEATS_OF_DROPPING };
        Some(dropped)
    }
}

impl Pulse {
    pub(crate) fn new(
        source: Source,
        max_clock_error: Option<Duration>,
        instruments: Instruments,
        metrics: Option<(emf::Lines, Pen)>,
    ) -> Self {
        let trust = Trust::new(max_clock_error, instruments.state.clock.load());
        Self { source, trust, full_since: None, dropping: Dropping::default(), instruments, metrics }
    }

    /// Beats for ever.
    pub(crate) async fn beat(&mut self, life: &watch::Sender<Life>) {
        let mut beat = interval(PULSE);
        // A machine that was paused must not catch up: beats in a row are no seconds in a row.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if !self.trust.is_given() {
            not_trusted(self.instruments.state.clock.load());
        }
        for beats in 0_u64.. {
            beat.tick().await;
            self.see_to_clock();
            self.see_to_seats();
            if let Some(dropped) = self.dropping.observe(self.instruments.dropped_lines()) {
                warn!(
                    dropped,
                    "{dropped} lines of log, access log and metrics were dropped since the start: whoever reads standard \
                     output or standard error is too slow"
                );
            }
            if beats.is_multiple_of(BEATS_OF_A_METRIC_LINE) {
                self.write_metrics();
            }
            // Whoever waits for a change of the life is woken, even though it is the same.
            life.send_modify(|_| {});
        }
    }

    /// Writes a metric line, if there are any, of what happened since the last one.
    pub(crate) fn write_metrics(&mut self) {
        if let Some((lines, pen)) = &mut self.metrics {
            pen.write_line(lines.line(clock::now(), &self.instruments.read()).as_bytes());
        }
    }

    fn see_to_clock(&mut self) {
        let shared = &self.instruments.state;
        let (before, (now, believed)) = (shared.clock.load(), self.source.read());
        shared.clock.store(now);
        tell(believed);
        match self.trust.observe(now) {
            Some(Change::Lost) => {
                shared.set_trust(false);
                not_trusted(now);
            }
            Some(Change::Regained) => {
                shared.set_trust(true);
                info!("the clock is trusted again, it {now}: /readyz answers 200");
            }
            None if mem::discriminant(&before) != mem::discriminant(&now) => info!("the clock now {now}"),
            None => {}
        }
    }

    fn refused(&self) -> u64 {
        Totals::of(&self.instruments.counters).refused_connections()
    }

    /// Says so when all seats are taken, and when a tenth of them is free again.
    fn see_to_seats(&mut self) {
        let seats = &self.instruments.seats;
        let (taken, limit) = (seats.taken(), seats.limit());
        if self.full_since.is_none() && taken >= limit {
            self.full_since = Some(self.refused());
            warn!("all {limit} connections of --max-connections are taken: further ones are answered 503");
        } else if let Some(before) = self.full_since
            && !seats.is_crowded()
        {
            self.full_since = None;
            let refused = self.refused() - before;
            info!(
                refused,
                "{taken} of {limit} connections are taken: further ones are served again, after {refused} were refused"
            );
        }
    }
}

fn not_trusted(status: Status) {
    warn!("the clock is not trusted, it {status} (see --max-clock-error): /readyz answers 503");
}

/// Says who bounds the clock's error, when that is new.
pub(crate) fn tell(believed: Option<Believed>) {
    match believed {
        Some(Believed::ClockBound) => info!("the bound on the clock's error is ClockBound's"),
        Some(Believed::Kernel { why }) => {
            warn!("the bound on the clock's error is the kernel's: what is at --clock-bound {why}");
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_lines_are_told_at_once_and_then_once_a_minute_while_there_are_more() {
        let mut dropping = Dropping::default();
        let told: Vec<(u64, u64)> = (0..300)
            .filter_map(|beat| {
                // None at first, then one a second for a while.
                let dropped = u64::clamp(beat, 10, 110) - 10;
                dropping.observe(dropped).map(|told| (beat, told))
            })
            .collect();
        assert_eq!(told, [(11, 1), (71, 61), (131, 100)]);
    }
}
