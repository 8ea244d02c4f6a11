//! The tasks of a stretch of numbers, from one end to the other.
//!
//! # Promises
//! - A page reads a bounded stretch, and of that no more than a bounded number of bytes beside one
//!   task.
//! - A gap costs one look, however long it is: tasks may have been removed.
//!
//! Proof: `conformance::reader`, `crates/sqlite/tests/read.rs`.

use super::filter::Filter;
use super::pages::{NumbersPart, Snapshot};
use super::queues::Portion;
use crate::error::Result;
use crate::id::Seq;
use crate::query::Direction;
use crate::range::Range;
use crate::task::TaskRecord;

/// Where the reading stands.
#[derive(Debug)]
pub(super) struct Numbers {
    /// What is left; nothing if `low` is above `high`.
    left: Range<Seq>,
    /// The states that may match, a bit for each code.
    states: u16,
    direction: Direction,
    /// Whether a gap may begin here.
    may_be_gap: bool,
}

impl Numbers {
    pub(super) fn new(left: Range<Seq>, states: u16, direction: Direction) -> Numbers {
        Numbers { left, states, direction, may_be_gap: true }
    }

    /// The tasks of the next stretch that the filter lets through; nothing at the end.
    pub(super) fn page(
        &mut self,
        snapshot: &mut impl Snapshot,
        filter: &Filter,
        Portion { tasks_max, columns }: Portion,
    ) -> Result<Option<Vec<TaskRecord>>> {
        let Numbers { states, direction, .. } = *self;
        if self.may_be_gap && !self.skip_gap(snapshot)? {
            return Ok(None);
        }
        if self.left.low > self.left.high || self.left.high == Seq(0) {
            return Ok(None);
        }
        let seqs = self.stretch(tasks_max as u64);
        let part = NumbersPart { seqs, states, direction };
        let (tasks, is_whole) = snapshot.numbers(part, filter, columns)?;
        let last = tasks.last().filter(|_| !is_whole).map(|task| task.seq);
        self.go_behind(last.unwrap_or(match direction {
            Direction::Up => seqs.high,
            Direction::Down => seqs.low,
        }));
        self.may_be_gap = tasks.is_empty();
        Ok(Some(tasks))
    }

    /// Goes to the next number that a task has; false if there is none.
    fn skip_gap(&mut self, snapshot: &mut impl Snapshot) -> Result<bool> {
        if self.left.low > self.left.high {
            return Ok(false);
        }
        let Some(seq) = snapshot.next_number(self.left, self.direction)? else { return Ok(false) };
        debug_assert!(self.left.has(seq), "a task beyond the stretch");
        match self.direction {
            Direction::Up => self.left.low = seq,
            Direction::Down => self.left.high = seq,
        }
        Ok(true)
    }

    fn stretch(&self, len: u64) -> Range<Seq> {
        let Range { low, high } = self.left;
        match self.direction {
            Direction::Up => Range { low, high: high.min(Seq(low.0.saturating_add(len - 1))) },
            Direction::Down => Range { low: low.max(Seq(high.0.saturating_sub(len - 1))), high },
        }
    }

    fn go_behind(&mut self, seq: Seq) {
        match self.direction {
            Direction::Up => self.left.low = Seq(seq.0.saturating_add(1)),
            // Numbers begin at 1: there is always one below.
            Direction::Down => self.left.high = Seq(seq.0.saturating_sub(1)),
        }
    }
}
