//! The limit on open files, and how many connections it allows.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Settings;

/// Files that every process has open, with room to spare.
const PROCESS_FILES: usize = 48;

/// Files that every thread has open, besides a listener for each address.
const FILES_PER_THREAD: usize = 8;

/// Reserved connections of all threads together, beyond the limit on connections.
const RESERVED_CONNECTIONS: usize = 256;

/// Reserved connections that each thread has at least.
const MIN_RESERVED_PER_THREAD: usize = 8;

/// How the limit on open files is spent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileBudget {
    pub(crate) limit: usize,
    /// The limit that would be needed.
    pub(crate) needed: usize,
    pub(crate) connections: usize,
    /// Reserved connections of each thread. Twice as many files are set aside, as that many more may be closing.
    pub(crate) reserve: usize,
}

impl FileBudget {
    /// `allow` raises the limit to its argument, as far as possible, and returns the resulting limit.
    pub(crate) fn share_out(settings: &Settings, allow: impl FnOnce(usize) -> usize) -> anyhow::Result<Self> {
        let threads = settings.threads;
        let own = PROCESS_FILES + threads * (FILES_PER_THREAD + settings.listen.len());
        let asked = settings.limits.connections;
        let of_each = |reserve: usize| reserve.div_ceil(threads).max(MIN_RESERVED_PER_THREAD);
        let with_reserve = |reserve: usize| own + 2 * threads * of_each(reserve);
        let needed = asked + with_reserve(RESERVED_CONNECTIONS);
        let limit = allow(needed);
        // A small limit leaves a small reserve.
        let reserve = RESERVED_CONNECTIONS.min(limit / 32);
        let Some(connections) = limit.checked_sub(with_reserve(reserve)).filter(|&left| left > 0) else {
            let least = with_reserve(0) + 1;
            bail!(
                "the limit on open files is {limit}, and nowd needs {least} for one connection: raise \
                 it (ulimit -n)"
            );
        };
        Ok(Self { limit, needed, connections: asked.min(connections), reserve: of_each(reserve) })
    }
}

/// Raises the limit to `needed`, as far as that needs no privilege, and returns the resulting limit.
pub(crate) fn allow(needed: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    let wanted = needed.min(maximum.unwrap_or(u64::MAX));
    if current >= wanted {
        return current;
    }
    // If it cannot be raised, it is unchanged.
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::{ClientLimits, ClockSource, LogFormat};

    #[test]
    fn a_limit_is_never_lowered_and_never_said_to_be_more_than_it_is() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert_eq!(allow(1), before);
        let said = allow(u64::MAX);
        assert_eq!(Some(said), getrlimit(Resource::Nofile).current.or(Some(u64::MAX)));
    }

    fn settings() -> Settings {
        Settings {
            listen: vec!["127.0.0.1:1".parse().unwrap()],
            threads: 2,
            admin_listen: None,
            limits: ClientLimits {
                connections: 10_000,
                head_bytes: 16_384,
                headers: 100,
                head_seconds: 10,
                idle_seconds: 75,
            },
            max_clock_error: None,
            clock_source: ClockSource::Kernel,
            drain_delay: Duration::ZERO,
            log: LogFormat::Text,
            access_log: false,
            metrics: None,
        }
    }

    #[test]
    fn files_go_to_the_program_first_then_to_a_reserve_and_the_rest_to_connections() {
        let two_threads = settings();
        let own = PROCESS_FILES + 2 * (FILES_PER_THREAD + 1);
        let shared = |limit: usize| FileBudget::share_out(&two_threads, |_| limit);
        let plenty = shared(100_000).unwrap();
        assert_eq!((plenty.connections, plenty.reserve), (10_000, RESERVED_CONNECTIONS / 2));
        assert_eq!(plenty.needed, 10_000 + own + 2 * RESERVED_CONNECTIONS);
        assert_eq!(shared(plenty.needed).unwrap().connections, 10_000);
        assert_eq!(shared(plenty.needed - 1).unwrap().connections, 9_999);
        let few = shared(300).unwrap();
        assert_eq!(
            (few.connections, few.reserve),
            (300 - own - 2 * 2 * MIN_RESERVED_PER_THREAD, MIN_RESERVED_PER_THREAD)
        );
        let least = own + 2 * 2 * MIN_RESERVED_PER_THREAD + 1;
        assert_eq!(shared(least).unwrap().connections, 1);
        let error = shared(least - 1).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("needs {least} for one connection: raise it (ulimit -n)")),
            "{error}"
        );
    }
}
