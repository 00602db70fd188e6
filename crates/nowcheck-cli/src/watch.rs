//! `nowcheck watch`, `nowcheck config` and `nowcheck alert`: what the library of the monitor does, with signals and standard output.

pub(crate) mod alert;
mod table;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use nowcheck::clock::Clock;
use nowcheck_watch::config::{self, Config, ConfigErrors, Shorthand};
use nowcheck_watch::log::{Log, LogEvent, LogRecord};
use nowcheck_watch::monitor::{Command, Monitor, Setup};
use nowcheck_watch::timestamps::now;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::charset::Charset;
use crate::command_line::watch::{ConfigCommand, LogFormat, WatchArguments};
use crate::config_source::ConfigSource;
use crate::diagnostics::Diagnostics;
use crate::history_file;
use crate::open_files;
use crate::runtime;
use crate::terminal::{BackgroundWriter, Stdout};
use table::Table;

/// What stands in the table instead of lines for CloudWatch.
const HIDDEN_LINES: &str = "export emf: its lines are not written to a terminal; set path in its [[export]], or pipe standard output to a program";

/// Watches until a signal ends it; exit code 0 then.
pub(crate) fn run(arguments: &WatchArguments, diagnostics: Diagnostics, clock: Clock) -> ExitCode {
    match watch(arguments, clock) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<ConfigErrors>() {
            Some(errors) => diagnostics.file(&errors.to_string()).into(),
            None => diagnostics.usage(&format!("{error:#}")).into(),
        },
    }
}

/// Checks a configuration, or prints what there is to configure.
pub(crate) fn configure(command: &ConfigCommand, diagnostics: Diagnostics) -> ExitCode {
    let text = match command {
        ConfigCommand::Check { file } => match file.load() {
            Ok(config) => {
                for warning in config.warnings().into_iter().chain(config.hints()) {
                    diagnostics.aside(&format!("{file}: {warning}"));
                }
                let checks = config.checks.len();
                format!("{file}: valid, {checks} {}\n", if checks == 1 { "check" } else { "checks" })
            }
            Err(errors) => return diagnostics.file(&errors.to_string()).into(),
        },
        ConfigCommand::Schema => config::schema(),
        ConfigCommand::Example => config::example(),
    };
    match Stdout::new().write(&text) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => diagnostics.unknown(&format!("standard output cannot be written: {error}")).into(),
    }
}

fn watch(arguments: &WatchArguments, clock: Clock) -> anyhow::Result<()> {
    let config = configuration(arguments)?;
    let runtime = runtime::start()?;
    let (log, records) = Log::new();
    let file = arguments.config.as_ref().and_then(ConfigSource::file).map(Path::to_path_buf);
    let setup = Setup { config, file, open_files: open_files::raise_limit(), log };
    let ended = runtime.block_on(async {
        let commands = signals()?;
        let monitor = Monitor::start(setup, clock)?;
        let table =
            if arguments.log == LogFormat::Text { Table::on_a_terminal(monitor.board()) } else { None };
        let printing = tokio::spawn(print(records, arguments.log, table.map(|table| (table, clock))));
        monitor.run(commands).await;
        // Its last record ends the printing.
        let _ = printing.await;
        Ok(())
    });
    // A resolver's thread may still wait for an answer that nobody wants any more.
    runtime.shutdown_background();
    ended
}

fn configuration(arguments: &WatchArguments) -> anyhow::Result<Config> {
    if let Some(source) = &arguments.config {
        return Ok(source.load()?);
    }
    let shorthand = Shorthand {
        urls: arguments.urls.clone(),
        every: arguments.every,
        listen: arguments.listen,
        history: history(arguments.history.as_deref())?,
        trust_system_clock: arguments.trust_system_clock,
    };
    Ok(Config::of_shorthand(&shorthand)?)
}

/// The file of the history; its folder is made if it is the default one.
fn history(given: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    if let Some(given) = given {
        return Ok((given.as_os_str() != "none").then(|| given.to_path_buf()));
    }
    let file = history_file::default().ok_or_else(|| {
        anyhow!("there is no folder for the history: say --history FILE, or --history none")
    })?;
    let folder = file.parent().unwrap_or(&file);
    std::fs::create_dir_all(folder).with_context(|| {
        format!("the folder {} cannot be made: say --history FILE, or --history none", folder.display())
    })?;
    Ok(Some(file))
}

/// A signal that is waited for, instead of ending this program.
fn on_signal(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be waited for")
}

/// The commands that signals give.
fn signals() -> anyhow::Result<mpsc::Receiver<Command>> {
    let (hangup, interrupt, terminate) = (
        on_signal(SignalKind::hangup())?,
        on_signal(SignalKind::interrupt())?,
        on_signal(SignalKind::terminate())?,
    );
    let (sender, commands) = mpsc::channel(4);
    let began_on_a_terminal = std::io::stdout().is_terminal();
    // The signal says that too when the terminal was closed. Then it is none any more.
    let of_hangup = move || {
        let is_closed = began_on_a_terminal && !std::io::stdout().is_terminal();
        if is_closed { Command::Stop } else { Command::Reload }
    };
    tokio::spawn(forward(hangup, of_hangup, sender.clone()));
    tokio::spawn(forward(interrupt, || Command::Stop, sender.clone()));
    tokio::spawn(forward(terminate, || Command::Stop, sender));
    Ok(commands)
}

async fn forward(mut signal: Signal, command: impl Fn() -> Command, commands: mpsc::Sender<Command>) {
    while signal.recv().await.is_some() && commands.send(command()).await.is_ok() {}
}

/// Prints records as they come, up to the last one of the monitor; on a terminal below a live table.
async fn print(
    mut records: mpsc::UnboundedReceiver<LogRecord>,
    format: LogFormat,
    mut table: Option<(Table, Clock)>,
) {
    let mut knows_of_hidden_lines = false;
    // Without a thread for the output, the monitor still watches.
    let Ok(mut lines) = BackgroundWriter::start() else { return };
    let charset = Charset::of_locale();
    let mut redraw = tokio::time::interval(table::DRAWN_EVERY);
    loop {
        let record = tokio::select! {
            record = records.recv() => record,
            _ = redraw.tick(), if table.is_some() => {
                if let Some((table, clock)) = &table {
                    lines.write(table.drawn(now(*clock)));
                }
                continue;
            }
        };
        let Some(record) = record else { break };
        let text = match (&record.event, format) {
            // They are for a program. People who look at a table have no use for them, but may miss them.
            (LogEvent::Metrics { .. }, _) if table.is_some() => {
                if std::mem::replace(&mut knows_of_hidden_lines, true) {
                    continue;
                }
                format!("{:.0} {HIDDEN_LINES}", record.at)
            }
            (LogEvent::Metrics { line }, _) => line.clone(),
            (_, LogFormat::Text) => format!("{:.0} {}", record.at, record.event),
            (_, LogFormat::Json) => serde_json::to_string(&record).unwrap_or_default(),
        };
        if let Some((table, clock)) = &mut table {
            table.add(&text);
            lines.write(table.drawn(now(*clock)));
        } else {
            let is_json = format == LogFormat::Json || matches!(record.event, LogEvent::Metrics { .. });
            let text = if is_json { charset.encoded_json(&text) } else { charset.encoded(&text) };
            lines.write(format!("{text}\n"));
        }
        if record.event.is_last() {
            break;
        }
    }
    let _ = lines.finish().await;
}
