//! The tasks that may match, page by page, in the default order as far as the file gives it.
//!
//! First the waiting tasks in queue order (the lanes merged), then the running ones by start, then
//! the ended ones in the order of their numbers. A query that names uuids or numbers goes straight
//! to those.
//!
//! # Promises
//! - A page looks at a bounded number of rows, so that a read can be cancelled and never pins the
//!   log for long (F-16).
//! - Within one snapshot every task that may match comes exactly once.
//!
//! # Left to others
//! The snapshot, the matcher and the order of ended tasks are `read`'s.
//!
//! Proof: `tests/read.rs`, `conformance::reader`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{Connection, Params};
use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::state::State;
use tasker_core::task::{Priority, TaskRecord};

use crate::filter::Filter;
use crate::row::{self, Lanes, cached};
use crate::{error, sql};

/// Rows that one page looks at, at most.
const PAGE_ROWS: usize = 1_000;
/// The first page is small: a limit of ten should not decode a thousand tasks.
const FIRST_PAGE_ROWS: usize = 50;
/// Rows that each lane keeps ahead when many lanes are merged, at least.
const LANE_ROWS_MIN: usize = 16;

/// A page of candidates.
pub(crate) struct Page {
    pub(crate) tasks: Vec<TaskRecord>,
    /// Whether these and all pages before stand in the default order, and before all that follow.
    pub(crate) is_ordered: bool,
    /// Rows looked at, the measure of how long it took.
    pub(crate) rows: usize,
}

/// Where the reading stands.
pub(crate) struct Candidates {
    filter: Filter,
    /// The last number that was given when the read began; later tasks are not looked for.
    last: i64,
    with_payload: bool,
    page_rows: usize,
    phase: Phase,
}

enum Phase {
    Begin,
    Exact(VecDeque<Seq>),
    Ready(Queues),
    Running(VecDeque<Seq>),
    Ended { next: i64 },
    Over,
}

/// What a page is read with.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) lanes: &'a Lanes,
    pub(crate) with_payload: bool,
}

impl Candidates {
    pub(crate) fn new(filter: Filter, seq_next: Seq, with_payload: bool) -> Candidates {
        let last = (seq_next.0 as i64 - 1).min(filter.seq.high);
        Candidates { filter, last, with_payload, page_rows: FIRST_PAGE_ROWS, phase: Phase::Begin }
    }

    /// The next page; nothing when all are read.
    pub(crate) fn page(&mut self, connection: &Connection, lanes: &Lanes) -> Result<Option<Page>> {
        let source = Source { connection, lanes, with_payload: self.with_payload };
        let rows = self.page_rows;
        loop {
            let page = match &mut self.phase {
                Phase::Over => return Ok(None),
                Phase::Begin => None,
                Phase::Exact(seqs) => source.chunk(seqs, rows, false)?,
                Phase::Ready(queues) => queues.page(source, rows)?,
                Phase::Running(seqs) => source.chunk(seqs, rows, true)?,
                Phase::Ended { next } if *next > self.last => None,
                Phase::Ended { next } => {
                    let first = *next;
                    *next = first.saturating_add(rows as i64);
                    Some(source.ended(&self.filter, first, (*next - 1).min(self.last))?)
                }
            };
            if let Some(page) = page {
                self.page_rows = (rows * 4).min(PAGE_ROWS);
                return Ok(Some(page));
            }
            self.phase = self.next_phase(source)?;
        }
    }

    fn next_phase(&self, source: Source<'_>) -> Result<Phase> {
        if let (Phase::Begin, Some(seqs)) = (&self.phase, &self.filter.exact) {
            return Ok(Phase::Exact(seqs.iter().copied().collect()));
        }
        if matches!(self.phase, Phase::Begin) && self.filter.has(State::Ready) {
            return Ok(Phase::Ready(Queues::new(source, &self.filter)?));
        }
        if matches!(self.phase, Phase::Begin | Phase::Ready(_)) && self.filter.has(State::Running) {
            return Ok(Phase::Running(running(source.connection)?));
        }
        let is_last = matches!(self.phase, Phase::Exact(_) | Phase::Ended { .. });
        if is_last || self.filter.ended_mask() == 0 {
            return Ok(Phase::Over);
        }
        Ok(Phase::Ended { next: self.filter.seq.low.max(1) })
    }
}

