//! A certificate outside of its validity: is it old, or is a clock wrong?
//!
//! A wrong clock on this machine makes every certificate look expired or not yet valid, and then the report
//! would blame the server. So the server is asked, over a connection that trusts nobody and carries no secret,
//! what time *it* thinks it is.

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use clock_offset::{BoundedTime, Drift, MonotonicInstant};
use http::Method;
use http::header::DATE;

use crate::clock::Clock;
use crate::probe::http::{Reading, connect};
use crate::probe::tls::{ValidityBreach, config_that_trusts_anybody};
use crate::target::Target;
use crate::text::figures::date_and_time;

/// Clocks that agree to within this are taken to show the same time.
const ROUGHLY_THE_SAME: u64 = 3_600;

/// The clock by which certificates are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judge {
    /// What it shows.
    pub bounds: BoundedTime,
    /// Whether somebody vouches for it.
    pub is_vouched_for: bool,
    /// Whether it is this machine's, or that of time servers.
    pub is_this_machine: bool,
}

/// One sentence: which clock is the likelier culprit.
pub async fn likelier_culprit(
    target: &Target,
    address: SocketAddr,
    breach: ValidityBreach,
    by: Judge,
    clock: Clock,
    deadline: MonotonicInstant,
) -> String {
    let now = by.bounds.carried_to(clock.now(), Drift::from_ppm(0)).shows.earliest();
    let local = u64::try_from(now.as_nanos() / 1_000_000_000).unwrap_or_default();
    let servers = servers_date(target, address, clock, deadline).await;
    judge(breach, local, servers, by)
}

/// The `Date` of the server, in Unix seconds, by `HEAD /` without a look at its certificate.
async fn servers_date(
    target: &Target,
    address: SocketAddr,
    clock: Clock,
    deadline: MonotonicInstant,
) -> Option<u64> {
    // Not the path that the user gave: it may hold a secret, and nobody knows who listens there.
    let root = target.root();
    let trusting = config_that_trusts_anybody();
    let mut connection = connect(&root, address, &trusting, clock, deadline).await.ok()?;
    let answer = connection.ask(Method::HEAD, &root, Reading::HeadOnly, deadline).await.ok()?;
    let date = httpdate::parse_http_date(answer.headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().as_ref().map(Duration::as_secs)
}

fn judge(breach: ValidityBreach, local: u64, servers: Option<u64>, by: Judge) -> String {
    let synchronised = by.is_vouched_for;
    let ours = if by.is_this_machine { "this machine's clock" } else { "the time servers' clock" };
    match servers {
        Some(servers) if servers.abs_diff(local) <= ROUGHLY_THE_SAME => {
            "both clocks agree on the date, so the certificate itself is the culprit: renew it".to_owned()
        }
        Some(servers) if breach.is_healed_by(servers) && synchronised => format!(
            "the server's clock says {}, but {ours} is synchronised: the certificate and the \
             server's clock are the likelier culprits",
            date_and_time(servers)
        ),
        Some(servers) if breach.is_healed_by(servers) => format!(
            "{ours} is the likelier culprit: its kernel says that nothing keeps it right, and by the \
             server's clock ({}) the certificate is valid",
            date_and_time(servers)
        ),
        Some(servers) => format!(
            "the certificate is not valid by the server's own clock either ({}): it is the likelier culprit, \
             though the two clocks disagree",
            date_and_time(servers)
        ),
        None if synchronised => {
            format!("{ours} is synchronised: the certificate is the likelier culprit")
        }
        None => format!(
            "{ours} ({}) is not synchronised and the server's could not be asked: look at both",
            date_and_time(local)
        ),
    }
}

#[cfg(test)]
mod tests {
    use clock_offset::{Interval, UnixInstant};

    use super::*;

    const EXPIRED: ValidityBreach = ValidityBreach::Expired { not_after: 1_000_000 };
    const ORIGIN: BoundedTime =
        BoundedTime { at: MonotonicInstant::ORIGIN, shows: Interval::point(UnixInstant::from_nanos(0)) };
    const UNSYNCHRONISED: Judge = Judge { bounds: ORIGIN, is_vouched_for: false, is_this_machine: true };
    const SYNCHRONISED: Judge = Judge { is_vouched_for: true, ..UNSYNCHRONISED };

    #[test]
    fn a_server_whose_clock_agrees_leaves_the_certificate_as_the_culprit() {
        let words = judge(EXPIRED, 2_000_000, Some(2_000_010), UNSYNCHRONISED);
        assert!(words.contains("the certificate itself is the culprit"), "{words}");
    }

    #[test]
    fn a_server_whose_clock_is_inside_the_validity_points_at_an_unsynchronised_local_clock() {
        let words = judge(EXPIRED, 2_000_000, Some(999_000), UNSYNCHRONISED);
        assert!(words.contains("this machine's clock is the likelier culprit"), "{words}");
    }

    #[test]
    fn a_synchronised_local_clock_is_believed() {
        let words = judge(EXPIRED, 2_000_000, Some(999_000), SYNCHRONISED);
        assert!(words.contains("this machine's clock is synchronised"), "{words}");
        let words = judge(EXPIRED, 2_000_000, None, SYNCHRONISED);
        assert!(words.contains("the certificate is the likelier culprit"), "{words}");
    }
}
