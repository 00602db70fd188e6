//! `nowd healthcheck`: asks the nowd of this machine whether it is alive or ready, for containers without another
//! program.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::settings::Healthcheck;

/// For each step: connecting, sending, receiving. Together they stay below the usual timeout of a container's health
/// check (3 s in the image).
const TIMEOUT: Duration = Duration::from_secs(1);

/// In bytes. Another program at that port must not keep the check busy.
const LONGEST_STATUS_LINE: u64 = 1_024;

/// Asks at all addresses side by side; prints one line for each, and succeeds when all are well.
pub(crate) fn run(check: &Healthcheck) -> ExitCode {
    let (path, well) = if check.checks_readiness { ("/readyz", "ready") } else { ("/healthz", "alive") };
    let answers: Vec<(SocketAddr, io::Result<String>)> = thread::scope(|scope| {
        let ask = |&address: &SocketAddr| {
            let address = reachable(address);
            (address, scope.spawn(move || ask(address, path)))
        };
        let asked: Vec<_> = check.addresses.iter().map(ask).collect();
        let answer = |thread: thread::ScopedJoinHandle<'_, io::Result<String>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the check broke")))
        };
        asked.into_iter().map(|(address, thread)| (address, answer(thread))).collect()
    });
    let mut all_well = true;
    for (address, answer) in answers {
        let (is_well, why) = match answer {
            Ok(status) => (status.starts_with("HTTP/1.1 200 "), format!("answered {status}")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                (false, format!("did not answer within {TIMEOUT:?}"))
            }
            Err(error) => (false, format!("cannot be asked: {error}")),
        };
        let not = if is_well { "" } else { "not " };
        // A closed standard output does not change the exit code, which is what counts.
        let _ = writeln!(io::stdout(), "{not}{well}: http://{address}{path} {why}");
        all_well &= is_well;
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A service that listens on all addresses is asked at the loopback address of that family.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// The status line of the answer.
fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    if address.port() == 0 {
        return Err(io::Error::other(
            "with port 0, the system chooses a port; give --listen the port from nowd's first log line",
        ));
    }
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(stream.take(LONGEST_STATUS_LINE)).read_line(&mut status)?;
    Ok(status.trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_asked_at_the_loopback_of_its_family() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
