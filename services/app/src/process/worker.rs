//! One thread that serves: it accepts connections, looks after them, and shares nothing that is written at a request.

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

use crate::connection::limit::Seats;
use crate::connection::reserved::{Admitted, Reserve};
use crate::connection::state::{Link, Swept};
use crate::connection::{self, Shared};
use crate::logging::access_log::Journal;
use crate::logging::background_writer::Pen;
use crate::metrics::{Counters, Event};
use crate::readiness::State;
use crate::routes::Handler;
use crate::settings::Limits;
use crate::unsafe_calls;

/// Turns of connections until the network is looked at again. A turn is up to 16 requests that came along with each other:
/// with the 61 turns that are usual, who sends nothing but such would keep everybody else waiting for ten milliseconds.
/// With 8, a thread that has 32 busy connections looks so often that a request costs a twentieth more.
const TURNS: u32 = 24;

/// The life of a process; it goes from top to bottom only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Life {
    Serving,
    /// Nothing new is accepted; what has begun is finished.
    Closing,
    /// What is left is dropped.
    Stopped,
}

/// What a thread that serves is started with.
pub(crate) struct Worker {
    pub(crate) listeners: Vec<std::net::TcpListener>,
    pub(crate) state: Arc<State>,
    pub(crate) seats: Arc<Seats>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: Limits,
    /// How many connections beyond the limit this thread may have.
    pub(crate) reserve: usize,
    /// Where access log lines go, if there are any.
    pub(crate) pen: Option<Pen>,
    pub(crate) life: watch::Receiver<Life>,
}

impl Worker {
    /// Serves until the process stops.
    pub(crate) fn run(self) -> io::Result<()> {
        let Self { listeners, state, seats, counters, limits, reserve, pen, mut life } = self;
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .event_interval(TURNS)
            .build_local(LocalOptions::default())?;
        runtime.block_on(async {
            let (open, mut all_closed) = mpsc::channel(1);
            let handler = Handler::new(state, Arc::clone(&counters));
            let connections = Rc::new(Connections {
                seats,
                shared: Rc::new(Shared::new(handler, counters, limits)),
                pen: pen.map(Rc::new),
                links: RefCell::default(),
                reserve: Reserve::new(reserve),
            });
            for listener in listeners {
                let listener = TcpListener::from_std(listener)?;
                let accepting = accept(listener, Rc::clone(&connections), life.clone(), open.clone());
                tokio::task::spawn_local(accepting);
            }
            drop(open);
            let sweeping = connections.sweep(life.clone());
            tokio::select! {
                // Nothing is ever sent: this ends when all that could send are gone, listeners and connections.
                _ = all_closed.recv() => {}
                _ = life.wait_for(|&life| life == Life::Stopped) => {}
                () = sweeping => {}
            }
            Ok(())
        })
    }
}

/// Held by whatever keeps its thread from ending.
type Open = mpsc::Sender<std::convert::Infallible>;

/// The connections of one thread.
struct Connections {
    seats: Arc<Seats>,
    shared: Rc<Shared>,
    /// For the access log, if there is one.
    pen: Option<Rc<Pen>>,
    links: RefCell<Vec<Weak<Link>>>,
    reserve: Reserve,
}

impl Connections {
    fn adopt(&self, stream: TcpStream, client: SocketAddr, open: Open) {
        let counters = &self.shared.counters;
        counters.note(Event::Accepted);
        let journal = self.pen.as_ref().map(|pen| Box::new(Journal::new(client, Rc::clone(pen))));
        let link = Rc::new(Link::new(self.seats.take(), journal));
        if link.is_extra() {
            match self.reserve.admit(&link) {
                Admitted::Yes => {}
                Admitted::InPlaceOfAnother => counters.note(Event::ClosedUnheard),
                Admitted::No => {
                    // Dropped, it is closed: there is no room even to say why.
                    counters.note(Event::ClosedUnheard);
                    return;
                }
            }
        }
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
                unsafe_calls::give_memory_back();
            }
            let closing = *life.borrow_and_update() >= Life::Closing;
            let limits = &self.shared.limits;
            // Whoever says nothing may do so for as long as nobody else needs the seat.
            let is_crowded = self.seats.is_crowded();
            let first_limit = if is_crowded { limits.head_seconds } else { limits.idle_seconds };
            self.links.borrow_mut().retain(|link| {
                let Some(link) = link.upgrade() else { return false };
                match link.sweep(closing, limits, first_limit) {
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
async fn accept(
    listener: TcpListener,
    connections: Rc<Connections>,
    mut life: watch::Receiver<Life>,
    open: Open,
) {
    let mut is_failing = false;
    while *life.borrow_and_update() < Life::Closing {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = life.changed() => continue,
        };
        match accepted {
            Ok((stream, client)) => {
                is_failing = false;
                connections.adopt(stream, client, open.clone());
            }
            Err(error) if !is_want(&error) => {}
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
            connections.adopt(stream, client, open.clone());
        }
    }
}

/// Whether this process or machine lacks something that the next connection would need too. Any other error is of one
/// connection, such as that its client is gone already (accept(2) tells errors of the network in its place).
fn is_want(error: &io::Error) -> bool {
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
            assert_eq!(is_want(&error), is_one, "{error}");
        }
    }
}
