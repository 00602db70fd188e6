//! Why no answer came, in words: what the system, TLS and HTTP report, told so that somebody can act on it.

use std::io;
use std::net::SocketAddr;

use crate::outcome::Kind;
use crate::probe::tls::{self, ValidityBreach};

/// No connection came to be.
#[must_use]
pub fn of_no_connection(address: SocketAddr, error: &io::Error) -> (Kind, String) {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            (Kind::Refused, format!("nothing listens on {address} (connection refused)"))
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
            (Kind::NoRoute, format!("this machine has no route to {address} ({error})"))
        }
        io::ErrorKind::HostUnreachable => {
            (Kind::Unreachable, format!("the network cannot reach {address} ({error})"))
        }
        io::ErrorKind::TimedOut => of_a_silent_address(address),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            (Kind::Closed, format!("{address} ended the connection at once ({error})"))
        }
        io::ErrorKind::PermissionDenied => {
            (Kind::Local, format!("this machine forbids a connection to {address} ({error})"))
        }
        _ => (Kind::Local, format!("this machine cannot open a connection to {address} ({error})")),
    }
}

/// Nobody says yes or no to a connection.
#[must_use]
pub fn of_a_silent_address(address: SocketAddr) -> (Kind, String) {
    (Kind::Timeout, format!("{address} does not answer a connection attempt"))
}

/// TLS came to nothing; if that is because of the time, with how the certificate is out of its validity.
#[must_use]
pub fn of_no_handshake(host: &str, error: &io::Error) -> (Kind, String, Option<ValidityBreach>) {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(certificate)) => {
            let (message, breach) = tls::explain(host, certificate);
            (Kind::Certificate { is_out_of_time: breach.is_some() }, message, breach)
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            let message = "what came is not TLS; if the server speaks plain HTTP, write http://".to_owned();
            (Kind::Protocol, message, None)
        }
        Some(other) => (Kind::Protocol, format!("the TLS handshake failed: {other}"), None),
        None => {
            (Kind::Closed, format!("the server ended the connection in the TLS handshake ({error})"), None)
        }
    }
}

/// The exchange broke off.
#[must_use]
pub fn of_no_answer(answer_began: bool, error: &hyper::Error) -> (Kind, String) {
    if error.is_parse() {
        return (Kind::Protocol, format!("what came is not HTTP ({error})"));
    }
    let when = if answer_began { "in the middle of its answer" } else { "without an answer" };
    let reset = std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionReset);
    let how = if reset { "reset" } else { "closed" };
    (Kind::Closed, format!("the server {how} the connection {when}"))
}

/// The time is over.
#[must_use]
pub fn of_silence(answer_began: bool) -> (Kind, String) {
    let message =
        if answer_began { "the answer began, but did not end" } else { "connected, but no answer came" };
    (Kind::Timeout, message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_it_is_that_no_connection_came_to_be_is_told_apart() {
        let address: SocketAddr = "192.0.2.1:80".parse().unwrap();
        for (error, kind, words) in [
            (io::ErrorKind::ConnectionRefused, Kind::Refused, "nothing listens on 192.0.2.1:80"),
            (io::ErrorKind::NetworkUnreachable, Kind::NoRoute, "this machine has no route to"),
            (io::ErrorKind::AddrNotAvailable, Kind::NoRoute, "this machine has no route to"),
            (io::ErrorKind::HostUnreachable, Kind::Unreachable, "the network cannot reach"),
            (io::ErrorKind::TimedOut, Kind::Timeout, "does not answer a connection attempt"),
            (io::ErrorKind::ConnectionReset, Kind::Closed, "ended the connection at once"),
            (io::ErrorKind::PermissionDenied, Kind::Local, "this machine forbids"),
            (io::ErrorKind::OutOfMemory, Kind::Local, "this machine cannot open"),
        ] {
            let (told, message) = of_no_connection(address, &error.into());
            assert_eq!(told, kind, "{error:?}");
            assert!(message.contains(words) && message.contains("192.0.2.1:80"), "{error:?}: {message}");
        }
    }

    #[test]
    fn a_port_that_speaks_no_tls_is_told_from_one_that_hangs_up() {
        let no_tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let (kind, message, breach) = of_no_handshake("time.example", &io::Error::other(no_tls));
        assert_eq!((kind, breach), (Kind::Protocol, None));
        assert!(message.contains("write http://"), "{message}");
        let hung_up = io::ErrorKind::UnexpectedEof.into();
        assert_eq!(of_no_handshake("time.example", &hung_up).0, Kind::Closed);
    }
}
