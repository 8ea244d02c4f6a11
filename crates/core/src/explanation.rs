//! Why a task does not run, in facts.
//!
//! Each thing that holds a task back is an *obstacle*: a reason, and the numbers and names that let
//! somebody do something about it. A task has all that hold it, not the first.
//!
//! # Promises
//! - A task without an obstacle starts in the next turn of a process that has a runner and a place
//!   for it; one that has an obstacle does not.
//!
//! # Left to others
//! Finding them is the engine's work, which knows the queue and asks the store.
//!
//! Proof: `proof/tests/engine/explaining.rs`, `proof/tests/random`,
//! `__test__/contract/explaining.test.mjs`.

use std::sync::Arc;

use serde::Deserialize;

use crate::circuit::CircuitBreaker;
use crate::hold::Hold;
use crate::id::TaskId;
use crate::json::{is_json, write_string};
use crate::rate::{RateKey, RateLimit};
use crate::reason::Reason;
use crate::state::State;
use crate::task::{AttemptEnd, Cause, Json, TaskEnd};
use crate::time::WallMs;

/// How many tasks an explanation names for one reason.
pub const TASKS_NAMED_MAX: usize = 100;
/// How many tasks that stand ahead are counted.
pub const AHEAD_MAX: usize = 1_000;

/// Why a start time lies ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTimeCause {
    /// The task says so.
    Own,
    /// Its last attempt failed and another one follows.
    Retry,
    /// Its run wanted to go on later.
    Snooze,
    /// Somebody gave its run back until then.
    Postponed,
    /// It came up while a hold matched it.
    Hold,
}

impl StartTimeCause {
    /// The cause for a task whose last attempt ended so; nothing if it never ran.
    pub fn of(last: Option<AttemptEnd>) -> Self {
        match last {
            None => Self::Own,
            Some(AttemptEnd::Done | AttemptEnd::Failed | AttemptEnd::Aborted) => Self::Retry,
            Some(AttemptEnd::Snoozed) => Self::Snooze,
            // A lost run goes on at once, so somebody has put it off.
            Some(AttemptEnd::Postponed | AttemptEnd::Lost) => Self::Postponed,
        }
    }

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Retry => "retry",
            Self::Snooze => "snooze",
            Self::Postponed => "postponed",
            Self::Hold => "hold",
        }
    }
}

