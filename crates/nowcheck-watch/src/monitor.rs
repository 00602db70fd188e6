//! The whole monitor: from a configuration to rounds, pages and alerts, until it is stopped.

mod file;
mod fixed;
mod status_page;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nowcheck::clock::Clock;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::alerts::{Fault, Heartbeat, Report};
use crate::board::Board;
use crate::config::{Config, ConfigErrors, HeartbeatConfig, HistoryConfig};
use crate::dispatch::Dispatch;
use crate::export::{self, Exports};
use crate::history::{History, HistoryError, HistoryPlace, HistorySettings, QueueLimits, Retention};
use crate::log::{Log, LogEvent};
use crate::metrics::MetricSource;
use crate::peers::Peers;
use crate::prober::Prober;
use crate::results::{self, Outlets, Results};
use crate::scheduler::{Scheduler, most_side_by_side};
use crate::side_thread::SideThread;
use crate::timestamps;
use crate::web::auth::Guard;
use crate::web::{self, Served};
use file::{Loaded, WatchedFile};
use fixed::Fixed;
use status_page::StatusPage;

/// How often the configuration file is looked at.
const POLLED_EVERY: Duration = Duration::from_secs(30);

/// How long a monitor that ends waits for its history to be written.
const LAST_WRITE: Duration = Duration::from_millis(800);

/// Why the monitor does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({error}); {}", what_to_do(error))]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why. It is part of the sentence, so it is no source.
        error: io::Error,
    },
    /// The address of the status page cannot be listened on.
    #[error(
        "cannot serve the status page on {address} ({error}); set status_page in [server] to another address"
    )]
    StatusPage {
        /// Which one.
        address: SocketAddr,
        /// Why. It is part of the sentence, so it is no source.
        error: io::Error,
    },
    /// There can be no history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// This machine lacks something.
    #[error("this machine does not give what the monitor needs: {0}")]
    Machine(io::Error),
}

fn what_to_do(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program uses it: stop that one, or set listen in [server] (or --listen) to another port"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: set listen in [server] (or --listen) to a higher port"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address: set listen in [server] (or --listen) to one that it has"
        }
        _ => "set listen in [server] (or --listen) to another address",
    }
}

/// What a running monitor is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Read the configuration again.
    Reload,
    /// End.
    Stop,
}

/// Where the monitor runs and from what.
#[derive(Debug)]
pub struct Setup {
    /// What is watched, and how.
    pub config: Config,
    /// The file that it was read from; it is read again when it changes.
    pub file: Option<PathBuf>,
    /// How many files this process may have open.
    pub open_files: u64,
    /// Where records go.
    pub log: Log,
}

/// A monitor that is watching.
#[derive(Debug)]
pub struct Monitor {
    clock: Clock,
    file: WatchedFile,
    log: Log,
    board: Arc<Board>,
    results: Arc<Results>,
    scheduler: Scheduler,
    served: Arc<Served>,
    side: SideThread,
    status_page: Option<StatusPage>,
    exports: Exports,
    fixed: Fixed,
    heartbeat: Option<(HeartbeatConfig, AbortHandle)>,
}

