//! The best of many matches, in order, without keeping all of them.
//!
//! # Promises
//! - With a limit no more than twice `skip + limit` matches (or a small constant) are kept.
//! - Equal matches stand in the default order, so that the result never depends on the way they
//!   came.
//!
//! Proof: `conformance::order`, `crates/sqlite/tests/read.rs`.

use std::cmp::Ordering;

use super::candidates::PageOrder;
use super::numbers::{Edge, TaskTime};
use crate::document;
use crate::query::{Direction, Sort, SortKey, Value};
use crate::read::Find;
use crate::task::TaskRecord;

/// Matches that are kept at least before some are let go.
const MATCHES_MIN: usize = 1_024;

/// The matches that may be returned.
#[derive(Debug)]
pub(super) struct TopK {
    sort: Option<Sort>,
    skip: usize,
    /// How many from the front are needed: those that are skipped too.
    needed: usize,
    all: Vec<Match>,
    /// Whether all matches so far came in the order asked for, before all that follow.
    is_sorted: bool,
    /// Whether none that follows can stand before those that are kept.
    is_past_edge: bool,
}

#[derive(Debug)]
struct Match {
    task: TaskRecord,
    key: Option<SortKey>,
}

impl TopK {
    pub(super) fn new(find: &Find) -> TopK {
        let needed = match find.limit {
            Some(0) => 0,
            Some(limit) => usize::try_from(limit.saturating_add(find.skip)).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let skip = usize::try_from(find.skip).unwrap_or(usize::MAX);
        TopK {
            sort: find.sort.clone(),
            skip,
            needed,
            all: Vec::new(),
            is_sorted: true,
            is_past_edge: false,
        }
    }

    /// Whether no later match can be among those that are returned.
    pub(super) fn is_complete(&self) -> bool {
        let is_enough = self.all.len() >= self.needed;
        self.needed == 0 || is_enough && (self.is_sorted || self.is_past_edge)
    }

    /// Takes matches with their documents.
    pub(super) fn take(&mut self, matches: Vec<(TaskRecord, Value)>, order: PageOrder) {
        self.is_sorted &= order == PageOrder::Sorted;
        for (task, document) in matches {
            let key = self.sort.as_ref().map(|sort| sort.key(&document));
            self.all.push(Match { task, key });
        }
        if self.all.len() >= self.needed.saturating_mul(2).max(MATCHES_MIN) {
            self.cut();
        }
        if let PageOrder::Edge(edge) = order
            && self.all.len() >= self.needed
        {
            self.cut();
            self.is_past_edge = self.all.last().is_some_and(|last| is_before(edge, &last.task));
        }
        debug_assert!(
            self.all.len() < self.needed.saturating_mul(2).max(MATCHES_MIN),
            "more matches are kept than promised"
        );
    }

    /// Those that are returned, in order.
    pub(super) fn finish(mut self) -> Vec<TaskRecord> {
        self.cut();
        self.all.into_iter().skip(self.skip).map(|found| found.task).collect()
    }

    fn cut(&mut self) {
        let mut all = std::mem::take(&mut self.all);
        all.sort_by(|a, b| self.compare(a, b));
        all.truncate(self.needed);
        self.all = all;
    }

    fn compare(&self, a: &Match, b: &Match) -> Ordering {
        debug_assert_eq!(a.key.is_some(), self.sort.is_some(), "a match without its key");
        let by_sort = match (&self.sort, &a.key, &b.key) {
            (Some(sort), Some(a), Some(b)) => sort.compare_keys(a, b),
            _ => Ordering::Equal,
        };
        by_sort.then_with(|| document::default_order(&a.task, &b.task))
    }
}

/// Whether a task stands before all that is at an edge or behind it.
fn is_before(Edge { time, direction, at }: Edge, task: &TaskRecord) -> bool {
    let own = match time {
        TaskTime::CreatedAt => Some(task.created_at),
        TaskTime::EndedAt => task.ended_at,
    };
    match (own, direction) {
        (Some(own), Direction::Up) => own < at,
        (Some(own), Direction::Down) => own > at,
        // What has not ended stands before what has, and in no place by time.
        (None, Direction::Up) => true,
        (None, Direction::Down) => false,
    }
}