/// One thing that holds a task back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its start time lies ahead.
    StartTime {
        /// When it comes.
        until: WallMs,
        /// Why.
        cause: StartTimeCause,
    },
    /// Dependencies are open.
    Dependency {
        /// How many.
        count: usize,
        /// The first of them.
        open: Vec<TaskId>,
    },
    /// The task is paused.
    PausedTask {
        /// Since when, if it has no run.
        since: Option<WallMs>,
    },
    /// Its operation is paused.
    PausedOperation {
        /// Since when.
        since: WallMs,
    },
    /// A hold matches it.
    Hold(Box<Hold>),
    /// Nothing that is started has a runner for its operation.
    NoRunner,
    /// No executor outside waits for it where it is asked.
    Executor {
        /// When one has asked there last, if that was a short time ago.
        last_poll_at: Option<WallMs>,
    },
    /// An executor outside has taken it and has not begun.
    Claimed {
        /// Until when it must.
        until: WallMs,
        /// Who, as it calls itself.
        by: Option<Arc<str>>,
    },
    /// One of its conditions does not hold.
    Condition {
        /// The JSON text of that: its scope, query and limit.
        condition: Box<str>,
        /// How many others match; no number of them is few enough for a negative limit.
        count: usize,
        /// Whether there may be more.
        is_capped: bool,
        /// The first of them, and when each began to run; if it waits, when it last did so or
        /// was added.
        tasks: Vec<(TaskId, WallMs)>,
    },
    /// Its operation runs as often as it may, in all processes together.
    Limit {
        /// How many may run at once.
        limit: u32,
        /// How many do.
        running: u64,
        /// The first of them.
        runs: Vec<TaskId>,
    },
    /// Its operation, or the value that it has there, has no token left, or no more than what
    /// stands ahead takes.
    RateLimit {
        /// What is said.
        rate: Arc<RateLimit>,
        /// The value, if it is by value and the task has one.
        key: RateKey,
        /// When the next token comes; now if there is one.
        next_at: WallMs,
        /// How many tasks take a token before it.
        ahead: usize,
        /// Whether there may be more.
        is_capped: bool,
    },
    /// The circuit of its operation, or of the value that it has there, is open, or half open and
    /// tries as many as it needs.
    Circuit {
        /// What is said.
        breaker: Arc<CircuitBreaker>,
        /// The value, if it is by value and the task has one.
        key: RateKey,
        /// Until when it is open, if it is not half open.
        until: Option<WallMs>,
        /// How many probes are under way.
        probing: usize,
        /// How many tasks are tried before it.
        ahead: usize,
        /// Whether there may be more.
        is_capped: bool,
    },
    /// It waits in this process, which alone would start it, for others that join its batch.
    Batch {
        /// How many tasks of its operation wait so.
        waiting: usize,
        /// How many the batch takes.
        max: u32,
        /// When it starts at the latest.
        starts_at: WallMs,
    },
    /// This process, which alone would start it, runs as many as it may.
    Place {
        /// How many may run at once.
        limit: u32,
        /// How many do.
        running: u32,
    },
    /// Each thread of its runner in this process, which alone would start it, has a task.
    Threads {
        /// How many there are.
        limit: u32,
        /// How many have one.
        running: u32,
    },
    /// What stands ahead of it comes first.
    Order {
        /// How many tasks.
        ahead: usize,
        /// Whether there may be more.
        is_capped: bool,
    },
}

impl Obstacle {
    /// In the word that users see.
    pub const fn reason(&self) -> Reason {
        match self {
            Obstacle::StartTime { .. } => Reason::StartTime,
            Obstacle::Dependency { .. } => Reason::Dependency,
            Obstacle::Condition { .. } => Reason::Condition,
            Obstacle::PausedTask { .. } | Obstacle::PausedOperation { .. } => Reason::Paused,
            Obstacle::Hold(_) => Reason::Hold,
            Obstacle::NoRunner => Reason::NoRunner,
            Obstacle::Executor { .. } | Obstacle::Claimed { .. } => Reason::Executor,
            Obstacle::Limit { .. } => Reason::Limit,
            Obstacle::RateLimit { .. } => Reason::RateLimit,
            Obstacle::Circuit { .. } => Reason::Circuit,
            Obstacle::Batch { .. } => Reason::Batch,
            Obstacle::Place { .. } | Obstacle::Threads { .. } => Reason::Place,
            Obstacle::Order { .. } => Reason::Order,
        }
    }

