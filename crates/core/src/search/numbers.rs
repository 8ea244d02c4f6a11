//! The tasks of some stretches of numbers, each from one end to the other.
//!
//! # Promises
//! - A page reads a bounded part of a stretch, and of that no more than a bounded number of bytes
//!   beside one task.
//! - A gap costs one look, however long it is: tasks may have been removed.
//! - What can no longer come is known after each page: see [`Edge`].
//!
//! Proof: `conformance::numbers`, `crates/sqlite/tests/read.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use super::filter::Filter;
use super::outline::Outlines;
use super::pages::{NumbersPart, Snapshot};
use super::queues::Portion;
use crate::error::Result;
use crate::id::{OperationId, Seq};
use crate::query::Direction;
use crate::range::Range;
use crate::task::TaskRecord;
use crate::time::WallMs;

/// Which of its times a task is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskTime {
    CreatedAt,
    EndedAt,
}

/// In which order stretches are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The tasks by number.
    Number(Direction),
    /// The stretches by the best that they may have.
    Time(TaskTime, Direction),
}

/// All that still comes has this time or one that lies beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) time: TaskTime,
    pub(super) direction: Direction,
    pub(super) at: WallMs,
}

/// Numbers, and how far their tasks may go by the time that counts.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    seqs: Range<Seq>,
    best: WallMs,
}

/// Where the reading stands.
#[derive(Debug)]
pub(super) struct Numbers {
    /// What is left; none is empty.
    left: VecDeque<Stretch>,
    /// The states that may match, a bit for each code.
    states: u16,
    by: By,
    /// Whether a gap may begin here.
    may_be_gap: bool,
    /// Numbers that were looked at, and not yet told of.
    read: u64,
}

impl Numbers {
    /// The numbers of these that may match, as far as their outlines tell.
    pub(super) fn new(
        seqs: Range<Seq>,
        states: u16,
        by: By,
        (filter, outlines): (&Filter, Option<&Known>),
    ) -> Numbers {
        let mut left: Vec<Stretch> = match outlines {
            Some(known) => known.stretches(seqs, states, by, filter),
            None if seqs.low > seqs.high => Vec::new(),
            None => vec![Stretch { seqs, best: worst(by) }],
        };
        match by {
            By::Number(Direction::Up) => {}
            By::Number(Direction::Down) => left.reverse(),
            By::Time(_, Direction::Up) => left.sort_by_key(|stretch| stretch.best),
            By::Time(_, Direction::Down) => left.sort_by_key(|stretch| Reverse(stretch.best)),
        }
        Numbers { left: left.into(), states, by, may_be_gap: true, read: 0 }
    }

    /// How many numbers there are to look at.
    pub(super) fn len(&self) -> u64 {
        self.left.iter().map(|Stretch { seqs, .. }| seqs.high.0 - seqs.low.0 + 1).sum()
    }

    /// How many numbers were looked at since this was last asked.
    pub(super) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// The tasks of the next part that the filter lets through; nothing at the end.
    pub(super) fn page(
        &mut self,
        snapshot: &mut impl Snapshot,
        filter: &Filter,
        Portion { tasks_max, columns }: Portion,
    ) -> Result<Option<Vec<TaskRecord>>> {
        let (states, direction) = (self.states, self.direction());
        let Some(Stretch { seqs: left, .. }) = self.left.front_mut() else { return Ok(None) };
        if self.may_be_gap {
            match snapshot.next_number(*left, direction)? {
                Some(seq) if direction == Direction::Up => left.low = seq,
                Some(seq) => left.high = seq,
                None => {
                    self.left.pop_front();
                    return Ok(Some(Vec::new()));
                }
            }
        }
        let seqs = part(*left, direction, tasks_max as u64);
        let asked = NumbersPart { seqs, states, direction };
        let (tasks, is_whole) = snapshot.numbers(asked, filter, columns)?;
        let last = tasks.last().filter(|_| !is_whole).map(|task| task.seq);
        let (from, to) = match direction {
            Direction::Up => (seqs.low, last.unwrap_or(seqs.high)),
            Direction::Down => (last.unwrap_or(seqs.low), seqs.high),
        };
        self.read += to.0 - from.0 + 1;
        match direction {
            Direction::Up => left.low = Seq(last.unwrap_or(seqs.high).0.saturating_add(1)),
            // The numbers begin at 1, so there is one below.
            Direction::Down => left.high = Seq(last.unwrap_or(seqs.low).0.saturating_sub(1)),
        }
        self.may_be_gap = tasks.is_empty();
        if left.low > left.high || left.high == Seq(0) {
            self.left.pop_front();
            self.may_be_gap = true;
        }
        Ok(Some(tasks))
    }

