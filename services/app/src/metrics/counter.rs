//! A counter without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Written by one thread, read by all.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Call only from the thread that owns the counter. With one writer, a load and a store are enough, and no atomic
    /// addition is needed.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.get() + more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
