//! The tasks that may match, page by page, in the default order as far as the backend gives it.
//!
//! First the waiting tasks in queue order, whatever they wait for, then the running ones by start,
//! then the ended ones in the order of their numbers. A query that names uuids or numbers goes
//! straight to those, and one that is sorted by number takes all tasks in that order, so that a
//! limit ends it early, unless few tasks are in the states that it asks for. Where an index names
//! few tasks, only those are looked at.
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
use super::indexed::{Lookups, Plan, Progress};
use super::numbers::{By, Edge, Known, Numbers, TaskTime};
use super::pages::{Columns, Snapshot};
use super::queues::{Portion, Queues};
use crate::error::Result;
use crate::id::Seq;
use crate::index::IndexPath;
use crate::query::{Direction, Field, Sort};
use crate::range::Range;
use crate::read::EVERY_SEQ;
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
    /// Rows and entries of indexes that it has looked at.
    pub(super) read: u64,
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
    /// The indexes that are to be read first.
    lookups: Option<Lookups>,
    /// What has left out tasks.
    narrowed: Option<Narrowed>,
    /// Entries of indexes that were read, and not yet told of.
    read: u64,
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

/// How many tasks that match are enough.
#[derive(Clone, Copy, Debug)]
pub(super) enum Needed {
    /// So many of any.
    Any(u64),
    /// So many of the first, in the order asked for.
    First(u64),
    /// Every one.
    All,
}

