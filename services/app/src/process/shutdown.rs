//! Signals, draining, and the end of the process.

use std::io;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::process::worker::Lifecycle;
use crate::readiness::ServiceState;

/// How long requests in flight may take once the listeners are closed.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for a signal, then shuts down step by step, with a log line for each.
///
/// # Errors
///
/// A thread could not begin to serve.
pub(crate) async fn wait_for_shutdown(
    signals: &mut Signals,
    service_state: &ServiceState,
    lifecycle: &watch::Sender<Lifecycle>,
    drain_delay: Duration,
    all_ended: &mut mpsc::UnboundedReceiver<io::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        outcome = all_ended.recv() => return outcome.unwrap_or(Ok(())).context("a thread cannot serve"),
        asked = signals.next() => if asked == StopRequest::Immediate {
            info!("interrupted: stopping at once");
            return Ok(());
        },
    }
    service_state.start_draining();
    if drain_delay > Duration::ZERO {
        info!("terminated: draining, serving for {drain_delay:?} more while /readyz answers 503");
    } else {
        info!("terminated: draining at once, without a --drain-delay");
    }
    tokio::select! {
        () = sleep(drain_delay) => {}
        _ = signals.next() => {
            info!("signaled again: stopping at once");
            return Ok(());
        }
    }
    lifecycle.send_replace(Lifecycle::Closing);
    info!(
        "closing: listeners and idle connections are closed, requests that have begun have \
         {SHUTDOWN_TIMEOUT:?}"
    );
    tokio::select! {
        () = async { while all_ended.recv().await.is_some() {} } => {}
        () = sleep(SHUTDOWN_TIMEOUT) => warn!("some requests did not finish in time: dropping them"),
        _ = signals.next() => info!("signaled again: stopping at once"),
    }
    Ok(())
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopRequest {
    Drain,
    Immediate,
}

pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> StopRequest {
        tokio::select! {
            _ = self.terminate.recv() => StopRequest::Drain,
            _ = self.interrupt.recv() => StopRequest::Immediate,
        }
    }
}
