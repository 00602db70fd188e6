//! The heartbeat: a dead-man's switch elsewhere is pinged while rounds are held, and raises the alarm when that stops.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use nowcheck::clock::Clock;
use nowcheck::probe::tls::Trust;
use tokio::time::{MissedTickBehavior, interval};

use super::fault::Fault;
use crate::config::HeartbeatConfig;
use crate::http_client::{Client, Message};

/// The most that one ping may take. It ends with the period, too.
const LONGEST: Duration = Duration::from_secs(10);

/// What is pinged.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    client: Client,
    every: Duration,
}

impl Heartbeat {
    /// Reads the certificate authorities of this machine.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn new(config: &HeartbeatConfig, clock: Clock) -> Result<Self, Fault> {
        let client = Client::with_trust(&config.url, Trust::of_this_machine(), clock)?;
        Ok(Self { client, every: config.every })
    }

    /// Pings once each period in which rounds were held, for ever. `held` says how many were held so far; `report` is
    /// given the result of each ping.
    pub async fn run(self, held: impl Fn() -> u64, mut report: impl FnMut(Result<(), Fault>)) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = held();
        loop {
            ticks.tick().await;
            let now = held();
            if now != before {
                before = now;
                report(self.ping().await);
            }
        }
    }

    async fn ping(&self) -> Result<(), Fault> {
        let ping = Message { method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() };
        Ok(self.client.send(ping, LONGEST.min(self.every)).await?)
    }
}

#[cfg(test)]
mod tests;