impl Monitor {
    /// Starts to watch. It needs a runtime of its own thread: rounds are held there, and nothing else.
    ///
    /// # Errors
    /// When an address is in use, or this machine lacks something.
    pub fn start(setup: Setup, clock: Clock) -> Result<Self, StartError> {
        let Setup { config, file, open_files, log } = setup;
        let address = config.server.listen;
        let listener = web::listen(address).map_err(|error| StartError::Listen { address, error })?;
        let listen = listener.local_addr().map_err(StartError::Machine)?;
        let status_page = StatusPage::listen(&config)?;
        let board = Arc::new(Board::default());
        let (history, restored) = History::start(history_settings(&config.history))?;
        let side = SideThread::start("side").map_err(StartError::Machine)?;
        let monitor_name = config.server.name.clone().unwrap_or_else(name_of_this_machine);
        let left_over = results::left_over(&restored, &history);
        let (dispatch, reports) =
            Dispatch::start(side.handle(), &config, &monitor_name, (&history, left_over), clock);
        let peers = Arc::new(Peers::new(clock, &monitor_name, side.handle().clone()));
        let outlets = Outlets { board: Arc::clone(&board), log: log.clone(), history, dispatch, peers };
        let results = Arc::new(Results::new(clock, outlets, &restored));
        side.handle().spawn(listen_to_reports(reports, Arc::clone(&results)));
        let scheduler = Scheduler::new(clock, Arc::clone(&results), most_side_by_side(open_files));
        let metrics = MetricSource::new(clock, Arc::clone(&board), Arc::clone(&results));
        let served = web::Served {
            clock,
            board: Arc::clone(&board),
            results: Arc::clone(&results),
            metrics: metrics.clone(),
            guard: Guard::new(config.server.users.clone()).at(listen),
            streams: web::Streams::among(web::most_connections(open_files)),
            monitor: monitor_name.clone(),
            prober: Prober::start(clock, most_side_by_side(open_files)).map_err(StartError::Machine)?,
        };
        let served = Arc::new(served);
        side.handle().spawn(web::serve(listener, Arc::clone(&served), web::most_connections(open_files)));
        let status_page = status_page
            .map(|listener| StatusPage::serve(listener, &served, &restored, open_files))
            .transpose()?;
        let exports = Exports::new(side.handle().clone(), metrics, monitor_name, log.clone());
        let fixed = Fixed::of(&config);
        let mut monitor = Self {
            clock,
            file: WatchedFile::new(file, config.fingerprint),
            log,
            board,
            results,
            scheduler,
            served,
            side,
            status_page,
            exports,
            fixed,
            heartbeat: None,
        };
        monitor.watch(&config);
        monitor.log_problems(config.warnings());
        monitor.tell_of_the_start(listen, &config);
        Ok(monitor)
    }

    fn tell_of_the_start(&self, listen: SocketAddr, config: &Config) {
        let history = config.history.path.as_ref();
        let event = LogEvent::Started {
            listen: format!("http://{listen}/"),
            history: history.map_or("memory".to_owned(), |path| path.display().to_string()),
            checks: config.checks.len(),
        };
        self.log.write(timestamps::now(self.clock), event);
        if let Some(page) = &self.status_page {
            self.log.write(timestamps::now(self.clock), page.event());
        }
    }

