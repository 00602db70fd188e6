//! How long each phase of a request took.

use std::time::Duration;

/// How long each phase took; none for one that did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the name to the addresses.
    pub resolve: Option<Duration>,
    /// TCP.
    pub connect: Option<Duration>,
    /// TLS.
    pub tls: Option<Duration>,
    /// From the request to the first byte.
    pub wait: Option<Duration>,
    /// From the first byte to the last.
    pub transfer: Option<Duration>,
}

impl Phases {
    /// Those that happened, by their names, in order.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let all = [
            ("resolve", self.resolve),
            ("connect", self.connect),
            ("tls", self.tls),
            ("wait", self.wait),
            ("transfer", self.transfer),
        ];
        all.into_iter().filter_map(|(name, took)| took.map(|took| (name, took)))
    }
}
