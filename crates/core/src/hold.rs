//! Holds: a query that lets no task start that matches it, until a moment.
//!
//! A task that is ready and comes up while a hold matches it is *held*: it is delayed until the
//! hold is over. What it looks at does not change while a task waits, but for the priority, and
//! that is looked at when the task comes up.
//!
//! # Promises
//! - What a hold looks at is checked when it is made, so no hold can stall the queue later.
//!
//! # Left to others
//! Who looks at the holds, and when: the engine.
//!
//! Proof: the tests below; `proof/tests/engine/holds.rs`, `__test__/contract/holding.test.mjs`.

use std::fmt::Write;
use std::sync::Arc;

use crate::condition;
use crate::error::{Code, Error, Result};
use crate::id::TaskId;
use crate::limits::HOLD_QUERY_BYTES_MAX;
use crate::query::{Fields, Query, Value};
use crate::state::State;
use crate::task::{StartTime, TaskOptions, TaskRecord};
use crate::time::WallMs;

/// The number of a hold: that of the commit that made it, times 128, and a small number. Never used
/// twice. Fits a JavaScript safe integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(pub u64);

/// How many holds one commit can make.
pub const HOLDS_PER_BATCH: u64 = 128;

impl HoldId {
    /// The n-th hold of a batch.
    pub const fn new(batch: u64, n: u64) -> Self {
        debug_assert!(n < HOLDS_PER_BATCH, "the number runs into that of the next batch");
        Self(batch * HOLDS_PER_BATCH + n)
    }
}

/// Which tasks a hold holds.
#[derive(Clone, Debug)]
pub struct HoldQuery {
    query: Query,
    text: Arc<str>,
}

impl PartialEq for HoldQuery {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for HoldQuery {}

impl HoldQuery {
    /// Reads the query of a hold, as it was given or stored.
    ///
    /// # Errors
    /// `InvalidQuery` or `TooLarge` with a path such as `query.seq`.
    pub fn read(text: &str) -> Result<Self> {
        if text.len() > HOLD_QUERY_BYTES_MAX {
            let message = format!("is longer than {HOLD_QUERY_BYTES_MAX} bytes");
            return Err(Error::at(Code::TooLarge, "query", message));
        }
        let value = Value::from_json(text).map_err(|error| {
            Error::at(Code::InvalidQuery, "query", "is not JSON").with_source(error)
        })?;
        Ok(Self { query: condition::query_of_hold(&value, "query")?, text: text.into() })
    }

    /// Its JSON text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which fields of a task it looks at.
    pub fn fields(&self) -> Fields {
        self.query.fields()
    }

    /// Whether it matches a task, given the document of that with its fields
    /// ([`crate::document::for_conditions`]).
    pub fn matches(&self, task: &Value) -> bool {
        self.query.matches(task)
    }
}

/// What a hold leaves with a task.
impl TaskRecord {
    /// Whether a hold keeps it.
    pub fn is_held(&self) -> bool {
        self.state == State::Delayed && self.def.options.is_held()
    }
}

impl TaskOptions {
    /// Whether a hold keeps it, or has kept it last.
    pub fn is_held(&self) -> bool {
        matches!(self.start_time, Some(StartTime::Held(_)))
    }

    /// Whether its start time came of a delay or a hold.
    pub fn has_delay(&self) -> bool {
        matches!(self.start_time, Some(StartTime::Delayed(_) | StartTime::Held(_)))
    }

    /// A hold keeps it until this moment.
    pub fn hold_until(&mut self, at: WallMs) {
        self.start_time = Some(StartTime::Held(at));
    }

    /// No hold keeps it, and so nothing of a start time: it had come before.
    pub fn forget_hold(&mut self) {
        if self.is_held() {
            self.start_time = None;
        }
    }
}

/// Who made a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The process.
    pub pid: u32,
    /// The task whose runner asked for it, if it was one.
    pub task: Option<TaskId>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub id: HoldId,
    /// Which tasks it holds.
    pub query: HoldQuery,
    /// When it was made.
    pub since: WallMs,
    /// When it is over.
    pub until: WallMs,
    /// Who made it.
    pub by: HeldBy,
    /// Whether it was over before that, because somebody released it.
    pub is_released: bool,
}

