//! The system's resolver, `getaddrinfo`: what it answers is what every other program on this machine gets.
//!
//! It knows the files, name servers, search domains and options of this machine. It also works in a static binary in an
//! empty file system: since version 2.34 glibc has `files` and `dns` in itself. A static nowcheck uses these two alone.
//!
//! | the DNS | `getaddrinfo` of glibc 2.36 |
//! |---|---|
//! | NXDOMAIN | `EAI_NONAME` |
//! | no record of either family | `EAI_NODATA` |
//! | SERVFAIL, REFUSED, closed port, no route to the server | `EAI_AGAIN`, at once |
//! | silence | `EAI_AGAIN`, after all attempts (10 s for each server) |
//! | a failure or silence for one family | the addresses of the other one; after silence late |

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, getaddrinfo};
use tokio::sync::oneshot;

use super::IpVersion;
use crate::clock::Clock;
use crate::outcome::NameFault;

/// The least that resolvers wait for a name server (`options timeout:1`, resolv.conf(5)): a failure that comes earlier is
/// no silence.
const SHORTEST_SILENCE: Duration = Duration::from_millis(900);

/// What the system answers.
pub(super) type Answer = Result<Vec<SocketAddr>, NameFault>;

/// A question to the system's resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The addresses of a name, of one version or of both.
    Name(Option<IpVersion>),
    /// An address with a zone: the number of the interface, without asking any server.
    Zone,
}

/// Asks in a thread of its own. Nobody has to wait for it: it ends with the process. Where the system has no thread to
/// give (a container of an old Docker under a new C library), it asks in this one, and everything waits for the answer.
pub(super) fn ask(name: &str, question: Question, clock: Clock) -> oneshot::Receiver<Answer> {
    let (sender, receiver) = oneshot::channel();
    let owned = name.to_owned();
    let asks = move || {
        // Whoever asked may have lost patience.
        let _ = sender.send(answer(&owned, question, clock));
    };
    if thread::Builder::new().name("resolver".to_owned()).spawn(asks).is_ok() {
        return receiver;
    }
    let (sender, receiver) = oneshot::channel();
    let _ = sender.send(answer(name, question, clock));
    receiver
}

fn answer(name: &str, question: Question, clock: Clock) -> Answer {
    let begin = clock.now();
    look_up(name, question).map_err(|(error, system)| fault(&error, &system, clock.now().since(begin)))
}

/// Each address once, in the order of the system (RFC 6724). Without `AI_ADDRCONFIG`: an address of a family that this
/// machine does not have is to be seen, and named.
fn look_up(name: &str, question: Question) -> Result<Vec<SocketAddr>, (LookupError, io::Error)> {
    let (flags, address) = match question {
        Question::Zone => (libc::AI_NUMERICHOST, libc::AF_INET6),
        Question::Name(None) => (0, libc::AF_UNSPEC),
        Question::Name(Some(IpVersion::V4)) => (0, libc::AF_INET),
        Question::Name(Some(IpVersion::V6)) => (0, libc::AF_INET6),
    };
    let hints = AddrInfoHints { flags, address, socktype: libc::SOCK_STREAM, protocol: 0 };
    let found = getaddrinfo(Some(name), None, Some(hints));
    // This thread made no other system call that could have failed.
    let found = found.map_err(|error| (error, io::Error::last_os_error()))?;
    let mut all: Vec<SocketAddr> = Vec::new();
    for one in found.flatten() {
        if !all.contains(&one.sockaddr) {
            all.push(one.sockaddr);
        }
    }
    Ok(all)
}

/// What an error of the resolver means. Without a free descriptor or memory it knows no name at all, and says of each that
/// it does not exist.
fn fault(error: &LookupError, system: &io::Error, took: Duration) -> NameFault {
    let is_shortage =
        matches!(system.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS));
    if is_shortage {
        return NameFault::Local(system.to_string());
    }
    match error.kind() {
        LookupErrorKind::NoName => NameFault::NotFound,
        LookupErrorKind::NoData => NameFault::NoAddress,
        LookupErrorKind::Again if took >= SHORTEST_SILENCE => NameFault::Silent(None),
        LookupErrorKind::Again | LookupErrorKind::Fail => NameFault::ServerFailure(words(error)),
        _ => NameFault::Local(words(error)),
    }
}

/// The system's words, without the library's.
fn words(error: &LookupError) -> String {
    let words = error.to_string();
    words.rsplit(": ").next().unwrap_or(&words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes are those that glibc gave for each of these in a network namespace; `tests/test_names.py` has the real ones.
    #[test]
    fn what_a_code_of_the_system_means_depends_on_the_time_and_on_its_error_number() {
        let quick = Duration::from_millis(3);
        let slow = Duration::from_secs(10);
        for (what, code, system, took, meant) in [
            ("NXDOMAIN", libc::EAI_NONAME, 0, quick, NameFault::NotFound),
            ("NXDOMAIN without an nsswitch.conf", libc::EAI_NONAME, libc::ENOENT, quick, NameFault::NotFound),
            ("no record", libc::EAI_NODATA, 0, quick, NameFault::NoAddress),
            ("silence", libc::EAI_AGAIN, libc::EAGAIN, slow, NameFault::Silent(None)),
            (
                "no free descriptor",
                libc::EAI_NONAME,
                libc::EMFILE,
                quick,
                NameFault::Local(io::Error::from_raw_os_error(libc::EMFILE).to_string()),
            ),
            (
                "SERVFAIL",
                libc::EAI_AGAIN,
                libc::EAGAIN,
                quick,
                NameFault::ServerFailure("Temporary failure in name resolution".to_owned()),
            ),
            (
                "no memory",
                libc::EAI_MEMORY,
                0,
                quick,
                NameFault::Local("Memory allocation failure".to_owned()),
            ),
        ] {
            let system = io::Error::from_raw_os_error(system);
            assert_eq!(fault(&LookupError::new(code), &system, took), meant, "{what}");
        }
    }
}
