//! The start: from the settings to a process that serves.

use std::io;
use std::sync::Arc;

use anyhow::Context as _;

use crate::clock::ecs_metadata::endpoint::{self, Endpoint};
use crate::clock::ecs_metadata::poll::LatestStatement;
use crate::clock::source::ClockStatusSource;
use crate::logging::background_writer::BackgroundWriter;
use crate::logging::log_format;
use crate::process::instance::random_instance;
use crate::process::listen;
use crate::process::open_files::{self, FileBudget};
use crate::process::server::Server;
use crate::readiness::ServiceState;
use crate::settings::{BALANCER_IDLE_SECONDS, ClientLimits, ClockSource, Settings};

/// Binds first and logs second, so that a failed start prints its reason and nothing else.
pub(crate) fn serve(settings: &Settings) -> anyhow::Result<()> {
    let files = FileBudget::share_out(settings, |needed| {
        usize::try_from(open_files::allow(needed as u64)).unwrap_or(usize::MAX)
    })?;
    let metadata = match settings.clock_source {
        ClockSource::EcsMetadata => Some(Endpoint::new(std::env::var_os(endpoint::VARIABLE))?),
        ClockSource::Kernel | ClockSource::ClockBound(_) => None,
    };
    let listeners = listen::bind(&settings.listen, settings.threads)?;
    let admin = settings.admin_listen.map(listen::bind_admin).transpose()?;
    let out = Arc::new(BackgroundWriter::new("nowd-out", io::stdout()).context("cannot start a thread")?);
    let err = Arc::new(BackgroundWriter::new("nowd-err", io::stderr()).context("cannot start a thread")?);
    log_format::init(settings.log, err.sender());

    let FileBudget { limit: files, needed, connections, reserve } = files;
    let mut limits = settings.limits;
    limits.connections = connections;

    let latest = LatestStatement::default();
    let mut source = match &settings.clock_source {
        ClockSource::Kernel => ClockStatusSource::kernel(),
        ClockSource::ClockBound(path) => ClockStatusSource::clock_bound(path.clone()),
        ClockSource::EcsMetadata => ClockStatusSource::ecs_metadata(latest.clone()),
    };
    let (status, bound_source) = source.read();
    let server = Server {
        listeners,
        admin,
        source,
        bound_source,
        metadata: metadata.map(|endpoint| (endpoint, latest)),
        service_state: Arc::new(ServiceState::new(random_instance(), status, settings.max_clock_error)),
        limits,
        reserve,
        warnings: warnings(settings, &limits, files, needed),
        out,
        err,
    };
    server.run(settings)
}

/// Settings that cannot be kept, or may cause trouble.
fn warnings(settings: &Settings, given: &ClientLimits, files: usize, needed: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let asked = &settings.limits;
    if given.connections < asked.connections {
        warnings.push(format!(
            "the limit on open files is {files}, which allows {} connections instead of {}: raise it \
             to {needed} (ulimit -n), or lower --max-connections",
            given.connections, asked.connections
        ));
    }
    if given.idle_seconds <= BALANCER_IDLE_SECONDS {
        warnings.push(format!(
            "--idle-timeout {} s is not longer than the {BALANCER_IDLE_SECONDS} s for which load balancers keep \
             a connection: behind one, raise it, or expect some 502 answers",
            given.idle_seconds
        ));
    }
    if let Some(everywhere) = settings.admin_listen.filter(|address| address.ip().is_unspecified()) {
        warnings.push(format!(
            "--admin-listen {everywhere} means every address of this machine: anybody who reaches one of them \
             can read /metrics; use a private address, such as 127.0.0.1:{}",
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
            clock_source: ClockSource::Kernel,
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
