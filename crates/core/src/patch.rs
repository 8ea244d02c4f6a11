//! What `updateTask` changes of a task that waits; what it does not name stays.
//!
//! # Promises
//! - It is read as strictly as a definition, and by the same functions: what is wrong is an error
//!   with the path of the field before anything changes.
//!
//! # Left to others
//! Whether the task may be changed, where it goes then, and what a start time counts from: the
//! engine.
//!
//! Proof: the tests below, `__test__/contract/updating.test.mjs`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::argument;
use crate::definition;
use crate::error::{Error, Result};
use crate::limits;
use crate::option::{self, OPTIONS, TaskOption};
use crate::query::{Allowed, Field, Fields, Query, Value};
use crate::task::{Json, NewTask, Priority, TaskOptions};

/// What a call changes of a task.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    data: Option<Json>,
    priority: Option<Priority>,
    delay: Option<Box<str>>,
    options: Vec<(&'static TaskOption, Box<str>)>,
}

/// What the templates of conditions may look at.
const CONDITIONED: Fields = Fields::NONE
    .with(Field::Data)
    .with(Field::Priority)
    .with(Field::Id)
    .with(Field::Label)
    .with(Field::Tags)
    .with(Field::Concurrency);

/// What the query of `if` may look at.
const KNOWN: Fields = CONDITIONED
    .with(Field::Uuid)
    .with(Field::Seq)
    .with(Field::Operation)
    .with(Field::Status)
    .with(Field::State)
    .with(Field::CreatedAt)
    .with(Field::RunAt)
    .with(Field::Attempt)
    .with(Field::DependsOn)
    .with(Field::Parent)
    .with(Field::ScheduleId)
    .with(Field::ScheduledAt)
    .with(Field::RunTimeout)
    .with(Field::QueueTimeout)
    .with(Field::Retry)
    .with(Field::Retention)
    .with(Field::OnInterrupted)
    .with(Field::OnStop)
    .with(Field::OnStopWaiting)
    .with(Field::Unique);

impl Patch {
    /// Reads what `updateTask` is given.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` with the path of the field; `Unsupported` for what comes later.
    pub fn read(text: &str) -> Result<Self> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)
            .map_err(|e| Error::invalid("patch", "must be an object").with_source(e))?;
        let mut patch = Self::default();
        for (word, value) in members {
            patch.take(word, value.get())?;
        }
        // What is wrong is told now.
        patch.set(&mut TaskOptions::default())?;
        if patch.names() == Fields::NONE {
            return Err(Error::invalid("patch", format!("changes nothing; {}", known())));
        }
        Ok(patch)
    }

    fn take(&mut self, word: String, text: &str) -> Result<()> {
        match &*word {
            "data" => {
                self.data = Some(argument::payload(text, "data", limits::DATA_BYTES_MAX)?);
            }
            "priority" => self.priority = Some(argument::priority(text)?),
            "delay" => self.delay = Some(text.into()),
            _ => {
                let option = OPTIONS.iter().find(|option| option.word() == word);
                let option = option.filter(|option| option.may_change);
                let option = option.ok_or_else(|| unchangeable(word))?;
                self.options.push((option, text.into()));
            }
        }
        Ok(())
    }

    fn names(&self) -> Fields {
        let own = [
            self.data.as_ref().map(|_| Field::Data),
            self.priority.map(|_| Field::Priority),
            self.delay.as_ref().map(|_| Field::RunAt),
        ];
        let options = self.options.iter().map(|(option, _)| option.field);
        own.into_iter().flatten().chain(options).fold(Fields::NONE, Fields::with)
    }

    /// Whether it says when the task may start.
    pub fn has_start_time(&self) -> bool {
        self.names().has(Field::RunAt)
    }

    /// Whether it says how long the task may wait.
    pub fn has_queue_timeout(&self) -> bool {
        self.names().has(Field::QueueTimeout)
    }

    /// Whether the task may have other conditions after it.
    pub fn may_change_conditions(&self) -> bool {
        let names = self.names();
        CONDITIONED.iter().any(|field| names.has(field))
    }

    /// Changes a definition.
    ///
    /// # Errors
    /// None that [`Patch::read`] has not found before.
    pub fn apply(&self, def: &mut NewTask) -> Result<()> {
        if let Some(data) = &self.data {
            def.data = Some(data.clone());
        }
        def.priority = self.priority.unwrap_or(def.priority);
        if self.options.is_empty() && self.delay.is_none() {
            return Ok(());
        }
        self.set(&mut def.options)
    }

    fn set(&self, options: &mut TaskOptions) -> Result<()> {
        if self.has_start_time() {
            options.start_time = None;
        }
        for (option, text) in &self.options {
            if option.field == Field::Concurrency {
                options.own_conditions = None;
            }
            option.read(options, text, option.word())?;
        }
        match &self.delay {
            Some(delay) => option::read_delay(options, delay, "delay"),
            None => Ok(()),
        }
    }
}

