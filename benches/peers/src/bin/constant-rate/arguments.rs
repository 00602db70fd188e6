use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

const USAGE: &str = "usage: constant-rate http://ADDRESS:PORT/PATH --connections N --rate N --seconds N \
    [--warm-up SECONDS] [--heads FILE] [--pipeline N]";

/// What is sent, where, and how fast.
#[derive(Debug)]
pub struct Arguments {
    pub address: SocketAddr,
    /// Request heads that take turns. Each ends with an empty line.
    pub heads: Vec<Vec<u8>>,
    pub connections: usize,
    /// Requests a second, on all connections together.
    pub rate: f64,
    /// How long requests are sent before any is counted.
    pub warm_up: Duration,
    /// How long the counted requests are sent.
    pub length: Duration,
    /// Requests that are sent at a time on one connection.
    pub pipeline: usize,
}

impl Arguments {
    /// # Errors
    ///
    /// An argument is unknown, missing or out of its range, or the file of heads cannot be read.
    pub fn parse(mut given: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let url = given.next().context(USAGE)?;
        let (host, path) =
            url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).context(USAGE)?;
        let mut parsed = Self {
            address: host.parse().with_context(|| format!("{host} is no address with a port"))?,
            heads: vec![format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()],
            connections: 0,
            rate: 0.0,
            warm_up: Duration::from_secs(1),
            length: Duration::ZERO,
            pipeline: 1,
        };
        while let Some(name) = given.next() {
            let value = given.next().context(USAGE)?;
            match name.as_str() {
                "--connections" => parsed.connections = value.parse()?,
                "--rate" => parsed.rate = value.parse()?,
                "--seconds" => parsed.length = Duration::try_from_secs_f64(value.parse()?)?,
                "--warm-up" => parsed.warm_up = Duration::try_from_secs_f64(value.parse()?)?,
                "--heads" => parsed.heads = heads(&value)?,
                "--pipeline" => parsed.pipeline = value.parse()?,
                _ => bail!("{name} is unknown; {USAGE}"),
            }
        }
        ensure!(parsed.connections > 0, "--connections has to be at least 1");
        ensure!(parsed.rate.is_finite() && parsed.rate > 0.0, "--rate has to be above 0");
        ensure!(!parsed.length.is_zero(), "--seconds has to be above 0");
        ensure!(parsed.pipeline > 0, "--pipeline has to be at least 1");
        Ok(parsed)
    }
}

fn heads(path: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the heads to send from {path}"))?;
    let heads: Vec<_> = text.split_inclusive("\r\n\r\n").map(|head| head.as_bytes().to_vec()).collect();
    ensure!(
        heads.last().is_some_and(|head| head.ends_with(b"\r\n\r\n")),
        "{path} does not end with an empty line"
    );
    Ok(heads)
}
