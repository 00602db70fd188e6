//! What can be set, and the checked [`Settings`] that flags and their variables become.

pub(crate) mod command_line;
pub(crate) mod flag_values;
pub(crate) mod flags;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Serve(Settings),
    Healthcheck(Healthcheck),
}

/// How to serve.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    /// At least one.
    pub(crate) listen: Vec<SocketAddr>,
    /// At least one.
    pub(crate) threads: usize,
    /// Where metrics are read, if they are.
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) limits: ClientLimits,
    pub(crate) max_clock_error: Option<Duration>,
    /// The shared memory of ClockBound, if the kernel is not to be asked first.
    pub(crate) clock_bound: Option<PathBuf>,
    pub(crate) drain_delay: Duration,
    pub(crate) log: LogFormat,
    pub(crate) access_log: bool,
    /// The name under which metric lines are written, if they are.
    pub(crate) metrics: Option<String>,
}

/// What to ask, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct Healthcheck {
    pub(crate) addresses: Vec<SocketAddr>,
    /// Whether it should serve clients now. If not, it is enough that it lives: whoever ends what is not ready ends a
    /// process that drains, and when the time service of a whole site fails, all processes at once.
    pub(crate) checks_readiness: bool,
}

/// What clients may take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientLimits {
    pub(crate) connections: usize,
    /// Of a request's head.
    pub(crate) head_bytes: usize,
    pub(crate) headers: usize,
    /// Until a request's head has to be complete.
    pub(crate) head_seconds: u16,
    /// Without a request, or without taking an answer.
    pub(crate) idle_seconds: u16,
}

/// The longest that a load balancer of Amazon keeps a connection that nobody uses, by default. It has to be the first to
/// close it, or it sends a request into a connection that is being closed, and answers 502.
pub(crate) const BALANCER_IDLE_SECONDS: u16 = 60;

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    /// As the flag has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}
