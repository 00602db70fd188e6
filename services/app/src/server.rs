//! Threads that accept and serve, and how they come to an end.
//!
//! Each thread has a runtime, listeners and counters of its own, and shares nothing that is written at a request. The
//! main thread waits for signals. It is also the pulse of the process: once a second it asks the kernel for its clock's
//! status and wakes the other threads to look after their connections. So these need no timers, and wait for the
//! network without a time limit, which costs the kernel less.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, LocalOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use crate::access_log::Journal;
use crate::admin;
use crate::clock::{self, Believed, Source};
use crate::connection::{self, Link, Shared, Swept};
use crate::emf;
use crate::listen::Listeners;
use crate::metrics::{Counters, Event, Totals};
use crate::output::{Outlet, Pen};
use crate::prometheus::Snapshot;
use crate::routes::Handler;
use crate::seats::Seat;
use crate::settings::{Limits, Settings};
use crate::state::State;
use crate::system;
use crate::trust::{Change, Trust};

/// How long requests that have begun may take to finish once listeners are closed.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// How often the kernel is asked for its clock's status, and connections are swept.
const PULSE: Duration = Duration::from_secs(1);

/// A metric line is written each minute, from the first second on.
const BEATS_OF_A_METRIC_LINE: u64 = 60;

/// The life of a process; it goes from top to bottom only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    Serving,
    /// Nothing new is accepted; what has begun is finished.
    Closing,
    /// What is left is dropped.
    Stopped,
}

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
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
    /// Standard output, for metric lines and the access log, and standard error.
    pub(crate) out: Arc<Outlet>,
    pub(crate) err: Arc<Outlet>,
}

