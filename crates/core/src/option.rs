//! What a task may say besides its operation, data and priority: one row per option.
//!
//! A row has all that an option needs to be taken, stored, shown and queried. A new one that
//! nothing acts on is a row here, a member of [`TaskOptions`], a [`Field`], and its types in
//! `types/`.
//!
//! # Promises
//! - What is stored is read by the same function as what `addTask` is given, conditions when
//!   somebody looks at them. So a limit of an option may grow, and must not shrink.
//! - An option that says what holds anyway has no value: it is neither stored nor shown.
//!
//! Proof: the tests below, `conformance::add`, `__test__/contract/options.test.mjs`.

use std::fmt;
use std::sync::Arc;

use crate::argument;
use crate::backoff::RetryPolicy;
use crate::condition::Conditions;
use crate::dependency::Dependencies;
use crate::error::{Code, Error, Result};
use crate::id::TaskId;
use crate::json;
use crate::key::Unique;
use crate::limits;
use crate::query::Field;
use crate::queue_timeout;
use crate::retention::Retention;
use crate::retry;
use crate::standing;
use crate::task::{
    Json, OnInterrupted, OnStop, OnStopWaiting, QueueTimeout, StartTime, TaskOptions, Unsaid,
};
use crate::time::WallMs;
use crate::trace;
use crate::unique;

/// One option of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskOption {
    /// Its member of the task document; `addTask` and the store have the same word.
    pub field: Field,
    /// What it is among the options that an operation decides where its task says nothing; nothing
    /// if it decides none.
    pub unsaid: Unsaid,
    /// Whether `addTask` takes it; else the engine alone says it.
    pub may_say: bool,
    /// Whether `updateTask` may change it.
    pub may_change: bool,
    read: fn(&mut TaskOptions, &str, &str) -> Result<()>,
    value: fn(&TaskOptions) -> Option<OptionValue<'_>>,
}