    /// What can no longer come; nothing if that cannot be told.
    pub(super) fn edge(&self) -> Option<Edge> {
        let By::Time(time, direction) = self.by else { return None };
        let at = self.left.front().map_or(worst(self.by), |stretch| stretch.best);
        Some(Edge { time, direction, at })
    }

    fn direction(&self) -> Direction {
        match self.by {
            By::Number(direction) => direction,
            By::Time(..) => Direction::Up,
        }
    }
}

/// What a stretch is told by of which nothing is known: it may have the best.
fn worst(by: By) -> WallMs {
    match by {
        By::Number(_) | By::Time(_, Direction::Up) => WallMs(i64::MIN),
        By::Time(_, Direction::Down) => WallMs(i64::MAX),
    }
}

fn part(Range { low, high }: Range<Seq>, direction: Direction, len: u64) -> Range<Seq> {
    match direction {
        Direction::Up => Range { low, high: high.min(Seq(low.0.saturating_add(len - 1))) },
        Direction::Down => Range { low: low.max(Seq(high.0.saturating_sub(len - 1))), high },
    }
}

/// The outlines of a store, and which of its operations are asked for.
#[derive(Debug)]
pub(super) struct Known {
    outlines: Outlines,
    operations: Option<BTreeSet<OperationId>>,
}

impl Known {
    /// What a snapshot knows; nothing if it has no outlines.
    pub(super) fn of(snapshot: &mut impl Snapshot, filter: &Filter) -> Result<Option<Known>> {
        let Some(outlines) = snapshot.outlines()? else { return Ok(None) };
        let names = filter.operations.as_ref();
        let operations = names.map(|names| snapshot.operation_ids(names)).transpose()?;
        Ok(Some(Known { outlines, operations }))
    }

    fn stretches(&self, seqs: Range<Seq>, states: u16, by: By, filter: &Filter) -> Vec<Stretch> {
        let blocks = Outlines::block_of(seqs.low)..=Outlines::block_of(seqs.high);
        if seqs.low > seqs.high {
            return Vec::new();
        }
        let known = self.outlines.0.range(blocks);
        let matching = known
            .filter(|(_, outline)| outline.may_match(states, filter, self.operations.as_ref()));
        let stretch = |(block, outline): (&u64, &super::Outline)| {
            let block = Outlines::seqs_of(*block);
            let range = match by {
                By::Number(_) => None,
                By::Time(TaskTime::CreatedAt, direction) => Some((outline.created_at, direction)),
                By::Time(TaskTime::EndedAt, direction) => Some((outline.ended_at, direction)),
            };
            let best = range.map_or(worst(by), |(range, direction)| match (range, direction) {
                (Some(range), Direction::Up) => range.low,
                (Some(range), Direction::Down) => range.high,
                // Those that have not ended stand before all that have, so upwards first.
                (None, _) => WallMs(i64::MIN),
            });
            let seqs = Range { low: seqs.low.max(block.low), high: seqs.high.min(block.high) };
            Stretch { seqs, best }
        };
        matching.map(stretch).collect()
    }
}
