//! `nowcheck alert test NAME`: a message that says that nothing is wrong.

use std::process::ExitCode;

use anyhow::anyhow;
use nowcheck::clock::Clock;
use nowcheck_watch::alerts::{Context, test_message};
use tokio::signal::unix::SignalKind;

use crate::command_line::watch::AlertCommand;
use crate::diagnostics::Diagnostics;
use crate::runtime;
use crate::terminal::Stdout;

/// Sends it; exit code 0 if the receiver took it.
pub(crate) fn run(command: &AlertCommand, diagnostics: Diagnostics, clock: Clock) -> ExitCode {
    match test(command, clock) {
        Ok(sentence) => {
            // It was sent, whoever reads that.
            let _ = Stdout::new().write(&format!("{sentence}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => diagnostics.usage(&format!("{error:#}")).into(),
    }
}

fn test(command: &AlertCommand, clock: Clock) -> anyhow::Result<String> {
    let AlertCommand::Test { name, config } = command;
    let config = config.load().map_err(|errors| anyhow!("{errors}"))?;
    let Some(alert) = config.alerts.iter().find(|alert| alert.name == *name) else {
        let names: Vec<&str> = config.alerts.iter().map(|alert| alert.name.as_str()).collect();
        let names =
            if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
        return Err(anyhow!("the file has no [[alert]] with the name {name:?}; {names}"));
    };
    let monitor = config.server.name.clone().unwrap_or_else(nowcheck_watch::monitor::name_of_this_machine);
    let context = Context {
        monitor: &monitor,
        external_url: config.server.external_url.as_ref(),
        ..Context::default()
    };
    let runtime = runtime::start()?;
    let sent = runtime.block_on(async {
        // Whoever ends it ends the program of the alert, too.
        let (mut interrupt, mut terminate) =
            (super::on_signal(SignalKind::interrupt())?, super::on_signal(SignalKind::terminate())?);
        tokio::select! {
            sent = test_message(alert, &context, clock) => sent.map_err(|fault| anyhow!("alert {name:?}: {fault}")),
            _ = interrupt.recv() => Err(interrupted(name)),
            _ = terminate.recv() => Err(interrupted(name)),
        }
    });
    runtime.shutdown_background();
    sent
}

fn interrupted(name: &str) -> anyhow::Error {
    anyhow!("alert {name:?}: interrupted before the receiver had taken the message")
}
