//! A start: from the settings to a process that serves.

use std::io;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::clock::ClockStatusSource;
use crate::logging::background_writer::BackgroundWriter;
use crate::logging::log_format;
use crate::process::listen;
use crate::process::open_files;
use crate::process::server::{self, Server};
use crate::readiness::ServiceState;
use crate::settings::{BALANCER_IDLE_SECONDS, ClientLimits, Settings};

/// Files that every process has open, with room to spare.
const PROCESS_FILES: usize = 48;

/// Files that every thread has open, besides a listener for each address.
const FILES_PER_THREAD: usize = 8;

/// Places beyond the limit of connections that all threads have together.
const RESERVED_CONNECTIONS: usize = 256;

/// Of them, those that each thread has at least.
const MIN_RESERVED_PER_THREAD: usize = 8;

/// Binds first and logs second, so that a start that fails prints its one reason and nothing else.
pub(crate) fn serve(settings: &Settings) -> anyhow::Result<()> {
    let files = FileBudget::share_out(settings, |needed| {
        usize::try_from(open_files::allow(needed as u64)).unwrap_or(usize::MAX)
    })?;
    let listeners = listen::bind(&settings.listen, settings.threads)?;
    let admin = settings.admin_listen.map(listen::bind_admin).transpose()?;
    let out = Arc::new(BackgroundWriter::new("nowd-out", io::stdout()).context("cannot start a thread")?);
    let err = Arc::new(BackgroundWriter::new("nowd-err", io::stderr()).context("cannot start a thread")?);
    log_format::init(settings.log, err.sender());

    let FileBudget { limit: files, needed, connections, reserve } = files;
    let mut limits = settings.limits;
    limits.connections = connections;

    let mut source = ClockStatusSource::new(settings.clock_bound.clone());
    let (status, bound_source) = source.read();
    let server = Server {
        listeners,
        admin,
        source,
        bound_source,
        service_state: Arc::new(ServiceState::new(status, settings.max_clock_error)),
        limits,
        reserve,
        warnings: warnings(settings, &limits, files, needed),
        out,
        err,
    };
    server::run(server, settings)
}

/// What the limit on open files is spent on.
#[derive(Debug, PartialEq, Eq)]
struct FileBudget {
    limit: usize,
    /// What it would have to be.
    needed: usize,
    connections: usize,
    /// Places of each thread beyond those connections. As many again may be about to end at any moment.
    reserve: usize,
}

impl FileBudget {
    /// `allow` raises the limit to what is needed, as far as it may, and says what it is then.
    fn share_out(settings: &Settings, allow: impl FnOnce(usize) -> usize) -> anyhow::Result<Self> {
        let threads = settings.threads;
        let own = PROCESS_FILES + threads * (FILES_PER_THREAD + settings.listen.len());
        let asked = settings.limits.connections;
        let of_each = |reserve: usize| reserve.div_ceil(threads).max(MIN_RESERVED_PER_THREAD);
        let with_reserve = |reserve: usize| own + 2 * threads * of_each(reserve);
        let needed = asked + with_reserve(RESERVED_CONNECTIONS);
        let limit = allow(needed);
        // Where files are few, the reserve takes a small part of them.
        let reserve = RESERVED_CONNECTIONS.min(limit / 32);
        let Some(connections) = limit.checked_sub(with_reserve(reserve)).filter(|&left| left > 0) else {
            let least = with_reserve(0) + 1;
            bail!(
                "the limit on open files is {limit}, and nowd needs {least} for one connection: raise it (ulimit -n)"
            );
        };
        Ok(Self { limit, needed, connections: asked.min(connections), reserve: of_each(reserve) })
    }
}

/// What the operator should know about what was asked for, and what it became.
fn warnings(settings: &Settings, given: &ClientLimits, files: usize, needed: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let asked = &settings.limits;
    if given.connections < asked.connections {
        warnings.push(format!(
            "the limit on open files is {files}, which allows {} connections instead of {}: raise it to {needed} \
             (ulimit -n), or lower --max-connections",
            given.connections, asked.connections
        ));
    }
    if given.idle_seconds <= BALANCER_IDLE_SECONDS {
        warnings.push(format!(
            "--idle-timeout {} s does not outlast the {BALANCER_IDLE_SECONDS} s for which load balancers keep a \
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
    use std::time::Duration;

    use super::*;
    use crate::settings::LogFormat;

    const USUAL: ClientLimits = ClientLimits {
        connections: 10_000,
        head_bytes: 16_384,
        headers: 100,
        head_seconds: 10,
        idle_seconds: 75,
    };

    fn settings(limits: ClientLimits, admin_listen: Option<&str>) -> Settings {
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
    fn files_go_to_the_program_first_then_to_a_reserve_and_the_rest_to_connections() {
        let two_threads =
            Settings { threads: 2, listen: vec!["127.0.0.1:1".parse().unwrap()], ..settings(USUAL, None) };
        let own = PROCESS_FILES + 2 * (FILES_PER_THREAD + 1);
        let shared = |limit: usize| FileBudget::share_out(&two_threads, |_| limit);
        let plenty = shared(100_000).unwrap();
        assert_eq!((plenty.connections, plenty.reserve), (10_000, RESERVED_CONNECTIONS / 2));
        assert_eq!(plenty.needed, 10_000 + own + 2 * RESERVED_CONNECTIONS);
        assert_eq!(shared(plenty.needed).unwrap().connections, 10_000);
        assert_eq!(shared(plenty.needed - 1).unwrap().connections, 9_999);
        let few = shared(300).unwrap();
        assert_eq!(
            (few.connections, few.reserve),
            (300 - own - 2 * 2 * MIN_RESERVED_PER_THREAD, MIN_RESERVED_PER_THREAD)
        );
        let least = own + 2 * 2 * MIN_RESERVED_PER_THREAD + 1;
        assert_eq!(shared(least).unwrap().connections, 1);
        let error = shared(least - 1).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("needs {least} for one connection: raise it (ulimit -n)")),
            "{error}"
        );
    }

    #[test]
    fn usual_settings_are_no_reason_to_warn() {
        assert!(warnings(&settings(USUAL, Some("127.0.0.1:9090")), &USUAL, 20_000, 10_200).is_empty());
    }

    #[test]
    fn limits_that_cannot_be_kept_or_break_a_balancer_are_told_with_what_to_do() {
        let given = ClientLimits { connections: 8_000, idle_seconds: 60, ..USUAL };
        let asked = settings(ClientLimits { idle_seconds: 60, ..USUAL }, None);
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
