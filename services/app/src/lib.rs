//! `nowd` says what time it is, and how far that can be trusted.
//!
//! The program `nowd` is [`run`] and nothing else. A request goes from `worker` to `connection` to `routes`.

mod access_log;
mod admin;
mod clock;
mod clock_bound;
mod clock_status;
mod coding;
mod command_line;
mod connection;
mod counter;
mod emf;
mod files;
mod flag_values;
#[doc(hidden)]
pub mod fuzzing;
mod gzip;
mod healthcheck;
mod host;
mod instruments;
mod latency;
mod link;
mod listen;
mod log;
mod metrics;
mod now;
mod open_files;
mod output;
mod page;
mod problem;
mod prometheus;
mod pulse;
mod query;
mod request_line;
mod reserve;
mod routes;
mod scrape;
mod seats;
mod server;
mod settings;
mod start;
mod state;
mod system;
mod trace_context;
mod trust;
mod wire;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

use settings::Command;

/// Does what the command line and the environment say, and returns the exit code of the process.
///
/// A command line that cannot be understood ends the process with exit code 2.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match command_line::read() {
        Command::Serve(settings) => start::serve(&settings),
        Command::Healthcheck(check) => return healthcheck::run(&check),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done when even standard error is closed.
            let _ = writeln!(std::io::stderr(), "nowd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
