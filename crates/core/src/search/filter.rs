//! What a query says about engine columns, as bounds to bind.
//!
//! A filter is a closed set of bounds: nothing of a user's becomes the text of a statement (A-9).
//!
//! # Promises
//! - A filter only ever selects too many tasks: what [`Query::matches`] accepts, it lets through.
//!
//! # Left to others
//! The matcher decides. Anything but the plain comparisons here narrows nothing, and a backend need
//! not use every bound.
//!
//! Proof: the tests below, `conformance::reader`.

use std::collections::BTreeSet;
use std::str::FromStr;

use uuid::Uuid;

use crate::id::{IdKey, Seq, TaskId};
use crate::query::{Field, Query, Test, Value};
use crate::range::Range;
use crate::read::EVERY_SEQ;
use crate::state::{Phase, State, Status};
use crate::task::Priority;
use crate::time::WallMs;

const EVERY_TIME: Range<WallMs> = Range { low: WallMs(i64::MIN), high: WallMs(i64::MAX) };

/// Bounds on engine columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only these numbers, if the query names uuids or numbers.
    pub exact: Option<BTreeSet<Seq>>,
    /// The numbers.
    pub seq: Range<Seq>,
    states: u16,
    statuses: u16,
    /// Only these operations, if the query names some.
    pub operations: Option<BTreeSet<Box<str>>>,
    /// The priorities.
    pub priority: Range<Priority>,
    /// When it was added.
    pub created_at: Range<WallMs>,
    /// When its last run started; absent if a task that never started may match too.
    pub started_at: Option<Range<WallMs>>,
    /// When it ended; absent if a task that has not ended may match too.
    pub ended_at: Option<Range<WallMs>>,
}

impl Filter {
    /// What the query says of tasks with these numbers; `key` tells which numbers its uuids carry.
    pub fn of(query: &Query, seqs: Range<Seq>, key: IdKey) -> Filter {
        let mut filter = Filter {
            exact: None,
            seq: EVERY_SEQ,
            states: u16::MAX,
            statuses: u16::MAX,
            operations: None,
            priority: Range { low: Priority::MIN, high: Priority::MAX },
            created_at: EVERY_TIME,
            started_at: None,
            ended_at: None,
        };
        for predicate in query.conjuncts() {
            if let Some(field) = predicate.path.whole_field() {
                filter.narrow(field, &predicate.test, key);
            }
        }
        filter.seq =
            Range { low: filter.seq.low.max(seqs.low), high: filter.seq.high.min(seqs.high) };
        if filter.ended_at.is_some() {
            filter.states = filter.ended_mask();
        }
        filter
    }

    fn narrow(&mut self, field: Field, test: &Test, key: IdKey) {
        match field {
            Field::Uuid => self.only(values(test).map(|all| uuids(all, key))),
            Field::Seq => {
                self.only(values(test).map(numbers));
                number_bounds(test, |number, side| bound(&mut self.seq, Seq(number as u64), side));
            }
            Field::Operation => self.operations(test),
            Field::Status => {
                let words = Status::ALL.iter().map(|status| (*status as u32, status.as_str()));
                self.statuses &= !excluded(test, words);
            }
            Field::State => {
                let words = State::ALL.iter().map(|state| (state.code().into(), state.as_str()));
                self.states &= !excluded(test, words);
            }
            Field::Priority => number_bounds(test, |number, side| {
                if let Ok(priority) = Priority::new(number) {
                    bound(&mut self.priority, priority, side);
                }
            }),
            Field::CreatedAt => time_bounds(test, |at, side| bound(&mut self.created_at, at, side)),
            Field::StartedAt => time_bounds(test, |at, side| {
                bound(self.started_at.get_or_insert(EVERY_TIME), at, side);
            }),
            Field::EndedAt => time_bounds(test, |at, side| {
                bound(self.ended_at.get_or_insert(EVERY_TIME), at, side);
            }),
            _ => {}
        }
    }

    fn only(&mut self, seqs: Option<BTreeSet<Seq>>) {
        let Some(seqs) = seqs else { return };
        self.exact = Some(match self.exact.take() {
            Some(before) => before.intersection(&seqs).copied().collect(),
            None => seqs,
        });
    }

