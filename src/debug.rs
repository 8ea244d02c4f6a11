//! `TASKER_DEBUG=1`: the engine's own lines, on the standard error.
//!
//! One subscriber for the whole process, set by the first handle that is opened. It prints each
//! event as a line and knows no spans: the engine has none.
//!
//! Proof: `__test__/contract/warnings.test.mjs`.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Prints the engine's lines from now on, if the environment asks for it.
pub(crate) fn init() {
    let is_asked =
        std::env::var_os("TASKER_DEBUG").is_some_and(|set| !set.is_empty() && set != "0");
    if is_asked {
        // Another subscriber can only be one of ours: the addon's tracing is its own.
        let _ = tracing::subscriber::set_global_default(Lines);
    }
}

struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span() && metadata.target().starts_with("tasker")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let text = format!("tasker {level}: {}{}\n", line.message, line.fields);
        // In one write, so that lines of several threads do not mix. Nobody to tell if it fails.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
