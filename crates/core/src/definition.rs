//! What a caller may write, read strictly: definitions of tasks, durations, options.
//!
//! Unknown keys and wrong types are errors with the path of the field, and nothing is stored. The
//! payload is never parsed: it stays the text that the caller's `JSON.stringify` made.
//!
//! Proof: the tests below; `__test__/contract`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Code, Error, Result};
use crate::json;
use crate::limits;
use crate::task::{Json, NewTask, OnInterrupted, OnStop, Priority};

/// What holds for a task that does not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The longest a run may take.
    pub run_timeout_ms: Option<u64>,
    /// What a crash means.
    pub on_interrupted: OnInterrupted,
}

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
        if name.is_empty() {
            return Err(Error::invalid("operation", "must not be empty"));
        }
        if name.len() > limits::OPERATION_BYTES_MAX {
            let max = limits::OPERATION_BYTES_MAX;
            let text = format!("is longer than {max} bytes");
            return Err(Error::at(Code::TooLarge, "operation", text));
        }
        let name: Arc<str> = name.into();
        if self.0.len() < NAMES_KEPT_MAX {
            self.0.insert(name.clone());
        }
        Ok(name)
    }
}

/// The members of a JSON object that may be there, each as its own text.
struct Members<'a, const N: usize> {
    values: [Option<&'a RawValue>; N],
    unknown: Option<String>,
}

const TASK_KEYS: [&str; 6] =
    ["operation", "data", "priority", "runTimeout", "onInterrupted", "onStop"];

struct TaskMembers<'a>(Members<'a, 6>);

impl<'de: 'a, 'a> Deserialize<'de> for TaskMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(TaskVisitor)
    }
}

struct TaskVisitor;

impl<'de> Visitor<'de> for TaskVisitor {
    type Value = TaskMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task definition")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut members = Members { values: [None; 6], unknown: None };
        while let Some(key) = map.next_key::<Key<'de>>()? {
            match TASK_KEYS.iter().position(|known| *known == key.0) {
                Some(at) => members.values[at] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                    members.unknown.get_or_insert_with(|| key.0.into_owned());
                }
            }
        }
        Ok(TaskMembers(members))
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// What to say of a word that users of other queues know.
fn hint(key: &str) -> &'static str {
    match key {
        "name" | "type" | "queue" => ", operation is meant",
        "payload" | "body" | "input" => ", data is meant",
        "timeout" | "ttl" | "expireIn" => ", runTimeout may be meant",
        "delay" | "runAt" | "startAfter" | "attempts" | "retry" | "retries" | "backoff"
        | "repeat" | "cron" | "every" | "jobId" | "id" | "key" | "unique" | "singletonKey"
        | "deduplication" | "dependsOn" | "parent" | "children" | "removeOnComplete"
        | "removeOnFail" | "retention" => {
            " yet, see \"What tasker does not do yet\" in the guide (docs/guide/missing.md)"
        }
        _ => "",
    }
}

/// Reads one definition of `addTask`.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path of the field.
pub fn task(text: &str, defaults: &Defaults, names: &mut Operations) -> Result<NewTask> {
    let TaskMembers(Members { values, unknown }) = serde_json::from_str(text)
        .map_err(|e| Error::invalid("task", "is not a task definition").with_source(e))?;
    if let Some(key) = unknown {
        let known = TASK_KEYS.join(", ");
        let hint = hint(&key);
        let message = format!("is not an option of addTask{hint}; there are {known}, abortSignal");
        return Err(Error::invalid(key, message));
    }
    let [operation, data, priority, run_timeout, on_interrupted, on_stop] =
        values.map(|value| value.map(RawValue::get));
    let operation = operation
        .and_then(as_text)
        .ok_or_else(|| Error::invalid("operation", "must be a string"))?;
    let data = data.map(|text| payload(text, "data", limits::DATA_BYTES_MAX)).transpose()?;
    let run_timeout_ms = match run_timeout {
        Some(text) => duration_or_off(text, "runTimeout")?,
        None => defaults.run_timeout_ms,
    };
    Ok(NewTask {
        operation: names.intern(&operation)?,
        data,
        priority: priority.map(self::priority).transpose()?.unwrap_or_default(),
        run_timeout_ms,
        on_interrupted: word(on_interrupted, "onInterrupted", OnInterrupted::WORDS)?
            .unwrap_or(defaults.on_interrupted),
        on_stop: word(on_stop, "onStop", OnStop::WORDS)?,
    })
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
    let texts = split(text, "tasks")?;
    if texts.len() > limits::TASKS_PER_CALL_MAX {
        let text = format!("one call takes at most {} tasks", limits::TASKS_PER_CALL_MAX);
        return Err(Error::at(Code::TooLarge, "tasks", text));
    }
    let mut read = Vec::with_capacity(texts.len());
    for (i, text) in texts.iter().enumerate() {
        read.push(task(text.get(), defaults, names).map_err(|e| e.within(&format!("[{i}]")))?);
    }
    Ok(read)
}

/// The elements of a JSON array, each as its own text.
///
/// # Errors
/// `Invalid` if it is not an array.
pub fn split<'a>(text: &'a str, path: &str) -> Result<Vec<&'a RawValue>> {
    serde_json::from_str(text).map_err(|e| Error::invalid(path, "must be an array").with_source(e))
}

