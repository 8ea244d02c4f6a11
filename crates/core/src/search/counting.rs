//! Counts that look at no task: by states alone, and by operations and states.
//!
//! # Promises
//! - What the totals do not tell is left to a search: which of those that are paused have a run.
//!
//! Proof: `conformance::head`.

use super::filter::Filter;
use super::pages::Snapshot;
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
    let matching = |operation: &Operation| matching(query, &operation.name, has_paused);
    let Some(states) = operations.iter().map(matching).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let Some(totals) = snapshot.totals()? else { return Ok(None) };
    let mut count = 0;
    for (operation, states) in operations.iter().zip(states) {
        let Some(total) = totals.0.get(&operation.id) else { continue };
        count += states.iter().map(|state| total.of(*state)).sum::<i64>();
    }
    u64::try_from(count).map(Some).map_err(|_| {
        Error::new(Code::Corrupt, "an operation has less than no tasks, as its totals say")
    })
}

/// In which states tasks of an operation match; nothing if one does of several in the same state.
/// Where none is paused, none has halted.
fn matching(query: &Query, operation: &str, has_paused: bool) -> Option<Vec<State>> {
    let matches = |state: State, status: &Status| {
        query.matches(&Value::Object(Object::new(vec![
            (Field::Operation.as_str().into(), Value::text(operation)),
            (Field::Status.as_str().into(), Value::text(status.as_str())),
            (Field::State.as_str().into(), Value::text(state.as_str())),
        ])))
    };
    let mut matching = Vec::new();
    for state in State::ALL.iter().copied().filter(|state| has_paused || *state != State::Paused) {
        let mut verdicts = state.statuses().iter().map(|status| matches(state, status));
        let first = verdicts.next()?;
        if verdicts.any(|verdict| verdict != first) {
            return None;
        }
        matching.extend(first.then_some(state));
    }
    Some(matching)
}