/// What a task says, as its document and the store have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptionValue<'t> {
    /// A number.
    Number(u64),
    /// A moment.
    Date(WallMs),
    /// One of a few words.
    Word(&'static str),
    /// How long it may wait.
    QueueTimeout(QueueTimeout),
    /// How often it is tried.
    Retry(&'t RetryPolicy),
    /// What it depends on.
    Dependencies(&'t Dependencies),
    /// A task.
    Task(TaskId),
    /// A key that is its own meanwhile.
    Unique(&'t Unique),
    /// How long it is kept.
    Retention(&'t Retention),
    /// What must hold at its start.
    Conditions(&'t Conditions),
    /// JSON of the caller's.
    Json(&'t Json),
}

impl fmt::Display for OptionValue<'_> {
    /// Its JSON text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::Number(number) => write!(f, "{number}"),
            OptionValue::Date(at) => write!(f, "{}", at.0),
            OptionValue::Word(word) => write!(f, "\"{word}\""),
            OptionValue::QueueTimeout(timeout) => write!(f, "{timeout}"),
            OptionValue::Retry(policy) => f.write_str(&policy.to_json()),
            OptionValue::Dependencies(all) => write!(f, "{all}"),
            OptionValue::Task(id) => write!(f, "\"{}\"", id.0),
            OptionValue::Unique(unique) => f.write_str(&unique.to_json()),
            OptionValue::Retention(retention) => f.write_str(&retention.to_json()),
            OptionValue::Conditions(conditions) => f.write_str(conditions.text()),
            OptionValue::Json(json) => f.write_str(json.as_str()),
        }
    }
}

/// Bytes of the `id` of a schedule as JSON, in which each of its bytes may take six.
const SCHEDULE_ID_JSON_MAX: usize = 6 * limits::SCHEDULE_ID_BYTES_MAX + 2;

/// Every option, in the order of the document.
pub const OPTIONS: [TaskOption; 18] = [
    TaskOption {
        field: Field::Id,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            set(&mut task.id, argument::payload(text, path, limits::ID_BYTES_MAX))
        },
        value: |task| task.id.as_ref().map(OptionValue::Json),
    },
    TaskOption {
        field: Field::Label,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: true,
        read: |task, text, path| set(&mut task.label, label(text, path)),
        value: |task| task.label.as_ref().map(OptionValue::Json),
    },
    TaskOption {
        field: Field::Tags,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            task.tags = tags(text, path)?;
            Ok(())
        },
        value: |task| task.tags.as_ref().map(OptionValue::Json),
    },
    TaskOption {
        field: Field::Trace,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: false,
        read: |task, text, path| set(&mut task.trace, trace::read(text, path)),
        value: |task| task.trace.as_ref().map(OptionValue::Json),
    },
    TaskOption {
        field: Field::RunAt,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            set_start_time(task, argument::moment(text, path).map(StartTime::At), path)
        },
        value: |task| task.run_at().map(OptionValue::Date),
    },
    TaskOption {
        field: Field::DependsOn,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: false,
        read: |task, text, path| {
            task.depends_on = standing::read(text, path)?.map(Arc::new);
            Ok(())
        },
        value: |task| task.depends_on.as_deref().map(OptionValue::Dependencies),
    },
    TaskOption {
        field: Field::Parent,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: false,
        read: |task, text, path| set(&mut task.parent, parent(text, path)),
        value: |task| task.parent.map(OptionValue::Task),
    },
    TaskOption {
        field: Field::ScheduleId,
        unsaid: Unsaid::NONE,
        may_say: false,
        may_change: false,
        read: |task, text, path| {
            set(&mut task.schedule_id, argument::payload(text, path, SCHEDULE_ID_JSON_MAX))
        },
        value: |task| task.schedule_id.as_ref().map(OptionValue::Json),
    },
    TaskOption {
        field: Field::ScheduledAt,
        unsaid: Unsaid::NONE,
        may_say: false,
        may_change: false,
        read: |task, text, path| set(&mut task.scheduled_at, argument::moment(text, path)),
        value: |task| task.scheduled_at.map(OptionValue::Date),
    },
    TaskOption {
        field: Field::RunTimeout,
        unsaid: Unsaid::RUN_TIMEOUT,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            task.run_timeout_ms = argument::duration_or_off(text, path)?;
            Ok(())
        },
        value: |task| task.run_timeout_ms.map(OptionValue::Number),
    },
    TaskOption {
        field: Field::QueueTimeout,
        unsaid: Unsaid::QUEUE_TIMEOUT,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            task.queue_timeout = queue_timeout::read(text, path)?;
            Ok(())
        },
        value: |task| task.queue_timeout.map(OptionValue::QueueTimeout),
    },
    TaskOption {
        field: Field::Retry,
        unsaid: Unsaid::RETRY,
        may_say: true,
        may_change: true,
        read: |task, text, path| set(&mut task.retry, retry::read(text, path).map(Arc::new)),
        value: |task| task.retry.as_deref().map(OptionValue::Retry),
    },
    TaskOption {
        field: Field::Retention,
        unsaid: Unsaid::RETENTION,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            task.retention = Retention::read(text, path)?.shared();
            Ok(())
        },
        value: |task| task.retention.as_deref().map(OptionValue::Retention),
    },
    TaskOption {
        field: Field::OnInterrupted,
        unsaid: Unsaid::ON_INTERRUPTED,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            task.on_interrupted = argument::word(text, path, OnInterrupted::WORDS)?;
            Ok(())
        },
        value: |task| {
            let choice = task.on_interrupted;
            (choice != OnInterrupted::default()).then(|| OptionValue::Word(choice.as_str()))
        },
    },
    TaskOption {
        field: Field::OnStop,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: true,
        read: |task, text, path| set(&mut task.on_stop, argument::word(text, path, OnStop::WORDS)),
        value: |task| task.on_stop.map(|choice| OptionValue::Word(choice.as_str())),
    },
    TaskOption {
        field: Field::OnStopWaiting,
        unsaid: Unsaid::ON_STOP_WAITING,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            task.on_stop_waiting = argument::word(text, path, OnStopWaiting::WORDS)?;
            Ok(())
        },
        value: |task| {
            let choice = task.on_stop_waiting;
            task.lapses().then(|| OptionValue::Word(choice.as_str()))
        },
    },
    TaskOption {
        field: Field::Concurrency,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: true,
        read: |task, text, path| {
            task.conditions = Conditions::read(text, path)?;
            Ok(())
        },
        value: |task| {
            Some(&task.conditions).filter(|all| !all.is_none()).map(OptionValue::Conditions)
        },
    },
    TaskOption {
        field: Field::Unique,
        unsaid: Unsaid::NONE,
        may_say: true,
        may_change: false,
        read: |task, text, path| set(&mut task.unique, unique::read(text, path).map(Arc::new)),
        value: |task| task.unique.as_deref().map(OptionValue::Unique),
    },
];

