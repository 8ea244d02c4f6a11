//! Definitions of tasks, read strictly: what `addTask` takes.
//!
//! Unknown keys and wrong types are errors with the path of the field, and nothing is stored. The
//! payload is never parsed: it stays the text that the caller's `JSON.stringify` made.
//!
//! An option of a task is a row of [`crate::option::OPTIONS`].
//!
//! Proof: the tests below; `__test__/contract`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::argument::{self, Key};
use crate::error::{Code, Error, Result};
use crate::key::OnConflict;
use crate::limits;
use crate::option::{self, OPTIONS, TaskOption};
use crate::task::{NewTask, SharedOptions, StartTime, TaskOptions, Unsaid};

/// What holds for a task that does not say otherwise.
pub type Defaults = SharedOptions;

/// Keeps one copy of each operation's name.
#[derive(Debug, Default)]
pub struct Operations(rustc_hash::FxHashSet<Arc<str>>);

/// Names kept at once; a caller that makes up names has each of its own.
const NAMES_KEPT_MAX: usize = 10_000;

impl Operations {
    /// The shared copy of a checked name.
    ///
    /// # Errors
    /// `Invalid` if it is empty or too long.
    pub fn intern(&mut self, name: &str) -> Result<Arc<str>> {
        if let Some(known) = self.0.get(name) {
            return Ok(known.clone());
        }
        check_name(name)?;
        let name: Arc<str> = name.into();
        if self.0.len() < NAMES_KEPT_MAX {
            self.0.insert(name.clone());
        }
        Ok(name)
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("operation", "must not be empty"));
    }
    if name.len() > limits::OPERATION_BYTES_MAX {
        let max = limits::OPERATION_BYTES_MAX;
        let text = format!("is longer than {max} bytes");
        return Err(Error::at(Code::TooLarge, "operation", text));
    }
    Ok(())
}

/// Reads the name of an operation.
///
/// # Errors
/// `Invalid` or `TooLarge` at `operation`.
pub fn operation(text: &str) -> Result<Cow<'_, str>> {
    let name = argument::as_text(text);
    let name = name.ok_or_else(|| Error::invalid("operation", "must be a string"))?;
    check_name(&name)?;
    Ok(name)
}

/// Every word that `addTask` takes, in the order of the table. An `abortSignal` stays where it was
/// made: it never comes here. Of an attachment comes that there is one.
pub fn words() -> impl Iterator<Item = &'static str> {
    let own = OPTIONS.iter().filter(|option| option.may_say).map(|option| option.word());
    ["operation", "data", "priority"].into_iter().chain(own).chain([
        "delay",
        "attach",
        "abortSignal",
    ])
}

/// The members of a definition, each as its own text.
#[derive(Default)]
struct Members<'a> {
    operation: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    priority: Option<&'a RawValue>,
    delay: Option<&'a RawValue>,
    attach: Option<&'a RawValue>,
    options: [Option<&'a RawValue>; OPTIONS.len()],
    /// Whether there is an option or a delay: most tasks have none.
    has_options: bool,
    unknown: Option<String>,
}

impl<'a> Members<'a> {
    /// Where the value of a word belongs.
    fn field(&mut self, word: &str) -> Option<&mut Option<&'a RawValue>> {
        match word {
            "operation" => return Some(&mut self.operation),
            "data" => return Some(&mut self.data),
            "priority" => return Some(&mut self.priority),
            _ => self.has_options = true,
        }
        match word {
            "delay" => return Some(&mut self.delay),
            "attach" => return Some(&mut self.attach),
            _ => {}
        }
        let is_it = |option: &TaskOption| option.may_say && option.word() == word;
        let at = OPTIONS.iter().position(is_it)?;
        self.options.get_mut(at)
    }

    /// What the operation decides.
    fn unsaid(&self) -> Unsaid {
        let options = OPTIONS.iter().zip(&self.options).filter(|(_, given)| given.is_none());
        let unsaid = options.fold(Unsaid::NONE, |all, (option, _)| all.with(option.unsaid));
        if self.priority.is_none() { unsaid.with(Unsaid::PRIORITY) } else { unsaid }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task definition")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if let Some(field) = members.field(&key.0) {
                *field = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
                members.unknown.get_or_insert_with(|| key.0.into_owned());
            }
        }
        Ok(members)
    }
}

