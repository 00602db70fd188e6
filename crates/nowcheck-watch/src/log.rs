//! What the monitor tells while it runs: one record for each change.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LogEvent {
    /// The monitor has started.
    Started {
        /// Where the dashboard is.
        listen: String,
        /// Where the history is stored.
        history: String,
        /// How many checks are watched.
        checks: usize,
    },
    /// The status page is served.
    StatusPage {
        /// Where it is.
        listen: String,
    },
    /// A check is something else than before.
    Status {
        /// The name of the check.
        check: String,
        /// What it was.
        before: String,
        /// What it is.
        status: String,
        /// Why.
        reason: String,
        /// The verdict in one line.
        summary: String,
    },
    /// The incident of a check is another than before, while its status may be the same.
    Incident {
        /// The name of the check.
        check: String,
        /// What happened: `changed`, `flapping` or `closed`.
        change: String,
        /// What is wrong now, or was.
        summary: String,
    },
    /// An incident of a part of the monitor began or ended.
    Monitor {
        /// The part.
        part: String,
        /// Whether it works.
        works: bool,
        /// What is wrong, or was.
        summary: String,
    },
    /// The configuration was read again.
    Reloaded {
        /// How many checks are watched.
        checks: usize,
    },
    /// The configuration was read again and is wrong; what ran before goes on.
    ReloadFailed {
        /// Everything that is wrong, one a line.
        errors: String,
    },
    /// An alert was not delivered.
    AlertFailed {
        /// The name of the alert.
        alert: String,
        /// Why, and when it is tried again.
        problem: String,
    },
    /// An export fails: it begins to, or for another reason than before.
    ExportFailed {
        /// Which one.
        export: String,
        /// Why.
        problem: String,
    },
    /// An export that failed works again.
    ExportWorks {
        /// Which one.
        export: String,
    },
    /// Metrics for a program that reads standard output.
    Metrics {
        /// One line of JSON.
        line: String,
    },
    /// Another problem of the monitor itself.
    Problem {
        /// What it is.
        problem: String,
    },
    /// The monitor ends.
    Stopped {},
}

impl LogEvent {
    /// Whether no other one follows.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Stopped {})
    }
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogRecord {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: LogEvent,
}

/// For people: one line without the time.
impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { listen, history, checks } => {
                let checks = count(*checks, "check", "checks");
                write!(f, "watching {checks}; dashboard on {listen}; history in {history}")
            }
            Self::StatusPage { listen } => write!(f, "status page on {listen}"),
            Self::Status { check, before, status, summary, .. } => {
                write!(f, "{check}: {} (was {before}): {summary}", status.to_uppercase())
            }
            Self::Incident { check, change, summary } => write!(f, "{check}: incident {change}: {summary}"),
            Self::Monitor { part, works: false, summary } => {
                write!(f, "monitor: {part} does not work: {summary}")
            }
            Self::Monitor { part, .. } => write!(f, "monitor: {part} works again"),
            Self::Reloaded { checks } => {
                write!(f, "configuration reloaded; watching {}", count(*checks, "check", "checks"))
            }
            Self::ReloadFailed { errors } => {
                write!(
                    f,
                    "configuration not reloaded, because it is invalid; the old one stays in use:\n{errors}"
                )
            }
            Self::AlertFailed { alert, problem } => write!(f, "alert \"{alert}\": {problem}"),
            Self::ExportFailed { export, problem } => write!(f, "export {export}: {problem}"),
            Self::ExportWorks { export } => write!(f, "export {export} works again"),
            Self::Metrics { line } => f.write_str(line),
            Self::Problem { problem } => f.write_str(problem),
            Self::Stopped {} => f.write_str("stopped"),
        }
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Where records go. Writing never waits.
#[derive(Debug, Clone)]
pub struct Log(mpsc::UnboundedSender<LogRecord>);

impl Log {
    /// A log, and the end from which its records come.
    #[must_use]
    pub fn new() -> (Self, mpsc::UnboundedReceiver<LogRecord>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Writes a record.
    pub fn write(&self, at: Timestamp, event: LogEvent) {
        // The reader is gone when the program ends.
        let _ = self.0.send(LogRecord { at, event });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_json_object_with_its_time_and_its_event() {
        let at = "2026-11-28T03:00:00Z".parse().unwrap();
        let event = LogEvent::Status {
            check: "shop".to_owned(),
            before: "ok".to_owned(),
            status: "down".to_owned(),
            reason: "down".to_owned(),
            summary: "connection refused".to_owned(),
        };
        assert_eq!(event.to_string(), "shop: DOWN (was ok): connection refused");
        let json = serde_json::to_string(&LogRecord { at, event }).unwrap();
        assert_eq!(
            json,
            r#"{"at":"2026-11-28T03:00:00Z","event":"status","check":"shop","before":"ok","status":"down","reason":"down","summary":"connection refused"}"#
        );
    }
}
