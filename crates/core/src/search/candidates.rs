//! The tasks that may match, page by page, in the default order as far as the backend gives it.
//!
//! First the waiting tasks in queue order, whatever they wait for, then the running ones by start,
//! then the ended ones in the order of their numbers. A query that names uuids or numbers goes
//! straight to those, and one that is sorted by number takes all tasks in that order, so that a
//! limit ends it early, unless few tasks are in the states that it asks for.
//!
//! # Promises
//! - A page looks at a bounded number of rows, so that a read can be cancelled and never holds a
//!   snapshot for long (F-16).
//! - Within one snapshot every task that may match comes exactly once.
//!
//! # Left to others
//! The snapshot, the matcher and the order of ended tasks are `scan`'s.
//!
//! Proof: `conformance::reader`, `crates/sqlite/tests/read.rs`.

use std::collections::VecDeque;

use super::filter::Filter;
use super::numbers::Numbers;
use super::pages::{Columns, Snapshot};
use super::queues::{Portion, Queues};
use crate::error::Result;
use crate::id::Seq;
use crate::query::{Direction, Sort};
use crate::range::Range;
use crate::state::{self, Counts, State};
use crate::store::Head;
use crate::task::TaskRecord;

/// Rows that one page looks at, at most.
const PAGE_ROWS: usize = 1_000;
/// The first page is small: a limit of ten should not decode a thousand tasks.
const FIRST_PAGE_ROWS: usize = 50;

/// A page of candidates.
pub(super) struct Page {
    pub(super) tasks: Vec<TaskRecord>,
    /// Whether these are tasks that have not ended, and so may come again after they have.
    pub(super) is_unfinished: bool,
    /// Whether these and all pages before stand in the order asked for, and before all that follow.
    pub(super) is_sorted: bool,
    /// Rows that it may have looked at, the measure of how long it took.
    pub(super) rows: usize,
}

/// Tasks in the states asked for that are few: they are read and sorted, wherever they lie.
const FEW_TASKS: u64 = 10_000;

/// Where the reading stands.
#[derive(Debug)]
pub(super) struct Candidates {
    filter: Filter,
    /// The numbers to look at: none that was given after the read began.
    seqs: Range<Seq>,
    columns: Columns,
    page_rows: usize,
    order: Order,
    phase: Phase,
}

/// In which order the tasks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// In the default order.
    Default,
    /// By number.
    Numbers(Direction),
    /// In any.
    Other,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Exact(VecDeque<Seq>),
    Waiting(Queues),
    Running(VecDeque<Seq>),
    /// What is left of the numbers: of the ended tasks, or of all.
    Ended(Numbers),
    All(Numbers),
    Over,
}

impl Candidates {
    /// The candidates of a find with this sort, if it is one.
    pub(super) fn new(
        filter: Filter,
        head: &Head,
        sort: Option<Option<&Sort>>,
        columns: Columns,
    ) -> Candidates {
        let last = filter.seq.high.min(Seq(head.seq_next.0.saturating_sub(1)));
        let seqs = Range { low: filter.seq.low, high: last };
        let order = match sort {
            None => Order::Other,
            Some(None) => Order::Default,
            Some(Some(sort)) => match sort.by_number() {
                Some(direction) if !is_of_few(&filter, &head.counts) => Order::Numbers(direction),
                _ => Order::Other,
            },
        };
        Candidates { filter, seqs, columns, page_rows: FIRST_PAGE_ROWS, order, phase: Phase::Begin }
    }

    /// The numbers to look at.
    pub(super) fn seqs(&self) -> Range<Seq> {
        self.seqs
    }

    /// Whether it is to look at a task with this number: one that was added later may come too.
    pub(super) fn has_number(&self, seq: Seq) -> bool {
        self.filter.seq.has(seq)
    }

