//! Counts that look at no task: by states alone, and by operations and states.
//!
//! # Promises
//! - What the totals do not tell is left to a search: tasks that wait, told apart by their states.
//!
//! Proof: `conformance::head`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::filter::Filter;
use super::pages::{Columns, Snapshot};
use crate::error::{Code, Error, Result};
use crate::id::IdKey;
use crate::query::{Field, Object, Query, Value};
use crate::read::EVERY_SEQ;
use crate::state::{Counts, State, Status};
use crate::store::Operation;

pub(super) fn asks_states_only(query: &Query) -> bool {
    query.fields().iter().all(|field| matches!(field, Field::Status | Field::State))
}

pub(super) fn asks_operations_and_states_only(query: &Query) -> bool {
    let is_known = |field| matches!(field, Field::Operation | Field::Status | Field::State);
    query.fields().iter().all(is_known)
}

/// How many tasks are in the states that match; so many of those that are paused have a live run.
pub(super) fn count_states(query: &Query, counts: &Counts, halted: u64) -> u64 {
    let matches = |(state, status): &(State, Status)| {
        query.matches(&Value::Object(Object::new(vec![
            (Field::Status.as_str().into(), Value::text(status.as_str())),
            (Field::State.as_str().into(), Value::text(state.as_str())),
        ])))
    };
    let count = |(state, status): (State, Status)| match (state, status) {
        (State::Paused, Status::Running) => halted,
        (State::Paused, _) => counts.get(state) - halted,
        _ => counts.get(state),
    };
    let kinds = State::ALL
        .iter()
        .flat_map(|state| state.statuses().iter().map(move |status| (*state, *status)));
    kinds.filter(matches).map(count).sum()
}

/// How many tasks match a query about operations and states alone; nothing if the totals do not
/// tell.
pub(super) fn count_by_totals(
    query: &Query,
    snapshot: &mut impl Snapshot,
    id_key: IdKey,
) -> Result<Option<u64>> {
    let filter = Filter::of(query, EVERY_SEQ, id_key);
    let is_asked = |operation: &Operation| {
        filter.operations.as_ref().is_none_or(|names| names.contains(&*operation.name))
    };
    let operations: Vec<Operation> = snapshot.operations()?.into_iter().filter(is_asked).collect();
    let has_paused = snapshot.head()?.counts.get(State::Paused) > 0;
    let verdict = |operation: &Operation| Verdict::of(query, &operation.name, has_paused);
    let verdicts: Vec<_> = operations.iter().map(verdict).collect();
    if verdicts.iter().any(|verdict| verdict.waiting.is_none() || verdict.running.is_none()) {
        return Ok(None);
    }
    let Some(totals) = snapshot.totals()? else { return Ok(None) };
    let running = match verdicts.iter().any(|verdict| verdict.waiting != verdict.running) {
        true => running(snapshot)?,
        false => BTreeMap::new(),
    };
    let mut count = 0;
    for (operation, verdict) in operations.iter().zip(verdicts) {
        let Some(total) = totals.0.get(&operation.id) else { continue };
        let running = running.get(&operation.name).copied().unwrap_or_default();
        let waiting = total.all - total.done - total.failed - total.aborted - running;
        let parts = [
            (verdict.waiting, waiting),
            (verdict.running, running),
            (Some(verdict.done), total.done),
            (Some(verdict.failed), total.failed),
            (Some(verdict.aborted), total.aborted),
        ];
        count += parts.iter().filter(|(is, _)| *is == Some(true)).map(|(_, n)| n).sum::<i64>();
    }
    u64::try_from(count).map(Some).map_err(|_| {
        Error::new(Code::Corrupt, "an operation has less than no tasks, as its totals say")
    })
}

/// How many tasks of each operation run. There are no more than run at once.
fn running(snapshot: &mut impl Snapshot) -> Result<BTreeMap<Arc<str>, i64>> {
    let mut running = BTreeMap::new();
    for seq in snapshot.running()? {
        if let Some(task) = snapshot.task(seq, Columns::Narrow)? {
            *running.entry(task.def.operation).or_default() += 1;
        }
    }
    Ok(running)
}

/// Which tasks of an operation match; nothing where states differ that the totals do not tell
/// apart.
struct Verdict {
    waiting: Option<bool>,
    running: Option<bool>,
    done: bool,
    failed: bool,
    aborted: bool,
}

impl Verdict {
    fn of(query: &Query, operation: &str, has_paused: bool) -> Verdict {
        let matches = |state: State, status: Status| {
            query.matches(&Value::Object(Object::new(vec![
                (Field::Operation.as_str().into(), Value::text(operation)),
                (Field::Status.as_str().into(), Value::text(status.as_str())),
                (Field::State.as_str().into(), Value::text(state.as_str())),
            ])))
        };
        let all_alike = |status: Status| {
            // Where none is paused, none has halted.
            let may_be = |state: &State| {
                let is_halted = *state == State::Paused && status == Status::Running;
                state.statuses().contains(&status) && (has_paused || !is_halted)
            };
            let mut states = State::ALL.iter().filter(|state| may_be(state));
            let first = states.next().is_some_and(|state| matches(*state, status));
            states.all(|state| matches(*state, status) == first).then_some(first)
        };
        let has_ended = |state: State| matches(state, state.status());
        Verdict {
            waiting: all_alike(Status::New),
            running: all_alike(Status::Running),
            done: has_ended(State::Done),
            failed: has_ended(State::Failed),
            aborted: has_ended(State::Aborted),
        }
    }
}
