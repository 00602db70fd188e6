//! How many files, and so connections, this process may have open.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Settings;

/// Files that every process has open, with room to spare.
const PROCESS_FILES: usize = 48;

/// Files that every thread has open, besides a listener for each address.
const FILES_PER_THREAD: usize = 8;

/// Places beyond the limit of connections that all threads have together.
const RESERVED_CONNECTIONS: usize = 256;

/// Of them, those that each thread has at least.
const MIN_RESERVED_PER_THREAD: usize = 8;

/// What the limit on open files is spent on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileBudget {
    pub(crate) limit: usize,
    /// What it would have to be.
    pub(crate) needed: usize,
    pub(crate) connections: usize,
    /// Places of each thread beyond those connections. As many again may be about to end at any moment.
    pub(crate) reserve: usize,
}

impl FileBudget {
    /// `allow` raises the limit to what is needed, as far as it may, and says what it is then.
    pub(crate) fn share_out(settings: &Settings, allow: impl FnOnce(usize) -> usize) -> anyhow::Result<Self> {
        let threads = settings.threads;
        let own = PROCESS_FILES + threads * (FILES_PER_THREAD + settings.listen.len());
        let asked = settings.limits.connections;
        let of_each = |reserve: usize| reserve.div_ceil(threads).max(MIN_RESERVED_PER_THREAD);
        let with_reserve = |reserve: usize| own + 2 * threads * of_each(reserve);
        let needed = asked + with_reserve(RESERVED_CONNECTIONS);
        let limit = allow(needed);
        // Where files are few, the reserve takes a small part of them.
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

/// Raises the limit to `needed` as far as that needs no permission, and says what it is then.
pub(crate) fn allow(needed: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    let wanted = needed.min(maximum.unwrap_or(u64::MAX));
    if current >= wanted {
        return current;
    }
    // What cannot be raised is as it was.
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::{ClientLimits, LogFormat};

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
            clock_bound: None,
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
