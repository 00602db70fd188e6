//! The checked settings that flags and environment variables become.

pub(crate) mod command_line;
pub(crate) mod flag_values;
pub(crate) mod flags;
pub(crate) mod guesses;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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
    /// Not empty.
    pub(crate) listen: Vec<SocketAddr>,
    /// At least one.
    pub(crate) threads: usize,
    /// The address of `/metrics`, if it is served.
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) limits: ClientLimits,
    pub(crate) max_clock_error: Option<Duration>,
    pub(crate) clock_source: ClockSource,
    pub(crate) drain_delay: Duration,
    pub(crate) log: LogFormat,
    pub(crate) access_log: bool,
    /// The dimension `Environment` of metric lines, if they are written.
    pub(crate) metrics: Option<String>,
}

/// What `nowd healthcheck` asks.
#[derive(Debug, PartialEq)]
pub(crate) struct Healthcheck {
    pub(crate) addresses: Vec<SocketAddr>,
    /// Whether to ask for readiness. Otherwise it is enough that the process is alive: a supervisor that restarts
    /// what is not ready would end draining processes, and all processes at once when the time service of a site
    /// fails.
    pub(crate) checks_readiness: bool,
}

/// Where the bound on the clock's error comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClockSource {
    Kernel,
    /// ClockBound's file or directory; the kernel while that gives no bound.
    ClockBound(PathBuf),
    /// The task metadata of Amazon ECS.
    EcsMetadata,
}

impl ClockSource {
    /// The value of the flag.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::ClockBound(_) => "clock-bound",
            Self::EcsMetadata => "ecs-metadata",
        }
    }

    pub(crate) fn clock_bound_path(&self) -> Option<&Path> {
        match self {
            Self::ClockBound(path) => Some(path),
            Self::Kernel | Self::EcsMetadata => None,
        }
    }
}

/// Limits on what clients may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientLimits {
    pub(crate) connections: usize,
    /// The size of a request's head.
    pub(crate) head_bytes: usize,
    pub(crate) headers: usize,
    /// Until a request's head is complete.
    pub(crate) head_seconds: u16,
    /// Without a request, or while the client does not read its response.
    pub(crate) idle_seconds: u16,
}

/// How long Amazon's load balancers keep an idle connection, by default. They have to close it first: otherwise one
/// may send a request into a closing connection, and respond 502.
pub(crate) const BALANCER_IDLE_SECONDS: u16 = 60;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    /// The value of the flag.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}
