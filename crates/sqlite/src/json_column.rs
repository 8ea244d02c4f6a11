//! JSON columns for what few tasks have: their options and their progress. SQLite reads and writes
//! every column again whenever a task starts or ends, so a column for each would cost all tasks.
//!
//! # Promises
//! - What was written comes back, numbers to the last bit. Anything else is nothing, and its reader
//!   calls it `Corrupt` (F-14).
//!
//! Proof: the tests below, `conformance::progress`, `conformance::add`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

use serde_json::value::RawValue;
use tasker_core::json::write_string;
use tasker_core::task::{NewTask, OnInterrupted, OnStop, Progress, StartTime};
use tasker_core::time::WallMs;

/// What a task says about its runs, as column `options` holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskOptions {
    pub(crate) run_at: Option<WallMs>,
    pub(crate) run_timeout_ms: Option<u64>,
    pub(crate) on_interrupted: OnInterrupted,
    pub(crate) on_stop: Option<OnStop>,
}

const RUN_AT: &str = "runAt";
const RUN_TIMEOUT: &str = "runTimeout";
const ON_INTERRUPTED: &str = "onInterrupted";
const ON_STOP: &str = "onStop";
const CURRENT: &str = "current";
const TOTAL: &str = "total";
const UNIT: &str = "unit";

/// The options of a task; nothing if it has none.
pub(crate) fn options(def: &NewTask) -> Option<String> {
    let mut text = String::new();
    debug_assert!(!matches!(def.start_time, Some(StartTime::After(_))), "a moment is stored");
    if let Some(at) = def.run_at() {
        member(&mut text, RUN_AT, at.0);
    }
    if let Some(ms) = def.run_timeout_ms {
        member(&mut text, RUN_TIMEOUT, ms);
    }
    if def.on_interrupted != OnInterrupted::default() {
        member(&mut text, ON_INTERRUPTED, quoted(def.on_interrupted.as_str()));
    }
    if let Some(on_stop) = def.on_stop {
        member(&mut text, ON_STOP, quoted(on_stop.as_str()));
    }
    (!text.is_empty()).then(|| text + "}")
}

/// Reads what [`options`] wrote.
pub(crate) fn read_options(text: &str) -> Option<TaskOptions> {
    let mut options = TaskOptions::default();
    for (name, value) in members(text)? {
        match &*name {
            RUN_AT => options.run_at = Some(WallMs(number(value)?)),
            RUN_TIMEOUT => options.run_timeout_ms = Some(number(value)?),
            ON_INTERRUPTED => options.on_interrupted = OnInterrupted::from_word(&word(value)?)?,
            ON_STOP => options.on_stop = Some(OnStop::from_word(&word(value)?)?),
            _ => return None,
        }
    }
    Some(options)
}

/// How far a run is.
pub(crate) fn progress(progress: &Progress) -> String {
    let mut text = String::new();
    member(&mut text, CURRENT, float(progress.current));
    if let Some(total) = progress.total {
        member(&mut text, TOTAL, float(total));
    }
    if let Some(unit) = &progress.unit {
        member(&mut text, UNIT, quoted(unit));
    }
    text + "}"
}

/// Reads what [`progress`] wrote.
pub(crate) fn read_progress(text: &str) -> Option<Progress> {
    let members = members(text)?;
    let current = number(members.get(CURRENT)?)?;
    let total = match members.get(TOTAL) {
        Some(total) => Some(number(total)?),
        None => None,
    };
    let unit = match members.get(UNIT) {
        Some(unit) => Some(word(unit)?.into()),
        None => None,
    };
    Some(Progress { current, total, unit })
}

fn member(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let mark = if text.is_empty() { '{' } else { ',' };
    // Writing to a String cannot fail.
    let _ = write!(text, "{mark}\"{name}\":{value}");
}

fn quoted(value: &str) -> String {
    let mut text = String::new();
    write_string(value, &mut text);
    text
}

/// The shortest text that gives the same number again.
fn float(value: f64) -> String {
    format!("{value:?}")
}

fn members(text: &str) -> Option<BTreeMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_str(text).ok()
}

fn number<T: FromStr>(value: &RawValue) -> Option<T> {
    value.get().parse().ok()
}

fn word(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn def(options: TaskOptions) -> NewTask {
        let TaskOptions { run_at, run_timeout_ms, on_interrupted, on_stop } = options;
        let start_time = run_at.map(StartTime::At);
        NewTask { start_time, run_timeout_ms, on_interrupted, on_stop, ..NewTask::new("a") }
    }

    #[test]
    fn a_task_that_says_nothing_stores_nothing() {
        assert_eq!(options(&def(TaskOptions::default())), None);
    }

    #[test]
    fn every_option_comes_back_and_reads_like_the_public_one() {
        let on_stops = [None].into_iter().chain(OnStop::ALL.iter().copied().map(Some));
        for on_stop in on_stops {
            for on_interrupted in OnInterrupted::ALL.iter().copied() {
                let run_timeout_ms = Some(u64::MAX >> 11);
                let run_at = Some(WallMs(-1));
                let told = TaskOptions { run_at, run_timeout_ms, on_interrupted, on_stop };
                let text = options(&def(told)).unwrap_or_default();
                assert_eq!(read_options(&text), Some(told), "{text}");
            }
        }
        let told = TaskOptions {
            run_at: Some(WallMs(7)),
            run_timeout_ms: Some(500),
            on_interrupted: OnInterrupted::Fail,
            on_stop: Some(OnStop::Abort),
        };
        let expected = r#"{"runAt":7,"runTimeout":500,"onInterrupted":"fail","onStop":"abort"}"#;
        assert_eq!(options(&def(told)).as_deref(), Some(expected));
    }

    #[test]
    fn progress_comes_back_to_the_last_bit() {
        for current in [0.1, -0.0, 1e300, f64::MIN_POSITIVE, 9_007_199_254_740_993.0] {
            for (total, unit) in [(None, None), (Some(1.0 / 3.0), Some("\"\\\u{1}é"))] {
                let told = Progress { current, total, unit: unit.map(Into::into) };
                let read = read_progress(&progress(&told));
                let bits = read.as_ref().map(|read| read.current.to_bits());
                assert_eq!(bits, Some(current.to_bits()));
                assert_eq!(read, Some(told));
            }
        }
    }

    /// F-14
    #[test]
    fn what_nobody_wrote_is_not_read() {
        for text in ["", "{", "[]", "1", r#"{"onStop":"never"}"#, r#"{"runTimeout":"1"}"#] {
            assert_eq!(read_options(text), None, "{text}");
        }
        assert_eq!(read_options(r#"{"runTimeout":-1}"#), None);
        assert_eq!(read_options(r#"{"onFire":"run"}"#), None);
        for text in ["", "{}", "null", r#"{"current":null}"#, r#"{"current":1,"unit":2}"#] {
            assert_eq!(read_progress(text), None, "{text}");
        }
    }
}
