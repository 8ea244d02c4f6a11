//! Why a task does not run, by looking at everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tasker_core::condition::{Condition, Scope, fields};
use tasker_core::id::TaskId;
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::PauseWish;
use tasker_core::task::{Priority, StartTime};

use super::{Asked, Oracle, Task};

/// The operations that other processes start, as the store says.
pub(crate) type Elsewhere = Vec<(usize, Arc<str>)>;

impl Oracle {
    /// Whether a stop is under way: what it lets start is known only when the answer is given.
    pub(crate) fn is_stopping(&self) -> bool {
        self.me().stopping.is_some()
    }

    /// Whether a question is not answered yet.
    pub(crate) fn has_questions(&self) -> bool {
        self.me().asked.values().any(|asked| matches!(asked, Asked::Explain(_) | Asked::Figures))
    }

    /// Answers to questions, until they are compared.
    pub(crate) fn take_explained(&mut self) -> Vec<(TaskId, String)> {
        std::mem::take(&mut self.explained)
    }

    /// An explanation names all that hold the task back, and nothing else.
    pub(crate) fn compare_explanation(&self, id: TaskId, text: &str) {
        let mut said: Value = serde_json::from_str(text).unwrap();
        let Some(task) = self.tasks.get(&id) else { return };
        if task.state == State::Paused
            && let Some(all) = said["reasons"].as_array_mut()
        {
            // What a paused task still waits for is not known here behind an open fate.
            all.retain(|reason| reason["reason"] != "dependency");
        }
        for reason in said["reasons"].as_array_mut().into_iter().flatten() {
            let reason = reason.as_object_mut().unwrap();
            // When an operation was paused, and how each attempt ended, is not kept here.
            if reason.get("what") == Some(&json!("operation")) {
                assert!(reason.remove("since").is_some_and(|since| since.is_i64()), "{text}");
            }
            if reason["reason"] == "condition" {
                // When each run began, or each task was added, is not kept here.
                let since = reason.remove("since").unwrap();
                let named = |list: &Value| list.as_array().map(Vec::len);
                assert_eq!(named(&since), named(&reason["uuids"]), "{text}");
            }
            let cause = reason.remove("cause");
            assert_eq!(cause == Some(json!("hold")), cause.is_some() && task.def.options.is_held());
            if let Some(cause) = cause.filter(|cause| cause != "hold") {
                assert_eq!(cause == "own", task.starts == 0, "{text}\n{task:?}");
            }
        }
        let state = task.state.as_str();
        assert_eq!((&said["uuid"], &said["state"]), (&json!(id.0.to_string()), &json!(state)));
        assert_eq!(said["ended"].is_object(), task.state.is_final(), "{said}");
        if task.is_paused_somewhen {
            return;
        }
        let expected = self.reasons_of(id, task);
        assert_eq!(said["reasons"], json!(expected), "{text}\n{task:?}");
        let waits = !task.state.is_final() && task.state != State::Running;
        assert_eq!(said["runnable"], json!(waits && expected.is_empty()), "{said}");
    }

    fn reasons_of(&self, id: TaskId, task: &Task) -> Vec<Value> {
        match task.state {
            State::Running | State::Done | State::Failed | State::Aborted => Vec::new(),
            State::Paused if task.has_run() => {
                let is_ours = self.me().runs.values().any(|run| run.task == id);
                if task.wish != Some(PauseWish::GoOn) {
                    vec![json!({ "reason": "paused", "what": "task" })]
                } else if is_ours && !self.has_place() {
                    vec![self.place()]
                } else {
                    Vec::new()
                }
            }
            _ => {
                let own = [self.start_time(task), self.dependency(task)];
                let mut all: Vec<Value> = own.into_iter().flatten().collect();
                all.extend(self.of_conditions(task));
                all.extend(self.of_operation(task));
                all
            }
        }
    }

