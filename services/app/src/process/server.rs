//! The process: its threads, its signals, and how it comes to an end.
//!
//! Each thread that serves has a runtime, listeners and counters of its own (`worker.rs`). The main thread waits for
//! signals, and is the pulse of the process (`pulse.rs`): it wakes the others once a second. So these need no timers, and
//! wait for the network without a time limit, which costs the kernel less.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::clock::{Believed, Source};
use crate::connection::limit::Seats;
use crate::logging::background_writer::Outlet;
use crate::metrics::admin_listener;
use crate::metrics::emf;
use crate::metrics::{Counters, Totals};
use crate::process::housekeeping::{self, Pulse};
use crate::process::listen::Listeners;
use crate::process::metric_sources::Instruments;
use crate::process::worker::{Life, Worker};
use crate::readiness::State;
use crate::settings::{Limits, Settings};

/// How long the last lines may take to be read. Whoever does not read them must not keep the process from ending.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How long requests that have begun may take to finish once listeners are closed.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// What a process serves with, besides its settings.
pub(crate) struct Equipment {
    pub(crate) listeners: Listeners,
    /// As bound, and the listener.
    pub(crate) admin: Option<(SocketAddr, std::net::TcpListener)>,
    pub(crate) source: Source,
    /// Whom the source believed at first.
    pub(crate) believed: Option<Believed>,
    pub(crate) state: Arc<State>,
    /// As far as the limit on open files allows what was asked for.
    pub(crate) limits: Limits,
    /// Places of each thread beyond that limit of connections.
    pub(crate) reserve: usize,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
    /// Standard output, for metric lines and the access log, and standard error.
    pub(crate) out: Arc<Outlet>,
    pub(crate) err: Arc<Outlet>,
}

/// Serves until a signal ends it. SIGTERM drains first: for `drain_delay` it serves on while `/readyz` turns clients
/// away. SIGINT, or a second signal, ends it at once.
pub(crate) fn run(equipment: Equipment, settings: &Settings) -> anyhow::Result<()> {
    let Equipment { listeners, admin, source, believed, state, limits, reserve, warnings, out, err } =
        equipment;
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let (life, _) = watch::channel(Life::Serving);
    let (ended, mut all_ended) = mpsc::unbounded_channel();

    // Before anything that a signal would have to end.
    let mut signals = {
        let _context = runtime.enter();
        Signals::new()?
    };
    let seats = Arc::new(Seats::new(limits.connections));
    let addresses = listeners.addresses;
    let mut threads = Vec::new();
    let mut counters = Vec::new();
    for (number, listeners) in listeners.of_threads.into_iter().enumerate() {
        let own = Arc::new(Counters::default());
        counters.push(Arc::clone(&own));
        let worker = Worker {
            listeners,
            state: Arc::clone(&state),
            seats: Arc::clone(&seats),
            counters: own,
            limits,
            reserve,
            pen: settings.access_log.then(|| out.patient_pen()),
            life: life.subscribe(),
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

    let metrics = settings.metrics.clone().map(|name| (emf::Lines::new(name), out.pen()));
    let instruments = Instruments {
        state: Arc::clone(&state),
        seats,
        counters,
        outlets: [Arc::clone(&out), Arc::clone(&err)],
    };
    let mut pulse = Pulse::new(source, settings.max_clock_error, instruments.clone(), metrics);
    let outcome = runtime.block_on(async {
        announce(&addresses, admin.as_ref().map(|(address, _)| *address), limits, settings, &state.instance);
        for warning in warnings {
            warn!("{warning}");
        }
        housekeeping::tell(believed);
        if let Some((_, listener)) = admin {
            let instruments = instruments.clone();
            tokio::spawn(async move {
                if let Err(error) = admin_listener::serve(listener, move || instruments.read().text()).await {
                    warn!("nothing can be read at --admin-listen: {error}");
                }
            });
        }
        tokio::select! {
            outcome = until_the_end(&mut signals, &state, &life, settings.drain_delay, &mut all_ended) => outcome,
            () = pulse.beat(&life) => Ok(()),
        }
    });
    life.send_replace(Life::Stopped);
    for thread in threads {
        // A panic ends the process before it could be seen here.
        let _ = thread.join();
    }
    // What happened since the last minute was over.
    pulse.write_metrics();
    // Before the last line, which says how many others were lost.
    out.finish(LAST_LINES);
    let (totals, dropped) = (Totals::of(&instruments.counters), instruments.dropped_lines());
    let requests = totals.requests();
    let lost =
        if dropped > 0 { format!("; lines that nobody read in time: {dropped}") } else { String::new() };
    let s = if requests == 1 { "" } else { "s" };
    info!(requests, dropped_lines = dropped, "stopped after {requests} request{s}{totals}{lost}");
    err.finish(LAST_LINES);
    outcome
}

/// The first line of the log: where it listens, and for programs all settings.
fn announce(
    addresses: &[SocketAddr],
    admin: Option<SocketAddr>,
    limits: Limits,
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

/// Waits for a signal, and then ends in order what `life` rules, logging one line for each step.
///
/// # Errors
///
/// A thread could not begin to serve.
async fn until_the_end(
    signals: &mut Signals,
    state: &State,
    life: &watch::Sender<Life>,
    drain_delay: Duration,
    all_ended: &mut mpsc::UnboundedReceiver<io::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        outcome = all_ended.recv() => return outcome.unwrap_or(Ok(())).context("a thread cannot serve"),
        asked = signals.next() => if asked == Asked::ToStopNow {
            info!("interrupted: stopping at once");
            return Ok(());
        },
    }
    state.start_draining();
    if drain_delay > Duration::ZERO {
        info!("terminated: draining, serving on for {drain_delay:?} while /readyz answers 503");
    } else {
        info!("terminated: draining at once, without a --drain-delay");
    }
    tokio::select! {
        () = sleep(drain_delay) => {}
        _ = signals.next() => {
            info!("signalled again: stopping at once");
            return Ok(());
        }
    }
    life.send_replace(Life::Closing);
    info!(
        "closing: listeners and idle connections are closed, requests that have begun have {LAST_REQUESTS:?}"
    );
    tokio::select! {
        () = async { while all_ended.recv().await.is_some() {} } => {}
        () = sleep(LAST_REQUESTS) => warn!("some requests did not finish in time: dropping them"),
        _ = signals.next() => info!("signalled again: stopping at once"),
    }
    Ok(())
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    ToStop,
    ToStopNow,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::ToStop,
            _ = self.interrupt.recv() => Asked::ToStopNow,
        }
    }
}