    /// Its facts, as members of a JSON object, each with a comma before it.
    fn facts(&self, operation: &str) -> String {
        let mut name = String::new();
        write_string(operation, &mut name);
        match self {
            Obstacle::StartTime { until, cause } => {
                format!(r#","until":{},"cause":"{}""#, until.0, cause.as_str())
            }
            Obstacle::Dependency { count, open } => {
                format!(r#","count":{count},"uuids":{}"#, uuids(open))
            }
            Obstacle::PausedTask { since } => {
                let since = since.map(|at| format!(r#","since":{}"#, at.0)).unwrap_or_default();
                format!(r#","what":"task"{since}"#)
            }
            Obstacle::PausedOperation { since } => {
                format!(r#","what":"operation","operation":{name},"since":{}"#, since.0)
            }
            Obstacle::Condition { condition, count, is_capped, tasks } => {
                let members = condition.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                let members = members.unwrap_or_default();
                let ids: Vec<TaskId> = tasks.iter().map(|(id, _)| *id).collect();
                let since: Vec<String> = tasks.iter().map(|(_, at)| at.0.to_string()).collect();
                let (ids, since) = (uuids(&ids), since.join(","));
                let more = if *is_capped { r#","isCapped":true"# } else { "" };
                format!(r#",{members},"count":{count}{more},"uuids":{ids},"since":[{since}]"#)
            }
            Obstacle::Hold(hold) => format!(",{}", hold.facts()),
            Obstacle::NoRunner => format!(r#","operation":{name}"#),
            Obstacle::Executor { last_poll_at } => {
                let last = last_poll_at.map(|at| format!(r#","lastPollAt":{}"#, at.0));
                format!(r#","what":"poll","operation":{name}{}"#, last.unwrap_or_default())
            }
            Obstacle::Claimed { until, by } => {
                format!(r#","what":"begin","until":{}{}"#, until.0, by_json(by.as_deref()))
            }
            Obstacle::Limit { limit, running, runs } => {
                let runs = uuids(runs);
                format!(r#","operation":{name},"limit":{limit},"running":{running},"uuids":{runs}"#)
            }
            Obstacle::RateLimit { rate, key, next_at, ahead, is_capped } => {
                let said = rate.to_json();
                let said = said.strip_prefix('{').and_then(|said| said.strip_suffix('}'));
                let (said, key, next_at) = (said.unwrap_or_default(), key_json(key), next_at.0);
                let ahead = format!(r#""ahead":{ahead},"isCapped":{is_capped}"#);
                format!(r#","operation":{name},{said}{key},"nextAt":{next_at},{ahead}"#)
            }
            Obstacle::Circuit { breaker, key, until, probing, ahead, is_capped } => {
                let (said, key) = (breaker.numbers(), key_json(key));
                let state = if until.is_some() { "open" } else { "half-open" };
                let until = until.map(|at| format!(r#","until":{}"#, at.0)).unwrap_or_default();
                let ahead = format!(r#""ahead":{ahead},"isCapped":{is_capped}"#);
                let phase = format!(r#""state":"{state}"{until},"probing":{probing}"#);
                format!(r#","operation":{name},{said}{key},{phase},{ahead}"#)
            }
            Obstacle::Batch { waiting, max, starts_at } => {
                let numbers = format!(r#""waiting":{waiting},"max":{max}"#);
                format!(r#","operation":{name},{numbers},"startsAt":{}"#, starts_at.0)
            }
            Obstacle::Place { limit, running } => {
                format!(r#","limit":{limit},"running":{running}"#)
            }
            Obstacle::Threads { limit, running } => {
                format!(r#","operation":{name},"limit":{limit},"running":{running}"#)
            }
            Obstacle::Order { ahead, is_capped } => {
                format!(r#","ahead":{ahead},"isCapped":{is_capped}"#)
            }
        }
    }
}

/// The value of a gate, as a member with a comma before it; nothing if there is none. One
/// that was cut is a text.
fn key_json(key: &str) -> String {
    let mut json = String::new();
    if !key.is_empty() {
        json.push_str(r#","key":"#);
        if is_json(key) { json.push_str(key) } else { write_string(key, &mut json) }
    }
    json
}

/// Who has a task outside, as a member with a comma before it; nothing if it has not said so.
fn by_json(by: Option<&str>) -> String {
    let mut json = String::new();
    if let Some(by) = by {
        json.push_str(r#","by":"#);
        write_string(by, &mut json);
    }
    json
}

/// The JSON text of obstacles of tasks of an operation.
pub fn reasons_json(obstacles: &[Obstacle], operation: &str) -> String {
    let one = |one: &Obstacle| {
        format!(r#"{{"reason":"{}"{}}}"#, one.reason().as_str(), one.facts(operation))
    };
    let reasons: Vec<String> = obstacles.iter().map(one).collect();
    format!("[{}]", reasons.join(","))
}

fn uuids(ids: &[TaskId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.0)).collect();
    format!("[{}]", ids.join(","))
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndFacts {
    /// When.
    pub at: WallMs,
    /// Why, unless it is done.
    pub cause: Option<Cause>,
    /// The name of its error, if it has one.
    pub error: Option<String>,
}

impl EndFacts {
    /// Those of an end; the error of one that was aborted is the reason for that.
    pub fn of(outcome: &TaskEnd, at: WallMs) -> Self {
        let (cause, error) = match outcome {
            TaskEnd::Done(_) => (None, None),
            TaskEnd::Failed(cause, error) => (Some(*cause), name_of(error)),
            TaskEnd::Aborted(cause, _) => (Some(*cause), None),
        };
        Self { at, cause, error }
    }
}

/// The name of an error; nothing if something else was thrown.
fn name_of(error: &Json) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: Option<String>,
    }
    serde_json::from_str::<Named>(error.as_str()).ok()?.name
}

/// Why a task does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Which task.
    pub id: TaskId,
    /// Its operation.
    pub operation: Arc<str>,
    /// Where it is.
    pub state: State,
    /// Whether it has a live run, which may have halted.
    pub has_run: bool,
    /// Whether it is to halt at the next checkpoint of its run.
    pub is_pausing: bool,
    /// All that hold it back; nothing of one that runs or has ended.
    pub obstacles: Vec<Obstacle>,
    /// Until when the executor outside must be heard of that runs it, and who that is.
    pub lease: Option<(WallMs, Option<Arc<str>>)>,
    /// How it ended, if it has.
    pub end: Option<EndFacts>,
}

impl Explanation {
    /// Whether it starts, or goes on, in the next turn of a process that has a runner and a place.
    pub fn is_runnable(&self) -> bool {
        let waits = match self.state {
            State::Blocked | State::Delayed | State::Paused | State::Ready => true,
            State::Claimed | State::Running | State::Done | State::Failed | State::Aborted => false,
        };
        waits && self.obstacles.is_empty()
    }

    /// Its JSON text; moments are milliseconds.
    pub fn to_json(&self) -> String {
        let mut out = format!(r#"{{"uuid":"{}","operation":"#, self.id.0);
        write_string(&self.operation, &mut out);
        let status = if self.has_run { State::Running.status() } else { self.state.status() };
        out.push_str(&format!(
            r#","state":"{}","status":"{}","runnable":{}"#,
            self.state.as_str(),
            status.as_str(),
            self.is_runnable(),
        ));
        if self.is_pausing {
            out.push_str(r#","isPausing":true"#);
        }
        let reasons = reasons_json(&self.obstacles, &self.operation);
        out.push_str(&format!(r#","reasons":{reasons}"#));
        if let Some((until, by)) = &self.lease {
            let by = by_json(by.as_deref());
            out.push_str(&format!(r#","executor":{{"until":{}{by}}}"#, until.0));
        }
        if let Some(EndFacts { at, cause, error }) = &self.end {
            out.push_str(&format!(r#","ended":{{"at":{}"#, at.0));
            cause.iter().for_each(|cause| {
                out.push_str(&format!(r#","cause":"{}""#, cause.as_str()));
            });
            error.iter().for_each(|name| {
                out.push_str(r#","error":"#);
                write_string(name, &mut out);
            });
            out.push('}');
        }
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hold::{HeldBy, HoldId, HoldQuery};

    const AT: WallMs = WallMs(7);

    fn ready() -> Explanation {
        Explanation {
            id: TaskId(uuid::Uuid::from_u128(1)),
            operation: "a\"b".into(),
            state: State::Ready,
            has_run: false,
            is_pausing: false,
            obstacles: Vec::new(),
            lease: None,
            end: None,
        }
    }

    /// One of each.
    fn obstacles() -> Vec<Obstacle> {
        let ids = vec![TaskId(uuid::Uuid::from_u128(2))];
        vec![
            Obstacle::StartTime { until: AT, cause: StartTimeCause::Own },
            Obstacle::Dependency { count: 3, open: ids.clone() },
            Obstacle::Condition {
                condition: r#"{"scope":"running","query":{"data.a":"}"},"limit":0}"#.into(),
                count: 1,
                is_capped: false,
                tasks: vec![(ids[0], AT)],
            },
            Obstacle::Hold(Box::new(Hold {
                id: HoldId(7),
                query: HoldQuery::read(r#"{"data.a":"}"}"#).unwrap(),
                since: AT,
                until: AT,
                by: HeldBy { pid: 1, task: None },
                is_released: false,
            })),
            Obstacle::PausedTask { since: None },
            Obstacle::PausedTask { since: Some(AT) },
            Obstacle::PausedOperation { since: AT },
            Obstacle::NoRunner,
            Obstacle::Executor { last_poll_at: None },
            Obstacle::Executor { last_poll_at: Some(AT) },
            Obstacle::Claimed { until: AT, by: Some("a\"b".into()) },
            Obstacle::Limit { limit: 1, running: 1, runs: ids },
            rate_limit(r#""a\"b""#),
            rate_limit(r#""a\"b…"#),
            rate_limit(""),
            circuit(r#""a\"b""#, None),
            circuit("", Some(AT)),
            Obstacle::Batch { waiting: 1, max: 2, starts_at: AT },
            Obstacle::Place { limit: 2, running: 2 },
            Obstacle::Threads { limit: 2, running: 2 },
            Obstacle::Order { ahead: 4, is_capped: true },
        ]
    }

    fn rate_limit(key: &str) -> Obstacle {
        let rate = RateLimit::read(r#"{"limit":7,"per":1,"by":"data.\"a"}"#, "x").unwrap();
        let (rate, key) = (Arc::new(rate), key.into());
        Obstacle::RateLimit { rate, key, next_at: AT, ahead: 4, is_capped: true }
    }

    fn circuit(key: &str, until: Option<WallMs>) -> Obstacle {
        let text = r#"{"failures":3,"within":1,"openFor":2,"by":"data.\"a","when":{"name":"\""}}"#;
        let breaker = Arc::new(CircuitBreaker::read(text, "x").unwrap());
        let (key, ahead, is_capped) = (key.into(), 4, true);
        Obstacle::Circuit { breaker, key, until, probing: 1, ahead, is_capped }
    }

    #[test]
    fn an_explanation_is_json_whatever_it_says() {
        let end = Some(EndFacts { at: AT, cause: Some(Cause::Error), error: Some("\"".into()) });
        let lease = Some((AT, Some("a\"b".into())));
        let (is_pausing, obstacles) = (true, obstacles());
        let all = Explanation { obstacles, end, is_pausing, lease, ..ready() };
        let json: serde_json::Value = serde_json::from_str(&all.to_json()).unwrap();
        assert_eq!(json["operation"], "a\"b");
        assert_eq!(json["reasons"].as_array().unwrap().len(), all.obstacles.len());
        for (one, json) in all.obstacles.iter().zip(json["reasons"].as_array().unwrap()) {
            assert_eq!(json["reason"], one.reason().as_str());
        }
        assert_eq!(json["executor"], serde_json::json!({ "until": 7, "by": "a\"b" }));
        assert_eq!(json["ended"], serde_json::json!({ "at": 7, "cause": "error", "error": "\"" }));
        let bare: serde_json::Value = serde_json::from_str(&ready().to_json()).unwrap();
        assert_eq!(bare["reasons"], serde_json::json!([]));
    }

    #[test]
    fn what_waits_and_has_no_obstacle_is_runnable() {
        assert!(ready().is_runnable());
        for obstacle in obstacles() {
            assert!(!Explanation { obstacles: vec![obstacle], ..ready() }.is_runnable());
        }
        for state in [State::Running, State::Done, State::Failed, State::Aborted] {
            assert!(!Explanation { state, ..ready() }.is_runnable());
        }
    }
}