/// Where the guide says what to do today.
const SEE: &str = "see \"What tasker does not do yet\" in the guide (docs/guide/missing.md)";

/// Why a word is refused that is not in the table.
fn refused(word: String) -> Error {
    let known = words().collect::<Vec<_>>().join(", ");
    let hint = hint(&word);
    Error::invalid(word, format!("is not an option of addTask{hint}; there are {known}"))
}

/// What to say of a word that users of other queues know.
fn hint(word: &str) -> String {
    match word {
        "name" | "type" | "queue" => ", operation is meant".to_owned(),
        "payload" | "body" | "input" => ", data is meant".to_owned(),
        "timeout" | "ttl" | "expireIn" => ", runTimeout may be meant".to_owned(),
        "startAfter" | "startAt" | "startTime" => ", runAt or delay is meant".to_owned(),
        "attempts" | "retries" | "backoff" | "retryLimit" | "retryDelay" | "retryBackoff" => {
            ", retry is meant".to_owned()
        }
        "conditions" | "limiter" | "concurrencyKey" | "group" => {
            ", concurrency is meant".to_owned()
        }
        "children" | "dependencies" | "after" => ", dependsOn is meant".to_owned(),
        "jobId" | "key" | "singletonKey" | "deduplication" | "uniqueKey" => {
            ", unique is meant".to_owned()
        }
        "repeat" | "cron" | "every" | "schedule" => ", addSchedule is meant".to_owned(),
        "removeOnComplete" | "removeOnFail" => ", retention is meant".to_owned(),
        _ => String::new(),
    }
}

/// Reads one definition of `addTask`.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path of the field; `Unsupported` for what comes later.
pub fn task(text: &str, defaults: &Defaults, names: &mut Operations) -> Result<NewTask> {
    one_of(text, 0, defaults, names)
}

/// Reads a definition that stands behind so many others of its call.
fn one_of(
    text: &str,
    earlier: usize,
    defaults: &Defaults,
    names: &mut Operations,
) -> Result<NewTask> {
    let members: Members<'_> = serde_json::from_str(text)
        .map_err(|e| Error::invalid("task", "is not a task definition").with_source(e))?;
    if let Some(word) = members.unknown {
        return Err(refused(word));
    }
    let operation = members.operation.and_then(|raw| argument::as_text(raw.get()));
    let operation = operation.ok_or_else(|| Error::invalid("operation", "must be a string"))?;
    let mut task = NewTask::new(names.intern(&operation)?);
    if let Some(data) = members.data {
        task.data = Some(argument::payload(data.get(), "data", limits::DATA_BYTES_MAX)?);
    }
    if let Some(priority) = members.priority {
        task.priority = argument::priority(priority.get())?;
    }
    task.options = defaults.clone();
    if members.has_options {
        read_options(&members, &mut task.options)?;
        if let Some(dependencies) = &task.options.depends_on {
            dependencies.check_earlier(earlier)?;
        }
        check_replacement(&task.options)?;
        task.is_attached = members.attach.is_some();
        check_attachment(&task)?;
    }
    task.unsaid = members.unsaid();
    debug_assert!(
        task.data.as_ref().is_none_or(|data| data.as_str().len() <= limits::DATA_BYTES_MAX),
        "an option was taken that breaks a limit (I-17)"
    );
    debug_assert!(task.options.run_timeout_ms != Some(0), "a run would time out before it began");
    Ok(task)
}

/// What replaces another task depends on nothing: that one may be in the queue already.
fn check_replacement(options: &TaskOptions) -> Result<()> {
    let on_conflict = options.unique.as_ref().map(|unique| unique.on_conflict);
    if on_conflict == Some(OnConflict::Replace) && options.depends_on.is_some() {
        let what = "is not taken together with unique.onConflict 'replace' yet";
        return Err(Error::at(Code::Unsupported, "dependsOn", format!("{what}; {SEE}")));
    }
    Ok(())
}

/// What replaces another task keeps its lane, and that is nobody's own.
fn check_attachment(task: &NewTask) -> Result<()> {
    let on_conflict = task.options.unique.as_ref().map(|unique| unique.on_conflict);
    if task.is_attached && on_conflict == Some(OnConflict::Replace) {
        let what = "is not taken together with unique.onConflict 'replace'";
        return Err(Error::at(Code::Unsupported, "attach", what));
    }
    Ok(())
}