    fn operations(&mut self, test: &Test) {
        let Some(all) = values(test) else { return };
        let names: BTreeSet<Box<str>> = all.iter().filter_map(text).map(Box::from).collect();
        self.operations = Some(match self.operations.take() {
            Some(before) => before.intersection(&names).cloned().collect(),
            None => names,
        });
    }

    /// Whether a task in this state may match.
    pub fn has(&self, state: State) -> bool {
        state.statuses().iter().any(|status| self.has_both(state, *status))
    }

    /// Whether a task in this state may match that has neither started nor ended.
    pub fn has_waiting(&self, state: State) -> bool {
        state.statuses().contains(&Status::New) && self.has_both(state, Status::New)
    }

    fn has_both(&self, state: State, status: Status) -> bool {
        self.states & (1 << state.code()) != 0 && self.statuses & (1 << status as u16) != 0
    }

    /// Whether a task in this part of its life may match.
    pub fn has_phase(&self, phase: Phase) -> bool {
        State::ALL.iter().any(|state| {
            let mut statuses = state.statuses().iter().filter(|status| status.phase() == phase);
            statuses.any(|status| self.has_both(*state, *status))
        })
    }

    /// Whether it lets every task through.
    pub(super) fn is_open(&self) -> bool {
        let every = State::ALL.iter().all(|state| self.has(*state));
        every
            && self.exact.is_none()
            && !self.bounds_numbers()
            && self.operations.is_none()
            && self.started_at.is_none()
            && self.ended_at.is_none()
    }

    /// Whether it bounds the numbers or, what comes near to that, when a task was added.
    pub(super) fn bounds_numbers(&self) -> bool {
        self.seq != EVERY_SEQ || self.created_at != EVERY_TIME
    }

    /// The states that may match, a bit for each code.
    pub fn mask(&self) -> u16 {
        let all = State::ALL.iter().filter(|state| self.has(**state));
        all.fold(0, |mask, state| mask | (1 << state.code()))
    }

    /// The states of ended tasks that may match, a bit for each code.
    pub fn ended_mask(&self) -> u16 {
        let ended = State::ALL.iter().filter(|state| state.is_final() && self.has(**state));
        ended.fold(0, |mask, state| mask | (1 << state.code()))
    }

    /// Whether a task of this operation may match.
    pub fn has_operation(&self, operation: &str) -> bool {
        self.operations.as_ref().is_none_or(|names| names.contains(operation))
    }
}