    /// Each condition that does not hold.
    fn of_conditions(&self, task: &Task) -> Vec<Value> {
        let conditions = task.def.conditions().iter();
        let closed = conditions.filter(|one| !one.holds(self.counted(one, task).len() as u64));
        let fact = |condition: &Condition| {
            let mut fact: Value = serde_json::from_str(&condition.to_string()).unwrap();
            let uuids = self.counted(condition, task);
            fact["reason"] = json!("condition");
            (fact["count"], fact["uuids"]) = (json!(uuids.len()), json!(uuids));
            fact
        };
        closed.map(fact).collect()
    }

    /// Whether a condition of a task does not hold.
    pub(super) fn is_held(&self, task: &Task) -> bool {
        let mut conditions = task.def.conditions().iter();
        conditions.any(|one| !one.holds(self.counted(one, task).len() as u64))
    }

    /// The others that a condition of a task counts: live runs by number, or what stands ahead of
    /// it in the order of the queue.
    fn counted(&self, condition: &Condition, task: &Task) -> Vec<String> {
        let counts = |other: &Task| match condition.scope {
            Scope::Running => other.has_run(),
            Scope::BeforeQueued => {
                other.state == State::Ready && place(other) < place(task) && self.may_start(other)
            }
        };
        let document = |task: &Task| task.document(fields(condition.scope), condition.fields());
        let counted = self.tasks.iter().filter(|(_, other)| counts(other));
        let mut counted: Vec<_> =
            counted.filter(|(_, other)| condition.matches(&document(other))).collect();
        counted.sort_by_key(|(_, other)| match condition.scope {
            Scope::Running => QueueKey::new(Priority::default(), other.seq),
            Scope::BeforeQueued => place(other),
        });
        counted.into_iter().map(|(id, _)| id.0.to_string()).collect()
    }

    /// Whether somebody starts tasks of its operation, and that is not paused.
    fn may_start(&self, task: &Task) -> bool {
        let name = &task.def.operation;
        let is_offered = self.starts(name) || self.elsewhere.iter().any(|(_, one)| one == name);
        is_offered && !self.is_paused(name)
    }

    fn start_time(&self, task: &Task) -> Option<Value> {
        if task.state == State::Ready {
            return None;
        }
        let paused_at = task.def.options.paused_at;
        let at = match (task.def.options.start_time?, paused_at) {
            (StartTime::Delayed(at), Some(paused_at)) => {
                self.wall.plus(at.0.saturating_sub(paused_at.0).max(0) as u64)
            }
            (StartTime::Held(_), Some(_)) | (StartTime::After(_), _) => return None,
            (StartTime::Held(_), None) if !self.hold_reasons(task).is_empty() => return None,
            (StartTime::Delayed(at) | StartTime::At(at) | StartTime::Held(at), _) => at,
        };
        (at > self.wall).then(|| json!({ "reason": "start-time", "until": at.0 }))
    }

