//! A number that needs no lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread writes, and all may read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Only the thread that this belongs to may call it: with one writer, a load and a store are enough, and an atomic
    /// addition is not needed.
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.get() + more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