impl Hold {
    /// Whether it holds tasks.
    pub fn is_live(&self, now: WallMs) -> bool {
        !self.is_released && self.until > now
    }

    /// Its facts, as members of a JSON object.
    pub fn facts(&self) -> String {
        let Hold { id, query, since, until, by: HeldBy { pid, task }, .. } = self;
        let uuid = task.map(|task| format!(r#","uuid":"{}""#, task.0)).unwrap_or_default();
        let (id, query, since, until) = (id.0, query.text(), since.0, until.0);
        let by = format!(r#"{{"pid":{pid}{uuid}}}"#);
        format!(r#""id":{id},"query":{query},"since":{since},"until":{until},"by":{by}"#)
    }
}

/// All holds of a store, by number: those that are live, and those whose tasks are being freed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(pub Vec<Hold>);

impl Holds {
    /// Those that hold tasks now, by number.
    pub fn live(&self, now: WallMs) -> impl Iterator<Item = &Hold> {
        self.0.iter().filter(move |hold| hold.is_live(now))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hold with this number.
    pub fn get_mut(&mut self, id: HoldId) -> Option<&mut Hold> {
        self.0.iter_mut().find(|hold| hold.id == id)
    }

    /// The JSON text of those that hold tasks now.
    pub fn to_json(&self, now: WallMs) -> String {
        let mut text = "[".to_owned();
        for hold in self.live(now) {
            let mark = if text.len() > 1 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{mark}{{{}}}", hold.facts());
        }
        text.push(']');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(n: u64, until: i64) -> Hold {
        let task = Some(TaskId(uuid::Uuid::from_u128(3)));
        Hold {
            id: HoldId::new(2, n),
            query: HoldQuery::read(r#"{"data.account":7}"#).unwrap(),
            since: WallMs(1),
            until: WallMs(until),
            by: HeldBy { pid: 4, task },
            is_released: false,
        }
    }

    #[test]
    fn a_hold_is_live_until_its_moment_or_its_release() {
        let mut holds = Holds(vec![hold(0, 5), hold(1, 9)]);
        let live = |holds: &Holds, now| holds.live(WallMs(now)).map(|one| one.id.0).collect();
        let is = |holds: &Holds, now, expected: &[u64]| {
            let all: Vec<u64> = live(holds, now);
            assert_eq!(all, expected);
        };
        is(&holds, 4, &[256, 257]);
        is(&holds, 5, &[257]);
        holds.get_mut(HoldId(257)).unwrap().is_released = true;
        is(&holds, 4, &[256]);
        assert_eq!(holds.get_mut(HoldId(7)), None);
    }

    #[test]
    fn its_facts_are_json() {
        let text = Holds(vec![hold(0, 5), hold(1, 9)]).to_json(WallMs(0));
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(all.as_array().unwrap().len(), 2);
        let by = serde_json::json!({ "pid": 4, "uuid": "00000000-0000-0000-0000-000000000003" });
        let query = serde_json::json!({ "data.account": 7 });
        let one = serde_json::json!({
            "id": 256, "query": query, "since": 1, "until": 5, "by": by
        });
        assert_eq!(all[0], one);
        assert_eq!(Holds::default().to_json(WallMs(0)), "[]");
    }

    #[test]
    fn it_looks_at_what_a_condition_may_look_at() {
        for text in ["{}", r#"{"operation":"a","priority":{"$gt":1},"tags":"x","id.a":1}"#] {
            assert!(HoldQuery::read(text).is_ok(), "{text}");
        }
        for (text, path) in [
            (r#"{"seq":1}"#, "query.seq"),
            (r#"{"$or":[{"result":1}]}"#, "query.$or[0].result"),
            (r#"{"data":{"$no":1}}"#, "query.data.$no"),
            ("7", "query"),
            ("{", "query"),
        ] {
            let error = HoldQuery::read(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidQuery, "{text}");
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
        }
        let long = format!(r#"{{"label":"{}"}}"#, "x".repeat(HOLD_QUERY_BYTES_MAX));
        assert_eq!(HoldQuery::read(&long).unwrap_err().code(), Code::TooLarge);
    }
}
