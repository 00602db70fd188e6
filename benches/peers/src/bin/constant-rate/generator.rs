use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use crate::arguments::Arguments;
use crate::connection::{Connection, InFlight};

/// A server that is further behind does not keep up, and its latencies would only say for how long it was asked.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Few, so that requests which become due meanwhile do not wait for many answers to be read.
const EVENTS: usize = 64;

/// What the counted requests were like. The histograms hold nanoseconds.
#[derive(Debug)]
pub struct Measured {
    pub latencies: Histogram<u64>,
    /// From the intended time of sending to that of sending or, if the connection was not free, queueing. This is the
    /// generator's own delay, since it never waits for the server.
    pub lateness: Histogram<u64>,
    /// From the start of the counted time to the last counted answer.
    pub took: Duration,
}

/// The times at which groups of requests are to be sent.
#[derive(Debug)]
struct Schedule {
    period: Duration,
    next: u32,
    count: u32,
}

impl Schedule {
    fn new(arguments: &Arguments) -> anyhow::Result<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a handful of requests are sent at a time")]
        let period = Duration::try_from_secs_f64(arguments.pipeline as f64 / arguments.rate)?;
        let count = (arguments.warm_up + arguments.length).as_nanos().div_ceil(period.as_nanos().max(1));
        Ok(Self { period, next: 0, count: count.try_into().context("these are too many requests")? })
    }

    /// The number and the intended time of the next group; none if it is not due, or there is no other.
    fn due(&mut self, now: Duration) -> Option<(usize, Duration)> {
        let intended = self.period * self.next;
        if self.next == self.count || now < intended {
            return None;
        }
        let number = self.next as usize;
        self.next += 1;
        Some((number, intended))
    }

    fn is_over(&self) -> bool {
        self.next == self.count
    }
}

pub struct Generator {
    poll: Poll,
    connections: Vec<Connection>,
    /// What is sent at a time. They take turns.
    groups: Vec<Vec<u8>>,
    /// How many groups were sent.
    sent: usize,
    /// How many groups are in flight or queued.
    pending: usize,
    pipeline: usize,
    schedule: Schedule,
    warm_up: Duration,
    measured: Measured,
    begun: Instant,
}

impl Generator {
    /// Opens the connections.
    ///
    /// # Errors
    ///
    /// The server does not answer on all of them, or the system has no files left.
    pub fn connect(arguments: &Arguments) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let connections = (0..arguments.connections)
            .map(|number| {
                Connection::open(arguments.address, &arguments.heads[0], poll.registry(), Token(number))
                    .with_context(|| format!("connection {} of {}", number + 1, arguments.connections))
            })
            .collect::<Result<_, _>>()?;
        let mut heads = arguments.heads.iter().cycle();
        let groups = arguments
            .heads
            .iter()
            .map(|_| heads.by_ref().take(arguments.pipeline).flatten().copied().collect())
            .collect();
        let histogram = || Histogram::new_with_bounds(1, 120_000_000_000, 3);
        Ok(Self {
            poll,
            connections,
            groups,
            sent: 0,
            pending: 0,
            pipeline: arguments.pipeline,
            schedule: Schedule::new(arguments)?,
            warm_up: arguments.warm_up,
            measured: Measured { latencies: histogram()?, lateness: histogram()?, took: Duration::ZERO },
            begun: monotonic_now(),
        })
    }

    /// Sends all requests and waits for their answers.
    ///
    /// # Errors
    ///
    /// The server answers something else than 200, closes a connection, or is too far behind.
    pub fn run(mut self) -> anyhow::Result<Measured> {
        let mut events = Events::with_capacity(EVENTS);
        let mut buffer = [0; 16 * 1024];
        let mut announced = false;
        // The time until here was that of opening the connections.
        self.begun = monotonic_now();
        while !self.schedule.is_over() || self.pending > 0 {
            match self.poll.poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.context("cannot wait for answers")?,
            }
            for event in &events {
                self.receive(event.token().0, &mut buffer)?;
                self.send_due()?;
            }
            let now = self.send_due()?;
            if !announced && now >= self.warm_up {
                announced = true;
                writeln!(std::io::stderr(), "measuring")?;
            }
            let end = self.schedule.period * self.schedule.count;
            ensure!(
                now < end + GIVE_UP,
                "{} requests were not answered within 10 s",
                self.pending * self.pipeline
            );
        }
        Ok(self.measured)
    }

    /// Sends or queues what is due, and returns the time.
    fn send_due(&mut self) -> anyhow::Result<Duration> {
        let mut now = self.begun.elapsed();
        while let Some((number, intended)) = self.schedule.due(now) {
            self.pending += 1;
            if intended >= self.warm_up {
                self.measured.lateness.saturating_record(nanoseconds(now.saturating_sub(intended)));
            }
            let index = number % self.connections.len();
            let connection = &mut self.connections[index];
            if let Some(InFlight { intended: oldest, .. }) = connection.in_flight {
                ensure!(
                    now < oldest + GIVE_UP,
                    "the server does not keep up with this rate: it is 10 s behind"
                );
                connection.queue.push_back(intended);
            } else {
                self.send(index, intended)?;
            }
            now = self.begun.elapsed();
        }
        Ok(now)
    }

    fn send(&mut self, index: usize, intended: Duration) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        connection.in_flight = Some(InFlight { intended, unanswered: self.pipeline });
        connection.send(&self.groups[self.sent % self.groups.len()])?;
        self.sent += 1;
        Ok(())
    }

    /// Reads from a connection, and sends what is queued for it.
    fn receive(&mut self, index: usize, buffer: &mut [u8]) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        let answers = connection.receive(buffer)?;
        if answers == 0 {
            return Ok(());
        }
        let now = self.begun.elapsed();
        let in_flight = connection.in_flight.as_mut().context("the server answers without being asked")?;
        in_flight.unanswered =
            in_flight.unanswered.checked_sub(answers).context("the server answers twice")?;
        let InFlight { intended, unanswered } = *in_flight;
        if intended >= self.warm_up {
            let latency = nanoseconds(now.saturating_sub(intended));
            self.measured.latencies.saturating_record_n(latency, answers as u64);
            self.measured.took = now.saturating_sub(self.warm_up);
        }
        if unanswered == 0 {
            self.pending -= 1;
            connection.in_flight = None;
            if let Some(intended) = connection.queue.pop_front() {
                self.send(index, intended)?;
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the programs have a clock.rs for tests, the generator has none"
)]
fn monotonic_now() -> Instant {
    Instant::now()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
