//! The threads of the process.
//!
//! Each worker thread has a runtime, listeners and counters of its own (`worker.rs`). The main thread waits for signals
//! and does the housekeeping (`housekeeping.rs`), which wakes the workers once a second. So workers need no timers, and
//! wait for the network without a timeout, which costs the kernel less.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::clock::ecs_metadata::endpoint::Endpoint;
use crate::clock::ecs_metadata::poll::{LatestStatement, poll};
use crate::clock::source::{BoundSource, ClockStatusSource};
use crate::connection::limit::ConnectionLimit;
use crate::logging::background_writer::BackgroundWriter;
use crate::metrics::admin_listener;
use crate::metrics::emf::EmfWriter;
use crate::metrics::{Counters, Totals};
use crate::process::housekeeping::{self, Housekeeping};
use crate::process::listen::Listeners;
use crate::process::metric_sources::MetricSources;
use crate::process::shutdown::{Signals, wait_for_shutdown};
use crate::process::worker::{Lifecycle, Worker};
use crate::readiness::ServiceState;
use crate::settings::{ClientLimits, Settings};

/// How long the process waits at its end for the last lines to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// What a process serves with, besides its settings.
pub(crate) struct Server {
    pub(crate) listeners: Listeners,
    /// As bound, and the listener.
    pub(crate) admin: Option<(SocketAddr, TcpListener)>,
    pub(crate) source: ClockStatusSource,
    /// The source of the first bound.
    pub(crate) bound_source: Option<BoundSource>,
    /// The task metadata endpoint to poll, if it is the source, and where its statements go.
    pub(crate) metadata: Option<(Endpoint, LatestStatement)>,
    pub(crate) service_state: Arc<ServiceState>,
    /// As set, or lower where the limit on open files does not allow that.
    pub(crate) limits: ClientLimits,
    /// Reserved connections of each thread, beyond that limit.
    pub(crate) reserve: usize,
    /// Warnings for the operator.
    pub(crate) warnings: Vec<String>,
    /// Standard output, for metric lines and the access log, and standard error.
    pub(crate) out: Arc<BackgroundWriter>,
    pub(crate) err: Arc<BackgroundWriter>,
}

impl Server {
    /// Serves until a signal ends it. SIGTERM drains first: for `drain_delay` the process serves on while `/readyz`
    /// answers 503. SIGINT, or a second signal, ends it at once.
    pub(crate) fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let Self { listeners, admin, source, bound_source, service_state, limits, reserve, .. } = self;
        let (out, err) = (self.out, self.err);
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
        let (lifecycle, _) = watch::channel(Lifecycle::Serving);
        // Before any thread is started, so that no signal is missed.
        let mut signals = {
            let _context = runtime.enter();
            Signals::new()?
        };
        let connection_limit = Arc::new(ConnectionLimit::new(limits.connections));
        let mut workers = Workers::start(listeners.of_threads, |listeners, counters| Worker {
            listeners,
            service_state: Arc::clone(&service_state),
            connection_limit: Arc::clone(&connection_limit),
            counters,
            limits,
            reserve,
            sender: settings.access_log.then(|| out.batched_sender()),
            lifecycle: lifecycle.subscribe(),
        })?;
        let metric_sources = MetricSources {
            service_state: Arc::clone(&service_state),
            connection_limit,
            counters: workers.counters.clone(),
            writers: [Arc::clone(&out), Arc::clone(&err)],
        };
        let metric_lines = settings.metrics.clone().map(|name| (EmfWriter::new(name), out.sender()));
        let mut housekeeping =
            Housekeeping::new(source, settings.max_clock_error, metric_sources.clone(), metric_lines);
        let outcome = runtime.block_on(async {
            let admin_address = admin.as_ref().map(|(address, _)| *address);
            announce(&listeners.addresses, admin_address, limits, settings, &service_state.instance);
            for warning in self.warnings {
                warn!("{warning}");
            }
            housekeeping::log_bound_source(bound_source);
            if let Some((endpoint, latest)) = self.metadata {
                tokio::spawn(poll(endpoint, latest));
            }
            if let Some((_, listener)) = admin {
                tokio::spawn(serve_metrics(listener, metric_sources.clone()));
            }
            let all_ended = &mut workers.all_ended;
            let shutdown =
                wait_for_shutdown(&mut signals, &service_state, &lifecycle, settings.drain_delay, all_ended);
            tokio::select! {
                outcome = shutdown => outcome,
                () = housekeeping.run(&lifecycle) => Ok(()),
            }
        });
        lifecycle.send_replace(Lifecycle::Stopped);
        workers.join();
        // The metrics since the last whole minute.
        housekeeping.write_metrics();
        // Before the last log line, which says how many lines were lost.
        out.finish(FLUSH_TIMEOUT);
        log_totals(&metric_sources);
        err.finish(FLUSH_TIMEOUT);
        outcome
    }
}

/// The threads that serve.
struct Workers {
    threads: Vec<JoinHandle<()>>,
    /// Those of each thread.
    counters: Vec<Arc<Counters>>,
    /// Receives the result of each thread, and nothing more once all have ended.
    all_ended: mpsc::UnboundedReceiver<io::Result<()>>,
}

impl Workers {
    /// Starts a thread for each set of listeners.
    fn start(
        listeners: Vec<Vec<TcpListener>>,
        worker: impl Fn(Vec<TcpListener>, Arc<Counters>) -> Worker,
    ) -> anyhow::Result<Self> {
        let (ended, all_ended) = mpsc::unbounded_channel();
        let mut workers = Self { threads: Vec::new(), counters: Vec::new(), all_ended };
        for (number, listeners) in listeners.into_iter().enumerate() {
            let counters = Arc::new(Counters::default());
            workers.counters.push(Arc::clone(&counters));
            let (worker, ended) = (worker(listeners, counters), ended.clone());
            let run = move || {
                // The receiver is gone only when the process is about to exit.
                let _ = ended.send(worker.run());
            };
            let thread = thread::Builder::new().name(format!("nowd-{number}")).spawn(run);
            workers.threads.push(thread.context("cannot start a thread")?);
        }
        Ok(workers)
    }

    fn join(self) {
        for thread in self.threads {
            // A panic aborts the process before it could be seen here.
            let _ = thread.join();
        }
    }
}

/// Serves `/metrics` at the private listener.
async fn serve_metrics(listener: TcpListener, metric_sources: MetricSources) {
    let metrics = move || metric_sources.snapshot().prometheus_text();
    if let Err(error) = admin_listener::serve(listener, metrics).await {
        warn!("metrics cannot be read at --admin-listen: {error}");
    }
}

/// The last line of the log.
fn log_totals(metric_sources: &MetricSources) {
    let (totals, dropped) = (Totals::of(&metric_sources.counters), metric_sources.dropped_lines());
    let requests = totals.requests();
    let lost = if dropped > 0 {
        format!("; lines dropped because of a slow reader: {dropped}")
    } else {
        String::new()
    };
    let s = if requests == 1 { "" } else { "s" };
    info!(requests, dropped_lines = dropped, "stopped after {requests} request{s}{totals}{lost}");
}

/// The first line of the log: the addresses, and for programs all settings.
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
        clock_source = settings.clock_source.name(),
        clock_bound = settings.clock_source.clock_bound_path().map(|path| path.display().to_string()),
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
