//! One line of the engine's own log.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::Level;
use tracing::field::{Field, Visit};

/// One line.
pub(crate) struct Line {
    /// `debug`, `info`, `warn` or `error`.
    pub(crate) level: &'static str,
    pub(crate) message: String,
    pub(crate) fields: Map<String, Value>,
}

impl Line {
    pub(crate) fn of(level: Level) -> Self {
        let level = match level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            _ => "debug",
        };
        Self { level, message: String::new(), fields: Map::new() }
    }

    /// What takes the place of lines that found no room.
    pub(crate) fn of_left_out(count: usize) -> Self {
        let message = "lines were left out, for the event loop was blocked".into();
        Self { level: "warn", message, fields: Map::from_iter([("lines".into(), count.into())]) }
    }

    /// Writes it to the standard error.
    pub(crate) fn print(&self) {
        let mut text = format!("tasker {}: {}", self.level, self.message);
        for (name, value) in &self.fields {
            // Writing to a String cannot fail.
            let _ = match value {
                Value::String(value) => write!(text, " {name}={value}"),
                value => write!(text, " {name}={value}"),
            };
        }
        text.push('\n');
        // In one write, so that lines of several threads do not mix. Nobody to tell if it fails.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().into(), value.into());
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            _ => self.set(field, text),
        }
    }
}