/// Serves until a signal ends it. SIGTERM drains first: for `drain_delay` it serves on while `/readyz` turns clients
/// away. SIGINT, or a second signal, ends it at once.
pub(crate) fn run(equipment: Equipment, settings: &Settings) -> anyhow::Result<()> {
    let Equipment { listeners, admin, source, believed, state, limits, warnings, out, err } = equipment;
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let (life, _) = watch::channel(Life::Serving);
    let (ended, mut all_ended) = mpsc::unbounded_channel();

    // Before anything that a signal would have to end.
    let mut signals = {
        let _context = runtime.enter();
        Signals::new()?
    };
    let addresses = listeners.addresses;
    let mut threads = Vec::new();
    let mut counters = Vec::new();
    for (number, listeners) in listeners.of_threads.into_iter().enumerate() {
        let own = Arc::new(Counters::default());
        counters.push(Arc::clone(&own));
        let (state, life, ended) = (Arc::clone(&state), life.subscribe(), ended.clone());
        let pen = settings.access_log.then(|| out.patient_pen());
        let work = move || {
            // Nobody listens any more only when the process is about to end.
            let _ = ended.send(work(listeners, state, own, limits, pen, life));
        };
        let name = format!("nowd-{number}");
        threads.push(thread::Builder::new().name(name).spawn(work).context("cannot start a thread")?);
    }
    drop(ended);

    let pulse = Pulse {
        source,
        trust: Trust::new(settings.max_clock_error, state.clock.load()),
        is_full: false,
        state: Arc::clone(&state),
        counters: counters.clone(),
        metrics: settings.metrics.clone().map(|name| (emf::Lines::new(name), out.pen())),
    };
    let outcome = runtime.block_on(async {
        announce(&addresses, admin.as_ref().map(|(address, _)| *address), limits, settings, &state.instance);
        for warning in warnings {
            warn!("{warning}");
        }
        tell(believed);
        if let Some((_, listener)) = admin {
            let (state, counters) = (Arc::clone(&state), counters.clone());
            let snapshot = move || snapshot(&state, &counters, &[&out, &err]);
            tokio::spawn(async move {
                if let Err(error) = admin::serve(listener, snapshot).await {
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
    let totals = Totals::of(&counters);
    info!(requests = totals.requests(), "stopped after {} requests{totals}", totals.requests());
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
        log = ?settings.log,
        access_log = settings.access_log,
        metrics = settings.metrics.as_ref().map(|_| "emf"),
        metrics_environment = settings.metrics.as_deref(),
        "listening on {}",
        urls.join(" ")
    );
    if let Some(admin) = admin {
        info!("metrics are at http://{admin}/metrics");
    }
}

/// Says who bounds the clock's error, when that is new.
fn tell(believed: Option<Believed>) {
    match believed {
        Some(Believed::ClockBound) => info!("the bound on the clock's error is ClockBound's"),
        Some(Believed::Kernel { why }) => {
            warn!("the bound on the clock's error is the kernel's: what is at --clock-bound {why}");
        }
        None => {}
    }
}

/// What Prometheus reads.
fn snapshot(state: &State, counters: &[Arc<Counters>], outlets: &[&Outlet]) -> Snapshot {
    Snapshot {
        totals: Totals::of(counters),
        clock: state.clock.load(),
        is_ready: state.readiness().is_ok(),
        connections: state.seats.taken(),
        max_connections: state.seats.limit(),
        dropped_lines: outlets.iter().map(|outlet| outlet.dropped()).sum(),
        instance: state.instance.clone(),
    }
}

/// What the main thread does once a second.
struct Pulse {
    source: Source,
    trust: Trust,
    /// Whether all seats were taken at the last beat.
    is_full: bool,
    state: Arc<State>,
    counters: Vec<Arc<Counters>>,
    metrics: Option<(emf::Lines, Pen)>,
}

fn not_trusted(status: clock::Status) {
    warn!("the clock is not trusted ({status:?}, see --max-clock-error): /readyz answers 503");
}

impl Pulse {
    /// Keeps [`State::clock`] fresh, wakes the threads and writes the metric lines, for ever.
    async fn beat(mut self, life: &watch::Sender<Life>) {
        let mut beat = interval(PULSE);
        // A machine that was paused must not catch up: beats in a row are no seconds in a row.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if !self.trust.is_given() {
            not_trusted(self.state.clock.load());
        }
        for beats in 0_u64.. {
            beat.tick().await;
            self.see_to_clock();
            self.see_to_seats();
            if let Some((lines, pen)) = &mut self.metrics
                && beats.is_multiple_of(BEATS_OF_A_METRIC_LINE)
            {
                let (state, totals) = (&self.state, Totals::of(&self.counters));
                let (clock, connections) = (state.clock.load(), state.seats.taken());
                let text = lines.line(clock::now(), clock, &totals, connections, &state.instance);
                pen.write_line(text.as_bytes());
            }
            // Whoever waits for a change of the life is woken, even though it is the same.
            life.send_modify(|_| {});
        }
    }

    fn see_to_clock(&mut self) {
        let (before, (now, believed)) = (self.state.clock.load(), self.source.read());
        self.state.clock.store(now);
        tell(believed);
        if mem::discriminant(&before) != mem::discriminant(&now) {
            info!("the clock is now {now:?}");
        }
        match self.trust.observe(now) {
            Some(Change::Lost) => {
                self.state.set_trust(false);
                not_trusted(now);
            }
            Some(Change::Regained) => {
                self.state.set_trust(true);
                info!("the clock is trusted ({now:?}): /readyz answers 200");
            }
            None => {}
        }
    }

    /// Says so when all seats are taken, and when a tenth of them is free again.
    fn see_to_seats(&mut self) {
        let (taken, limit) = (self.state.seats.taken(), self.state.seats.limit());
        if !self.is_full && taken >= limit {
            self.is_full = true;
            warn!("all {limit} connections of --max-connections are taken: further ones are answered 503");
        } else if self.is_full && taken <= limit - limit.div_ceil(10) {
            self.is_full = false;
            info!("{taken} of {limit} connections are taken: further ones are served");
        }
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
    info!("terminated: draining, serving on for {drain_delay:?} while /readyz answers 503");
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

/// The whole life of one thread.
fn work(
    listeners: Vec<std::net::TcpListener>,
    state: Arc<State>,
    counters: Arc<Counters>,
    limits: Limits,
    pen: Option<Pen>,
    mut life: watch::Receiver<Life>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let (open, mut all_closed) = mpsc::channel(1);
        let handler = Handler::new(Arc::clone(&state), Arc::clone(&counters));
        let worker = Rc::new(Worker {
            state,
            shared: Rc::new(Shared::new(handler, counters, limits)),
            pen: pen.map(Rc::new),
            links: RefCell::default(),
        });
        for listener in listeners {
            let listener = TcpListener::from_std(listener)?;
            tokio::task::spawn_local(accept(listener, Rc::clone(&worker), life.clone(), open.clone()));
        }
        drop(open);
        let sweeping = worker.sweep(life.clone());
        tokio::select! {
            // Nothing is ever sent: this ends when all that could send are gone, listeners and connections.
            _ = all_closed.recv() => {}
            _ = life.wait_for(|&life| life == Life::Stopped) => {}
            () = sweeping => {}
        }
        Ok(())
    })
}

/// Held by whatever keeps its thread from ending.
type Open = mpsc::Sender<std::convert::Infallible>;

/// What the tasks of one thread share.
struct Worker {
    state: Arc<State>,
    shared: Rc<Shared>,
    /// For the access log, if there is one.
    pen: Option<Rc<Pen>>,
    links: RefCell<Vec<Weak<Link>>>,
}

impl Worker {
    fn adopt(&self, stream: TcpStream, client: SocketAddr, open: Open) {
        let counters = &self.shared.counters;
        counters.note(Event::Accepted);
        let Some(seat) = self.state.seats.take() else {
            // Dropped, it is closed: there is no room even to say why.
            counters.note(Event::ClosedAtOnce);
            return;
        };
        self.seat(stream, client, seat, open);
    }

    fn seat(&self, stream: TcpStream, client: SocketAddr, seat: Seat, open: Open) {
        let journal = self.pen.as_ref().map(|pen| Box::new(Journal::new(client, Rc::clone(pen))));
        let link = Rc::new(Link::new(seat, journal));
        self.links.borrow_mut().push(Rc::downgrade(&link));
        let serving = connection::serve(stream, Rc::clone(&self.shared), link);
        tokio::task::spawn_local(async move {
            serving.await;
            drop(open);
        });
    }

    /// Ages all connections at each beat of the pulse, and at once when the life changes.
    async fn sweep(&self, mut life: watch::Receiver<Life>) {
        let mut has_freed = false;
        while life.changed().await.is_ok() {
            if mem::take(&mut has_freed) {
                system::give_memory_back();
            }
            let closing = *life.borrow_and_update() >= Life::Closing;
            self.links.borrow_mut().retain(|link| {
                let Some(link) = link.upgrade() else { return false };
                match link.sweep(closing, &self.shared.limits) {
                    Swept::Rests => has_freed = true,
                    Swept::Ends(Some(event)) => self.shared.counters.note(event),
                    Swept::Ends(None) | Swept::Lives => {}
                }
                true
            });
        }
    }
}

/// Accepts until the life is [`Life::Closing`], and then what the kernel has accepted by then.
async fn accept(listener: TcpListener, worker: Rc<Worker>, mut life: watch::Receiver<Life>, open: Open) {
    let mut is_failing = false;
    while *life.borrow_and_update() < Life::Closing {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = life.changed() => continue,
        };
        match accepted {
            Ok((stream, client)) => {
                is_failing = false;
                worker.adopt(stream, client, open.clone());
            }
            // The client is gone already; that is its business.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !mem::replace(&mut is_failing, true) {
                    warn!("cannot accept connections: {error}; is `ulimit -n` too low? Trying once a second");
                }
                // An error here says that the sender is gone, and then so is the process.
                let _ = life.changed().await;
            }
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, client)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            worker.adopt(stream, client, open.clone());
        }
    }
}
