//! The options of `new Tasker` that the engine needs, checked at once.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tasker_core::argument;
use tasker_core::condition::Template;
use tasker_core::definition::Defaults;
use tasker_core::error::{Code, Error, Result};
use tasker_core::index::{self, IndexPath};
use tasker_core::limits;
use tasker_core::queue_timeout;
use tasker_core::retention::Retention;
use tasker_core::retry;
use tasker_core::task::{OnInterrupted, OnStop, OnStopWaiting, TaskOptions};
use tasker_engine::memory::Settings;
use tasker_engine::thread::Opener;
use tasker_sqlite::{Durability, Location};
use tracing::Level;

use crate::log;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OptionFields<'a> {
    #[serde(borrow)]
    store: Option<&'a RawValue>,
    #[serde(borrow)]
    concurrency: Option<&'a RawValue>,
    exclusive: Option<bool>,
    #[serde(borrow)]
    durability: Option<&'a RawValue>,
    #[serde(borrow)]
    on_interrupted: Option<&'a RawValue>,
    #[serde(borrow)]
    on_stop: Option<&'a RawValue>,
    #[serde(borrow)]
    on_stop_waiting: Option<&'a RawValue>,
    #[serde(borrow)]
    run_timeout: Option<&'a RawValue>,
    #[serde(borrow)]
    queue_timeout: Option<&'a RawValue>,
    #[serde(borrow)]
    retry: Option<&'a RawValue>,
    #[serde(borrow)]
    indexes: Option<&'a RawValue>,
    #[serde(borrow)]
    conditions: Option<&'a RawValue>,
    #[serde(borrow)]
    retention: Option<&'a RawValue>,
    /// From which level on a logger hears the engine's lines; absent without one.
    #[serde(borrow)]
    log: Option<&'a RawValue>,
}

/// What to open and how.
pub(crate) struct Options {
    location: Location,
    durability: Durability,
    exclusive: bool,
    /// Nothing if it says nothing of them: then those that are there stay.
    indexes: Option<Vec<IndexPath>>,
    pub(crate) settings: Settings,
    pub(crate) log: Option<Level>,
    pub(crate) defaults: Defaults,
}

impl Options {
    /// Reads and checks the options.
    ///
    /// # Errors
    /// `Invalid` with the path of the option, `Unsupported` for a store that does not exist yet.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let fields: OptionFields<'_> = serde_json::from_str(text)
            .map_err(|e| Error::invalid("options", "cannot be read").with_source(e))?;
        let concurrency = fields
            .concurrency
            .map(|raw| argument::count(raw.get(), "concurrency", limits::CONCURRENCY_MAX));
        let run_timeout =
            fields.run_timeout.map(|raw| argument::duration_or_off(raw.get(), "runTimeout"));
        let queue_timeout =
            fields.queue_timeout.map(|raw| queue_timeout::read(raw.get(), "queueTimeout"));
        let retry = fields.retry.map(|raw| retry::read(raw.get(), "retry"));
        let retention = fields.retention.map(|raw| Retention::read(raw.get(), "retention"));
        // A command brings them, when the file is open.
        fields.conditions.map(|raw| Template::read(raw.get(), "conditions")).transpose()?;
        Ok(Self {
            location: location(fields.store)?,
            durability: word(fields.durability, "durability", &DURABILITIES)?
                .unwrap_or(Durability::Full),
            exclusive: fields.exclusive.unwrap_or_default(),
            indexes: fields.indexes.map(|raw| index::read(raw.get())).transpose()?,
            log: word(fields.log, "log", &log::LEVELS)?,
            settings: Settings {
                concurrency: concurrency.transpose()?.unwrap_or(limits::CONCURRENCY_DEFAULT),
                on_stop: word(fields.on_stop, "onStop", OnStop::WORDS)?.unwrap_or_default(),
            },
            defaults: Defaults::from(TaskOptions {
                run_timeout_ms: run_timeout.transpose()?.flatten(),
                queue_timeout: queue_timeout.transpose()?.flatten(),
                retry: retry.transpose()?.map(Arc::new),
                retention: retention.transpose()?.and_then(Retention::shared),
                on_interrupted: word(fields.on_interrupted, "onInterrupted", OnInterrupted::WORDS)?
                    .unwrap_or_default(),
                on_stop_waiting: word(
                    fields.on_stop_waiting,
                    "onStopWaiting",
                    OnStopWaiting::WORDS,
                )?
                .unwrap_or_default(),
                ..TaskOptions::default()
            }),
        })
    }

    /// Where the store is.
    pub(crate) fn location(&self) -> Location {
        self.location.clone()
    }

    /// What opens the store at this place, on the engine's thread.
    pub(crate) fn opener(&self, location: Location) -> Opener {
        let (durability, exclusive) = (self.durability, self.exclusive);
        let indexes = self.indexes.clone();
        Box::new(move || {
            let options = tasker_sqlite::Options { durability, exclusive };
            let (mut store, reader) = tasker_sqlite::open(&location, options)?;
            if let Some(paths) = indexes {
                store.declare_indexes(&paths)?;
            }
            Ok((Box::new(store), Box::new(reader)))
        })
    }
}

const DURABILITIES: [(&str, Durability); 2] =
    [("full", Durability::Full), ("process", Durability::Process)];

fn word<T: Copy>(given: Option<&RawValue>, path: &str, words: &[(&str, T)]) -> Result<Option<T>> {
    given.map(|raw| argument::word(raw.get(), path, words)).transpose()
}

fn location(store: Option<&RawValue>) -> Result<Location> {
    let text = store.and_then(|raw| argument::as_text(raw.get()));
    let text = text.filter(|text| !text.is_empty() && !text.contains('\0'));
    let text = text.ok_or_else(|| Error::invalid("store", "must be a path or ':memory:'"))?;
    match text.as_ref() {
        ":memory:" => Ok(Location::memory()),
        url if url.starts_with("redis://") || url.starts_with("rediss://") => {
            let text = "store: Redis is not supported by this version; use a path or ':memory:'";
            Err(Error::new(Code::Unsupported, text).with_path("store"))
        }
        path => Location::file(path),
    }
}
