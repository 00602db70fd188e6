//! Log lines, on standard error: one at the start with all settings, one for each change of state, none for a request.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::clock::text::rfc3339;
use crate::logging::background_writer::LineSender;
use crate::settings::LogFormat;

/// Writes all later events through this sender.
pub(crate) fn init(format: LogFormat, sender: LineSender) {
    tracing_subscriber::fmt().with_writer(Arc::new(sender)).event_format(LogLineFormat(format)).init();
}

/// Writes one event as one line.
///
/// As text: `2026-11-23T20:11:51Z INFO listening on http://127.0.0.1:8080`. The message is complete without the
/// fields.
/// As JSON: `{"time":"2026-11-23T20:11:51Z","level":"INFO","message":"…",…}`, with the fields for programs.
struct LogLineFormat(LogFormat);

impl<S, N> FormatEvent<S, N> for LogLineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let time = rfc3339(clock::now().seconds);
        let level = event.metadata().level().as_str();
        let mut fields = EventFields::default();
        event.record(&mut fields);
        match self.0 {
            LogFormat::Text => writeln!(line, "{time} {level} {}", fields.message),
            LogFormat::Json => {
                let mut object = Map::new();
                object.insert("time".into(), time.into());
                object.insert("level".into(), level.into());
                object.insert("message".into(), fields.message.into());
                object.append(&mut fields.others);
                writeln!(line, "{}", Value::Object(object))
            }
        }
    }
}

/// The message and the fields of an event.
#[derive(Default)]
struct EventFields {
    message: String,
    others: Map<String, Value>,
}

impl Visit for EventFields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.insert(field.name().into(), json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.others.insert(field.name().into(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.insert(field.name().into(), json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.others.insert(field.name().into(), json!(value));
    }

    /// Rust's debug format of a list of plain strings is JSON, so such a list becomes a JSON list.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
            return;
        }
        let value = serde_json::from_str(&text).ok().filter(Value::is_array).unwrap_or(Value::String(text));
        self.others.insert(field.name().into(), value);
    }
}