/// What left out tasks of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Narrowed {
    /// The query names uuids or numbers.
    Exact,
    /// An index of this own field.
    Index(IndexPath),
    /// Only tasks that have not ended are looked at.
    Unended,
    /// The outlines of blocks, or bounds of numbers.
    Blocks,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Indexes(Lookups),
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
        let is_unended = filter.ended_mask() == 0;
        let narrowed = is_unended.then_some(Narrowed::Unended);
        let lookups = None;
        Candidates {
            filter,
            seqs,
            columns,
            page_rows,
            order,
            unended,
            lookups,
            narrowed,
            read: 0,
            phase,
        }
    }

    /// Looks at indexes first. `needed` is how many that match are enough.
    pub(super) fn with_indexes(&mut self, plan: Plan, needed: Needed) {
        if self.filter.exact.is_some() {
            return;
        }
        let rows = if self.filter.ended_mask() == 0 { self.unended } else { numbers_in(self.seqs) };
        let needed = match needed {
            Needed::Any(count) => Some(count),
            Needed::First(count) if self.order != Order::Other => Some(count),
            Needed::First(_) | Needed::All => None,
        };
        self.lookups = plan.lookups(rows, needed);
    }

    /// Reads a part of the indexes. Nothing once they say what to look at, or cannot.
    fn page_of_indexes(&mut self, snapshot: &mut impl Snapshot) -> Result<Option<Page>> {
        let Phase::Indexes(lookups) = &mut self.phase else { return Ok(None) };
        let progress = lookups.read(snapshot, &self.filter)?;
        self.read += lookups.take_read();
        match progress {
            Progress::Open => {
                let (read, order) = (std::mem::take(&mut self.read), PageOrder::Sorted);
                let rows = PAGE_ROWS;
                let page = Page { tasks: Vec::new(), is_unfinished: false, order, rows, read };
                return Ok(Some(page));
            }
            Progress::Found(path, mut seqs) => {
                seqs.retain(|seq| self.seqs.has(*seq));
                if self.order == Order::By(By::Number(Direction::Down)) {
                    seqs.reverse();
                }
                self.narrowed = Some(Narrowed::Index(path));
                self.phase = Phase::Exact(seqs.into());
            }
            Progress::GivenUp => self.phase = Phase::Begin,
        }
        Ok(None)
    }

    /// What has left out tasks, as far as is known.
    pub(super) fn narrowed(&self) -> Option<&Narrowed> {
        self.narrowed.as_ref()
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
            if let Some(page) = self.page_of_indexes(snapshot)? {
                return Ok(Some(page));
            }
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
        let (columns, order, before) = (self.columns, self.order, std::mem::take(&mut self.read));
        let portion = Portion { tasks_max: rows, columns };
        let unended = |(tasks, read): (Vec<_>, usize)| {
            let is_default = order == Order::Default;
            let order = if is_default { PageOrder::Sorted } else { PageOrder::Unknown };
            Page { tasks, is_unfinished: true, order, rows, read: before + read as u64 }
        };
        Ok(match &mut self.phase {
            Phase::Over | Phase::Begin | Phase::Indexes(_) => {
                self.read = before;
                None
            }
            Phase::Exact(seqs) => listed(snapshot, seqs, rows, columns)?.map(|(tasks, read)| {
                let is_by_number = matches!(order, Order::By(By::Number(_)));
                let order = if is_by_number { PageOrder::Sorted } else { PageOrder::Unknown };
                Page { tasks, is_unfinished: false, order, rows, read: before + read as u64 }
            }),
            Phase::Waiting(queues) => {
                let tasks = queues.page(snapshot, &self.filter, portion)?;
                tasks.map(|tasks| {
                    let read = tasks.len();
                    unended((tasks, read))
                })
            }
            Phase::Running(seqs) => listed(snapshot, seqs, rows, columns)?.map(unended),
            Phase::Numbers(numbers) => {
                let tasks = numbers.page(snapshot, &self.filter, portion)?;
                let edge = numbers.edge().map_or(PageOrder::Unknown, PageOrder::Edge);
                let order = match order {
                    Order::By(By::Number(_)) => PageOrder::Sorted,
                    Order::By(By::Time(..)) | Order::Default => edge,
                    Order::Other => PageOrder::Unknown,
                };
                let read = before + numbers.take_read();
                tasks.map(|tasks| Page { tasks, is_unfinished: false, order, rows, read })
            }
        })
    }

    fn next_phase(&mut self, snapshot: &mut impl Snapshot) -> Result<Phase> {
        let is_begin = matches!(self.phase, Phase::Begin);
        if let (true, Some(seqs)) = (is_begin, &self.filter.exact) {
            self.narrowed = Some(Narrowed::Exact);
            let known = seqs.iter().copied().filter(|seq| self.seqs.has(*seq));
            return Ok(Phase::Exact(match self.order {
                Order::By(By::Number(Direction::Down)) => known.rev().collect(),
                Order::Default | Order::By(_) | Order::Other => known.collect(),
            }));
        }
        if is_begin && let Some(lookups) = self.lookups.take() {
            return Ok(Phase::Indexes(lookups));
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
    fn all_by_number(&mut self, snapshot: &mut impl Snapshot) -> Result<Option<Numbers>> {
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

    fn numbers(&mut self, snapshot: &mut impl Snapshot, states: u16, by: By) -> Result<Numbers> {
        let Candidates { seqs, filter, .. } = self;
        let known = if seqs.high.0 < OUTLINED_MIN { None } else { Known::of(snapshot, filter)? };
        let numbers = Numbers::new(*seqs, states, by, (filter, known.as_ref()));
        if !self.filter.is_open()
            && numbers.len() < numbers_in(Range { low: EVERY_SEQ.low, ..*seqs })
        {
            self.narrowed.get_or_insert(Narrowed::Blocks);
        }
        Ok(numbers)
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

/// How many numbers there are.
fn numbers_in(seqs: Range<Seq>) -> u64 {
    (seqs.high.0 + 1).saturating_sub(seqs.low.0)
}

/// The next tasks of a list of numbers, and how many numbers were looked at; nothing at its end.
fn listed(
    snapshot: &mut impl Snapshot,
    seqs: &mut VecDeque<Seq>,
    rows: usize,
    columns: Columns,
) -> Result<Option<(Vec<TaskRecord>, usize)>> {
    if seqs.is_empty() {
        return Ok(None);
    }
    let mut tasks = Vec::new();
    let read = rows.min(seqs.len());
    for seq in seqs.drain(..read) {
        tasks.extend(snapshot.task(seq, columns)?);
    }
    Ok(Some((tasks, read)))
}