impl Source<'_> {
    /// The next tasks of a list of numbers.
    fn chunk(
        self,
        seqs: &mut VecDeque<Seq>,
        rows: usize,
        is_ordered: bool,
    ) -> Result<Option<Page>> {
        if seqs.is_empty() {
            return Ok(None);
        }
        let mut tasks = Vec::new();
        for seq in seqs.drain(..rows.min(seqs.len())) {
            tasks.extend(self.get(seq)?);
        }
        Ok(Some(Page { tasks, is_ordered, rows }))
    }

    /// One task by its number.
    pub(crate) fn get(self, seq: Seq) -> Result<Option<TaskRecord>> {
        let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
        Ok(self.tasks(sql::GET, (self.with_payload, number))?.pop())
    }

    /// The ended tasks in a stretch of numbers that may match.
    fn ended(self, filter: &Filter, first: i64, last: i64) -> Result<Page> {
        let lanes = filter.lanes(self.lanes)?;
        let (Some(lane_first), Some(lane_last)) = (lanes.first(), lanes.last()) else {
            return Ok(Page { tasks: Vec::new(), is_ordered: false, rows: 0 });
        };
        let started = filter.started_at;
        let is_started_free = started.low == i64::MIN && started.high == i64::MAX;
        let bounds = (
            self.with_payload,
            first,
            last,
            filter.ended_mask(),
            lane_first,
            lane_last,
            filter.priority.low,
            filter.priority.high,
            filter.created_at.low,
            filter.created_at.high,
            (!is_started_free).then_some(started.low),
            started.high,
            filter.ended_at.low,
            filter.ended_at.high,
        );
        let tasks = self.tasks(sql::ENDED, bounds)?;
        Ok(Page { tasks, is_ordered: false, rows: (last - first + 1) as usize })
    }

    fn tasks(self, text: &'static str, params: impl Params) -> Result<Vec<TaskRecord>> {
        let mut statement = cached(self.connection, text)?;
        let mut rows = statement.query(params).map_err(error::of)?;
        let mut tasks = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            tasks.push(row::record(row, self.lanes)?);
        }
        Ok(tasks)
    }
}

/// The numbers of the running tasks by start; there are no more than run at once.
fn running(connection: &Connection) -> Result<VecDeque<Seq>> {
    let mut statement = cached(connection, sql::RUNNING)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut seqs = VecDeque::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        seqs.push_back(row::seq(row, 0)?);
    }
    Ok(seqs)
}

/// The queues of several lanes, merged into one.
struct Queues {
    lanes: Vec<Queue>,
    /// The head of each lane that has one: greater priority first, then smaller number.
    heads: BinaryHeap<(Priority, Reverse<Seq>, usize)>,
}

/// The queue of one lane, a few rows ahead.
struct Queue {
    lane: u32,
    ahead: VecDeque<TaskRecord>,
    /// What was read last: the next row stands behind it.
    at: (f64, i64),
    low: f64,
    rows: usize,
    is_read: bool,
}

impl Queues {
    fn new(source: Source<'_>, filter: &Filter) -> Result<Queues> {
        let mut lanes = filter.lanes(source.lanes)?;
        if filter.priority.is_empty() {
            lanes.clear();
        }
        let rows = (PAGE_ROWS / lanes.len().max(1)).max(LANE_ROWS_MIN);
        let queue = |lane| Queue {
            lane,
            ahead: VecDeque::new(),
            at: (filter.priority.high, 0),
            low: filter.priority.low,
            rows: rows.min(FIRST_PAGE_ROWS),
            is_read: false,
        };
        let lanes: Vec<Queue> = lanes.into_iter().map(queue).collect();
        let mut queues = Queues { lanes, heads: BinaryHeap::new() };
        for index in 0..queues.lanes.len() {
            queues.show_head(source, index)?;
        }
        for queue in &mut queues.lanes {
            queue.rows = rows;
        }
        Ok(queues)
    }

    fn page(&mut self, source: Source<'_>, rows: usize) -> Result<Option<Page>> {
        let mut tasks = Vec::new();
        while tasks.len() < rows
            && let Some((_, _, index)) = self.heads.pop()
        {
            tasks.extend(self.lanes[index].ahead.pop_front());
            self.show_head(source, index)?;
        }
        let rows = tasks.len();
        Ok((rows > 0).then_some(Page { tasks, is_ordered: true, rows }))
    }

    fn show_head(&mut self, source: Source<'_>, index: usize) -> Result<()> {
        if let Some(head) = self.lanes[index].head(source)? {
            self.heads.push((head.def.priority, Reverse(head.seq), index));
        }
        Ok(())
    }
}

impl Queue {
    fn head(&mut self, source: Source<'_>) -> Result<Option<&TaskRecord>> {
        if self.ahead.is_empty() && !self.is_read {
            self.read(source)?;
        }
        Ok(self.ahead.front())
    }

    fn read(&mut self, source: Source<'_>) -> Result<()> {
        let (priority, seq) = self.at;
        let equal = (source.with_payload, self.lane, priority, seq, self.rows as i64);
        self.ahead.extend(source.tasks(sql::READY_EQUAL, equal)?);
        let missing = self.rows.saturating_sub(self.ahead.len());
        if missing > 0 {
            let below = (source.with_payload, self.lane, priority, self.low, missing as i64);
            self.ahead.extend(source.tasks(sql::READY_BELOW, below)?);
        }
        self.is_read = self.ahead.len() < self.rows;
        if let Some(last) = self.ahead.back() {
            self.at = (last.def.priority.get(), last.seq.0 as i64);
        }
        Ok(())
    }
}