/// The bits of those words that this test excludes.
fn excluded(test: &Test, words: impl Iterator<Item = (u32, &'static str)>) -> u16 {
    let (all, is_wanted) = match test {
        Test::Ne(value) => (std::slice::from_ref(value), false),
        Test::Nin(all) => (all.as_slice(), false),
        test => match values(test) {
            Some(all) => (all, true),
            None => return 0,
        },
    };
    let is_named = |word: &str| all.iter().filter_map(text).any(|text| text == word);
    let unwanted = words.filter(|(_, word)| is_named(word) != is_wanted);
    unwanted.fold(0, |mask, (bit, _)| mask | (1 << bit))
}

/// Which bound of a range.
#[derive(Clone, Copy)]
enum Side {
    Low,
    High,
    Both,
}

fn bound<T: Ord + Copy>(range: &mut Range<T>, value: T, side: Side) {
    if matches!(side, Side::Low | Side::Both) {
        range.low = range.low.max(value);
    }
    if matches!(side, Side::High | Side::Both) {
        range.high = range.high.min(value);
    }
}

/// The values of which a field has to be one; nothing if `null` is among them, which a missing
/// field matches too.
fn values(test: &Test) -> Option<&[Value]> {
    let all = match test {
        Test::Eq(value) => std::slice::from_ref(value),
        Test::In(all) => all.as_slice(),
        _ => return None,
    };
    (!all.iter().any(|value| matches!(value, Value::Null))).then_some(all)
}

/// The operand of a comparison and the side that it bounds; open bounds are taken as closed.
fn operand(test: &Test) -> Option<(&Value, Side)> {
    match test {
        Test::Eq(value) => Some((value, Side::Both)),
        Test::Gt(value) | Test::Gte(value) => Some((value, Side::Low)),
        Test::Lt(value) | Test::Lte(value) => Some((value, Side::High)),
        _ => None,
    }
}

fn number_bounds(test: &Test, mut take: impl FnMut(f64, Side)) {
    if let Some((Value::Number(number), side)) = operand(test) {
        take(*number, side);
    }
}

fn time_bounds(test: &Test, mut take: impl FnMut(WallMs, Side)) {
    if let Some((Value::Date(ms), side)) = operand(test) {
        take(WallMs(*ms), side);
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn uuids(all: &[Value], key: IdKey) -> BTreeSet<Seq> {
    let ids = all.iter().filter_map(text).filter_map(|text| Uuid::from_str(text).ok());
    ids.map(|id| key.seq_of(TaskId(id))).collect()
}

fn numbers(all: &[Value]) -> BTreeSet<Seq> {
    let whole = all.iter().filter_map(|value| match value {
        Value::Number(number) if *number >= 1.0 && number.fract() == 0.0 => Some(*number as u64),
        _ => None,
    });
    whole.map(Seq).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: IdKey = IdKey(7);

    fn filter(query: &str) -> Filter {
        Filter::of(&Query::parse(query).unwrap(), EVERY_SEQ, KEY)
    }

    #[test]
    fn a_query_on_data_narrows_nothing() {
        for query in ["{}", r#"{"data.n":1}"#, r#"{"$or":[{"seq":1},{"seq":2}]}"#] {
            assert_eq!(filter(query), filter("{}"), "{query}");
        }
    }

    #[test]
    fn a_status_narrows_to_its_states() {
        let new = filter(r#"{"status":"new"}"#);
        assert!(new.has(State::Ready) && new.has(State::Delayed) && !new.has(State::Running));
        assert!(new.has_phase(Phase::Waiting) && !new.has_phase(Phase::Running));
        assert_eq!(new.ended_mask(), 0);
        let unlike = filter(r#"{"state":{"$nin":["ready","done"]}}"#);
        assert!(!unlike.has(State::Ready) && unlike.has(State::Running));
        assert_eq!(unlike.ended_mask(), 1 << 8 | 1 << 9);
    }

    #[test]
    fn null_matches_what_is_missing_and_narrows_nothing() {
        let all = filter("{}");
        for query in [r#"{"operation":null}"#, r#"{"seq":{"$in":[1,null]}}"#, r#"{"uuid":null}"#] {
            assert_eq!(filter(query), all, "{query}");
        }
    }

    #[test]
    fn numbers_that_no_task_can_have_select_none() {
        for query in [r#"{"seq":1.5}"#, r#"{"seq":-1}"#, r#"{"seq":"1"}"#, r#"{"uuid":"x"}"#] {
            assert_eq!(filter(query).exact, Some(BTreeSet::new()), "{query}");
        }
    }

    #[test]
    fn several_conditions_on_a_field_all_narrow() {
        let both = filter(r#"{"seq":{"$in":[1,2,3],"$gt":1}}"#);
        assert_eq!(both.seq.low, Seq(1), "an open bound is taken as closed");
        assert_eq!(both.exact.unwrap().len(), 3);
        let range = filter(r#"{"createdAt":{"$gte":{"$date":5},"$lt":{"$date":9}}}"#);
        assert_eq!(range.created_at, Range { low: WallMs(5), high: WallMs(9) });
        let priority = filter(r#"{"priority":"Infinity"}"#).priority;
        assert_eq!(priority, Range { low: Priority::MAX, high: Priority::MAX });
    }

    #[test]
    fn a_bound_of_another_type_narrows_nothing() {
        assert_eq!(filter(r#"{"createdAt":{"$gt":5}}"#), filter("{}"));
        assert_eq!(filter(r#"{"priority":{"$gt":"5"}}"#), filter("{}"));
    }
}
