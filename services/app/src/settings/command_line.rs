//! Reads the command line and the environment.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::settings::Command;
use crate::settings::flags::Cli;
use crate::settings::guesses;

/// Reads the command line and the environment. Exits with 2 when they are wrong.
pub(crate) fn read() -> Command {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // A health check must not fail because of a setting that it does not need.
    let is_check = arguments.iter().any(|argument| argument == "healthcheck");
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let command = Cli::command().mut_args(|arg| match arg.get_env().map(OsStr::to_owned) {
        // An empty variable counts as unset: this is how templates leave one out.
        Some(name) if is_empty(&name) || (is_check && name != "NOWD_LISTEN") => arg.env(None::<&str>),
        _ => arg,
    });
    let parsed = command
        .try_get_matches_from(&arguments)
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches))
        .map_err(|mut error| {
            guesses::add_tip(&mut error, &arguments);
            error.format(&mut Cli::command())
        });
    match parsed.and_then(Command::try_from) {
        Ok(command) => command,
        Err(error) => {
            // If even standard error is closed, there is nothing left to do.
            let _ = if error.use_stderr() {
                let variable = variable_of(&error, &arguments);
                let variable =
                    variable.map(|name| format!("; the value is that of the environment variable {name}"));
                let said = in_one_line(&error);
                writeln!(io::stderr(), "nowd: {said}{}; see `nowd --help`", variable.unwrap_or_default())
            } else {
                error.print()
            };
            std::process::exit(error.exit_code())
        }
    }
}

/// What clap says of a wrong command line, for a log in which each line stands alone.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let is_said = |line: &&str| !line.is_empty() && !line.starts_with("For more information");
    let said = lines.filter(is_said).collect::<Vec<_>>().join("; ").replace(":; ", ": ");
    said.strip_prefix("error: ").unwrap_or(&said).to_owned()
}

/// The environment variable that the wrong value came from, if it was one.
fn variable_of(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(told)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = told.split(' ').next()?;
    let is_given = |argument: &OsString| argument.to_string_lossy().split('=').next() == Some(flag);
    if arguments.iter().any(is_given) {
        return None;
    }
    let command = Cli::command();
    let arg =
        command.get_arguments().find(|arg| arg.get_long().is_some_and(|long| flag == format!("--{long}")))?;
    Some(arg.get_env()?.to_string_lossy().into_owned())
}
