use clock_offset::{Interval, Span, UnixInstant};

use super::*;
use crate::clock::Synchronization;
use crate::outcome::SYSTEM;

const AT: MonotonicInstant = MonotonicInstant::ORIGIN;

fn shows(seconds: i128, error: Duration) -> BoundedTime {
    let middle = UnixInstant::from_nanos(seconds * 1_000_000_000);
    BoundedTime { at: AT, shows: Interval::point(middle).widened_by(Span::from(error)) }
}

fn wall(synchronization: Synchronization) -> WallReading {
    WallReading { shown: shows(0, Duration::ZERO), synchronization }
}

/// What this machine's clock, which shows the second 0, and servers that say these seconds agree on.
fn agreement(trust: bool, system: Synchronization, servers: &[i128]) -> RoundReference {
    let of_server = |nth: usize| format!("ntp:192.0.2.{nth}");
    let sources = (0..servers.len()).map(|nth| of_server(nth).parse().unwrap());
    let sources = [ReferenceSource::System].into_iter().chain(sources).collect();
    let references = References::new(sources, Resolution::default(), None).trust_system_clock(trust);
    let wall = wall(system);
    let replies = servers.iter().enumerate().map(|(nth, &seconds)| {
        let mut reply = Reply::of_this_machine(&wall, false);
        reply.name = of_server(nth);
        reply.claim = Some(shows(seconds, Duration::from_millis(1)));
        reply.standing = SourceStanding::Undecided;
        reply
    });
    let replies = [Reply::of_this_machine(&wall, trust)].into_iter().chain(replies).collect();
    references.agreement(replies, wall, AT)
}

const NOBODY: Synchronization = Synchronization::Unsynchronized;

fn of_system(reference: &RoundReference) -> &SourceStanding {
    let system = reference.outcome.sources.iter().find(|source| source.name == SYSTEM);
    &system.expect("it was asked").standing
}

#[test]
fn a_system_clock_that_nothing_vouches_for_is_a_reference_only_where_it_is_trusted() {
    for system in [Synchronization::Unsynchronized, Synchronization::Unknown] {
        let unvouched = agreement(false, system, &[]);
        assert_eq!(unvouched.outcome.standing, Standing::OnlyUnvouched);
        let trusted = agreement(true, system, &[]);
        assert_eq!(trusted.outcome.standing, Standing::Trusted);
        assert_eq!(of_system(&trusted), &SourceStanding::Trusted);
        assert_eq!(trusted.outcome.max_error, None, "it has no bound of its own");
        assert!(trusted.rests_on_wall_clock, "a step of it matters");
        assert_eq!(trusted.reference, unvouched.reference, "it is compared with as it stands");
    }
}

#[test]
fn trust_takes_no_bound_away_that_the_kernel_gives() {
    let synchronized = Synchronization::Synchronized { max_error: Duration::from_millis(3) };
    let trusted = agreement(true, synchronized, &[]);
    assert_eq!(trusted, agreement(false, synchronized, &[]));
    assert_eq!(trusted.outcome.standing, Standing::Agreed);
    assert_eq!(trusted.outcome.max_error, Some(Duration::from_millis(3)));
}

#[test]
fn a_trusted_system_clock_has_one_vote_among_time_servers() {
    let agreed = agreement(true, NOBODY, &[0]);
    assert_eq!((agreed.outcome.standing, of_system(&agreed)), (Standing::Agreed, &SourceStanding::Trusted));
    assert!(agreed.rests_on_wall_clock);
    let outvoted = agreement(true, NOBODY, &[5, 5]);
    assert_eq!(
        (outvoted.outcome.standing, of_system(&outvoted)),
        (Standing::Agreed, &SourceStanding::Falseticker)
    );
    assert_eq!(agreement(true, NOBODY, &[5]).outcome.standing, Standing::Disagreement);
    // Without trust it has none.
    let alone = agreement(false, NOBODY, &[5]);
    assert_eq!(
        (alone.outcome.standing, of_system(&alone)),
        (Standing::Agreed, &SourceStanding::NotVouchedFor)
    );
}