    /// What every check is at the moment.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Watches until it is told to stop, or nobody can tell it any more.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        notify_supervisor(&[sd_notify::NotifyState::Ready]);
        let mut poll = tokio::time::interval(POLLED_EVERY);
        let mut watchdog = tokio::time::interval(watchdog_period());
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Reload) => self.file.load(),
                    Some(Command::Stop) | None => break,
                },
                _ = poll.tick() => self.file.look(),
                loaded = self.file.loaded() => self.reload(loaded),
                _ = second.tick() => self.results.tick(),
                _ = watchdog.tick() => notify_supervisor(&[sd_notify::NotifyState::Watchdog]),
            }
        }
        notify_supervisor(&[sd_notify::NotifyState::Stopping]);
        // Beside the history: both together have to end within a second.
        let begun = self.clock.now();
        let ending = self.exports.stop();
        self.results.take_the_last();
        if !self.results.history().close(LAST_WRITE) {
            let problem = "what was measured last could not be written to the history".to_owned();
            self.log.write(timestamps::now(self.clock), LogEvent::Problem { problem });
        }
        let left = LAST_WRITE.saturating_sub(self.clock.now().since(begun));
        if !export::finish(ending, left).await {
            let problem = "the last export had not ended in time".to_owned();
            self.log.write(timestamps::now(self.clock), LogEvent::Problem { problem });
        }
        self.log.write(timestamps::now(self.clock), LogEvent::Stopped {});
    }

    fn watch(&mut self, config: &Config) {
        self.results.configure(config);
        self.scheduler.watch_these(&config.checks);
        self.beat(config.heartbeat.as_ref());
        self.exports.replace(&config.exports);
        self.served.prober.replace(&config.probes);
        self.served.guard.replace_external_url(config.server.external_url.as_ref());
        let tokens = config.peers.iter().filter_map(|peer| peer.token.clone());
        self.served.guard.replace_tokens(tokens.collect());
    }

    fn log_problems(&self, problems: Vec<String>) {
        for problem in problems {
            self.log.write(timestamps::now(self.clock), LogEvent::Problem { problem });
        }
    }

    /// Pings that dead-man's switch from now on, and no other one.
    fn beat(&mut self, config: Option<&HeartbeatConfig>) {
        if self.heartbeat.as_ref().map(|(config, _)| config) == config {
            return;
        }
        if let Some((_, before)) = self.heartbeat.take() {
            before.abort();
        }
        let Some(config) = config else { return };
        let (clock, log, results) = (self.clock, self.log.clone(), Arc::clone(&self.results));
        match Heartbeat::new(config, clock) {
            Ok(heartbeat) => {
                let mut before = None;
                // Logged when it begins to fail, when it fails otherwise, and when it works again.
                let report = move |result: Result<(), Fault>| {
                    let fault = result.err().map(|fault| fault.to_string());
                    if fault == before {
                        return;
                    }
                    let problem = format!("heartbeat: {}", fault.as_deref().unwrap_or("works again"));
                    log.write(timestamps::now(clock), LogEvent::Problem { problem });
                    before = fault;
                };
                let beating = heartbeat.run(move || results.rounds_held(), report);
                self.heartbeat = Some((config.clone(), self.side.handle().spawn(beating).abort_handle()));
            }
            Err(fault) => {
                self.log.write(
                    timestamps::now(clock),
                    LogEvent::Problem { problem: format!("heartbeat: {fault}") },
                );
            }
        }
    }

    fn reload(&mut self, loaded: Loaded) {
        // Type=notify-reload takes no other form.
        let now = sd_notify::NotifyState::monotonic_usec_now().ok();
        notify_supervisor(
            &[Some(sd_notify::NotifyState::Reloading), now].into_iter().flatten().collect::<Vec<_>>(),
        );
        self.results.set_reload_failed(loaded.is_err());
        let event = match loaded {
            Ok((config, warnings)) => {
                self.watch(&config);
                self.served.guard.replace(config.server.users.clone());
                self.log_problems(warnings);
                self.log_problems(self.fixed.changes(&Fixed::of(&config)));
                LogEvent::Reloaded { checks: config.checks.len() }
            }
            Err(errors) => reload_failed(&errors),
        };
        self.log.write(timestamps::now(self.clock), event);
        notify_supervisor(&[sd_notify::NotifyState::Ready]);
    }
}

fn history_settings(config: &HistoryConfig) -> HistorySettings {
    HistorySettings {
        place: config.path.as_deref().map_or_else(HistoryPlace::memory, HistoryPlace::file),
        retention: Retention {
            rounds: config.keep_rounds,
            minutes: config.keep_minutes,
            hours: config.keep_hours,
        },
        limits: QueueLimits::default(),
    }
}

/// Takes what became of messages, as long as there is somebody to tell.
async fn listen_to_reports(mut reports: mpsc::UnboundedReceiver<Report>, results: Arc<Results>) {
    while let Some(report) = reports.recv().await {
        results.delivered(&report);
    }
}

fn reload_failed(errors: &ConfigErrors) -> LogEvent {
    LogEvent::ReloadFailed { errors: errors.to_string() }
}

/// Tells systemd, if it started this program.
fn notify_supervisor(states: &[sd_notify::NotifyState<'_>]) {
    // Without a supervisor there is nobody to tell.
    let _ = sd_notify::notify(states);
}

/// Half of what the supervisor allows; without one, seldom.
fn watchdog_period() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_hours(1), |allowed| allowed / 2)
}

/// How an instance calls itself that is given no name.
#[must_use]
pub fn name_of_this_machine() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or("nowcheck".to_owned(), |name| name.trim().to_owned())
}
