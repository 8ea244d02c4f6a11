//! What is known of 4,096 tasks with consecutive numbers at once, so that a search leaves out those
//! that cannot match and begins where the best are.
//!
//! A backend stores an outline for each block of numbers. It does so from its journal, many commits
//! at a time, so that no commit pays for it; what the journal says since then is added when a
//! search asks. An outline only ever grows: it says what its tasks may be, not what they are.
//!
//! # Promises
//! - An outline leaves out no task: none is in a state, of an operation, or was added or ended at a
//!   moment that it does not allow.
//! - To take a batch twice is the same as once.
//!
//! Proof: the tests below, `conformance::numbers`; the audit compares every task.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::filter::Filter;
use crate::error::Result;
use crate::id::{OperationId, Seq};
use crate::journal;
use crate::range::Range;
use crate::state::State;
use crate::time::WallMs;
use crate::transition::After;

/// Numbers of one block.
const BLOCK_LEN: u64 = 4_096;

/// What the tasks of a block may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// In which states, a bit for each code.
    pub states: u16,
    /// Of which operations.
    pub operations: BTreeSet<OperationId>,
    /// When they were added.
    pub created_at: Option<Range<WallMs>>,
    /// When those that have ended did.
    pub ended_at: Option<Range<WallMs>>,
}

/// The outlines of blocks, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlines(pub BTreeMap<u64, Outline>);

impl Outlines {
    /// The block of a task.
    pub fn block_of(seq: Seq) -> u64 {
        seq.0 / BLOCK_LEN
    }

    /// The numbers of a block.
    pub fn seqs_of(block: u64) -> Range<Seq> {
        Range { low: Seq(block * BLOCK_LEN), high: Seq(block * BLOCK_LEN + (BLOCK_LEN - 1)) }
    }

    /// Takes what a batch did: its journal entry, and between which moments its tasks entered or
    /// ended.
    ///
    /// # Errors
    /// `Corrupt` for an entry that cannot be read.
    pub fn take_batch(&mut self, entry: &[u8], times: Option<Range<WallMs>>) -> Result<()> {
        for group in journal::unpack_groups(entry) {
            let (first, count) = group?;
            let rule = first.kind.rule();
            let After::Becomes(state) = rule.after else { continue };
            let last = Seq(first.seq.0 + (count - 1));
            for block in Outlines::block_of(first.seq)..=Outlines::block_of(last) {
                let outline = self.0.entry(block).or_default();
                outline.states |= 1 << state.code();
                outline.operations.insert(first.lane.operation());
                if rule.leads_from(None) {
                    outline.created_at = hull(outline.created_at, times);
                }
                if state.is_final() {
                    outline.ended_at = hull(outline.ended_at, times);
                }
            }
        }
        Ok(())
    }

    /// Takes another outline of a block.
    pub fn take(&mut self, block: u64, other: &Outline) {
        let outline = self.0.entry(block).or_default();
        outline.states |= other.states;
        outline.operations.extend(&other.operations);
        outline.created_at = hull(outline.created_at, other.created_at);
        outline.ended_at = hull(outline.ended_at, other.ended_at);
    }
}

impl Outline {
    /// Whether a task that is so is allowed.
    pub fn has(
        &self,
        (state, operation): (State, OperationId),
        created_at: WallMs,
        ended_at: Option<WallMs>,
    ) -> bool {
        let has = |range: Option<Range<WallMs>>, at| range.is_some_and(|range| range.has(at));
        self.states & (1 << state.code()) != 0
            && self.operations.contains(&operation)
            && has(self.created_at, created_at)
            && ended_at.is_none_or(|at| has(self.ended_at, at))
    }

    /// Whether a task in one of these states may match.
    pub(super) fn may_match(
        &self,
        states: u16,
        filter: &Filter,
        operations: Option<&BTreeSet<OperationId>>,
    ) -> bool {
        let meets = |one: Option<Range<WallMs>>, other: Range<WallMs>| {
            one.is_some_and(|one| one.low <= other.high && other.low <= one.high)
        };
        self.states & states != 0
            && operations.is_none_or(|asked| !asked.is_disjoint(&self.operations))
            && meets(self.created_at, filter.created_at)
            && filter.ended_at.is_none_or(|asked| meets(self.ended_at, asked))
    }
}

/// The least range that has both.
fn hull(one: Option<Range<WallMs>>, other: Option<Range<WallMs>>) -> Option<Range<WallMs>> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(Range { low: one.low.min(other.low), high: one.high.max(other.high) })
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IdKey, IdSource, LaneId, OwnerId};
    use crate::state::Counts;
    use crate::store::{Batch, Change};
    use crate::task::{NewTask, Priority, TaskEnd};

    const LANE: LaneId = LaneId::new(OperationId(3), 0);

    fn batch(changes: Vec<Change>) -> Batch {
        let (owner, at, counts) = (OwnerId(1), WallMs(0), Counts::default());
        let (seq_next, notes) = (Seq(1), Vec::new());
        Batch { number: 1, owner, at, seq_next, lane_next: 1, counts, changes, notes }
    }

    fn take(outlines: &mut Outlines, batch: &Batch) {
        outlines.take_batch(&journal::pack(batch), batch.task_times()).unwrap();
    }

    #[test]
    fn what_batches_do_widens_the_outlines_of_their_blocks_and_twice_is_once() {
        let mut ids = IdSource::new(IdKey(1), [1; 32]);
        let add = |seq, at| {
            let (seq, at) = (Seq(seq), WallMs(at));
            let (id, def) = (ids.task(seq, at), NewTask::new("a"));
            Change::Add { seq, id, lane: LANE, def, at, start: None }
        };
        let adds: Vec<Change> = [(4_094, 50), (4_095, 10), (4_096, 20)].map(add_with(add)).into();
        let end = Change::End {
            seq: Seq(4_095),
            lane: LANE,
            priority: Priority::default(),
            run: None,
            outcome: TaskEnd::Done(None),
            at: WallMs(70),
        };
        let mut outlines = Outlines::default();
        let (adds, end) = (batch(adds), batch(vec![end]));
        take(&mut outlines, &adds);
        take(&mut outlines, &end);
        let once = outlines.clone();
        take(&mut outlines, &adds);
        take(&mut outlines, &end);
        assert_eq!(outlines, once);
        let facts = |state, at, ended: Option<i64>| {
            let outline = &outlines.0[&0];
            outline.has((state, OperationId(3)), WallMs(at), ended.map(WallMs))
        };
        assert!(facts(State::Ready, 10, None) && facts(State::Done, 50, Some(70)));
        assert!(!facts(State::Failed, 10, Some(70)) && !facts(State::Done, 10, Some(71)));
        assert!(!facts(State::Ready, 9, None));
        assert_eq!(outlines.0[&1].ended_at, None);
        assert!(!outlines.0[&1].has((State::Ready, OperationId(4)), WallMs(20), None));
    }

    fn add_with(mut add: impl FnMut(u64, i64) -> Change) -> impl FnMut((u64, i64)) -> Change {
        move |(seq, at)| add(seq, at)
    }
}
