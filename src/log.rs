//! The engine's own lines: a tasker with a `logger` gets them, `TASKER_DEBUG=1` prints them.
//!
//! What prints is one subscriber for the whole process, set by the first handle that is opened. A
//! handle with a logger has one of its own on its threads, which prints too if that was asked.
//! Neither knows spans: the engine has none.
//!
//! Proof: `__test__/contract/warnings.test.mjs`, `__test__/contract/logger.test.mjs`.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

use crate::effect_queue::EffectQueue;
use crate::line::Line;

/// The levels from which on a logger may want lines.
pub(crate) const LEVELS: [(&str, Level); 2] = [("debug", Level::DEBUG), ("info", Level::INFO)];

/// Prints the engine's lines from now on, if the environment asks for it.
pub(crate) fn init() {
    if is_printed() {
        let lines = Lines { prints: true, hearer: None };
        // Another subscriber can only be one of ours: the addon's tracing is its own.
        let _ = tracing::subscriber::set_global_default(lines);
    }
}

/// Where the lines of one handle go if it has a logger: to JavaScript, from this level on.
pub(crate) fn of_handle(level: Level, queue: Arc<EffectQueue>) -> Dispatch {
    Dispatch::new(Lines { prints: is_printed(), hearer: Some((level, queue)) })
}

fn is_printed() -> bool {
    std::env::var_os("TASKER_DEBUG").is_some_and(|set| !set.is_empty() && set != "0")
}

struct Lines {
    prints: bool,
    hearer: Option<(Level, Arc<EffectQueue>)>,
}

impl Lines {
    fn max_level(&self) -> Level {
        let heard = self.hearer.as_ref().map_or(Level::ERROR, |(level, _)| *level);
        if self.prints { Level::DEBUG } else { heard }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = !metadata.is_span() && metadata.target().starts_with("tasker");
        is_ours && *metadata.level() <= self.max_level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level().into())
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::of(*event.metadata().level());
        event.record(&mut line);
        if self.prints {
            line.print();
        }
        match &self.hearer {
            Some((level, queue)) if *event.metadata().level() <= *level => queue.log(line),
            Some(_) | None => {}
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
