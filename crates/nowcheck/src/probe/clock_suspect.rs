//! A certificate outside of its validity: is it old, or is a clock wrong?
//!
//! A wrong clock on this machine makes every certificate look expired or not yet valid, and then the report
//! would blame the server. So the server is asked, over a connection that trusts nobody and carries no secret,
//! what time *it* thinks it is.

use std::time::{Duration, UNIX_EPOCH};

use clock_offset::{BoundedTime, Drift, MonotonicInstant};
use http::Method;
use http::header::DATE;

use crate::clock::Clock;
use crate::outcome::{Believed, CertificateClock, ClockSuspect, ValidityBreach};
use crate::probe::http::{Peer, Wanted, connect};
use crate::probe::tls::config_that_trusts_anybody;
use crate::probe::tls::identity::ConnectionConfig;

/// Clocks that agree to within this are taken to show the same time.
const ROUGHLY_THE_SAME: u64 = 3_600;

/// The clock by which the certificates of a round are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgingClock {
    /// What it shows.
    pub bounds: BoundedTime,
    /// Why it is believed; `None` when nobody vouches for it.
    pub believed: Option<Believed>,
    /// Whose it is.
    pub whose: CertificateClock,
}

/// What is suspect, and how many requests it took to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspicion {
    /// The certificate, or a clock.
    pub suspect: ClockSuspect,
    /// Requests that were begun.
    pub requests: u32,
}

/// Asks the server for its time, and says which clock is suspect, or whether it is the certificate.
pub async fn clock_suspect(
    peer: &Peer<'_>,
    breach: ValidityBreach,
    by: JudgingClock,
    clock: Clock,
    deadline: MonotonicInstant,
) -> Suspicion {
    let now = by.bounds.carried_to(clock.now(), Drift::from_ppm(0)).shows.earliest();
    let local = u64::try_from(now.as_nanos() / 1_000_000_000).unwrap_or_default();
    let mut requests = 0;
    let server = server_date(peer, clock, deadline, &mut requests).await;
    Suspicion { suspect: suspect(breach, local, server, by), requests }
}

/// The `Date` of the server, in Unix seconds, by `HEAD /` without a look at its certificate.
async fn server_date(
    peer: &Peer<'_>,
    clock: Clock,
    deadline: MonotonicInstant,
    requests: &mut u32,
) -> Option<u64> {
    // Not the path that the user gave: it may hold a secret, and nobody knows who listens there.
    let root = peer.target.root();
    let trusting = ConnectionConfig::new(&config_that_trusts_anybody(), None);
    let peer = Peer { target: &root, address: peer.address, tls: Some(&trusting) };
    let mut connection = connect(&peer, clock, deadline).await.ok()?;
    *requests += 1;
    let answer = connection.ask(Method::HEAD, &root, Wanted::Head, deadline).await.ok()?;
    let date = httpdate::parse_http_date(answer.headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().as_ref().map(Duration::as_secs)
}

/// What is suspect, by the Unix seconds that both clocks show.
fn suspect(breach: ValidityBreach, local: u64, server: Option<u64>, judging: JudgingClock) -> ClockSuspect {
    let by = judging.whose;
    match (server, judging.believed) {
        (Some(server), _) if server.abs_diff(local) <= ROUGHLY_THE_SAME => ClockSuspect::Certificate,
        (Some(server), Some(believed)) if breach.is_healed_by(server) => {
            ClockSuspect::CertificateAndServer { by, believed, server }
        }
        (Some(server), None) if breach.is_healed_by(server) => ClockSuspect::JudgingClock { by, server },
        (Some(server), _) => ClockSuspect::CertificateByBoth { server },
        (None, Some(believed)) => ClockSuspect::CertificateUnasked { by, believed },
        (None, None) => ClockSuspect::Unknown { by, local },
    }
}

#[cfg(test)]
mod tests {
    use clock_offset::{Interval, UnixInstant};

    use super::*;

    const EXPIRED: ValidityBreach = ValidityBreach::Expired { not_after: 1_000_000 };
    const ORIGIN: BoundedTime =
        BoundedTime { at: MonotonicInstant::ORIGIN, shows: Interval::point(UnixInstant::from_nanos(0)) };
    const UNSYNCHRONIZED: JudgingClock =
        JudgingClock { bounds: ORIGIN, believed: None, whose: CertificateClock::ThisMachine };
    const SYNCHRONIZED: JudgingClock =
        JudgingClock { believed: Some(Believed::Synchronized), ..UNSYNCHRONIZED };

    #[test]
    fn a_server_whose_clock_agrees_leaves_the_certificate_as_the_culprit() {
        let suspect = suspect(EXPIRED, 2_000_000, Some(2_000_010), UNSYNCHRONIZED);
        assert_eq!(suspect, ClockSuspect::Certificate);
        assert!(suspect.to_string().contains("the certificate itself is the culprit"), "{suspect}");
    }

    #[test]
    fn a_server_whose_clock_is_inside_the_validity_points_at_an_unsynchronized_local_clock() {
        let words = suspect(EXPIRED, 2_000_000, Some(999_000), UNSYNCHRONIZED).to_string();
        assert!(words.contains("this machine's clock is the likelier culprit"), "{words}");
    }

    #[test]
    fn a_synchronized_local_clock_is_believed() {
        let words = suspect(EXPIRED, 2_000_000, Some(999_000), SYNCHRONIZED).to_string();
        assert!(words.contains("this machine's clock is synchronized"), "{words}");
        let words = suspect(EXPIRED, 2_000_000, None, SYNCHRONIZED).to_string();
        assert!(words.contains("the certificate is the likelier culprit"), "{words}");
    }

    #[test]
    fn a_clock_that_the_user_trusts_is_believed_and_not_said_to_be_synchronized() {
        let trusted = JudgingClock { believed: Some(Believed::Trusted), ..UNSYNCHRONIZED };
        for server in [Some(999_000), None] {
            let words = suspect(EXPIRED, 2_000_000, server, trusted).to_string();
            assert!(
                words.contains("this machine's clock is trusted by the user: the certificate"),
                "{words}"
            );
        }
    }
}
