//! The process: its threads, its signals, and how it comes to an end.
//!
//! Each worker thread has a runtime, listeners and counters of its own (`worker.rs`). The main thread waits for signals
//! and does the housekeeping (`housekeeping.rs`), which wakes the workers once a second. So workers need no timers, and
//! wait for the network without a timeout, which costs the kernel less.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::clock::source::{BoundSource, ClockStatusSource};
use crate::connection::limit::ConnectionLimit;
use crate::logging::background_writer::BackgroundWriter;
use crate::metrics::admin_listener;
use crate::metrics::emf;
use crate::metrics::{Counters, Totals};
use crate::process::housekeeping::{self, Housekeeping};
use crate::process::listen::Listeners;
use crate::process::metric_sources::MetricSources;
use crate::process::shutdown::{Signals, wait_for_shutdown};
use crate::process::worker::{Lifecycle, Worker};
use crate::readiness::ServiceState;
use crate::settings::{ClientLimits, Settings};

/// How long the last lines may take to be read. Whoever does not read them must not keep the process from ending.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// What a process serves with, besides its settings.
pub(crate) struct Server {
    pub(crate) listeners: Listeners,
    /// As bound, and the listener.
    pub(crate) admin: Option<(SocketAddr, std::net::TcpListener)>,
    pub(crate) source: ClockStatusSource,
    /// Where the first bound came from.
    pub(crate) bound_source: Option<BoundSource>,
    pub(crate) service_state: Arc<ServiceState>,
    /// As far as the limit on open files allows what was asked for.
    pub(crate) limits: ClientLimits,
    /// Places of each thread beyond that limit of connections.
    pub(crate) reserve: usize,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
    /// Standard output, for metric lines and the access log, and standard error.
    pub(crate) out: Arc<BackgroundWriter>,
    pub(crate) err: Arc<BackgroundWriter>,
}

/// Serves until a signal ends it. SIGTERM drains first: for `drain_delay` it serves on while `/readyz` turns clients
/// away. SIGINT, or a second signal, ends it at once.
pub(crate) fn run(server: Server, settings: &Settings) -> anyhow::Result<()> {
    let Server { listeners, admin, source, bound_source, service_state, limits, reserve, warnings, out, err } =
        server;
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let (lifecycle, _) = watch::channel(Lifecycle::Serving);
    let (ended, mut all_ended) = mpsc::unbounded_channel();

    // Before anything that a signal would have to end.
    let mut signals = {
        let _context = runtime.enter();
        Signals::new()?
    };
    let connection_limit = Arc::new(ConnectionLimit::new(limits.connections));
    let addresses = listeners.addresses;
    let mut threads = Vec::new();
    let mut counters = Vec::new();
    for (number, listeners) in listeners.of_threads.into_iter().enumerate() {
        let own = Arc::new(Counters::default());
        counters.push(Arc::clone(&own));
        let worker = Worker {
            listeners,
            service_state: Arc::clone(&service_state),
            connection_limit: Arc::clone(&connection_limit),
            counters: own,
            limits,
            reserve,
            sender: settings.access_log.then(|| out.batched_sender()),
            lifecycle: lifecycle.subscribe(),
        };
        let ended = ended.clone();
        let work = move || {
            // Nobody listens any more only when the process is about to end.
            let _ = ended.send(worker.run());
        };
        let name = format!("nowd-{number}");
        threads.push(thread::Builder::new().name(name).spawn(work).context("cannot start a thread")?);
    }
    drop(ended);

    let metrics = settings.metrics.clone().map(|name| (emf::EmfWriter::new(name), out.sender()));
    let metric_sources = MetricSources {
        service_state: Arc::clone(&service_state),
        connection_limit,
        counters,
        writers: [Arc::clone(&out), Arc::clone(&err)],
    };
    let mut housekeeping =
        Housekeeping::new(source, settings.max_clock_error, metric_sources.clone(), metrics);
    let outcome = runtime.block_on(async {
        announce(&addresses, admin.as_ref().map(|(address, _)| *address), limits, settings, &service_state.instance);
        for warning in warnings {
            warn!("{warning}");
        }
        housekeeping::log_bound_source(bound_source);
        if let Some((_, listener)) = admin {
            let metric_sources = metric_sources.clone();
            tokio::spawn(async move {
                if let Err(error) = admin_listener::serve(listener, move || metric_sources.snapshot().prometheus_text()).await {
                    warn!("nothing can be read at --admin-listen: {error}");
                }
            });
        }
        tokio::select! {
            outcome = wait_for_shutdown(&mut signals, &service_state, &lifecycle, settings.drain_delay, &mut all_ended) => outcome,
            () = housekeeping.run(&lifecycle) => Ok(()),
        }
    });
    lifecycle.send_replace(Lifecycle::Stopped);
    for thread in threads {
        // A panic ends the process before it could be seen here.
        let _ = thread.join();
    }
    // What happened since the last minute was over.
    housekeeping.write_metrics();
    // Before the last line, which says how many others were lost.
    out.finish(FLUSH_TIMEOUT);
    let (totals, dropped) = (Totals::of(&metric_sources.counters), metric_sources.dropped_lines());
    let requests = totals.requests();
    let lost =
        if dropped > 0 { format!("; lines that nobody read in time: {dropped}") } else { String::new() };
    let s = if requests == 1 { "" } else { "s" };
    info!(requests, dropped_lines = dropped, "stopped after {requests} request{s}{totals}{lost}");
    err.finish(FLUSH_TIMEOUT);
    outcome
}

/// The first line of the log: where it listens, and for programs all settings.
fn announce(
    addresses: &[SocketAddr],
    admin: Option<SocketAddr>,
    limits: ClientLimits,
    settings: &Settings,
    instance: &str,
) {
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    info!(
        version = env!("CARGO_PKG_VERSION"),
        instance,
        listen = ?urls,
        admin_listen = admin.map(|address| format!("http://{address}")),
        threads = settings.threads,
        max_connections = limits.connections,
        max_head_bytes = limits.head_bytes,
        max_headers = limits.headers,
        head_timeout = limits.head_seconds,
        idle_timeout = limits.idle_seconds,
        max_clock_error = settings.max_clock_error.map(|limit| limit.as_secs_f64()),
        clock_bound = settings.clock_bound.as_ref().map(|path| path.display().to_string()),
        drain_delay = settings.drain_delay.as_secs_f64(),
        log = settings.log.name(),
        access_log = settings.access_log,
        metrics = settings.metrics.as_ref().map(|_| "emf"),
        metrics_environment = settings.metrics.as_deref(),
        "nowd {} listening on {}",
        env!("CARGO_PKG_VERSION"),
        urls.join(" ")
    );
    if let Some(admin) = admin {
        info!("metrics are at http://{admin}/metrics");
    }
}
