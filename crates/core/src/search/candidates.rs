//! The tasks that may match, page by page, in the default order as far as the backend gives it.
//!
//! First the waiting tasks in queue order, whatever they wait for, then the running ones by start,
//! then the ended ones in the order of their numbers. A query that names uuids or numbers goes
//! straight to those.
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

use super::filter::{Filter, Range};
use super::pages::{Columns, Snapshot};
use super::queues::{Portion, Queues};
use crate::error::Result;
use crate::id::Seq;
use crate::state;
use crate::task::TaskRecord;

/// Rows that one page looks at, at most.
const PAGE_ROWS: usize = 1_000;
/// The first page is small: a limit of ten should not decode a thousand tasks.
const FIRST_PAGE_ROWS: usize = 50;

/// A page of candidates.
pub(super) struct Page {
    pub(super) tasks: Vec<TaskRecord>,
    /// Whether these and all pages before stand in the default order, and before all that follow.
    pub(super) is_ordered: bool,
    /// Rows that it may have looked at, the measure of how long it took.
    pub(super) rows: usize,
}

/// Where the reading stands.
pub(super) struct Candidates {
    filter: Filter,
    /// The last number that was given when the read began; later tasks are not looked for.
    last: Seq,
    columns: Columns,
    page_rows: usize,
    phase: Phase,
}

enum Phase {
    Begin,
    Exact(VecDeque<Seq>),
    Waiting(Queues),
    Running(VecDeque<Seq>),
    Ended { next: Seq },
    Over,
}

impl Candidates {
    pub(super) fn new(filter: Filter, seq_next: Seq, columns: Columns) -> Candidates {
        let last = filter.seq.high.min(Seq(seq_next.0.saturating_sub(1)));
        Candidates { filter, last, columns, page_rows: FIRST_PAGE_ROWS, phase: Phase::Begin }
    }

    /// The next page; nothing when all are read.
    pub(super) fn page(&mut self, snapshot: &mut impl Snapshot) -> Result<Option<Page>> {
        let (rows, columns) = (self.page_rows, self.columns);
        loop {
            let page =
                match &mut self.phase {
                    Phase::Over => return Ok(None),
                    Phase::Begin => None,
                    Phase::Exact(seqs) => listed(snapshot, seqs, rows, columns)?
                        .map(|tasks| Page { tasks, is_ordered: false, rows }),
                    Phase::Waiting(queues) => queues
                        .page(snapshot, &self.filter, Portion { tasks_max: rows, columns })?
                        .map(|tasks| Page { tasks, is_ordered: true, rows }),
                    Phase::Running(seqs) => listed(snapshot, seqs, rows, columns)?
                        .map(|tasks| Page { tasks, is_ordered: true, rows }),
                    Phase::Ended { next } if *next > self.last => None,
                    Phase::Ended { next } => {
                        let low = *next;
                        *next = Seq(low.0.saturating_add(rows as u64));
                        let seqs = Range { low, high: self.last.min(Seq(next.0 - 1)) };
                        debug_assert!(seqs.low <= seqs.high, "a page of no numbers goes nowhere");
                        let tasks = snapshot.ended(seqs, &self.filter, columns)?;
                        Some(Page { tasks, is_ordered: false, rows })
                    }
                };
            if let Some(page) = page {
                debug_assert!(page.tasks.len() <= page.rows, "a page looked at more than it says");
                self.page_rows = (rows * 4).min(PAGE_ROWS);
                return Ok(Some(page));
            }
            self.phase = self.next_phase(snapshot)?;
        }
    }

    fn next_phase(&self, snapshot: &mut impl Snapshot) -> Result<Phase> {
        if let (Phase::Begin, Some(seqs)) = (&self.phase, &self.filter.exact) {
            return Ok(Phase::Exact(seqs.iter().copied().collect()));
        }
        if matches!(self.phase, Phase::Begin) && self.filter.has_phase(state::Phase::Waiting) {
            return Ok(Phase::Waiting(Queues::of(&self.filter)));
        }
        if matches!(self.phase, Phase::Begin | Phase::Waiting(_))
            && self.filter.has_phase(state::Phase::Running)
        {
            return Ok(Phase::Running(snapshot.running()?.into()));
        }
        let is_last = matches!(self.phase, Phase::Exact(_) | Phase::Ended { .. });
        if is_last || self.filter.ended_mask() == 0 {
            return Ok(Phase::Over);
        }
        Ok(Phase::Ended { next: self.filter.seq.low })
    }
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