impl TaskOption {
    /// The option that a member of the document is, if it is one.
    pub fn of(field: Field) -> Option<&'static TaskOption> {
        OPTIONS.iter().find(|option| option.field == field)
    }

    /// Its word.
    pub const fn word(&self) -> &'static str {
        self.field.as_str()
    }

    /// Sets it from JSON text; `path` is where that stands.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` with `path`, or one inside of it.
    pub fn read(&self, task: &mut TaskOptions, text: &str, path: &str) -> Result<()> {
        (self.read)(task, text, path)
    }

    /// What a task says, if it says anything.
    pub fn value<'t>(&self, task: &'t TaskOptions) -> Option<OptionValue<'t>> {
        (self.value)(task)
    }
}

/// All that a task says, in the order of the document.
pub fn values(task: &TaskOptions) -> impl Iterator<Item = (&'static str, OptionValue<'_>)> {
    OPTIONS.iter().filter_map(|option| Some((option.word(), option.value(task)?)))
}

/// Sets the start time of a `delay`, which a stored task has as its `runAt`.
///
/// # Errors
/// `Invalid` with `path`.
pub fn read_delay(task: &mut TaskOptions, text: &str, path: &str) -> Result<()> {
    set_start_time(task, argument::duration(text, path).map(StartTime::After), path)
}

fn set<T>(field: &mut Option<T>, read: Result<T>) -> Result<()> {
    *field = Some(read?);
    Ok(())
}

/// A start time is said once: as a moment, or as a delay.
fn set_start_time(task: &mut TaskOptions, read: Result<StartTime>, path: &str) -> Result<()> {
    if task.start_time.is_some() {
        return Err(Error::invalid(path, "give runAt or delay, not both"));
    }
    set(&mut task.start_time, read)
}

/// The uuid of a task. It is a link and no more: nobody looks whether that task is there.
fn parent(text: &str, path: &str) -> Result<TaskId> {
    let uuid = argument::as_text(text).and_then(|uuid| standing::task_id(&uuid));
    uuid.ok_or_else(|| Error::invalid(path, "must be the uuid of a task"))
}

/// A text for people. It stays the JSON that it is: half of a character is kept as it came.
fn label(text: &str, path: &str) -> Result<Json> {
    if !text.starts_with('"') {
        return Err(Error::invalid(path, "must be a string"));
    }
    argument::payload(text, path, limits::LABEL_BYTES_MAX)
}

