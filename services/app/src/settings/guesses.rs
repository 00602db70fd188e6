//! Flags of other programs that people try here, and the flag that does it.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::settings::flag_values::address;

/// What other programs call `--listen`.
const LISTEN: [&str; 15] = [
    "--port",
    "-p",
    "-P",
    "--http-port",
    "--listen-port",
    "--bind",
    "-b",
    "--host",
    "--address",
    "--addr",
    "-a",
    "--listen-address",
    "--interface",
    "-l",
    "--ip",
];

/// What other programs call `--admin-listen`.
const ADMIN_LISTEN: [&str; 4] = ["--admin-port", "--metrics-port", "--metrics-address", "--metrics-listen"];

/// Replaces clap's own tip when an argument is a flag of other programs, or an address without a flag.
pub(crate) fn add_tip(error: &mut clap::Error, arguments: &[OsString]) {
    let context = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return,
    };
    let Some(ContextValue::String(told)) = error.get(context) else { return };
    let Some(tip) = tip(told, arguments) else { return };
    for other in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue] {
        error.remove(other);
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
}

fn tip(told: &str, arguments: &[OsString]) -> Option<String> {
    if address(told).is_ok() {
        return Some(format!("to listen there, write '--listen {told}'"));
    }
    let flag = if LISTEN.contains(&told) {
        "--listen"
    } else if ADMIN_LISTEN.contains(&told) {
        "--admin-listen"
    } else {
        return None;
    };
    let value = value_of(told, arguments).unwrap_or_else(|| ":8080".to_owned());
    Some(format!("to choose the port and the address, use {flag}, such as '{flag} {value}'"))
}

/// The value that was given to that flag, if it is an address or a port.
fn value_of(flag: &str, arguments: &[OsString]) -> Option<String> {
    let mut rest = arguments.iter().map(|argument| argument.to_string_lossy());
    let attached = rest.find_map(|argument| argument.strip_prefix(flag).map(str::to_owned))?;
    let value = match attached.as_str() {
        "" => rest.next()?.into_owned(),
        attached => attached.trim_start_matches('=').to_owned(),
    };
    address(&value).ok()?;
    let is_port = value.bytes().all(|byte| byte.is_ascii_digit());
    Some(if is_port { format!(":{value}") } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tip_has_the_value_that_was_given() {
        for (arguments, expected) in [
            (&["--port", "9000"][..], "use --listen, such as '--listen :9000'"),
            (&["--port=9000"], "use --listen, such as '--listen :9000'"),
            (&["-p9000"], "use --listen, such as '--listen :9000'"),
            (&["--bind", "127.0.0.1:9000"], "use --listen, such as '--listen 127.0.0.1:9000'"),
            (&["--host", "0.0.0.0"], "use --listen, such as '--listen :8080'"),
            (&["--port"], "use --listen, such as '--listen :8080'"),
            (&["--metrics-port", "9090"], "use --admin-listen, such as '--admin-listen :9090'"),
            (&["9000"], "write '--listen 9000'"),
        ] {
            let all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            let told =
                if arguments[0].starts_with("-p") { "-p" } else { arguments[0].split('=').next().unwrap() };
            let tip = tip(told, &all).unwrap();
            assert!(tip.ends_with(expected), "{tip}");
        }
        assert_eq!(tip("--unknown", &["--unknown".into()]), None);
        assert_eq!(tip("unknown", &["unknown".into()]), None);
    }
}
