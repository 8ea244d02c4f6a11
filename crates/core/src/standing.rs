//! How a task stands to what it depends on, and how `dependsOn` is read.
//!
//! # Promises
//! - A dependency is met when it is done, or whatever its end with `onFailure: 'run'`; one that
//!   failed or was aborted ends its dependent with `onFailure: 'abort'`, also if others are open.
//!
//! # Left to others
//! Who depends on whom lies in the store; whom an end reaches is the engine's work.
//!
//! Proof: the tests below, `conformance::dependencies`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::argument;
use crate::dependency::{Dependencies, Dependency, OnFailure};
use crate::error::{Code, Error, Result};
use crate::id::TaskId;
use crate::limits::DEPENDENCIES_MAX;
use crate::rules;
use crate::state::State;
use crate::task::{AbortReason, Cause};

/// How a task stands to all that it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is open.
    Met,
    /// It has to wait.
    Open,
    /// It can never run: this one of them, by its place, failed or was aborted.
    Orphaned(usize),
}

/// Whether a dependency in this state is met; nothing if it ends its dependent.
pub fn is_met(state: State, on_failure: OnFailure) -> Option<bool> {
    match (state, on_failure) {
        (State::Failed | State::Aborted, OnFailure::Abort) => None,
        _ => Some(state.is_final()),
    }
}

/// How a task stands to dependencies in these states.
pub fn standing(on_failure: OnFailure, states: impl Iterator<Item = State>) -> Standing {
    let mut standing = Standing::Met;
    for (index, state) in states.enumerate() {
        match is_met(state, on_failure) {
            None => return Standing::Orphaned(index),
            Some(true) => {}
            Some(false) => standing = Standing::Open,
        }
    }
    standing
}

/// Why a task ends with this dependency, which did not end as done.
pub fn orphaned(dependency: TaskId, state: State) -> AbortReason {
    let how = if state == State::Failed { "failed" } else { "was aborted" };
    let message = format!("the task {}, on which this one depends, {how}", dependency.0);
    rules::abort_reason(Cause::Dependency, &message)
}

/// Reads `dependsOn`; nothing for an empty list.
///
/// # Errors
/// `Invalid` or `TooLarge` with `path`, or one inside of it.
pub fn read(text: &str, path: &str) -> Result<Option<Dependencies>> {
    let is_list = text.starts_with('[');
    let mut all = Dependencies { on: Vec::new(), on_failure: OnFailure::Abort, is_list };
    if is_list {
        all.on = list(text, path, &all)?;
        return Ok((!all.on.is_empty()).then_some(all));
    }
    let what = "must be an array of uuids, or { uuids, onFailure }";
    let members: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(text).map_err(|_| Error::invalid(path, what))?;
    let mut uuids = None;
    for (word, value) in members {
        match &*word {
            "uuids" => uuids = Some(value.get()),
            "onFailure" => {
                let path = format!("{path}.onFailure");
                all.on_failure = argument::word(value.get(), &path, OnFailure::WORDS)?;
            }
            _ => {
                let what = "is no option of dependsOn; there are uuids, onFailure";
                return Err(Error::invalid(format!("{path}.{word}"), what));
            }
        }
    }
    let inside = format!("{path}.uuids");
    let uuids = uuids.ok_or_else(|| Error::invalid(&*inside, "must be an array of uuids"))?;
    all.on = list(uuids, path, &all)?;
    Ok((!all.on.is_empty()).then_some(all))
}

fn list(text: &str, path: &str, all: &Dependencies) -> Result<Vec<Dependency>> {
    let inside = if all.is_list { path.to_owned() } else { format!("{path}.uuids") };
    let items = argument::split(text, &inside).map_err(|error| {
        Error::invalid(&*inside, "must be an array of uuids").with_source(error)
    })?;
    if items.len() > DEPENDENCIES_MAX {
        let text = format!("has {}; a task may depend on {DEPENDENCIES_MAX}", items.len());
        return Err(Error::at(Code::TooLarge, inside, text));
    }
    let read = |(index, item): (usize, &&RawValue)| {
        one(item.get()).ok_or_else(|| {
            let what = "must be the uuid of a task, or in addTasks the number of an earlier one";
            Error::invalid(format!("{path}{}", all.path(index)), what)
        })
    };
    items.iter().enumerate().map(read).collect()
}