/// A list of texts, as it was given; an empty one says nothing.
fn tags(text: &str, path: &str) -> Result<Option<Json>> {
    let tags = argument::split(text, path)
        .map_err(|error| Error::invalid(path, "must be an array of strings").with_source(error))?;
    if tags.len() > limits::TAGS_MAX {
        let message = format!("has {} tags; at most {} are allowed", tags.len(), limits::TAGS_MAX);
        return Err(Error::at(Code::TooLarge, path, message));
    }
    for (i, tag) in tags.iter().enumerate() {
        let path = format!("{path}[{i}]");
        if !tag.get().starts_with('"') || tag.get() == "\"\"" {
            return Err(Error::invalid(path, "must be a string that is not empty"));
        }
        json::check(tag.get(), limits::TAG_BYTES_MAX, &path)?;
    }
    Ok((!tags.is_empty()).then(|| Json::trusted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDS_ON: &str =
        r#"{"uuids":["018f0000-0000-7000-8000-000000000001"],"onFailure":"run"}"#;

    fn read(field: Field, text: &str) -> Result<TaskOptions> {
        let mut task = TaskOptions::default();
        let option = TaskOption::of(field).unwrap();
        option.read(&mut task, text, option.word())?;
        Ok(task)
    }

    fn shown(task: &TaskOptions) -> Vec<String> {
        values(task).map(|(word, value)| format!("{word}:{value}")).collect()
    }

    #[test]
    fn an_option_is_shown_and_read_again_as_it_was_given() {
        for (field, text) in [
            (Field::Id, r#"{"order":[1.0,"\ud800"]}"#),
            (Field::Id, "null"),
            (Field::Label, r#""the \"first\" \ud800""#),
            (Field::Label, r#""""#),
            (Field::Tags, r#"["a","a","\u0001é"]"#),
            (
                Field::Trace,
                r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#,
            ),
            (Field::RunAt, "-7"),
            (Field::DependsOn, DEPENDS_ON),
            (Field::Parent, r#""018f0000-0000-7000-8000-000000000001""#),
            (Field::ScheduleId, r#""mail é""#),
            (Field::ScheduledAt, "-7"),
            (Field::RunTimeout, "500"),
            (Field::QueueTimeout, "500"),
            (Field::QueueTimeout, r#"{"after":500,"then":{"priority":2.0}}"#),
            (Field::Retry, r#"{"attempts":3,"on":["timeout"]}"#),
            (Field::Retention, "7"),
            (Field::Retention, r#"{"done":7,"aborted":1}"#),
            (Field::OnInterrupted, r#""fail""#),
            (Field::OnStop, r#""wait""#),
            (Field::OnStopWaiting, r#""abort""#),
            (Field::Concurrency, r#"[{"scope":"running","query":{"data.a":1},"limit":0}]"#),
            (Field::Unique, r#"{"key":"a","while":"new","ttl":7,"onConflict":"reject"}"#),
        ] {
            let task = read(field, text).unwrap();
            assert_eq!(shown(&task), [format!("{}:{text}", field.as_str())]);
        }
    }

    #[test]
    fn what_holds_anyway_is_not_shown() {
        let nothing = TaskOptions::default();
        for (field, text) in [
            (Field::Tags, "[]"),
            (Field::Tags, "[ ]"),
            (Field::DependsOn, "[]"),
            (Field::RunTimeout, "false"),
            (Field::QueueTimeout, "false"),
            (Field::Retention, "false"),
            (Field::Retention, "{}"),
            (Field::Retention, r#"{"done":false}"#),
            (Field::OnInterrupted, r#""retry""#),
            (Field::OnStopWaiting, r#""keep""#),
            (Field::Concurrency, "[]"),
        ] {
            assert_eq!(read(field, text).unwrap(), nothing, "{field:?}");
        }
        assert_eq!(shown(&nothing), [""; 0]);
    }

    #[test]
    fn a_wrong_label_or_tag_is_named() {
        for (field, text, path) in [
            (Field::Label, "7", "label"),
            (Field::Label, "null", "label"),
            (Field::Label, r#"["a"]"#, "label"),
            (Field::Tags, "null", "tags"),
            (Field::Tags, r#""a""#, "tags"),
            (Field::Tags, "{}", "tags"),
            (Field::Tags, r#"["a",null]"#, "tags[1]"),
            (Field::Tags, r#"["a","b",""]"#, "tags[2]"),
            (Field::Tags, r#"[["a"]]"#, "tags[0]"),
        ] {
            let error = read(field, text).unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{text}");
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
        }
    }

    #[test]
    fn what_is_longer_than_its_limit_is_refused_and_what_is_as_long_is_not() {
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        let list = |tags: usize| format!("[{}]", vec!["\"x\""; tags].join(","));
        let tag = |bytes: usize| format!("[\"x\",{}]", text(bytes));
        for (field, most, more, path) in [
            (Field::Id, text(limits::ID_BYTES_MAX), text(limits::ID_BYTES_MAX + 1), "id"),
            (
                Field::Label,
                text(limits::LABEL_BYTES_MAX),
                text(limits::LABEL_BYTES_MAX + 1),
                "label",
            ),
            (Field::Tags, list(limits::TAGS_MAX), list(limits::TAGS_MAX + 1), "tags"),
            (Field::Tags, tag(limits::TAG_BYTES_MAX), tag(limits::TAG_BYTES_MAX + 1), "tags[1]"),
        ] {
            assert!(read(field, &most).is_ok(), "{field:?}");
            let error = read(field, &more).unwrap_err();
            assert_eq!(error.code(), Code::TooLarge, "{field:?}");
            assert_eq!(error.facts().path.as_deref(), Some(path));
        }
    }
}