    /// What holds all tasks of its operation back, and what stands ahead.
    fn of_operation(&self, task: &Task) -> Vec<Value> {
        let name = &task.def.operation;
        let said = self.said(name);
        let is_here = self.starts(name) && task.attached_to.is_none_or(|one| one == self.me);
        let may = |process: usize| task.attached_to.is_none_or(|one| one == process);
        let is_elsewhere = self.elsewhere.iter().any(|(one, other)| other == name && may(*one));
        let is_only_ours = is_here && !is_elsewhere;
        let mut all = Vec::new();
        let (limit, runs) = (said.in_force().concurrency, self.live_of(name));
        if let Some(limit) = limit.filter(|limit| runs.len() >= *limit as usize) {
            all.push(json!({
                "reason": "limit", "operation": **name, "limit": limit, "running": runs.len(),
                "uuids": runs,
            }));
        }
        all.extend(self.rate_reason(task));
        all.extend(self.circuit_reason(task));
        all.extend(self.hold_reasons(task));
        if task.state == State::Paused {
            let since = task.def.options.paused_at.map(|at| at.0);
            all.push(json!({ "reason": "paused", "what": "task", "since": since }));
        }
        if said.paused_at.is_some() {
            all.push(json!({ "reason": "paused", "what": "operation", "operation": **name }));
        }
        if !is_here && !is_elsewhere {
            all.push(json!({ "reason": "no-runner", "operation": **name }));
        }
        let (own, left) = (self.ahead(task, name), self.left(name));
        let rivals: BTreeSet<_> = self.tasks.values().map(|task| &task.def.operation).collect();
        let rivals = rivals.into_iter().filter(|other| is_only_ours && *other != name);
        let rivals = rivals.filter(|other| self.starts(other) && !self.is_paused(other));
        let may_start = |other: &str| self.left(other).min(self.tokens_of_all(other));
        let others: usize = rivals.map(|other| self.ahead(task, other).min(may_start(other))).sum();
        let free = (self.limit as usize - self.running()).max(1);
        let by_place = is_only_ours && own.min(may_start(name)) + others >= free;
        if by_place || (limit.is_some() && own >= left.max(1)) {
            all.push(json!({ "reason": "order", "ahead": own + others, "isCapped": false }));
        }
        if is_only_ours && !self.has_place() {
            all.push(self.place());
        }
        all
    }

    fn place(&self) -> Value {
        json!({ "reason": "place", "limit": self.limit, "running": self.running() })
    }

    /// Whether this process starts tasks of an operation.
    fn starts(&self, name: &str) -> bool {
        self.me().is_started && self.me().runners.contains_key(name)
    }

    fn is_paused(&self, name: &str) -> bool {
        self.said(name).paused_at.is_some()
    }

    fn live_of(&self, name: &str) -> Vec<String> {
        let live = self.tasks.iter().filter(|(_, task)| task.has_run());
        let mut live: Vec<_> = live.filter(|(_, task)| *task.def.operation == *name).collect();
        live.sort_by_key(|(_, task)| task.seq);
        live.into_iter().map(|(id, _)| id.0.to_string()).collect()
    }

    /// How many more tasks of an operation may start.
    fn left(&self, name: &str) -> usize {
        let limit = self.said(name).in_force().concurrency;
        limit.map_or(usize::MAX, |limit| (limit as usize).saturating_sub(self.live_of(name).len()))
    }

    /// How many ready tasks of an operation stand ahead that neither a condition holds back nor a
    /// hold takes out, and that have a token of their value.
    fn ahead(&self, task: &Task, name: &str) -> usize {
        self.with_tokens(name, self.open_ahead(task, name))
    }

    /// Those ready tasks of an operation that stand ahead, and that neither a condition holds back
    /// nor a hold takes out.
    pub(super) fn open_ahead<'t>(
        &'t self,
        task: &'t Task,
        name: &'t str,
    ) -> impl Iterator<Item = &'t Task> {
        let ready = self.tasks.values().filter(|other| other.state == State::Ready);
        let ready = ready.filter(|other| other.attached_to.is_none_or(|one| one == self.me));
        let own = ready.filter(move |other| *other.def.operation == *name && !self.is_held(other));
        let own = own.filter(|other| self.hold_reasons(other).is_empty());
        own.filter(move |other| place(other) < place(task))
    }

    fn dependency(&self, task: &Task) -> Option<Value> {
        if task.state != State::Blocked {
            return None;
        }
        let mut open: Vec<TaskId> = task.waits.iter().copied().collect();
        open.sort_by_key(|id| self.key.map(|key| key.seq_of(*id)));
        let uuids: Vec<String> = open.iter().map(|id| id.0.to_string()).collect();
        let count = open.len();
        (count > 0).then(|| json!({ "reason": "dependency", "count": count, "uuids": uuids }))
    }
}

fn place(task: &Task) -> QueueKey {
    QueueKey::new(task.def.priority, task.seq)
}
