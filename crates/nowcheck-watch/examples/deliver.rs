//! Sends one message to an alert of a configuration, once: `deliver FILE NAME < MESSAGE.json`. The system tests drive the
//! library with it. It prints nothing and exits with 0, or prints why the message was not delivered, or not to all recipients,
//! and exits with 1.

use std::error::Error;
use std::io::{Read as _, Write as _, stderr, stdin};
use std::path::Path;
use std::process::ExitCode;

use nowcheck::clock::Clock;
use nowcheck_watch::alerts::{Deferred, Transport};
use nowcheck_watch::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match deliver().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told.
            let _ = writeln!(stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn deliver() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: deliver FILE NAME < MESSAGE.json")?;
    let name = arguments.next().ok_or("usage: deliver FILE NAME < MESSAGE.json")?;
    let config = Config::load(Path::new(&file))?;
    let alert = config.alerts.iter().find(|alert| alert.name == name).ok_or("there is no such alert")?;
    let mut body = String::new();
    stdin().read_to_string(&mut body)?;
    let left_out = Transport::new(alert, Clock::start()).send(body.trim_end(), Deferred::AreLeftOut).await?;
    left_out.map_or(Ok(()), |fault| Err(fault.into()))
}