    /// The next page; nothing when all are read.
    pub(super) fn page(&mut self, snapshot: &mut impl Snapshot) -> Result<Option<Page>> {
        let rows = self.page_rows;
        loop {
            if let Some(page) = self.page_of_phase(snapshot, rows)? {
                debug_assert!(page.tasks.len() <= page.rows, "a page looked at more than it says");
                self.page_rows = (rows * 4).min(PAGE_ROWS);
                return Ok(Some(page));
            }
            if matches!(self.phase, Phase::Over) {
                return Ok(None);
            }
            self.phase = self.next_phase(snapshot)?;
        }
    }

    /// The next page of this phase; nothing at its end.
    fn page_of_phase(&mut self, snapshot: &mut impl Snapshot, rows: usize) -> Result<Option<Page>> {
        let (columns, is_default) = (self.columns, self.order == Order::Default);
        let page = |tasks, is_unfinished, is_sorted| Page { tasks, is_unfinished, is_sorted, rows };
        Ok(match &mut self.phase {
            Phase::Over | Phase::Begin => None,
            Phase::Exact(seqs) => {
                listed(snapshot, seqs, rows, columns)?.map(|tasks| page(tasks, false, false))
            }
            Phase::Waiting(queues) => queues
                .page(snapshot, &self.filter, Portion { tasks_max: rows, columns })?
                .map(|tasks| page(tasks, true, is_default)),
            Phase::Running(seqs) => {
                listed(snapshot, seqs, rows, columns)?.map(|tasks| page(tasks, true, is_default))
            }
            Phase::Ended(numbers) => numbers
                .page(snapshot, &self.filter, Portion { tasks_max: rows, columns })?
                .map(|tasks| page(tasks, false, false)),
            Phase::All(numbers) => numbers
                .page(snapshot, &self.filter, Portion { tasks_max: rows, columns })?
                .map(|tasks| page(tasks, false, true)),
        })
    }

    fn next_phase(&self, snapshot: &mut impl Snapshot) -> Result<Phase> {
        let is_begin = matches!(self.phase, Phase::Begin);
        if let (true, Some(seqs)) = (is_begin, &self.filter.exact) {
            let known = seqs.iter().copied().filter(|seq| self.seqs.has(*seq));
            return Ok(Phase::Exact(known.collect()));
        }
        if let (true, Order::Numbers(direction)) = (is_begin, self.order) {
            let states = self.filter.mask();
            return Ok(Phase::All(Numbers::new(self.seqs, states, direction)));
        }
        if is_begin && self.filter.has_phase(state::Phase::Waiting) {
            return Ok(Phase::Waiting(Queues::of(&self.filter)));
        }
        if matches!(self.phase, Phase::Begin | Phase::Waiting(_))
            && self.filter.has_phase(state::Phase::Running)
        {
            return Ok(Phase::Running(snapshot.running()?.into()));
        }
        let is_last = matches!(self.phase, Phase::Exact(_) | Phase::Ended(_) | Phase::All(_));
        let states = self.filter.ended_mask();
        if is_last || states == 0 {
            return Ok(Phase::Over);
        }
        Ok(Phase::Ended(Numbers::new(self.seqs, states, Direction::Up)))
    }
}

/// Whether only few tasks are in the states that may match, and each is found without the others.
fn is_of_few(filter: &Filter, counts: &Counts) -> bool {
    let matching = State::ALL.iter().filter(|state| filter.has(**state));
    filter.ended_mask() == 0 && matching.map(|state| counts.get(*state)).sum::<u64>() <= FEW_TASKS
}

/// The next tasks of a list of numbers; nothing at its end.
fn listed(
    snapshot: &mut impl Snapshot,
    seqs: &mut VecDeque<Seq>,
    rows: usize,
    columns: Columns,
) -> Result<Option<Vec<TaskRecord>>> {
    if seqs.is_empty() {
        return Ok(None);
    }
    let mut tasks = Vec::new();
    for seq in seqs.drain(..rows.min(seqs.len())) {
        tasks.extend(snapshot.task(seq, columns)?);
    }
    Ok(Some(tasks))
}
