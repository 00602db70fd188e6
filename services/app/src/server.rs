//! Threads that accept and serve, and how they come to an end.
//!
//! Each thread has a runtime, listeners and counters of its own, and shares nothing that is written at a request. The
//! main thread waits for signals. It is also the pulse of the process: once a second it asks the kernel for its clock's
//! status and wakes the other threads to look after their connections. So these need no timers, and wait for the
//! network without a time limit, which costs the kernel less.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::mem;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, LocalOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, sleep};
use tracing::{info, warn};

use crate::clock::{self, Status};
use crate::connection::{self, Link};
use crate::emf;
use crate::listen::Listeners;
use crate::memory;
use crate::metrics::{Counters, Totals};
use crate::routes::Handler;
use crate::state::State;

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

/// Serves until a signal ends it. SIGTERM drains first: for `drain_delay` it serves on while `/readyz` turns clients
/// away. SIGINT, or a second signal, ends it at once.
pub(crate) fn run(
    listeners: Listeners,
    state: &Arc<State>,
    drain_delay: Duration,
    metrics: Option<emf::Lines>,
) -> anyhow::Result<()> {
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let addresses: Vec<String> =
        listeners.addresses.iter().map(|address| format!("http://{address}")).collect();
    let (life, _) = watch::channel(Life::Serving);
    let (ended, mut all_ended) = mpsc::unbounded_channel();

    // Before anything that a signal would have to end.
    let mut signals = {
        let _context = runtime.enter();
        Signals::new()?
    };
    let mut threads = Vec::new();
    let mut counters = Vec::new();
    for (number, listeners) in listeners.of_threads.into_iter().enumerate() {
        let own = Arc::new(Counters::default());
        counters.push(Arc::clone(&own));
        let (state, life, ended) = (Arc::clone(state), life.subscribe(), ended.clone());
        let work = move || {
            // Nobody listens any more only when the process is about to end.
            let _ = ended.send(work(listeners, state, own, life));
        };
        let name = format!("nowd-{number}");
        threads.push(thread::Builder::new().name(name).spawn(work).context("cannot start a thread")?);
    }
    drop(ended);

    let outcome = runtime.block_on(async {
        info!(listen = ?addresses, threads = threads.len(), instance = state.instance, "listening on {}", addresses.join(" "));
        tokio::select! {
            outcome = until_the_end(&mut signals, state, &life, drain_delay, &mut all_ended) => outcome,
            () = pulse(state, &life, &counters, metrics) => Ok(()),
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

/// Keeps [`State::clock`] fresh, wakes the threads and writes the metric lines, for ever.
async fn pulse(
    state: &State,
    life: &watch::Sender<Life>,
    counters: &[Arc<Counters>],
    mut metrics: Option<emf::Lines>,
) {
    let mut beat = interval(PULSE);
    // Ready is what everybody expects; the first beat says so when it is otherwise.
    let mut was_trusted = true;
    for beats in 0_u64.. {
        beat.tick().await;
        let (before, now) = (state.clock.load(), Status::of_kernel());
        state.clock.store(now);
        if mem::discriminant(&before) != mem::discriminant(&now) {
            info!("the kernel's clock is now {now:?}");
        }
        let trusted = state.trusts_clock();
        if trusted != was_trusted {
            if trusted {
                info!("the clock is trusted: /readyz answers 200");
            } else {
                warn!("the clock is not trusted ({now:?}, see --max-clock-error): /readyz answers 503");
            }
            was_trusted = trusted;
        }
        if let Some(metrics) = metrics.as_mut().filter(|_| beats.is_multiple_of(BEATS_OF_A_METRIC_LINE)) {
            let text = metrics.line(clock::now(), now, &Totals::of(counters), &state.instance);
            // A closed standard output is no reason to stop telling the time.
            let _ = io::stdout().lock().write_all(text.as_bytes());
        }
        // Whoever waits for a change of the life is woken, even though it is the same.
        life.send_modify(|_| {});
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
    mut life: watch::Receiver<Life>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let (open, mut all_closed) = mpsc::channel(1);
        let worker =
            Rc::new(Worker { handler: Rc::new(Handler::new(state, counters)), links: RefCell::default() });
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
    handler: Rc<Handler>,
    links: RefCell<Vec<Weak<Link>>>,
}

impl Worker {
    fn adopt(&self, stream: TcpStream, open: Open) {
        let link = Rc::new(Link::new());
        self.links.borrow_mut().push(Rc::downgrade(&link));
        let serving = connection::serve(stream, Rc::clone(&self.handler), link);
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
                memory::give_back();
            }
            let closing = *life.borrow_and_update() >= Life::Closing;
            self.links.borrow_mut().retain(|link| {
                let link = link.upgrade();
                has_freed |= link.as_ref().is_some_and(|link| link.sweep(closing));
                link.is_some()
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
            Ok((stream, _)) => {
                is_failing = false;
                worker.adopt(stream, open.clone());
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
    while let Ok((stream, _)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            worker.adopt(stream, open.clone());
        }
    }
}
