//! `[[export]]`: where metrics are sent or written.

use std::path::PathBuf;
use std::time::Duration;

use nowcheck::request_headers::RequestHeaders;

use super::alert::{Hook, ca_file};
use super::problem::Problem;
use super::secret::Secret;
use super::section::Section;
use super::values::Secrets;

/// Where metrics are sent or written, and how often.
#[derive(Debug, Clone)]
pub struct ExportConfig {
    /// The period.
    pub every: Duration,
    /// Where.
    pub destination: Export,
    /// The line of its beginning.
    pub(super) line: usize,
}

impl ExportConfig {
    /// Whether it says the same as another, wherever it stands, also in the files that it names.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.every == other.every && self.destination == other.destination
    }

    /// Whether both write to one file.
    pub(crate) fn writes_to_the_same_file(&self, other: &Self) -> bool {
        self.destination.path().is_some_and(|path| other.destination.path() == Some(path))
    }
}

/// Where metrics go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// OpenTelemetry, `http/protobuf`.
    Otlp {
        /// The collector, and whom to trust.
        hook: Hook,
        /// What is added to requests.
        headers: RequestHeaders,
    },
    /// Lines that CloudWatch reads.
    Emf {
        /// The file; none for standard output.
        path: Option<PathBuf>,
        /// The namespace of CloudWatch.
        namespace: String,
    },
    /// A file for `node_exporter`.
    Textfile {
        /// The file, which is replaced as a whole.
        path: PathBuf,
    },
}

impl Export {
    /// The file that is written, if it is one.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Otlp { .. } => None,
            Self::Emf { path, .. } => path.as_ref(),
            Self::Textfile { path } => Some(path),
        }
    }
}

/// Reads an export.
pub(super) fn read(section: &Section<'_>, secrets: Secrets<'_>) -> Option<ExportConfig> {
    let every = section.duration("every");
    let destination = match section.choice("type")?.value {
        "otlp" => otlp(section, secrets),
        "emf" => {
            let path = section.path("path").map(|given| secrets.resolved(&given.value));
            let namespace =
                section.text("namespace").map_or_else(|| "nowcheck".to_owned(), |given| given.value);
            Some(Export::Emf { path, namespace })
        }
        _ => {
            if !section.has("path") {
                section.is_missing("path");
            }
            section.path("path").map(|given| Export::Textfile { path: secrets.resolved(&given.value) })
        }
    };
    Some(ExportConfig {
        every: every?.value,
        destination: destination?,
        line: section.line.unwrap_or_default(),
    })
}

fn otlp(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Export> {
    if !section.has("url") {
        section.is_missing("url");
    }
    let url = section.url("url");
    let secret = section.secret("headers", secrets);
    let mut headers = RequestHeaders::default();
    let lines = secret.iter().flat_map(|given| given.value.expose().lines());
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if let Err(error) = headers.add(line) {
            let key = if section.has("headers_file") { "headers_file" } else { "headers_env" };
            let must = nowcheck::text::printable(error.to_string().as_bytes(), 200);
            section.wrong(section.line_of(key), Problem::Hidden { key: key.to_owned(), must });
        }
    }
    let ca_file = ca_file(section, secrets);
    Some(Export::Otlp { hook: Hook { url: Secret::new(url?.value.as_str()), ca_file }, headers })
}