/// A payload within its limits.
///
/// # Errors
/// `TooLarge` with `path`.
pub fn payload(text: &str, path: &str, bytes_max: usize) -> Result<Json> {
    json::check(text, bytes_max, path)?;
    Ok(Json::trusted(text))
}

/// A priority: a number, or the text of an infinity.
///
/// # Errors
/// `Invalid` for anything else.
pub fn priority(text: &str) -> Result<Priority> {
    let number = match text {
        "\"Infinity\"" => f64::INFINITY,
        "\"-Infinity\"" => f64::NEG_INFINITY,
        _ => serde_json::from_str(text).map_err(|_| {
            Error::invalid("priority", "must be a number; neither a string nor NaN is one")
        })?,
    };
    Priority::new(number)
}

/// A duration in milliseconds, or a string such as `'30s'`, `'5m'`, `'2h'`, `'7d'`.
///
/// # Errors
/// `Invalid` with `path` for anything else: zero, a negative one, one above 100 years.
pub fn duration(text: &str, path: &str) -> Result<u64> {
    let wrong = || {
        let text =
            "must be a duration: milliseconds above 0, or a string like '30s' '5m' '2h' '7d'";
        Error::invalid(path, text)
    };
    let ms = match as_text(text) {
        Some(words) => spelled(&words).ok_or_else(wrong)?,
        None => serde_json::from_str::<f64>(text).map_err(|_| wrong())?,
    };
    if !(ms > 0.0 && ms <= limits::DURATION_MS_MAX as f64) {
        return Err(wrong());
    }
    Ok(ms.ceil() as u64)
}

/// As [`duration`]; `false` means off.
///
/// # Errors
/// As [`duration`].
pub fn duration_or_off(text: &str, path: &str) -> Result<Option<u64>> {
    if text == "false" { Ok(None) } else { duration(text, path).map(Some) }
}

fn spelled(words: &str) -> Option<f64> {
    let split = words.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = words.split_at(split);
    let unit_ms = match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return None,
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !digits {
        return None;
    }
    number.parse::<f64>().ok().map(|n| n * unit_ms)
}

/// A count from 1 to `max`.
///
/// # Errors
/// `Invalid` with `path` for anything else.
pub fn count(text: &str, path: &str, max: u32) -> Result<u32> {
    let wrong = || Error::invalid(path, format!("must be a whole number from 1 to {max}"));
    let number: f64 = serde_json::from_str(text).map_err(|_| wrong())?;
    if number.fract() != 0.0 || number < 1.0 || number > f64::from(max) {
        return Err(wrong());
    }
    Ok(number as u32)
}

/// One of a few words, if it is there.
///
/// # Errors
/// `Invalid` with `path` for anything else.
pub fn word<T: Copy>(text: Option<&str>, path: &str, words: &[(&str, T)]) -> Result<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    let given = as_text(text);
    let found = words.iter().find(|(word, _)| given.as_deref() == Some(*word));
    found.map(|&(_, value)| Some(value)).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        Error::invalid(path, format!("must be one of {}", known.join(", ")))
    })
}

/// What a progress report counts.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path `unit`.
pub fn unit(text: &str) -> Result<Box<str>> {
    let unit = as_text(text).ok_or_else(|| Error::invalid("unit", "must be a string"))?;
    if unit.len() > limits::PROGRESS_UNIT_BYTES_MAX {
        let text = format!("is longer than {} bytes", limits::PROGRESS_UNIT_BYTES_MAX);
        return Err(Error::at(Code::TooLarge, "unit", text));
    }
    Ok(unit.into())
}

/// The text of a JSON string.
pub fn as_text(text: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Key<'_>>(text).ok().map(|key| key.0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (r#"{"operation":"a","runTimeout":0}"#, "runTimeout"),
            (r#"{"operation":"a","runTimeout":"5 m"}"#, "runTimeout"),
            (r#"{"operation":"a","runTimeout":1e300}"#, "runTimeout"),
            (r#"{"operation":"a","onInterrupted":"x"}"#, "onInterrupted"),
            (r#"{"operation":"a","onStop":1}"#, "onStop"),
            (r#"{"operation":"a","oops":1}"#, "oops"),
            ("7", "task"),
        ] {
            assert_eq!(path_of(text), path, "{text}");
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
    fn a_wrong_word_is_told_with_those_that_there_are() {
        let error = word(Some(r#""later""#), "onStop", OnStop::WORDS).unwrap_err();
        assert_eq!(error.message(), "onStop: must be one of wait, postpone, abort");
        let known = word(Some(r#""abort""#), "onStop", OnStop::WORDS).unwrap();
        assert_eq!(known, Some(OnStop::Abort));
    }

    #[test]
    fn durations_are_milliseconds_or_words() {
        assert_eq!(duration("1500", "x").unwrap(), 1500);
        assert_eq!(duration(r#""1.5s""#, "x").unwrap(), 1500);
        assert_eq!(duration(r#""7d""#, "x").unwrap(), 604_800_000);
        assert_eq!(duration_or_off("false", "x").unwrap(), None);
        assert!(duration("-1", "x").is_err());
    }

    #[test]
    fn a_deep_payload_is_refused_without_recursion() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let error = read(&format!(r#"{{"operation":"a","data":{deep}}}"#)).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge);
    }
}
