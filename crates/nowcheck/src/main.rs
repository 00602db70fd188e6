//! The program: a table of contents.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Parser;
use nowcheck::cli::{Cli, in_one_line};
use nowcheck::clock::Clock;
use nowcheck::invocation::Invocation;
use nowcheck::outcome::Status;
use nowcheck::print::{Stdout, to_stderr};
use nowcheck::{report, round, watch};

fn main() -> ExitCode {
    let clock = Clock::start();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Asked for help or the version: no error.
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(wrong) => return unknown(&in_one_line(&wrong)),
    };
    match run(&cli, clock) {
        Ok(status) => status.exit_code().into(),
        Err(error) => unknown(&format!("{error:#}")),
    }
}

fn run(cli: &Cli, clock: Clock) -> anyhow::Result<Status> {
    let invocation = Invocation::of(cli).map_err(|wrong| anyhow!("{wrong:#}; see `nowcheck --help`"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let status = runtime.block_on(async {
        let check = Arc::new(invocation.check);
        if let Some(period) = invocation.every {
            return watch::every(period, check, invocation.output, clock).await;
        }
        let outcome = round::hold(&check, &mut check.references(None), clock).await;
        Stdout::new().write(&report::single(&outcome, invocation.output)?)?;
        Ok(outcome.status())
    });
    // A resolver's thread may still wait for an answer that nobody wants any more.
    runtime.shutdown_background();
    status
}

/// Whoever reads the exit code must not take a mistake for a verdict: 3 is UNKNOWN. A monitoring system reads
/// standard output only, so where its format was asked for the sentence goes there.
fn unknown(message: &str) -> ExitCode {
    let is_plugin = std::env::args().any(|argument| argument == "nagios" || argument == "--output=nagios");
    let line = format!("NOWCHECK UNKNOWN - {}\n", message.replace('|', "/"));
    // When not even standard output can be written to, standard error may.
    if !(is_plugin && matches!(Stdout::new().write(&line), Ok(true))) {
        to_stderr(message);
    }
    Status::Unknown.exit_code().into()
}
