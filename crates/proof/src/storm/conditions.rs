//! Tasks of the storm that have conditions: what is added, and what is looked at in the end.
//!
//! Watches tell every change in the order of commits, so it is known what ran and what was ready at
//! each start, whoever started it and whoever was killed meanwhile.

use std::collections::BTreeMap;

use tasker_core::condition::{Condition, Conditions, Scope, Template};
use tasker_core::document::for_conditions;
use tasker_core::error::Result;
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::query::{Fields, Value};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::task::{AfterQueueTimeout, TaskRecord};

use super::ledger::{Ledger, Report};
use super::line::Key;
use super::watched::{Change, Told};
use super::{EDIT, LOOK};
use crate::rng::Rng;

/// Few enough that tasks of several workers are about one.
const BOOKS: u32 = 3;
/// Tasks about one book that run at once beside one that asks for it.
const OF_BOOK: i64 = 1;
/// Runs of all operations beside one that was added while the store said so.
const OF_ALL: i64 = 12;

/// What the tags of a task call its book.
pub(super) fn book(key: Key) -> String {
    format!("book {}", key.n / 3 % BOOKS)
}

fn condition(scope: &str, query: &str, limit: i64) -> String {
    format!(r#"{{"scope":"{scope}","query":{query},"limit":{limit}}}"#)
}

impl Rng {
    /// An operation whose tasks look ahead in the queue. Nobody pauses it or holds its tasks, which
    /// have no tags.
    pub(super) fn looks_ahead(&mut self) -> Option<&'static str> {
        self.once_in(6).then(|| if self.once_in(3) { EDIT } else { LOOK })
    }

    /// What a task of this operation says itself, which may have tags.
    pub(super) fn conditions(&mut self, operation: &str, key: Key, has_tags: bool) -> Conditions {
        let both = format!(r#"{{"operation":{{"$in":["{LOOK}","{EDIT}"]}}}}"#);
        let edit = format!(r#"{{"operation":"{EDIT}"}}"#);
        let all = match operation {
            LOOK => vec![condition("running", &edit, 0), condition("before-queued", &edit, 0)],
            EDIT => vec![condition("running", &both, 0), condition("before-queued", &both, 0)],
            _ if has_tags && self.once_in(2) => {
                vec![condition("running", &format!(r#"{{"tags":"{}"}}"#, book(key)), OF_BOOK)]
            }
            _ => Vec::new(),
        };
        let read = Conditions::read(&format!("[{}]", all.join(",")), "concurrency");
        debug_assert!(read.is_ok(), "{all:?} cannot be read: {read:?}");
        read.unwrap_or_default()
    }

    /// What the whole store says from now on: that not too many run, or nothing.
    pub(super) fn conditions_of_all(&mut self) -> Result<OperationOptions> {
        let says = self.once_in(2).then(|| condition("running", "{}", OF_ALL));
        let text = format!("[{}]", says.unwrap_or_default());
        let conditions = Some(Template::read(&text, "conditions")?);
        Ok(OperationOptions { conditions, ..OperationOptions::default() })
    }
}

/// A task as conditions see it.
struct Subject<'t> {
    document: Value,
    /// Those that held for certain when it started.
    conditions: Vec<&'t Condition>,
    /// Its place in the queue, if nobody has moved it.
    place: Option<QueueKey>,
}

type Subjects<'t> = BTreeMap<TaskId, Subject<'t>>;

impl Ledger {
    /// No task has started while more ran, or stood ahead of it, than its conditions allow (I-6).
    pub(super) fn conditions(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) -> Result<()> {
        if self.report.gaps > 0 {
            return Ok(());
        }
        let mut subjects = Subjects::new();
        // Another add may have given a unique one another definition.
        for task in tasks.values().filter(|task| task.def.options.unique.is_none()) {
            subjects.insert(task.id, self.subject(task)?);
        }
        // Of those that have not ended.
        let mut states: BTreeMap<TaskId, State> = BTreeMap::new();
        let (report, changes) = (&mut self.report, self.changes.iter().collect::<Vec<_>>());
        for commit in changes.chunk_by(|((one, _), _), ((next, _), _)| one == next) {
            let mut starts = Vec::new();
            for Told { id, change, state } in commit.iter().map(|(_, told)| **told) {
                // Who has claimed a task has it, and counts.
                let state = if state == State::Claimed { State::Running } else { state };
                let before = states.remove(&id);
                // A run that goes on after a halt has counted all the time.
                let was_live = matches!(before, Some(State::Running | State::Paused));
                match change {
                    Change::Ended | Change::Left | Change::Removed => {}
                    _ if state == State::Running && !was_live => starts.push(id),
                    Change::Entered | Change::Changed => drop(states.insert(id, state)),
                }
            }
            judge(&starts, &states, &subjects, report);
            states.extend(starts.into_iter().map(|id| (id, State::Running)));
        }
        Ok(())
    }

    fn subject<'t>(&self, task: &'t TaskRecord) -> Result<Subject<'t>> {
        let options = &task.def.options;
        let by_whomever = (task.id, 0)..=(task.id, u32::MAX);
        let is_moved = self.priorities.range(by_whomever).next().is_some()
            || options
                .queue_timeout
                .is_some_and(|timeout| matches!(timeout.then, AfterQueueTimeout::Prioritize(_)));
        // An update may have asked the store again, after a run.
        let all = task.def.conditions();
        let own = if is_moved { options.own_conditions } else { None };
        let conditions = all.iter().skip(all.count() - own.unwrap_or(all.count())).collect();
        let place = (!is_moved).then(|| QueueKey::new(task.def.priority, task.seq));
        Ok(Subject { document: for_conditions(&task.def, Fields::ALL)?, conditions, place })
    }
}

/// Looks at the starts of one commit, beside what was so before them. They were picked in the order
/// of the queue, in whatever order the commit has them.
fn judge(
    starts: &[TaskId],
    states: &BTreeMap<TaskId, State>,
    subjects: &Subjects<'_>,
    report: &mut Report,
) {
    let others = || states.iter().filter_map(|(id, is)| Some((*is, subjects.get(id)?)));
    let started = || starts.iter().filter_map(|id| Some((*id, subjects.get(id)?)));
    for (id, subject) in started() {
        report.bound += u64::from(!subject.conditions.is_empty());
        let earlier = started().filter(|(_, other)| subject.is_behind(other));
        let earlier = earlier.map(|(_, other)| (State::Running, other));
        let all: Vec<_> = others().chain(earlier).collect();
        for condition in &subject.conditions {
            let count = all.iter().filter(|other| subject.counts(condition, **other)).count();
            if !condition.holds(count as u64) {
                report.violation(format!("{} began beside {count}: {condition}", id.0));
            }
        }
    }
}

impl Subject<'_> {
    /// Whether the other one has stood ahead of it for certain.
    fn is_behind(&self, other: &Subject<'_>) -> bool {
        self.place.zip(other.place).is_some_and(|(own, other)| other < own)
    }

    /// Whether a condition of it counts another task in this state for certain.
    fn counts(&self, condition: &Condition, (is, other): (State, &Subject<'_>)) -> bool {
        let is_in_scope = match condition.scope {
            Scope::Running => is == State::Running,
            Scope::BeforeQueued => is == State::Ready && self.is_behind(other),
        };
        is_in_scope && condition.matches(&other.document)
    }
}

#[cfg(test)]
mod tests {
    use tasker_core::task::NewTask;
    use uuid::Uuid;

    use super::*;
    use crate::storm::done_task;

    fn task(seq: u64, operation: &str) -> TaskRecord {
        let mut def = NewTask::new(operation);
        let key = Key { worker: 1, n: 1 };
        def.options.conditions = Rng::new(1).conditions(operation, key, false);
        done_task(seq, def)
    }

    /// How many violations these changes of two readers and a writer, which came second, show.
    fn violations(changes: &[(u64, State)]) -> usize {
        let all = [task(1, LOOK), task(2, EDIT), task(3, LOOK)];
        let tasks = all.into_iter().map(|task| (task.id, task)).collect();
        let mut ledger = Ledger::default();
        let enter = [1, 2, 3].map(|seq| (seq, State::Ready));
        for (batch, (seq, state)) in (1..).zip(enter.iter().chain(changes)) {
            let change = if state.is_final() { Change::Ended } else { Change::Changed };
            let told = Told { id: TaskId(Uuid::from_u128((*seq).into())), change, state: *state };
            ledger.changed((batch, 0), told);
        }
        ledger.conditions(&tasks).unwrap();
        ledger.report.violations.len()
    }

    #[test]
    fn a_start_beside_too_many_or_too_early_is_seen() {
        use State::{Done, Paused, Running};
        let in_order = [(1, Running), (1, Done), (2, Running), (2, Done), (3, Running)];
        assert_eq!(violations(&in_order), 0);
        assert_eq!(violations(&[(1, Running), (2, Running)]), 1, "a writer beside a reader");
        assert_eq!(violations(&[(1, Running), (3, Running)]), 1, "past the writer ahead");
        let halted = [(1, Running), (1, Done), (2, Running), (2, Paused), (2, Running)];
        assert_eq!(violations(&halted), 0, "a halt is no start");
        assert_eq!(violations(&[(2, Running)]), 1, "past the reader ahead");
    }
}
