//! `nowd` says what time it is, and how far that can be trusted.
//!
//! This file is the table of contents. A start goes from the top of the list to the bottom, a request
//! from [`server`] to [`connection`] to [`routes`].

mod clock;
mod connection;
mod emf;
mod healthcheck;
mod listen;
mod log;
mod memory;
mod metrics;
mod now;
mod page;
mod problem;
mod query;
mod routes;
mod server;
mod settings;
mod state;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use settings::Command;

fn main() -> ExitCode {
    let outcome = match settings::read() {
        Command::Serve(settings) => serve(&settings),
        Command::Healthcheck(addresses) => return healthcheck::run(&addresses),
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

/// Binds first and logs second, so that a start that fails prints its one reason and nothing else.
fn serve(settings: &settings::Settings) -> anyhow::Result<()> {
    let listeners = listen::bind(&settings.listen, settings.threads)?;
    log::init(settings.log);
    let metrics = settings.metrics.clone().map(emf::Lines::new);
    let state = Arc::new(state::State::new(settings.max_clock_error));
    server::run(listeners, &state, settings.drain_delay, metrics)
}
