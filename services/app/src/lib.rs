//! The service `nowd`: what time it is, and how far that can be trusted.
//!
//! The program is [`run`]. A request goes from `process::worker` to `connection` to `routes`.

mod clock;
mod connection;
mod fast_path;
#[doc(hidden)]
pub mod fuzzing;
mod healthcheck;
mod http;
mod logging;
mod metrics;
mod page;
mod process;
mod readiness;
mod routes;
mod settings;
mod unsafe_calls;

use std::io::Write as _;
use std::process::ExitCode;

use process::start;
use settings::{Command, command_line};

/// Does what the command line and the environment say, and returns the exit code.
///
/// Exits with 2 on wrong usage.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match command_line::read() {
        Command::Serve(settings) => start::serve(&settings),
        Command::Healthcheck(check) => return healthcheck::run(&check),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even standard error is closed, there is nothing left to do.
            let _ = writeln!(std::io::stderr(), "nowd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
