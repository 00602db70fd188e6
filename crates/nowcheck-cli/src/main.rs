//! The program `nowcheck`: a table of contents.
//!
//! [`arguments`] → [`invocation`] → one round, or [`every`] so often → [`output`] → [`terminal`] → the exit code.

mod arguments;
mod every;
mod invocation;
mod output;
mod setting_names;
mod terminal;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Parser;
use nowcheck::clock::Clock;
use nowcheck::outcome::Status;
use nowcheck::round;

use arguments::{Arguments, in_one_line};
use invocation::Invocation;
use terminal::{Stdout, to_stderr};

fn main() -> ExitCode {
    let clock = Clock::start();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Asked for help or the version: no error.
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(wrong) => return unknown(&in_one_line(&wrong)),
    };
    match run(&arguments, clock) {
        Ok(status) => status.exit_code().into(),
        Err(error) => unknown(&format!("{error:#}")),
    }
}

fn run(arguments: &Arguments, clock: Clock) -> anyhow::Result<Status> {
    let invocation =
        Invocation::of(arguments).map_err(|wrong| anyhow!("{wrong:#}; see `nowcheck --help`"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let status = runtime.block_on(async {
        let check = Arc::new(invocation.check);
        if let Some(period) = invocation.every {
            return every::run(period, check, invocation.output, clock).await;
        }
        let outcome = round::hold(&check, &mut check.references(None), clock).await;
        Stdout::new().write(&output::single(&outcome, invocation.output)?)?;
        Ok(outcome.status())
    });
    // A resolver's thread may still wait for an answer that nobody wants any more.
    runtime.shutdown_background();
    status
}

/// Ends with 3, UNKNOWN, because a program that reads the exit code must not take a mistake for a verdict. A monitoring
/// system reads standard output only, so the message goes there when its format was asked for.
fn unknown(message: &str) -> ExitCode {
    let is_plugin = std::env::args().any(|argument| argument == "nagios" || argument == "--output=nagios");
    let line = format!("NOWCHECK UNKNOWN - {}\n", message.replace('|', "/"));
    // When not even standard output can be written to, standard error may.
    if !(is_plugin && matches!(Stdout::new().write(&line), Ok(true))) {
        to_stderr(message);
    }
    Status::Unknown.exit_code().into()
}
