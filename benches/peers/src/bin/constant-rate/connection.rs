use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::answers::first_answer;

/// Requests that were sent together and are not all answered.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    pub intended: Duration,
    pub unanswered: usize,
}

/// A connection on which one group of requests is in flight at a time, while others queue.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    pub in_flight: Option<InFlight>,
    /// The intended times of those that wait.
    pub queue: VecDeque<Duration>,
}

impl Connection {
    /// Connects and has one request answered, so that the server has accepted the connection and knows it.
    pub fn open(address: SocketAddr, head: &[u8], registry: &Registry, token: Token) -> anyhow::Result<Self> {
        let mut stream = std::net::TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(head)?;
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        while first_answer(&received)?.is_none() {
            let count = stream.read(&mut buffer).context("a new connection was not answered")?;
            ensure!(count > 0, "the server closed a new connection");
            received.extend_from_slice(&buffer[..count]);
        }
        received.clear();
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, received, in_flight: None, queue: VecDeque::new() })
    }

    pub fn send(&mut self, requests: &[u8]) -> anyhow::Result<()> {
        let count = self.stream.write(requests).context("cannot send")?;
        ensure!(count == requests.len(), "the server does not read: only {count} bytes could be sent");
        Ok(())
    }

    /// Reads what has arrived, and returns how many answers it completes.
    pub fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => anyhow::bail!("the server closed a connection"),
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    // Nothing is left, and mio reports what comes later.
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
        let (mut answers, mut position) = (0, 0);
        while let Some(length) = first_answer(&self.received[position..])? {
            position += length;
            answers += 1;
        }
        self.received.drain(..position);
        Ok(answers)
    }
}
