//! Whether a round heard anything from beyond this machine.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use nowcheck::outcome::{
    CheckerFault, Failure, FailureKind, Finding, Interrupted, Outcome, Phase, TargetOutcome, Undetermined,
};

/// What a round heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contact {
    /// Something came back from one of these hosts, be it a refusal.
    Heard(BTreeSet<IpAddr>),
    /// Nothing came back from any of these hosts.
    Silent(BTreeSet<IpAddr>),
    /// One of these hosts answered at first. At the end of the round none could be reached any more, for at least so long.
    FellSilent(BTreeSet<IpAddr>, Duration),
    /// The monitor could not ask: it has no route, or no name resolution.
    CannotAsk,
    /// It says nothing about the network: only this machine itself was asked, or something stopped after it had begun.
    Unclear,
}

impl From<&Outcome> for Contact {
    fn from(outcome: &Outcome) -> Self {
        Self::of(&outcome.targets)
    }
}

impl Contact {
    fn of(targets: &[TargetOutcome]) -> Self {
        let beyond =
            |target: &&TargetOutcome| target.address.is_none_or(|address| !is_loopback(address.ip()));
        let targets: Vec<&TargetOutcome> = targets.iter().filter(beyond).collect();
        let hosts: BTreeSet<IpAddr> =
            targets.iter().filter_map(|target| target.address).map(|address| address.ip()).collect();
        if targets.iter().any(|target| is_heard(target)) {
            Self::Heard(hosts)
        } else if !hosts.is_empty() && targets.iter().all(|target| is_silent(&target.finding)) {
            let last_attempts = targets.iter().filter_map(|target| last_attempt(&target.finding));
            match last_attempts.min() {
                Some(shortest) => Self::FellSilent(hosts, shortest),
                None => Self::Silent(hosts),
            }
        } else if targets.iter().any(|target| is_not_asked(&target.finding)) {
            Self::CannotAsk
        } else {
            Self::Unclear
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// A failure by time after an answer says nothing: the network may have been lost in between.
fn is_heard(target: &TargetOutcome) -> bool {
    match &target.finding {
        Finding::Stale(_) => true,
        Finding::Down(interrupted) | Finding::Undetermined(Undetermined::Limited(interrupted)) => {
            has_come_back(&interrupted.failure)
        }
        _ => !target.backends().is_empty(),
    }
}

fn has_come_back(failure: &Failure) -> bool {
    !matches!(
        failure.kind(),
        FailureKind::Timeout
            | FailureKind::NoSuchName
            | FailureKind::DnsFailure
            | FailureKind::Unreachable
            | FailureKind::NoRoute
            | FailureKind::Local
    )
}

/// Whether nothing came back, in the end: a server that accepts connections can be reached.
fn is_silent(finding: &Finding) -> bool {
    let Finding::Down(Interrupted { failure, .. }) = finding else { return false };
    match failure.kind() {
        FailureKind::Timeout => failure.phase == Phase::Connect,
        FailureKind::Unreachable => true,
        _ => false,
    }
}

/// How long the last attempt took, if there were answers before.
fn last_attempt(finding: &Finding) -> Option<Duration> {
    let Finding::Down(Interrupted { failure, backends }) = finding else { return None };
    (!backends.is_empty()).then_some(failure.elapsed)
}

fn is_not_asked(finding: &Finding) -> bool {
    let Finding::CheckerFault(CheckerFault::CannotAsk(Interrupted { failure, .. })) = finding else {
        return false;
    };
    match failure.kind() {
        FailureKind::NoRoute | FailureKind::DnsFailure => true,
        FailureKind::Timeout => failure.phase == Phase::Resolve,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use clock_offset::Verdict;
    use nowcheck::outcome::{Cause, ConnectionFault, ExchangeFault, NameFault};

    use super::*;
    use crate::incident::testing::backend;

    const AWAY: &str = "192.0.2.1:80";

    fn failed(phase: Phase, cause: Cause) -> Finding {
        Finding::of_failure(Failure { phase, cause, elapsed: Duration::ZERO }, Vec::new())
    }

    fn connection(fault: ConnectionFault) -> Finding {
        failed(Phase::Connect, Cause::Connection { address: AWAY.parse().unwrap(), fault })
    }

    fn target(address: Option<&str>, finding: Finding) -> TargetOutcome {
        let address = address.map(|address| address.parse().unwrap());
        TargetOutcome::new("http://shop.example/now", address, finding)
    }

    fn of(address: &str, finding: Finding) -> Contact {
        Contact::of(&[target(Some(address), finding)])
    }

    fn away() -> BTreeSet<IpAddr> {
        BTreeSet::from([AWAY.parse::<SocketAddr>().unwrap().ip()])
    }

    #[test]
    fn a_refusal_comes_from_somebody_and_silence_from_nobody() {
        assert_eq!(of(AWAY, connection(ConnectionFault::Refused)), Contact::Heard(away()));
        assert_eq!(of(AWAY, connection(ConnectionFault::Silent)), Contact::Silent(away()));
        let unreachable = ConnectionFault::Unreachable("no route to host".to_owned());
        assert_eq!(of(AWAY, connection(unreachable)), Contact::Silent(away()));
    }

    #[test]
    fn a_server_that_stops_after_it_has_accepted_says_nothing_about_the_network() {
        let silent = failed(Phase::Wait, Cause::Exchange(ExchangeFault::Silent));
        assert_eq!(of(AWAY, silent), Contact::Unclear);
    }

    #[test]
    fn who_answered_at_first_and_cannot_be_reached_any_more_fell_silent() {
        let silence = |after: u64| {
            let cause = Cause::Connection { address: AWAY.parse().unwrap(), fault: ConnectionFault::Silent };
            let elapsed = Duration::from_secs(after);
            let backends = vec![backend("", Verdict::InSync)];
            Finding::of_failure(Failure { phase: Phase::Connect, cause, elapsed }, backends)
        };
        let two = [target(Some(AWAY), silence(4)), target(Some(AWAY), silence(3))];
        assert_eq!(Contact::of(&two), Contact::FellSilent(away(), Duration::from_secs(3)));
    }

    #[test]
    fn one_address_that_answers_is_enough() {
        let targets = [
            target(Some(AWAY), connection(ConnectionFault::Silent)),
            target(Some("[2001:db8::1]:80"), connection(ConnectionFault::Refused)),
        ];
        let Contact::Heard(hosts) = Contact::of(&targets) else { panic!("it was heard") };
        assert_eq!(hosts.len(), 2);
    }

    #[test]
    fn a_missing_route_and_a_missing_name_server_are_faults_of_the_monitor() {
        let no_route = connection(ConnectionFault::NoRoute("no route".to_owned()));
        assert_eq!(of(AWAY, no_route), Contact::CannotAsk);
        let cause = Cause::Name { name: "shop.example".to_owned(), fault: NameFault::Silent(None) };
        assert_eq!(Contact::of(&[target(None, failed(Phase::Resolve, cause))]), Contact::CannotAsk);
    }

    #[test]
    fn this_machine_says_nothing_in_any_form_of_its_address() {
        for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(of(address, connection(ConnectionFault::Refused)), Contact::Unclear, "{address}");
            assert_eq!(of(address, connection(ConnectionFault::Silent)), Contact::Unclear, "{address}");
        }
    }
}
