//! Rounds repeated for ever, until somebody ends them.

pub mod schedule;
pub mod tally;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Output;
use crate::clock::Clock;
use crate::outcome::Status;
use crate::print::{Stdout, to_stderr};
use crate::report;
use crate::round;
use crate::settings::Settings;

use schedule::Schedule;
use tally::Tally;

/// Holds a round each `period` until SIGINT or SIGTERM, then prints a summary. Returns the worst status seen.
///
/// # Errors
/// When signals cannot be waited for, or the output cannot be written.
pub async fn every(
    period: Duration,
    settings: Arc<Settings>,
    clock: Clock,
    stdout: &mut Stdout,
) -> anyhow::Result<Status> {
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut terminate = on(SignalKind::terminate())?;
    let begin = clock.now();
    let schedule = Schedule::new(begin, period);
    let mut tally = Tally::default();
    loop {
        let outcome = tokio::select! {
            outcome = round::hold(Arc::clone(&settings), clock) => outcome,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        };
        tally.count(&outcome);
        if !stdout.write(&report::one_of_many(&outcome, settings.output)?)? {
            return Ok(tally.worst());
        }
        let next = clock.deadline(schedule.next_after(clock.now()));
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    let summary = tally.summary(clock.now().since(begin));
    match settings.output {
        Output::Human => {
            stdout.write(&format!("{summary}\n"))?;
        }
        // Standard output is for programs that read a line a round.
        Output::Json | Output::Nagios => to_stderr(&summary),
    }
    Ok(tally.worst())
}

fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be waited for")
}
