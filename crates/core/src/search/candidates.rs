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
use super::numbers::{By, Edge, Known, Numbers, TaskTime};
use super::pages::{Columns, Snapshot};
use super::queues::{Portion, Queues};
use crate::error::Result;
use crate::id::Seq;
use crate::query::{Direction, Field, Sort};
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
    pub(super) order: PageOrder,
    /// Rows that it may have looked at, the measure of how long it took.
    pub(super) rows: usize,
}

/// What is known of the order of these tasks and all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageOrder {
    /// These and all pages before stand in the order asked for, and before all that follow.
    Sorted,
    /// All that follow stand at this moment or behind it.
    Edge(Edge),
    /// Nothing.
    Unknown,
}

/// Tasks in the states asked for that are few: they are read and sorted, wherever they lie.
const FEW_TASKS: u64 = 10_000;

/// Numbers up to which outlines are not worth a look.
const OUTLINED_MIN: u64 = 8_192;

/// Where the reading stands.
#[derive(Debug)]
pub(super) struct Candidates {
    filter: Filter,
    /// The numbers to look at: none that was given after the read began.
    seqs: Range<Seq>,
    columns: Columns,
    page_rows: usize,
    order: Order,
    /// Tasks that have not ended, in the states that may match.
    unended: u64,
    phase: Phase,
}

/// In which order the tasks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// In the default order.
    Default,
    /// By number or by a time.
    By(By),
    /// In any.
    Other,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Exact(VecDeque<Seq>),
    Waiting(Queues),
    Running(VecDeque<Seq>),
    /// The ended tasks, or all.
    Numbers(Numbers),
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
        let is_of_few = is_of_few(&filter, &head.counts);
        let order = match sort {
            None => Order::Other,
            Some(None) => Order::Default,
            Some(Some(_)) if is_of_few => Order::Other,
            Some(Some(sort)) => by(sort, &filter).map_or(Order::Other, Order::By),
        };
        let waiting = State::ALL.iter().filter(|state| !state.is_final() && filter.has(**state));
        let unended = waiting.map(|state| head.counts.get(*state)).sum();
        let (page_rows, phase) = (FIRST_PAGE_ROWS, Phase::Begin);
        Candidates { filter, seqs, columns, page_rows, order, unended, phase }
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
        let (columns, order) = (self.columns, self.order);
        let portion = Portion { tasks_max: rows, columns };
        let unended = |tasks| {
            let is_default = order == Order::Default;
            let order = if is_default { PageOrder::Sorted } else { PageOrder::Unknown };
            Page { tasks, is_unfinished: true, order, rows }
        };
        Ok(match &mut self.phase {
            Phase::Over | Phase::Begin => None,
            Phase::Exact(seqs) => listed(snapshot, seqs, rows, columns)?.map(|tasks| Page {
                tasks,
                is_unfinished: false,
                order: PageOrder::Unknown,
                rows,
            }),
            Phase::Waiting(queues) => queues.page(snapshot, &self.filter, portion)?.map(unended),
            Phase::Running(seqs) => listed(snapshot, seqs, rows, columns)?.map(unended),
            Phase::Numbers(numbers) => {
                let tasks = numbers.page(snapshot, &self.filter, portion)?;
                let edge = numbers.edge().map_or(PageOrder::Unknown, PageOrder::Edge);
                let order = match order {
                    Order::By(By::Number(_)) => PageOrder::Sorted,
                    Order::By(By::Time(..)) | Order::Default => edge,
                    Order::Other => PageOrder::Unknown,
                };
                tasks.map(|tasks| Page { tasks, is_unfinished: false, order, rows })
            }
        })
    }

    fn next_phase(&self, snapshot: &mut impl Snapshot) -> Result<Phase> {
        let is_begin = matches!(self.phase, Phase::Begin);
        if let (true, Some(seqs)) = (is_begin, &self.filter.exact) {
            let known = seqs.iter().copied().filter(|seq| self.seqs.has(*seq));
            return Ok(Phase::Exact(known.collect()));
        }
        if is_begin && let Some(numbers) = self.all_by_number(snapshot)? {
            return Ok(Phase::Numbers(numbers));
        }
        if is_begin && self.filter.has_phase(state::Phase::Waiting) {
            return Ok(Phase::Waiting(Queues::of(&self.filter)));
        }
        if matches!(self.phase, Phase::Begin | Phase::Waiting(_))
            && self.filter.has_phase(state::Phase::Running)
        {
            return Ok(Phase::Running(snapshot.running()?.into()));
        }
        let is_last = matches!(self.phase, Phase::Exact(_) | Phase::Numbers(_));
        let states = self.filter.ended_mask();
        if is_last || states == 0 {
            return Ok(Phase::Over);
        }
        // In the default order what has ended stands by its end.
        let by = By::Time(TaskTime::EndedAt, Direction::Up);
        self.numbers(snapshot, states, by).map(Phase::Numbers)
    }

    /// All tasks by number, whatever their state, if that is the order asked for, or if that are
    /// fewer than those that wait or run.
    fn all_by_number(&self, snapshot: &mut impl Snapshot) -> Result<Option<Numbers>> {
        let states = self.filter.mask();
        if let Order::By(by) = self.order {
            return self.numbers(snapshot, states, by).map(Some);
        }
        if !self.filter.bounds_numbers() || self.unended < FEW_TASKS {
            return Ok(None);
        }
        // Unlike ends, not in the default order: its edge must not be taken for one.
        let numbers = self.numbers(snapshot, states, By::Number(Direction::Up))?;
        Ok(Some(numbers).filter(|numbers| numbers.len() <= self.unended / 2))
    }

    fn numbers(&self, snapshot: &mut impl Snapshot, states: u16, by: By) -> Result<Numbers> {
        let Candidates { seqs, filter, .. } = self;
        let known = if seqs.high.0 < OUTLINED_MIN { None } else { Known::of(snapshot, filter)? };
        Ok(Numbers::new(*seqs, states, by, (filter, known.as_ref())))
    }
}

/// The order of a sort, if stretches of numbers can be read in it. Upwards what has not ended
/// stands before all that has, which no outline tells.
fn by(sort: &Sort, filter: &Filter) -> Option<By> {
    let has_ended = filter.mask() == filter.ended_mask();
    match sort.first()? {
        (Field::Seq, direction) => Some(By::Number(direction)),
        (Field::CreatedAt, direction) => Some(By::Time(TaskTime::CreatedAt, direction)),
        (Field::EndedAt, direction) if direction == Direction::Down || has_ended => {
            Some(By::Time(TaskTime::EndedAt, direction))
        }
        _ => None,
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
