//! A thread that serves: it accepts connections and sweeps them. No request writes anything that threads share.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, LocalOptions};
use tokio::sync::{mpsc, watch};
use tracing::warn;

use crate::connection::limit::ConnectionLimit;
use crate::connection::reserved::{Admission, ReservedConnections};
use crate::connection::state::ConnectionState;
use crate::connection::sweep::SweepOutcome;
use crate::connection::{self, ConnectionContext};
use crate::fast_path::FastPath;
use crate::logging::access_log::AccessLog;
use crate::logging::background_writer::LineSender;
use crate::metrics::{CountedEvent, Counters};
use crate::readiness::ServiceState;
use crate::routes::Handler;
use crate::settings::ClientLimits;
use crate::unsafe_calls;

/// Polls of tasks until the network is polled again. A poll may serve up to 16 pipelined requests. With tokio's
/// default of 61, clients that pipeline would delay all others by ten milliseconds. With 8, a thread with 32 busy
/// connections polls so often that a request costs a twentieth more.
const EVENT_INTERVAL: u32 = 24;

/// The phases of a process. It only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lifecycle {
    Serving,
    /// Nothing new is accepted; requests in flight are finished.
    Closing,
    /// Everything that is left is dropped.
    Stopped,
}

/// What a thread that serves is started with.
pub(crate) struct Worker {
    pub(crate) listeners: Vec<std::net::TcpListener>,
    pub(crate) service_state: Arc<ServiceState>,
    pub(crate) connection_limit: Arc<ConnectionLimit>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: ClientLimits,
    /// Reserved connections of this thread, beyond the limit.
    pub(crate) reserve: usize,
    /// Where access log lines go, if that log is on.
    pub(crate) sender: Option<LineSender>,
    pub(crate) lifecycle: watch::Receiver<Lifecycle>,
}

impl Worker {
    /// Serves until the process stops.
    pub(crate) fn run(self) -> io::Result<()> {
        let Self {
            listeners,
            service_state,
            connection_limit,
            counters,
            limits,
            reserve,
            sender,
            mut lifecycle,
        } = self;
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .event_interval(EVENT_INTERVAL)
            .build_local(LocalOptions::default())?;
        runtime.block_on(async {
            let (guard, mut all_closed) = mpsc::channel(1);
            let fast_path = FastPath::new(Arc::clone(&service_state), Arc::clone(&counters), &limits);
            let handler = Handler::new(service_state, Arc::clone(&counters));
            let connections = Rc::new(Connections {
                connection_limit,
                context: Rc::new(ConnectionContext::new(handler, fast_path, counters, limits)),
                sender: sender.map(Rc::new),
                states: RefCell::default(),
                reserve: ReservedConnections::new(reserve),
            });
            for listener in listeners {
                let listener = TcpListener::from_std(listener)?;
                let accepting = accept(listener, Rc::clone(&connections), lifecycle.clone(), guard.clone());
                tokio::task::spawn_local(accepting);
            }
            drop(guard);
            let sweeping = connections.sweep(lifecycle.clone());
            tokio::select! {
                // Nothing is ever sent: this ends when all senders are gone, which listeners and connections hold.
                _ = all_closed.recv() => {}
                _ = lifecycle.wait_for(|&lifecycle| lifecycle == Lifecycle::Stopped) => {}
                () = sweeping => {}
            }
            Ok(())
        })
    }
}

/// Held by listeners and connections. The thread ends when all are dropped.
type ShutdownGuard = mpsc::Sender<std::convert::Infallible>;

/// The connections of one thread.
struct Connections {
    connection_limit: Arc<ConnectionLimit>,
    context: Rc<ConnectionContext>,
    /// For the access log, if it is on.
    sender: Option<Rc<LineSender>>,
    states: RefCell<Vec<Weak<ConnectionState>>>,
    reserve: ReservedConnections,
}

impl Connections {
    fn adopt(&self, stream: TcpStream, client: SocketAddr, guard: ShutdownGuard) {
        let counters = &self.context.counters;
        counters.count_event(CountedEvent::Accepted);
        let access_log =
            self.sender.as_ref().map(|sender| Box::new(AccessLog::new(client, Rc::clone(sender))));
        let state = Rc::new(ConnectionState::new(self.connection_limit.acquire(), access_log));
        if state.is_reserved() {
            match self.reserve.admit(&state) {
                Admission::Granted => {}
                Admission::ReplacesAnother => counters.count_event(CountedEvent::ClosedUnheard),
                Admission::Denied => {
                    // Dropping the stream closes it: there is no room even for a 503.
                    counters.count_event(CountedEvent::ClosedUnheard);
                    return;
                }
            }
        }
        self.states.borrow_mut().push(Rc::downgrade(&state));
        let serving = connection::serve(stream, Rc::clone(&self.context), state);
        tokio::task::spawn_local(async move {
            serving.await;
            drop(guard);
        });
    }

    /// Sweeps all connections at each tick of the housekeeping, and at once when the lifecycle changes.
    async fn sweep(&self, mut lifecycle: watch::Receiver<Lifecycle>) {
        let mut has_freed = false;
        while lifecycle.changed().await.is_ok() {
            if mem::take(&mut has_freed) {
                unsafe_calls::release_free_memory();
            }
            let closing = *lifecycle.borrow_and_update() >= Lifecycle::Closing;
            let limits = &self.context.limits;
            // A silent client may stay for as long as no other needs its connection.
            let is_nearly_full = self.connection_limit.is_nearly_full();
            let first_limit = if is_nearly_full { limits.head_seconds } else { limits.idle_seconds };
            self.states.borrow_mut().retain(|state| {
                let Some(state) = state.upgrade() else { return false };
                match state.sweep(closing, limits, first_limit) {
                    SweepOutcome::ReleasesBuffers => has_freed = true,
                    SweepOutcome::Closes(Some(event)) => self.context.counters.count_event(event),
                    SweepOutcome::Closes(None) | SweepOutcome::Unchanged => {}
                }
                true
            });
        }
    }
}

/// Accepts until [`Lifecycle::Closing`], then takes what the kernel has accepted by then.
async fn accept(
    listener: TcpListener,
    connections: Rc<Connections>,
    mut lifecycle: watch::Receiver<Lifecycle>,
    guard: ShutdownGuard,
) {
    let mut is_failing = false;
    while *lifecycle.borrow_and_update() < Lifecycle::Closing {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = lifecycle.changed() => continue,
        };
        match accepted {
            Ok((stream, client)) => {
                is_failing = false;
                connections.adopt(stream, client, guard.clone());
            }
            Err(error) if !is_resource_shortage(&error) => {}
            Err(error) => {
                if !mem::replace(&mut is_failing, true) {
                    warn!("cannot accept connections: {error}; is `ulimit -n` too low? Trying once a second");
                }
                // An error means that the sender is gone, and so the process ends.
                let _ = lifecycle.changed().await;
            }
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, client)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            connections.adopt(stream, client, guard.clone());
        }
    }
}

/// Whether the process or the machine lacks a resource that the next connection would need too. Any other error
/// concerns one connection, such as a client that is already gone (accept(2) reports network errors in its place).
fn is_resource_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) | None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_next_connection_would_need_too_makes_accepting_wait() {
        for (number, is_one) in [
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::ENOMEM, true),
            (libc::ECONNABORTED, false),
            (libc::EPROTO, false),
            (libc::ENETUNREACH, false),
            (libc::EPERM, false),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(is_resource_shortage(&error), is_one, "{error}");
        }
    }
}
