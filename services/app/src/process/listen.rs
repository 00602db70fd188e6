//! Binding: one listener a thread for each address, so that the kernel spreads connections over the threads.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// The backlog of pending connections, which the kernel caps at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Bound sockets that listen.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// As bound: port 0 is replaced by the port that the kernel chose.
    pub(crate) addresses: Vec<SocketAddr>,
    /// For each thread, a listener for each address.
    pub(crate) of_threads: Vec<Vec<TcpListener>>,
}

/// The flag that an address came from.
type Flag = &'static str;

/// Why an address cannot be bound, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error(
        "cannot listen on {0}: the port is in use; stop the program that uses it, or choose another with {1}"
    )]
    InUse(SocketAddr, Flag),
    #[error(
        "cannot listen on {0}: ports below 1024 need a permission that this user lacks; choose a \
         higher one with {1}, or grant the capability CAP_NET_BIND_SERVICE"
    )]
    NotPermitted(SocketAddr, Flag),
    #[error(
        "cannot listen on {0}: this machine has no such address; choose one of its own, or 0.0.0.0, with {1}"
    )]
    NoSuchAddress(SocketAddr, Flag),
    #[error("cannot listen on {0}: {2}; choose another address with {1}")]
    Other(SocketAddr, Flag, io::Error),
}

impl BindError {
    fn new(address: SocketAddr, flag: Flag, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address, flag),
            io::ErrorKind::PermissionDenied => Self::NotPermitted(address, flag),
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress(address, flag),
            _ => Self::Other(address, flag, error),
        }
    }
}

/// Binds every address, `threads` times.
pub(crate) fn bind(addresses: &[SocketAddr], threads: usize) -> Result<Listeners, BindError> {
    let mut bound = Vec::new();
    let mut of_threads: Vec<Vec<TcpListener>> = (0..threads).map(|_| Vec::new()).collect();
    for &address in addresses {
        let (address, listeners) =
            bind_shared(address, threads).map_err(|error| BindError::new(address, "--listen", error))?;
        bound.push(address);
        for (own, listener) in of_threads.iter_mut().zip(listeners) {
            own.push(listener);
        }
    }
    Ok(Listeners { addresses: bound, of_threads })
}

/// Binds the private address, for one thread.
pub(crate) fn bind_admin(address: SocketAddr) -> Result<(SocketAddr, TcpListener), BindError> {
    let bind = || {
        let socket = socket(address)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok((socket.local_addr()?.as_socket().unwrap_or(address), socket.into()))
    };
    bind().map_err(|error| BindError::new(address, "--admin-listen", error))
}

/// The address as bound, and `count` listeners that share it.
///
/// Any process of the same user could join a shared port, and would get a part of the connections. So the first
/// socket binds the port exclusively, which fails if it is in use, and shares it only afterwards.
fn bind_shared(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.listen(BACKLOG)?;
    first.set_reuse_port(true)?;
    let bound = first.local_addr()?;
    let mut listeners = vec![first.into()];
    for _ in 1..count {
        let next = socket(address)?;
        next.set_reuse_port(true)?;
        next.bind(&bound)?;
        next.listen(BACKLOG)?;
        listeners.push(next.into());
    }
    Ok((SockAddr::as_socket(&bound).unwrap_or(address), listeners))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait until the connections of the previous process have timed out.
    socket.set_reuse_address(true)?;
    // Inherited by accepted sockets.
    socket.set_tcp_nodelay(true)?;
    // Responses fit into the initial window, where the simplest congestion control is as good as any. One with
    // pacing, such as BBR, costs 2 to 3 % of the processor time of a request. A kernel without `reno` keeps its
    // default.
    let _ = socket.set_tcp_congestion(b"reno");
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_port() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn every_thread_gets_a_listener_for_every_address_on_the_same_port() {
        let listeners = bind(&[any_port(), any_port()], 3).unwrap();
        assert_eq!(listeners.of_threads.len(), 3);
        for own in &listeners.of_threads {
            let addresses: Vec<_> = own.iter().map(|listener| listener.local_addr().unwrap()).collect();
            assert_eq!(addresses, listeners.addresses);
        }
    }

    #[test]
    fn a_port_that_is_shared_among_threads_is_refused_to_a_second_process() {
        let listeners = bind(&[any_port()], 2).unwrap();
        let error = bind(&listeners.addresses, 2).unwrap_err();
        assert!(
            matches!(error, BindError::InUse(address, "--listen") if address == listeners.addresses[0]),
            "{error}"
        );
    }

    #[test]
    fn the_private_address_cannot_be_the_public_one() {
        let listeners = bind(&[any_port()], 1).unwrap();
        let error = bind_admin(listeners.addresses[0]).unwrap_err();
        assert!(error.to_string().ends_with("or choose another with --admin-listen"), "{error}");
    }

    #[test]
    fn an_address_of_another_machine_is_refused_with_advice() {
        let error = bind(&["192.0.2.1:0".parse().unwrap()], 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot listen on 192.0.2.1:0: this machine has no such address; choose one of its own, or \
             0.0.0.0, with --listen"
        );
    }
}
