//! A start: from the settings to a process that serves.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::clock::Source;
use crate::listen;
use crate::log;
use crate::open_files;
use crate::output::Outlet;
use crate::reserve::MOST_EXTRA;
use crate::server::{self, Equipment};
use crate::settings::{IDLE_SECONDS_OF_BALANCERS, Limits, Settings};
use crate::state::State;

/// How long the last lines may take to be read. Whoever does not read them must not keep the process from ending.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Files that every process has open, with room to spare.
const FILES: usize = 48;

/// Files that every thread has open, besides a listener for each address.
const FILES_OF_A_THREAD: usize = 8;

/// Binds first and logs second, so that a start that fails prints its one reason and nothing else.
pub(crate) fn serve(settings: &Settings) -> anyhow::Result<()> {
    let listeners = listen::bind(&settings.listen, settings.threads)?;
    let admin = settings.admin_listen.map(listen::bind_admin).transpose()?;
    let out = Arc::new(Outlet::new("nowd-out", io::stdout()).context("cannot start a thread")?);
    let err = Arc::new(Outlet::new("nowd-err", io::stderr()).context("cannot start a thread")?);
    log::init(settings.log, err.pen());

    let others = FILES + settings.threads * (FILES_OF_A_THREAD + settings.listen.len() + MOST_EXTRA);
    let needed = settings.limits.connections + others;
    let files = usize::try_from(open_files::allow(needed as u64)).unwrap_or(usize::MAX);
    let mut limits = settings.limits;
    limits.connections = limits.connections.min(files.saturating_sub(others)).max(1);

    let mut source = Source::new(settings.clock_bound.clone());
    let (status, believed) = source.read();
    let equipment = Equipment {
        listeners,
        admin,
        source,
        believed,
        state: Arc::new(State::new(status, settings.max_clock_error, limits.connections)),
        limits,
        warnings: warnings(settings, &limits, files, needed),
        out: Arc::clone(&out),
        err: Arc::clone(&err),
    };
    let outcome = server::run(equipment, settings);
    out.finish(LAST_LINES);
    err.finish(LAST_LINES);
    outcome
}

/// What the operator should know about what was asked for, and what it became.
fn warnings(settings: &Settings, given: &Limits, files: usize, needed: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let asked = &settings.limits;
    if given.connections < asked.connections {
        warnings.push(format!(
            "the limit on open files is {files}, which allows {} connections instead of {}: raise it to {needed} \
             (ulimit -n), or lower --max-connections",
            given.connections, asked.connections
        ));
    }
    if given.idle_seconds <= IDLE_SECONDS_OF_BALANCERS {
        warnings.push(format!(
            "--idle-timeout {} s does not outlast the {IDLE_SECONDS_OF_BALANCERS} s for which load balancers keep a \
             connection: behind one, raise it or expect some answers of 502",
            given.idle_seconds
        ));
    }
    if let Some(everywhere) = settings.admin_listen.filter(|address| address.ip().is_unspecified()) {
        warnings.push(format!(
            "--admin-listen {everywhere} is every address of this machine: whoever reaches one of them reads /metrics; name \
             a private address, such as 127.0.0.1:{}",
            everywhere.port()
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::LogFormat;

    const USUAL: Limits =
        Limits { connections: 10_000, head_bytes: 16_384, headers: 100, head_seconds: 10, idle_seconds: 75 };

    fn settings(limits: Limits, admin_listen: Option<&str>) -> Settings {
        Settings {
            listen: vec![],
            threads: 1,
            admin_listen: admin_listen.map(|address| address.parse().unwrap()),
            limits,
            max_clock_error: None,
            clock_bound: None,
            drain_delay: Duration::ZERO,
            log: LogFormat::Text,
            access_log: false,
            metrics: None,
        }
    }

    #[test]
    fn usual_settings_are_no_reason_to_warn() {
        assert!(warnings(&settings(USUAL, Some("127.0.0.1:9090")), &USUAL, 20_000, 10_200).is_empty());
    }

    #[test]
    fn limits_that_cannot_be_kept_or_break_a_balancer_are_told_with_what_to_do() {
        let given = Limits { connections: 8_000, idle_seconds: 60, ..USUAL };
        let asked = settings(Limits { idle_seconds: 60, ..USUAL }, None);
        let warnings = warnings(&asked, &given, 8_192, 10_200);
        assert_eq!(warnings.len(), 2);
        assert!(
            warnings[0].starts_with("the limit on open files is 8192, which allows 8000 connections"),
            "{warnings:?}"
        );
        assert!(warnings[1].contains("--idle-timeout 60 s"), "{warnings:?}");
    }

    #[test]
    fn metrics_for_everybody_are_told() {
        for everywhere in ["0.0.0.0:9090", "[::]:9090"] {
            let warnings = warnings(&settings(USUAL, Some(everywhere)), &USUAL, 20_000, 10_200);
            assert!(warnings.len() == 1 && warnings[0].contains("such as 127.0.0.1:9090"), "{warnings:?}");
        }
    }
}
