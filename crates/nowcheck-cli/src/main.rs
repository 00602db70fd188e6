//! The program `nowcheck`: a table of contents.
//!
//! [`command_line`] → [`invocation`] → one round, or [`every`] so often → [`output`] → [`terminal`] → the exit code; or the
//! monitor: [`watch`]; or [`report`] on its history.

mod abnormal_exit;
mod arguments;
mod charset;
mod command_line;
#[cfg(feature = "watch")]
mod config_source;
mod diagnostics;
mod every;
#[cfg(feature = "watch")]
mod history_file;
mod invocation;
#[cfg(feature = "watch")]
mod open_files;
mod output;
#[cfg(feature = "watch")]
mod report;
mod runtime;
mod setting_names;
mod terminal;
#[cfg(feature = "watch")]
mod watch;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Parser;
use nowcheck::check::Check;
use nowcheck::clock::Clock;
use nowcheck::outcome::Status;
use nowcheck::round;

use arguments::Arguments;
use command_line::{Command, CommandLine, in_one_line};
use diagnostics::Diagnostics;
use invocation::Invocation;
use output::Presentation;
use terminal::Stdout;

fn main() -> ExitCode {
    let clock = Clock::start();
    let diagnostics = Diagnostics::of_this_process();
    abnormal_exit::report_panics(diagnostics);
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        // Asked for help or the version: no error.
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(wrong) => return diagnostics.usage(&in_one_line(&wrong)).into(),
    };
    match line.command {
        None => check(&line.check, diagnostics, clock),
        Some(Command::Check(arguments)) => check(&arguments, diagnostics, clock),
        #[cfg(feature = "watch")]
        Some(Command::Watch(arguments)) => watch::run(&arguments, diagnostics, clock),
        #[cfg(feature = "watch")]
        Some(Command::Alert { command }) => watch::alert::run(&command, diagnostics, clock),
        #[cfg(feature = "watch")]
        Some(Command::Report(arguments)) => report::run(&arguments, diagnostics, clock),
        #[cfg(feature = "watch")]
        Some(Command::Config { command }) => watch::configure(&command, diagnostics),
    }
}

fn check(arguments: &Arguments, diagnostics: Diagnostics, clock: Clock) -> ExitCode {
    let invocation = Invocation::of(arguments).map_err(|wrong| anyhow!("{wrong:#}; see `nowcheck --help`"));
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
