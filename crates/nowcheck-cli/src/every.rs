//! Rounds repeated for ever, until somebody ends them.

mod statistics;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::diagnostics::Diagnostics;
use crate::output::{self, Output, Presentation};
use crate::terminal::BackgroundWriter;
use nowcheck::check::Check;
use nowcheck::clock::Clock;
use nowcheck::outcome::Status;
use nowcheck::round;

use nowcheck::schedule::Schedule;
use statistics::Statistics;

/// Holds a round each `period` until SIGINT or SIGTERM, then prints a summary. Returns the worst status seen.
///
/// Lines are written on a thread of their own: a reader that is slow (a pager, a full pipe) must hold up neither the
/// schedule nor the signals that end the program. While a line waits to be read, rounds go on and their lines queue
/// up; a signal then ends the program without its summary, which nobody reads.
///
/// # Errors
/// When signals cannot be waited for, or there is no thread for the output.
pub(crate) async fn run(
    period: Duration,
    check: Arc<Check>,
    presentation: Presentation,
    diagnostics: Diagnostics,
    clock: Clock,
) -> anyhow::Result<Status> {
    let mut interrupt = on(SignalKind::interrupt())?;
    let mut terminate = on(SignalKind::terminate())?;
    let begin = clock.now();
    let schedule = Schedule::new(begin, period);
    let mut statistics = Statistics::default();
    let mut references = check.references(Some(period));
    let mut lines = BackgroundWriter::start()
        .context("this machine has no thread for the output; see its limits (`ulimit -a`)")?;
    let summary_is_wanted = loop {
        let outcome = tokio::select! {
            outcome = round::hold(&check, &mut references, clock) => outcome,
            _ = interrupt.recv() => break true,
            _ = terminate.recv() => break true,
        };
        statistics.count(&outcome);
        if let Some(text) = output::one_of_many(&outcome, presentation)? {
            lines.write(text);
        }
        let next = clock.deadline(schedule.next_after(clock.now()));
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = lines.nobody_reads() => break false,
            _ = interrupt.recv() => break true,
            _ = terminate.recv() => break true,
        }
    };
    if summary_is_wanted && presentation.shows(statistics.worst()) {
        let summary = statistics.summary(clock.now().since(begin));
        match presentation.output {
            Output::Human => lines.write(format!("{}\n", presentation.charset.encoded(&summary))),
            // Standard output is for programs that read a line a round.
            Output::Json | Output::Nagios => diagnostics.aside(&summary),
        }
    }
    tokio::select! {
        written = lines.finish() => if let Err(error) = written {
            // The verdicts are what they are: the disk that is full is not the service's.
            diagnostics.aside(&format!("the output cannot be written: {error}"));
        },
        () = tokio::time::sleep(LAST_LINES) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(statistics.worst())
}

/// How long the last lines may take to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be waited for")
}
