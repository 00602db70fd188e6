//! The program `nowcheck`: a table of contents.
//!
//! [`arguments`] → [`invocation`] → one round, or [`every`] so often → [`output`] → [`terminal`] → the exit code.

mod abnormal_exit;
mod arguments;
mod charset;
mod diagnostics;
mod every;
mod invocation;
mod output;
mod runtime;
mod setting_names;
mod terminal;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Parser;
use nowcheck::check::Check;
use nowcheck::clock::Clock;
use nowcheck::outcome::Status;
use nowcheck::round;

use arguments::{Arguments, in_one_line};
use diagnostics::Diagnostics;
use invocation::Invocation;
use output::Presentation;
use terminal::Stdout;

fn main() -> ExitCode {
    let clock = Clock::start();
    let diagnostics = Diagnostics::of_this_process();
    abnormal_exit::report_panics(diagnostics);
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Asked for help or the version: no error.
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(wrong) => return diagnostics.usage(&in_one_line(&wrong)).into(),
    };
    let invocation = Invocation::of(&arguments).map_err(|wrong| anyhow!("{wrong:#}; see `nowcheck --help`"));
    let invocation = match invocation {
        Ok(invocation) => invocation,
        Err(wrong) => return diagnostics.usage(&wrong.to_string()).into(),
    };
    match run(invocation, diagnostics, clock) {
        Ok(status) => status.exit_code().into(),
        Err(error) => diagnostics.unknown(&format!("{error:#}")).into(),
    }
}

fn run(invocation: Invocation, diagnostics: Diagnostics, clock: Clock) -> anyhow::Result<Status> {
    let runtime = runtime::start()?;
    let Invocation { check, presentation, every } = invocation;
    let check = Arc::new(check);
    let status = runtime.block_on(async {
        match every {
            Some(period) => every::run(period, check, presentation, diagnostics, clock).await,
            None => once(&check, presentation, diagnostics, clock).await,
        }
    });
    // A resolver's thread may still wait for an answer that nobody wants any more.
    runtime.shutdown_background();
    status
}

/// Holds one round. The exit code is that of the verdict, also when the verdict cannot be written: the disk that is full
/// is not the service's.
async fn once(
    check: &Arc<Check>,
    presentation: Presentation,
    diagnostics: Diagnostics,
    clock: Clock,
) -> anyhow::Result<Status> {
    let outcome = round::hold(check, &mut check.references(None), clock).await;
    let status = outcome.status();
    if let Some(text) = output::single(&outcome, presentation)?
        && let Err(error) = Stdout::new().write(&text)
    {
        diagnostics.aside(&format!("the verdict is {}, but cannot be written: {error}", status.name()));
    }
    Ok(status)
}
