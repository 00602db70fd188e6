//! Where an export goes: one value for each type.

use std::path::PathBuf;
use std::time::Duration;

use super::emf::{self, EmfLines};
use super::otlp::Collector;
use super::textfile;
use crate::config::{Export, ExportConfig};
use crate::log::{Log, LogEvent};
use crate::metrics::MetricSource;
use crate::timestamps;

/// Where the metrics of one export go.
#[derive(Debug)]
pub(super) enum Destination {
    Textfile(PathBuf),
    /// To a file, or to standard output.
    Emf(EmfLines, Option<PathBuf>),
    Otlp(Box<Collector>),
}

impl Destination {
    pub(super) fn of(config: &ExportConfig, monitor: &str, source: &MetricSource) -> Self {
        match &config.destination {
            Export::Textfile { path } => Self::Textfile(path.clone()),
            Export::Emf { path, namespace } => {
                Self::Emf(EmfLines::new(namespace.clone(), monitor.to_owned()), path.clone())
            }
            Export::Otlp { hook, headers } => {
                Self::Otlp(Box::new(Collector::new(hook, headers.clone(), monitor, source.clock())))
            }
        }
    }

    /// How the log calls it. The URL of a collector may hold a secret.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Textfile(path) => format!("textfile {}", path.display()),
            Self::Emf(_, Some(path)) => format!("emf {}", path.display()),
            Self::Emf(_, None) => "emf".to_owned(),
            Self::Otlp(_) => "otlp".to_owned(),
        }
    }

    /// Writes or sends the metrics of this moment.
    ///
    /// # Errors
    /// Why it could not, in words.
    pub(super) async fn write(
        &mut self,
        source: &MetricSource,
        log: &Log,
        longest: Duration,
    ) -> Result<(), String> {
        match self {
            Self::Textfile(path) => {
                let (path, source) = (path.clone(), source.clone());
                on_a_thread(move || textfile::write(&path, source.read())).await
            }
            Self::Emf(lines, path) => {
                let now = timestamps::now(source.clock());
                let text = lines.at(now, &source.checks(), source.monitor());
                if let Some(path) = path.clone() {
                    return on_a_thread(move || emf::append(&path, &text)).await;
                }
                for line in text.lines() {
                    log.write(now, LogEvent::Metrics { line: line.to_owned() });
                }
                Ok(())
            }
            Self::Otlp(collector) => {
                let now = timestamps::now(source.clock());
                collector.send(source.read(), now, longest).await
            }
        }
    }
}

/// A disk may take its time.
async fn on_a_thread(write: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<(), String> {
    let done = tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other);
    done.flatten().map_err(|error| error.to_string())
}