fn one(text: &str) -> Option<Dependency> {
    if let Some(uuid) = argument::as_text(text) {
        return Some(Dependency::Task(task_id(&uuid)?));
    }
    let number: f64 = serde_json::from_str(text).ok()?;
    let is_place = number >= 0.0 && number.fract() == 0.0 && number < 1e9;
    is_place.then_some(Dependency::Earlier(number as usize))
}

/// A uuid as it is shown: hyphenated, in whatever case.
pub fn task_id(text: &str) -> Option<TaskId> {
    let is_hyphenated = text.len() == 36;
    Uuid::try_parse(text).ok().filter(|_| is_hyphenated).map(TaskId)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "018f0000-0000-7000-8000-000000000001";
    const TWO: &str = "018f0000-0000-7000-8000-000000000002";

    fn path_of(text: &str) -> String {
        read(text, "dependsOn").unwrap_err().facts().path.clone().unwrap()
    }

    #[test]
    fn a_list_and_an_object_say_the_same() {
        let list = read(&format!(r#"["{ONE}","{TWO}"]"#), "dependsOn").unwrap().unwrap();
        let object = format!(r#"{{"uuids":["{ONE}","{TWO}"],"onFailure":"abort"}}"#);
        let read = read(&object, "dependsOn").unwrap().unwrap();
        assert_eq!(Dependencies { is_list: false, ..list }, read);
        assert_eq!(read.to_string(), object);
        assert_eq!(read.tasks().count(), 2);
    }

    #[test]
    fn nothing_depends_on_nothing() {
        for text in ["[]", r#"{"uuids":[]}"#, r#"{"uuids":[],"onFailure":"run"}"#] {
            assert_eq!(read(text, "dependsOn").unwrap(), None);
        }
    }

    #[test]
    fn every_wrong_part_is_named() {
        for (text, path) in [
            ("7", "dependsOn"),
            ("null", "dependsOn"),
            (r#""x""#, "dependsOn"),
            ("{}", "dependsOn.uuids"),
            (r#"{"uuids":7}"#, "dependsOn.uuids"),
            (r#"{"uuids":["x"]}"#, "dependsOn.uuids[0]"),
            (r#"{"uuids":[],"onFailure":"stop"}"#, "dependsOn.onFailure"),
            (r#"{"uuids":[],"mode":1}"#, "dependsOn.mode"),
            (r#"["x"]"#, "dependsOn[0]"),
            (r#"[0,-1]"#, "dependsOn[1]"),
            (r#"[0,0.5]"#, "dependsOn[1]"),
            (r#"[null]"#, "dependsOn[0]"),
            (r#"["018f00000000700080000000000000001"]"#, "dependsOn[0]"),
        ] {
            assert_eq!(path_of(text), path, "{text}");
        }
    }

    #[test]
    fn a_task_depends_on_as_many_as_the_limit_says_and_on_no_more() {
        let list = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert_eq!(read(&list(DEPENDENCIES_MAX), "x").unwrap().unwrap().on.len(), 1_000);
        let error = read(&list(DEPENDENCIES_MAX + 1), "x").unwrap_err();
        assert_eq!((error.code(), error.facts().path.as_deref()), (Code::TooLarge, Some("x")));
    }

    #[test]
    fn a_number_names_an_earlier_definition() {
        let all = read("[0,1]", "dependsOn").unwrap().unwrap();
        assert!(all.check_earlier(2).is_ok());
        for (earlier, path) in [(1, "dependsOn[1]"), (0, "dependsOn[0]")] {
            let error = all.check_earlier(earlier).unwrap_err();
            assert_eq!(error.facts().path.as_deref(), Some(path));
        }
    }

    #[test]
    fn one_that_failed_counts_before_one_that_is_open() {
        use State::{Aborted, Done, Failed, Running};
        let stands = |on_failure, states: &[State]| standing(on_failure, states.iter().copied());
        for (states, abort, run) in [
            (&[Done, Done][..], Standing::Met, Standing::Met),
            (&[Done, Running], Standing::Open, Standing::Open),
            (&[Running, Failed, Aborted], Standing::Orphaned(1), Standing::Open),
            (&[Done, Aborted], Standing::Orphaned(1), Standing::Met),
        ] {
            assert_eq!(stands(OnFailure::Abort, states), abort, "{states:?}");
            assert_eq!(stands(OnFailure::Run, states), run, "{states:?}");
        }
    }
}