/// Reads the definition in a row of an outbox.
///
/// # Errors
/// As [`task`], and `Invalid` for what needs somebody who hears of it, or this very process.
pub fn row(text: &str, defaults: &Defaults, names: &mut Operations) -> Result<NewTask> {
    let task = task(text, defaults, names)?;
    let on_conflict = task.options.unique.as_ref().map(|unique| unique.on_conflict);
    if on_conflict == Some(OnConflict::Reject) {
        let message = "'reject' is not for an outbox, whose transaction is over by then; \
                       a unique column of your own refuses within it";
        return Err(Error::invalid("unique.onConflict", message));
    }
    if task.is_attached {
        let message = "a task of an outbox outlives this process; put what it needs into its data";
        return Err(Error::invalid("attach", message));
    }
    Ok(task)
}

/// Reads the task of a schedule.
///
/// # Errors
/// As [`task`], below `task`, and `Invalid` for what makes sense of one task alone: `runAt`,
/// `attach`, a `dependsOn` by numbers; `Unsupported` for what the overlap `queue` needs for itself.
pub fn of_schedule(
    text: &str,
    queues: bool,
    defaults: &Defaults,
    names: &mut Operations,
) -> Result<NewTask> {
    let task = task(text, defaults, names).map_err(|error| error.within("task"))?;
    if let Some(StartTime::At(_)) = task.options.start_time {
        let message = "the schedule says when; a delay counts from its tick";
        return Err(Error::invalid("task.runAt", message));
    }
    if task.is_attached {
        let message = "a schedule outlives this process; put what its tasks need into their data";
        return Err(Error::invalid("task.attach", message));
    }
    if queues && task.options.depends_on.is_some() {
        let message = "is not taken together with overlap 'queue', which lets a task depend on \
                       the one before";
        return Err(Error::at(Code::Unsupported, "task.dependsOn", message));
    }
    let on_conflict = task.options.unique.as_ref().map(|unique| unique.on_conflict);
    if queues && on_conflict == Some(OnConflict::Replace) {
        let message = "'replace' is not taken together with overlap 'queue'";
        return Err(Error::at(Code::Unsupported, "task.unique.onConflict", message));
    }
    Ok(task)
}

fn read_options(members: &Members<'_>, options: &mut TaskOptions) -> Result<()> {
    for (option, given) in OPTIONS.iter().zip(members.options) {
        if let Some(given) = given {
            option.read(options, given.get(), option.word())?;
        }
    }
    match members.delay {
        Some(delay) => option::read_delay(options, delay.get(), "delay"),
        None => Ok(()),
    }
}

