//! Exports: what sends or writes the metrics once a period. It runs beside the rounds and delays none.

mod destination;
mod emf;
mod otlp;
mod textfile;

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::ExportConfig;
use crate::log::{Log, LogEvent};
use crate::metrics::MetricSource;
use crate::timestamps;
use destination::Destination;

/// The most that one export may take, and no more than its period.
const LONGEST: Duration = Duration::from_secs(10);

/// The exports that run.
#[derive(Debug)]
pub(crate) struct Exports {
    on: Handle,
    source: MetricSource,
    /// How this instance calls itself.
    monitor: String,
    log: Log,
    running: Vec<Running>,
}

/// An export that runs.
#[derive(Debug)]
struct Running {
    config: ExportConfig,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exports {
    /// None yet; they will run there.
    pub(crate) fn new(on: Handle, source: MetricSource, monitor: String, log: Log) -> Self {
        Self { on, source, monitor, log, running: Vec::new() }
    }

    /// Runs these from now on. One that was there before goes on; one that is gone writes a last time. What writes to the same
    /// file begins after that: two at once would write into each other's file.
    pub(crate) fn replace(&mut self, configs: &[ExportConfig]) {
        let mut before = std::mem::take(&mut self.running);
        let mut new = Vec::new();
        for config in configs {
            match before.iter().position(|one| one.config.is_same(config)) {
                Some(known) => self.running.push(before.swap_remove(known)),
                None => new.push(config),
            }
        }
        let mut ending: Vec<(ExportConfig, JoinHandle<()>)> = Vec::new();
        for gone in before {
            // One that has ended has nobody to tell.
            let _ = gone.stop.send(());
            ending.push((gone.config, gone.task));
        }
        for config in new {
            let before = ending.iter().position(|(gone, _)| gone.writes_to_the_same_file(config));
            let begun = self.begin(config, before.map(|before| ending.swap_remove(before).1));
            self.running.push(begun);
        }
    }

    fn begin(&self, config: &ExportConfig, before: Option<JoinHandle<()>>) -> Running {
        let (stop, stopped) = oneshot::channel();
        let (source, log) = (self.source.clone(), self.log.clone());
        let destination = Destination::of(config, &self.monitor, &source);
        let worker = Worker { destination, every: config.every, source, log, problem: None };
        let run = async move {
            if let Some(before) = before {
                // However it ended.
                let _ = before.await;
            }
            worker.run(stopped).await;
        };
        Running { config: config.clone(), stop, task: self.on.spawn(run) }
    }

    /// Lets all of them write a last time.
    pub(crate) fn stop(&mut self) -> Vec<JoinHandle<()>> {
        let running = std::mem::take(&mut self.running);
        let ended = running.into_iter().map(|one| {
            let _ = one.stop.send(());
            one.task
        });
        ended.collect()
    }
}

/// Waits until they have ended, but not for longer.
pub(crate) async fn finish(ending: Vec<JoinHandle<()>>, longest: Duration) -> bool {
    let all = async {
        for task in ending {
            let _ = task.await;
        }
    };
    timeout(longest, all).await.is_ok()
}

/// Writes to one destination.
struct Worker {
    destination: Destination,
    every: Duration,
    source: MetricSource,
    log: Log,
    /// Why it could not be written last.
    problem: Option<String>,
}

impl Worker {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let is_last = tokio::select! {
                biased;
                _ = &mut stopped => true,
                _ = ticks.tick() => false,
            };
            let written = self.destination.write(&self.source, &self.log, LONGEST.min(self.every)).await;
            self.judge(written);
            if is_last {
                return;
            }
        }
    }

    /// Logs when it begins to fail, when it fails otherwise, and when it works again.
    fn judge(&mut self, written: Result<(), String>) {
        let problem = written.err();
        if problem == self.problem {
            return;
        }
        let export = self.destination.name();
        let event = match &problem {
            Some(problem) => LogEvent::ExportFailed { export, problem: problem.clone() },
            None => LogEvent::ExportWorks { export },
        };
        self.log.write(timestamps::now(self.source.clock()), event);
        self.problem = problem;
    }
}
