//! What the system, TLS and HTTP report, as the cause of a failure.

use std::io;
use std::net::SocketAddr;

use crate::outcome::{ConnectionFault, ExchangeFault, TlsFault};
use crate::probe::http::BrokenOff;
use crate::probe::other_protocol::is_tls;
use crate::probe::tls::identity::ClientAuthentication;
use crate::probe::tls::{self, handshake};
use crate::text::printable;

/// Where an error of a connection attempt comes from, as far as this machine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Whether the kernel has a route to the address; nothing if it could not be asked.
    pub has_route: Option<bool>,
    /// Whether the kernel gave the error before it sent anything.
    pub is_immediate: bool,
}

impl Origin {
    /// Whether it is this machine that has no way to the address, and no router further on.
    fn lacks_route(self) -> bool {
        self.has_route.map_or(self.is_immediate, |has_route| !has_route)
    }
}

/// No connection could be opened.
#[must_use]
pub fn of_no_connection(address: SocketAddr, error: &io::Error, origin: Origin) -> ConnectionFault {
    let words = error.to_string();
    if lacks_zone(address) {
        return ConnectionFault::NoZone;
    }
    // Routes of the types blackhole and prohibit give EINVAL and EACCES, and so do other faults (ip-route(8)).
    let is_ambiguous = matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EACCES));
    if is_ambiguous && origin.has_route == Some(false) {
        return ConnectionFault::NoRoute(words);
    }
    // A filter on the way says so by ICMPv6 (RFC 4443 section 3.1, code 1).
    if error.raw_os_error() == Some(libc::EACCES) && !origin.is_immediate {
        return ConnectionFault::Unreachable(words);
    }
    // A kernel without IPv6 does not know the family at all.
    if error.raw_os_error() == Some(libc::EAFNOSUPPORT) {
        return ConnectionFault::NoRoute(words);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectionFault::Refused,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable if origin.lacks_route() => {
            ConnectionFault::NoRoute(words)
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            ConnectionFault::Unreachable(words)
        }
        io::ErrorKind::NetworkDown => ConnectionFault::NoRoute(words),
        // Without a route there is no address of this machine to send from; with one, all of its ports are in use.
        io::ErrorKind::AddrNotAvailable if origin.has_route != Some(true) => ConnectionFault::NoRoute(words),
        io::ErrorKind::TimedOut => ConnectionFault::Silent,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ConnectionFault::Reset(words),
        io::ErrorKind::PermissionDenied => ConnectionFault::Forbidden(words),
        _ => ConnectionFault::Failed(words),
    }
}

/// Whether a link-local address comes without its interface (RFC 4007 section 6): it means nothing then.
fn lacks_zone(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(_) => false,
        SocketAddr::V6(address) => address.ip().is_unicast_link_local() && address.scope_id() == 0,
    }
}

/// No TLS session could be opened.
#[must_use]
pub fn of_no_handshake(host: &str, error: &io::Error, client: ClientAuthentication) -> TlsFault {
    match in_tls(error) {
        Some(rustls::Error::InvalidCertificate(error)) => {
            TlsFault::Certificate { fault: tls::certificate_fault(host, error), suspect: None }
        }
        Some(other) => handshake::fault(host, other, client),
        None if is_refused_here(error) => TlsFault::Local { error: error.to_string() },
        None if client.was_asked => TlsFault::wants_certificate(client.has_identity, error.to_string()),
        None => TlsFault::Closed { error: error.to_string() },
    }
}

/// An exchange that broke off because the server wants another client certificate: of TLS 1.3 the client learns that only
/// after the handshake (RFC 8446 section 4.4.2.4).
#[must_use]
pub fn of_client_certificate(
    host: &str,
    broken: &BrokenOff,
    client: ClientAuthentication,
) -> Option<TlsFault> {
    if !client.was_asked {
        return None;
    }
    let source = std::error::Error::source(&broken.error)?.downcast_ref::<io::Error>()?;
    let fault = handshake::fault(host, in_tls(source)?, client);
    matches!(fault, TlsFault::WantsCertificate { .. } | TlsFault::RefusesCertificate { .. }).then_some(fault)
}

fn in_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
}

/// The exchange broke off; these are the first bytes of the answer.
#[must_use]
pub fn of_no_answer(first_bytes: &[u8], broken: &BrokenOff) -> ExchangeFault {
    let error = &broken.error;
    if let Some((received, announced)) = broken.bytes
        && received < announced
    {
        return ExchangeFault::TooShort { received, announced };
    }
    if is_tls(first_bytes) {
        return ExchangeFault::SpeaksTls;
    }
    if error.is_parse() {
        return ExchangeFault::NotHttp { error: error.to_string(), start: printable(first_bytes, 40) };
    }
    let system = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    if let Some(refused) = system.filter(|&error| is_refused_here(error)) {
        return ExchangeFault::Local { error: refused.to_string() };
    }
    let was_reset = system.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
    ExchangeFault::Closed { was_reset, answer_began: !first_bytes.is_empty() }
}

/// Whether this machine refused to send or to receive. EPERM is what a firewall of its own gives; ENOSYS, a sandbox.
fn is_refused_here(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EPERM
                | libc::EACCES
                | libc::ENOSYS
                | libc::ENOMEM
                | libc::ENOBUFS
                | libc::EMFILE
                | libc::ENFILE
        )
    )
}