/// Reads the definitions of `addTasks`: all, or an error with the path of the first wrong one.
///
/// # Errors
/// As [`task`], with paths such as `[3].priority`.
pub fn tasks(text: &str, defaults: &Defaults, names: &mut Operations) -> Result<Vec<NewTask>> {
    if text.len() > limits::CALL_BYTES_MAX {
        let text = format!("one call takes at most {} bytes", limits::CALL_BYTES_MAX);
        return Err(Error::at(Code::TooLarge, "tasks", text));
    }
    let texts = argument::split(text, "tasks")?;
    if texts.len() > limits::TASKS_PER_CALL_MAX {
        let text = format!("one call takes at most {} tasks", limits::TASKS_PER_CALL_MAX);
        return Err(Error::at(Code::TooLarge, "tasks", text));
    }
    let mut read = Vec::with_capacity(texts.len());
    let mut dependencies = 0;
    for (i, text) in texts.iter().enumerate() {
        let task = one_of(text.get(), i, defaults, names);
        let task = task.map_err(|e| e.within(&format!("[{i}]")))?;
        dependencies += task.options.depends_on.as_ref().map_or(0, |all| all.on.len());
        if dependencies > limits::DEPENDENCIES_PER_CALL_MAX {
            let max = limits::DEPENDENCIES_PER_CALL_MAX;
            let text = format!("the tasks of one call may have {max} dependencies in all");
            return Err(Error::at(Code::TooLarge, format!("[{i}].dependsOn"), text));
        }
        read.push(task);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::StartTime;
    use crate::time::WallMs;

    fn read(text: &str) -> Result<NewTask> {
        task(text, &Defaults::default(), &mut Operations::default())
    }

    fn path_of(text: &str) -> String {
        read(text).unwrap_err().facts().path.clone().unwrap()
    }

    #[test]
    fn a_payload_is_kept_byte_for_byte() {
        let task = read(r#"{"operation":"a","data":{"b" : 1.0e3, "c":"\ud800"},"priority":5}"#);
        let task = task.unwrap();
        assert_eq!(task.data.unwrap().as_str(), r#"{"b" : 1.0e3, "c":"\ud800"}"#);
        assert_eq!(task.priority.get(), 5.0);
    }

    #[test]
    fn a_start_time_is_a_moment_or_a_delay() {
        let start_time = |text: &str| read(text).unwrap().options.start_time;
        let at = start_time(r#"{"operation":"a","runAt":1700000000000.5}"#);
        assert_eq!(at, Some(StartTime::At(WallMs(1_700_000_000_001))));
        assert_eq!(
            start_time(r#"{"operation":"a","delay":"2m"}"#),
            Some(StartTime::After(120_000))
        );
    }

    #[test]
    fn a_default_holds_for_what_is_not_said_and_is_shared() {
        let mut defaults = Defaults::default();
        defaults.run_timeout_ms = Some(7);
        let read = |text: &str| task(text, &defaults, &mut Operations::default()).unwrap();
        assert_eq!(read(r#"{"operation":"a"}"#).options.run_timeout_ms, Some(7));
        let own = read(r#"{"operation":"a","runTimeout":false,"label":"x"}"#).options;
        assert_eq!((own.run_timeout_ms, own.label.is_some()), (None, true));
        assert_eq!(defaults.run_timeout_ms, Some(7));
    }

    #[test]
    fn what_a_definition_does_not_say_its_operation_decides() {
        assert_eq!(read(r#"{"operation":"a"}"#).unwrap().unsaid, Unsaid::ALL);
        for (text, said) in [
            (r#""priority":0"#, Unsaid::PRIORITY),
            (r#""runTimeout":false"#, Unsaid::RUN_TIMEOUT),
            (r#""onInterrupted":"retry""#, Unsaid::ON_INTERRUPTED),
            (r#""onStopWaiting":"keep""#, Unsaid::ON_STOP_WAITING),
        ] {
            let unsaid = read(&format!(r#"{{"operation":"a",{text}}}"#)).unwrap().unsaid;
            assert_eq!(unsaid.with(said), Unsaid::ALL, "{text}");
            assert!(!unsaid.has(said), "{text}");
        }
    }

    #[test]
    fn an_infinite_priority_crosses_as_text() {
        let task = read(r#"{"operation":"a","priority":"-Infinity"}"#).unwrap();
        assert_eq!(task.priority.get(), f64::NEG_INFINITY);
    }

    #[test]
    fn every_wrong_field_is_named() {
        for (text, path) in [
            (r#"{}"#, "operation"),
            (r#"{"operation":""}"#, "operation"),
            (r#"{"operation":7}"#, "operation"),
            (r#"{"operation":"a","priority":null}"#, "priority"),
            (r#"{"operation":"a","priority":"5"}"#, "priority"),
            (r#"{"operation":"a","runAt":null}"#, "runAt"),
            (r#"{"operation":"a","runAt":"2030-01-01"}"#, "runAt"),
            (r#"{"operation":"a","delay":0}"#, "delay"),
            (r#"{"operation":"a","delay":1,"runAt":1}"#, "delay"),
            (r#"{"operation":"a","runTimeout":0}"#, "runTimeout"),
            (r#"{"operation":"a","runTimeout":"5 m"}"#, "runTimeout"),
            (r#"{"operation":"a","runTimeout":1e300}"#, "runTimeout"),
            (r#"{"operation":"a","retry":{}}"#, "retry.attempts"),
            (r#"{"operation":"a","onInterrupted":"x"}"#, "onInterrupted"),
            (r#"{"operation":"a","onStop":1}"#, "onStop"),
            (r#"{"operation":"a","onStopWaiting":"wait"}"#, "onStopWaiting"),
            (r#"{"operation":"a","label":1}"#, "label"),
            (r#"{"operation":"a","dependsOn":[0]}"#, "dependsOn[0]"),
            (r#"{"operation":"a","dependsOn":{"uuids":[0]}}"#, "dependsOn.uuids[0]"),
            (r#"{"operation":"a","parent":"x"}"#, "parent"),
            (r#"{"operation":"a","tags":["a",1]}"#, "tags[1]"),
            (r#"{"operation":"a","unique":"k"}"#, "unique"),
            (r#"{"operation":"a","unique":{}}"#, "unique.key"),
            (r#"{"operation":"a","oops":1}"#, "oops"),
            (r#"{"operation":7,"oops":1}"#, "oops"),
            ("7", "task"),
        ] {
            assert_eq!(path_of(text), path, "{text}");
        }
    }

    #[test]
    fn a_row_of_an_outbox_rejects_no_duplicate() {
        let read = |text: &str| row(text, &Defaults::default(), &mut Operations::default());
        for word in ["return", "replace"] {
            let text =
                format!(r#"{{"operation":"a","unique":{{"key":"k","onConflict":"{word}"}}}}"#);
            assert!(read(&text).is_ok(), "{word}");
        }
        let error = read(r#"{"operation":"a","unique":{"key":"k","onConflict":"reject"}}"#);
        let error = error.unwrap_err();
        let facts = (error.code(), error.facts().path.as_deref());
        assert_eq!(facts, (Code::Invalid, Some("unique.onConflict")));
    }

    #[test]
    fn what_replaces_another_task_depends_on_nothing() {
        let on = r#""dependsOn":["018f0000-0000-7000-8000-000000000001"]"#;
        for (word, is_taken) in [("return", true), ("reject", true), ("replace", false)] {
            let unique = format!(r#""unique":{{"key":"k","onConflict":"{word}"}}"#);
            let text = format!(r#"{{"operation":"a",{unique},{on}}}"#);
            let read = task(&text, &Defaults::default(), &mut Operations::default());
            assert_eq!(read.is_ok(), is_taken, "{word}");
            let Err(error) = read else { continue };
            let facts = (error.code(), error.facts().path.as_deref());
            assert_eq!(facts, (Code::Unsupported, Some("dependsOn")));
        }
    }

    #[test]
    fn a_wrong_start_time_says_what_to_give() {
        for (text, what) in [
            (r#"{"operation":"a","runAt":1,"delay":1}"#, "delay: give runAt or delay, not both"),
            (r#"{"operation":"a","runAt":"2030-01-01"}"#, "of a text make a new Date(text)"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message().ends_with(what), "{error}");
        }
    }

    #[test]
    fn a_wrong_task_among_many_is_named_by_its_place() {
        let text = r#"[{"operation":"a"},{"operation":"a","priority":true}]"#;
        let error = tasks(text, &Defaults::default(), &mut Operations::default()).unwrap_err();
        assert_eq!(error.facts().path.as_deref(), Some("[1].priority"));
        assert!(error.message().starts_with("[1].priority: "), "{error}");
    }

    #[test]
    fn a_number_names_an_earlier_task_of_its_call() {
        let read = |text: &str| tasks(text, &Defaults::default(), &mut Operations::default());
        let graph = r#"[{"operation":"a"},{"operation":"a","dependsOn":[0]}]"#;
        assert_eq!(read(graph).unwrap().len(), 2);
        for text in [
            r#"[{"operation":"a"},{"operation":"a","dependsOn":[1]}]"#,
            r#"[{"operation":"a"},{"operation":"a","dependsOn":[2]},{"operation":"a"}]"#,
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.facts().path.as_deref(), Some("[1].dependsOn[0]"));
        }
    }

    #[test]
    fn a_call_has_as_many_dependencies_as_the_limit_says_and_no_more() {
        let many = format!(r#"{{"operation":"a","dependsOn":[{}0]}}"#, "0,".repeat(999));
        let call = |rest: &str| {
            let text = format!(r#"[{{"operation":"a"}},{}{rest}]"#, vec![&*many; 100].join(","));
            tasks(&text, &Defaults::default(), &mut Operations::default())
        };
        assert!(call("").is_ok());
        let error = call(r#",{"operation":"a","dependsOn":[0]}"#).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge);
        assert_eq!(error.facts().path.as_deref(), Some("[101].dependsOn"));
    }

    #[test]
    fn a_deep_payload_is_refused_without_recursion() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let error = read(&format!(r#"{{"operation":"a","data":{deep}}}"#)).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge);
    }

    #[test]
    fn what_nobody_knows_is_wrong() {
        for word in ["attempts", "payload", "oops", "Retry"] {
            let error = read(&format!(r#"{{"operation":"a","{word}":1}}"#)).unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{word}");
        }
    }
}
