//! The only file that reads this machine's clocks. Everything else is handed instants.
//!
//! All intervals of a round are measured on the monotonic clock, which nobody steps. The wall clock is read
//! only as the reference: what it shows, bracketed by two monotonic readings, and how far the kernel vouches
//! for it.

use std::time::{Duration, Instant, SystemTime};

use clock_offset::{BoundedTime, Drift, Interval, MonotonicInstant, Offset, Span, UnixInstant};

/// The monotonic clock of this machine, counted from the start of the program.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

/// What the kernel says of this machine's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronization {
    /// Something disciplines it, and the kernel bounds its error.
    Synchronized {
        /// That bound.
        max_error: Duration,
    },
    /// Nothing disciplines it: nobody vouches for it.
    Unsynchronized,
    /// The kernel could not be asked.
    Unknown,
}

/// One reading of this machine's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallReading {
    /// What the wall clock showed, as it stands: as wide as the reading took.
    pub shown: BoundedTime,
    /// How far the kernel vouches for it.
    pub synchronization: Synchronization,
}

/// Tries to read the wall clock within one short bracket; a scheduler's pause makes a bracket wide.
const ATTEMPTS: u32 = 5;
const SHORT_BRACKET: Duration = Duration::from_micros(2);

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clocks")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Now, on the monotonic clock.
    #[must_use]
    pub fn now(&self) -> MonotonicInstant {
        MonotonicInstant::after_origin(self.origin.elapsed())
    }

    /// That monotonic instant, as the timers of the runtime want it.
    #[must_use]
    pub fn deadline(&self, instant: MonotonicInstant) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.origin + instant.since(MonotonicInstant::ORIGIN))
    }

    /// How long this machine was suspended since it started. The monotonic clock stands still meanwhile, so that
    /// nothing that was measured on it can be carried across.
    #[must_use]
    pub fn suspended(&self) -> Duration {
        let (before, boot, after) =
            (read(libc::CLOCK_MONOTONIC), read(libc::CLOCK_BOOTTIME), read(libc::CLOCK_MONOTONIC));
        boot.saturating_sub(before / 2 + after / 2)
    }

    /// The wall clock, with the tightest bracket of a few attempts, and the kernel's word on it.
    #[must_use]
    pub fn read_wall(&self) -> WallReading {
        let mut best = self.bracketed_wall();
        for _ in 1..ATTEMPTS {
            if best.shows.width() <= SHORT_BRACKET {
                break;
            }
            let again = self.bracketed_wall();
            if again.shows.width() < best.shows.width() {
                best = again;
            }
        }
        WallReading { shown: best, synchronization: Synchronization::of_kernel() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clocks")]
    fn bracketed_wall(&self) -> BoundedTime {
        let before = self.now();
        let wall = SystemTime::now();
        let after = self.now();
        let shown = match wall.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => UnixInstant::from_nanos(0) + Span::from(since),
            Err(before_epoch) => UnixInstant::from_nanos(0) - Span::from(before_epoch.duration()),
        };
        BoundedTime { at: after, shows: Interval::new(shown, shown + (after - before)) }
    }
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "the standard library has no CLOCK_BOOTTIME")]
    // SAFETY: the pointer is to a live value that nothing else borrows, and the call writes only there.
    unsafe {
        libc::clock_gettime(clock, &raw mut time);
    }
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

impl WallReading {
    /// The true time, when somebody vouches for this clock: what it shows, widened by the error that the kernel
    /// admits.
    #[must_use]
    pub fn claim(&self) -> Option<BoundedTime> {
        let bound = Span::from(self.synchronization.max_error()?);
        Some(BoundedTime { shows: self.shown.shows.widened_by(bound), ..self.shown })
    }

    /// By how much the wall clock was stepped between this reading and a later one; nothing when it went on
    /// with the monotonic clock. Both are slewed alike, so any difference beyond the readings' own width is a
    /// step.
    #[must_use]
    pub fn step_until(&self, later: &Self) -> Option<Offset> {
        let expected = self.shown.carried_to(later.shown.at, Drift::from_ppm(0));
        let rounding = Span::from(Duration::from_micros(1));
        if expected.shows.widened_by(rounding).intersection(&later.shown.shows).is_some() {
            return None;
        }
        Some(Offset::between(later.shown.shows.earliest(), expected.shows.earliest()))
    }
}

impl Synchronization {
    /// The kernel's bound, when it gives one.
    #[must_use]
    pub fn max_error(&self) -> Option<Duration> {
        match self {
            Self::Synchronized { max_error } => Some(*max_error),
            Self::Unsynchronized | Self::Unknown => None,
        }
    }

    /// Asks the kernel (`ntp_adjtime` in the mode that changes nothing); needs no privilege.
    fn of_kernel() -> Self {
        #[expect(unsafe_code, reason = "the standard library has no ntp_adjtime")]
        // SAFETY: all-zero bytes are a valid `timex` (integers only), `modes` 0 makes the call read-only, and
        // the pointer is to a live value that nothing else borrows.
        let (state, timex) = unsafe {
            let mut timex: libc::timex = std::mem::zeroed();
            (libc::ntp_adjtime(&raw mut timex), timex)
        };
        match state {
            -1 => Self::Unknown,
            libc::TIME_ERROR => Self::Unsynchronized,
            _ => u64::try_from(timex.maxerror).map_or(Self::Unknown, |micros| Self::Synchronized {
                max_error: Duration::from_micros(micros),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_millis: u64, shown_micros: i128) -> WallReading {
        let shows = Interval::point(UnixInstant::from_nanos(shown_micros * 1_000));
        let at = MonotonicInstant::after_origin(Duration::from_millis(at_millis));
        WallReading { shown: BoundedTime { at, shows }, synchronization: Synchronization::Unknown }
    }

    #[test]
    fn a_wall_clock_that_goes_on_was_not_stepped() {
        let clock = Clock::start();
        let first = clock.read_wall();
        assert_eq!(first.step_until(&clock.read_wall()), None);
        assert_eq!(reading(0, 0).step_until(&reading(5, 5_000)), None);
    }

    #[test]
    fn a_step_is_seen_with_its_sign() {
        let back = reading(0, 0).step_until(&reading(5, 4_000));
        assert_eq!(back, Some(Offset::from_nanos(-1_000_000)));
        let ahead = reading(0, 0).step_until(&reading(5, 6_000));
        assert_eq!(ahead, Some(Offset::from_nanos(1_000_000)));
    }

    #[test]
    fn the_bound_of_a_synchronized_kernel_widens_its_claim_on_both_sides() {
        let mut vouched = reading(0, 0);
        vouched.synchronization = Synchronization::Synchronized { max_error: Duration::from_millis(3) };
        assert_eq!(vouched.claim().unwrap().shows.width(), Duration::from_millis(6));
        assert_eq!(reading(0, 0).claim(), None);
    }
}