/// The time is over.
#[must_use]
pub fn of_silence(answer_began: bool) -> ExchangeFault {
    if answer_began { ExchangeFault::Unfinished } else { ExchangeFault::Silent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Cause, FailureKind};

    #[test]
    fn whose_fault_it_is_that_no_connection_could_be_opened_is_told_apart() {
        let address: SocketAddr = "192.0.2.1:80".parse().unwrap();
        let here = Origin { has_route: Some(false), is_immediate: true };
        for (error, kind, words) in [
            (io::ErrorKind::ConnectionRefused, FailureKind::Refused, "nothing listens on 192.0.2.1:80"),
            (io::ErrorKind::NetworkUnreachable, FailureKind::NoRoute, "this machine has no route to"),
            (io::ErrorKind::AddrNotAvailable, FailureKind::NoRoute, "this machine has no route to"),
            (io::ErrorKind::NetworkDown, FailureKind::NoRoute, "this machine has no route to"),
            (io::ErrorKind::HostUnreachable, FailureKind::NoRoute, "this machine has no route to"),
            (io::ErrorKind::TimedOut, FailureKind::Timeout, "does not answer a connection attempt"),
            (io::ErrorKind::ConnectionReset, FailureKind::Closed, "closed the connection at once"),
            (io::ErrorKind::PermissionDenied, FailureKind::Local, "this machine forbids"),
            (io::ErrorKind::OutOfMemory, FailureKind::Local, "this machine cannot open"),
        ] {
            let cause = Cause::Connection { address, fault: of_no_connection(address, &error.into(), here) };
            assert_eq!(cause.kind(), kind, "{error:?}");
            let message = cause.to_string();
            assert!(message.contains(words) && message.contains("192.0.2.1:80"), "{error:?}: {message}");
        }
    }

    #[test]
    fn a_router_that_knows_no_way_is_told_from_this_machine() {
        let address: SocketAddr = "[2001:db8::1]:80".parse().unwrap();
        let origin = |has_route, is_immediate| Origin { has_route, is_immediate };
        let (here, far) = (origin(Some(false), true), origin(Some(true), false));
        let (silent_here, silent_far) = (origin(None, true), origin(None, false));
        for (error, origin, kind) in [
            (libc::EHOSTUNREACH, here, FailureKind::NoRoute),
            (libc::ENETUNREACH, here, FailureKind::NoRoute),
            (libc::EACCES, here, FailureKind::NoRoute),
            (libc::EINVAL, here, FailureKind::NoRoute),
            (libc::EHOSTUNREACH, far, FailureKind::Unreachable),
            (libc::ENETUNREACH, far, FailureKind::Unreachable),
            (libc::EACCES, far, FailureKind::Unreachable),
            (libc::EHOSTUNREACH, silent_here, FailureKind::NoRoute),
            (libc::EHOSTUNREACH, silent_far, FailureKind::Unreachable),
            (libc::EACCES, silent_here, FailureKind::Local),
            (libc::EACCES, origin(Some(true), true), FailureKind::Local),
            (libc::EINVAL, origin(Some(true), true), FailureKind::Local),
            (libc::EADDRNOTAVAIL, here, FailureKind::NoRoute),
            (libc::EADDRNOTAVAIL, origin(Some(true), true), FailureKind::Local),
        ] {
            let fault = of_no_connection(address, &io::Error::from_raw_os_error(error), origin);
            assert_eq!(Cause::Connection { address, fault }.kind(), kind, "{error} {origin:?}");
        }
    }

    #[test]
    fn an_address_that_this_machine_cannot_use_is_told_from_a_dead_one() {
        for (address, error) in [
            // connect(2) of Linux to a link-local address without a zone.
            ("[fe80::1]:80", libc::EINVAL),
            // socket(2) with `ipv6.disable=1` on the kernel's command line.
            ("[2001:db8::1]:80", libc::EAFNOSUPPORT),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            let here = Origin { has_route: None, is_immediate: true };
            let fault = of_no_connection(address, &io::Error::from_raw_os_error(error), here);
            assert_eq!(Cause::Connection { address, fault }.kind(), FailureKind::NoRoute, "{address}");
        }
    }

    #[test]
    fn a_connection_that_this_machine_refuses_says_nothing_about_the_server() {
        for error in [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::ENOBUFS] {
            let error = io::Error::from_raw_os_error(error);
            let fault = of_no_handshake("time.example", &error, ClientAuthentication::default());
            assert_eq!(Cause::Tls(fault).kind(), FailureKind::Local, "{error}");
        }
        assert!(!is_refused_here(&io::Error::from_raw_os_error(libc::ECONNRESET)));
    }

    #[test]
    fn a_port_that_speaks_no_tls_is_told_from_one_that_hangs_up() {
        let no_tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let fault =
            of_no_handshake("time.example", &io::Error::other(no_tls), ClientAuthentication::default());
        assert_eq!(fault, TlsFault::NotTls);
        assert!(fault.to_string().contains("write http://"), "{fault}");
        let hung_up = io::ErrorKind::UnexpectedEof.into();
        assert!(matches!(
            of_no_handshake("time.example", &hung_up, ClientAuthentication::default()),
            TlsFault::Closed { .. }
        ));
    }
}