/// Reads the query of `if`.
///
/// # Errors
/// `InvalidQuery` with a path that begins with `if`.
pub fn condition(text: &str) -> Result<Query> {
    let advice = "if looks at what is known of a task that waits: its definition, state, status, \
                  createdAt and attempt";
    let value = Value::from_json(text)
        .map_err(|error| Error::invalid("if", "must be a query").with_source(error))?;
    Query::of_value(&value, "if", Allowed { fields: KNOWN, ignored: Fields::NONE, advice })
}

/// Every word that `updateTask` takes.
pub fn words() -> impl Iterator<Item = &'static str> {
    let options = OPTIONS.iter().filter(|option| option.may_change);
    ["data", "priority"].into_iter().chain(options.map(TaskOption::word)).chain(["delay"])
}

fn known() -> String {
    format!("updateTask takes {}", words().collect::<Vec<_>>().join(", "))
}

fn unchangeable(word: String) -> Error {
    let is_fixed = definition::words().any(|known| known == word)
        || OPTIONS.iter().any(|option| option.word() == word);
    let what = if is_fixed { "is fixed when a task is added" } else { "is not known" };
    Error::invalid(word, format!("{what}; {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn patched(text: &str) -> NewTask {
        let mut def = NewTask::new("op");
        def.data = Some(Json::trusted("1"));
        def.options.label = Some(Json::trusted("\"kept\""));
        Patch::read(text).unwrap().apply(&mut def).unwrap();
        def
    }

    #[test]
    fn what_is_not_named_stays() {
        let def = patched(r#"{"priority":3,"tags":["a"]}"#);
        assert_eq!(def.priority.get(), 3.0);
        assert_eq!(def.data, Some(Json::trusted("1")));
        assert_eq!(def.options.label, Some(Json::trusted("\"kept\"")));
        assert_eq!(def.options.tags, Some(Json::trusted("[\"a\"]")));
        let def = patched(r#"{"data":null}"#);
        assert_eq!(def.data, Some(Json::trusted("null")));
    }

    #[test]
    fn what_is_wrong_is_an_error_at_its_path() {
        for (text, path) in [
            ("[]", "patch"),
            ("{}", "patch"),
            (r#"{"operation":"other"}"#, "operation"),
            (r#"{"unique":"k"}"#, "unique"),
            (r#"{"dependsOn":[]}"#, "dependsOn"),
            (r#"{"parent":"x"}"#, "parent"),
            (r#"{"payload":1}"#, "payload"),
            (r#"{"priority":"high"}"#, "priority"),
            (r#"{"delay":0}"#, "delay"),
            (r#"{"delay":1,"runAt":5}"#, "delay"),
            (r#"{"tags":[1]}"#, "tags[0]"),
        ] {
            let error = Patch::read(text).unwrap_err();
            assert_eq!(
                (error.code(), error.facts().path.as_deref()),
                (Code::Invalid, Some(path)),
                "{text}"
            );
        }
        for text in ["7", r#"{"result":1}"#, r#"{"data.n":{"$no":1}}"#] {
            assert_eq!(condition(text).unwrap_err().code(), Code::InvalidQuery, "{text}");
        }
    }
}
