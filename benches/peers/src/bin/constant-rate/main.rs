//! Sends requests at a constant rate, whatever comes back, and prints the latencies as one JSON object.
//!
//! Each request has an intended time on a fixed grid, and the connections take turns. If the connection whose turn it is
//! still waits for an answer, the request is queued for it. Its latency counts from the intended time nonetheless, so a
//! server that stalls cannot hide the requests that it delayed (coordinated omission).
//!
//! One thread that never sleeps: give it a core of its own. "measuring" on standard error says that the warm-up is over.

mod answers;
mod arguments;
mod connection;
mod generator;
mod report;

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(line) if writeln!(std::io::stdout(), "{line}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<String> {
    let arguments = arguments::Arguments::parse(std::env::args().skip(1))?;
    Ok(report::json(&generator::Generator::connect(&arguments)?.run()?))
}
