//! The least work that can answer an HTTP request on Linux: the floor under every server in the comparison.
//!
//! One thread, level-triggered epoll, one `recv` and one `send` for each request. Nothing is parsed: whatever
//! arrives is taken for one whole request, and the bytes of the file named on the command line are the answer.
//! That holds for a load generator that does not pipeline, and for nothing else; this is no web server.
//!
//! `epoll-loop RESPONSE_FILE` listens on a free port of the loopback interface and prints its URL.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use anyhow::Context;
use socket2::SockRef;

/// More than the harness opens connections, so that one `epoll_wait` reports all that are ready.
const EVENTS: usize = 256;

fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).context("usage: epoll-loop RESPONSE_FILE")?;
    let response = std::fs::read(&path)
        .with_context(|| format!("cannot read the response to send from {}", path.display()))?;

    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on the loopback interface")?;
    listener.set_nonblocking(true)?;
    // As nowd does: answers fit the first window, so the cheapest congestion control serves best. Where the kernel has
    // none of that name the default is as good.
    let _ = SockRef::from(&listener).set_tcp_congestion(b"reno");
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;

    serve(&listener, &response).context("epoll failed")
}

/// Answers until the process is killed. An error of one connection closes that connection only.
fn serve(listener: &TcpListener, response: &[u8]) -> io::Result<()> {
    let epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd())?;

    // Indexed by file descriptor: the kernel hands out the lowest free one, so the table stays small.
    let mut connections: Vec<Option<TcpStream>> = Vec::new();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
    let mut request = [0; 4096];

    loop {
        for slot in epoll.wait(&mut events)?.iter().map(|event| event.u64) {
            let Ok(slot) = usize::try_from(slot) else { continue };
            match connections.get_mut(slot) {
                Some(connection @ Some(_)) => {
                    if !answer(connection.as_mut(), &mut request, response) {
                        // Closing the descriptor takes it out of the epoll set as well.
                        *connection = None;
                    }
                }
                // The listener is the one descriptor that is watched and not in the table.
                _ => accept(listener, &epoll, &mut connections)?,
            }
        }
    }
}

/// One request in, one response out. False when the connection is over.
#[inline]
fn answer(connection: Option<&mut TcpStream>, request: &mut [u8], response: &[u8]) -> bool {
    let Some(connection) = connection else { return false };
    // The response is far smaller than an empty send buffer, so a short write means a broken peer.
    matches!(connection.read(request), Ok(1..))
        && connection.write(response).is_ok_and(|sent| sent == response.len())
}

fn accept(listener: &TcpListener, epoll: &Epoll, connections: &mut Vec<Option<TcpStream>>) -> io::Result<()> {
    // A peer that is gone again before it was accepted is no reason to stop.
    let Ok((connection, _)) = listener.accept() else { return Ok(()) };
    connection.set_nonblocking(true)?;
    connection.set_nodelay(true)?;
    let fd = connection.as_raw_fd();
    let slot = usize::try_from(fd).map_err(io::Error::other)?;
    if connections.len() <= slot {
        connections.resize_with(slot + 1, || None);
    }
    connections[slot] = Some(connection);
    epoll.add(fd)
}

/// The three system calls that the standard library lacks.
struct Epoll(OwnedFd);

impl Epoll {
    fn new() -> io::Result<Self> {
        #[expect(unsafe_code, reason = "the standard library has no epoll")]
        // SAFETY: the call takes no pointer, and the descriptor it returns belongs to nobody else.
        unsafe {
            let fd = checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Watches `fd` for data to read (or a connection to accept) until it is closed.
    fn add(&self, fd: RawFd) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN.cast_unsigned(),
            u64: u64::try_from(fd).map_err(io::Error::other)?,
        };
        #[expect(unsafe_code, reason = "the standard library has no epoll")]
        // SAFETY: `event` lives through the call, and the kernel keeps no pointer to it.
        unsafe {
            checked(libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event))?;
        }
        Ok(())
    }

    /// Sleeps until something is ready, and returns what is.
    fn wait<'a>(&self, events: &'a mut [libc::epoll_event]) -> io::Result<&'a [libc::epoll_event]> {
        let capacity = libc::c_int::try_from(events.len()).map_err(io::Error::other)?;
        #[expect(unsafe_code, reason = "the standard library has no epoll")]
        // SAFETY: the kernel writes at most `capacity` events, which is the length of the slice.
        let ready = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), capacity, -1) };
        match checked(ready) {
            Ok(ready) => Ok(&events[..usize::try_from(ready).unwrap_or_default()]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(&[]),
            Err(error) => Err(error),
        }
    }
}

/// The C convention: minus one means that `errno` says what went wrong.
fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
