//! How long this program was kept from running, by the scheduler's own account.
//!
//! An answer that lay in a buffer while the processor was somebody else's looks like one that traveled long. That
//! costs precision and never truth; but where the account tells it, the sample can be replaced by a better one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

/// A delay below this is the usual noise of a busy machine.
const NOISE: Duration = Duration::from_millis(5);

thread_local! {
    /// Opened once for each thread: a monitor opens thousands of connections.
    static ACCOUNT: Option<Arc<File>> = File::open("/proc/thread-self/schedstat").ok().map(Arc::new);
}

/// The kernel's figure `run_delay` of one thread.
#[derive(Debug)]
pub struct RunDelay(Option<Arc<File>>);

impl RunDelay {
    /// The account of the thread that calls. Where the kernel keeps none, no delay is ever seen.
    #[must_use]
    pub fn of_this_thread() -> Self {
        Self(ACCOUNT.with(Clone::clone))
    }

    /// How long the thread has waited for a processor since it began, though it could have run: the second figure
    /// of the file, in nanoseconds (Documentation/scheduler/sched-stats.rst of the kernel).
    #[must_use]
    pub fn total(&self) -> Duration {
        let mut text = [0; 80];
        let length = self.0.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or_default();
        parse(&text[..length]).unwrap_or_default()
    }
}

fn parse(text: &[u8]) -> Option<Duration> {
    let nanos = std::str::from_utf8(text).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Whether a round trip is long mostly because this program could not run.
#[must_use]
pub fn is_heavy(delay: Duration, round_trip: Duration) -> bool {
    delay >= NOISE && delay >= round_trip / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_figure_is_the_time_spent_waiting_for_a_processor() {
        assert_eq!(parse(b"123456 7000000 42\n"), Some(Duration::from_millis(7)));
        for nonsense in [&b""[..], b"1", b"a b c", b"\xff \xff"] {
            assert_eq!(parse(nonsense), None);
        }
    }

    #[test]
    fn a_delay_is_heavy_when_it_is_what_made_the_round_trip_long() {
        let millis = Duration::from_millis;
        assert!(is_heavy(millis(20), millis(21)));
        assert!(!is_heavy(millis(20), millis(200)), "the network made it long");
        assert!(!is_heavy(millis(2), millis(2)), "the usual noise");
    }

    #[test]
    fn where_the_kernel_keeps_an_account_it_never_runs_backwards() {
        let run_delay = RunDelay::of_this_thread();
        let before = run_delay.total();
        assert!(run_delay.total() >= before);
        assert_eq!(RunDelay(None).total(), Duration::ZERO);
    }
}
