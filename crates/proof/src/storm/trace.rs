//! What the runs did, in the order in which they did it.
//!
//! Workers append to one file, so its order is the order of time. A run says that it began after
//! the commit that began it, and that it is over before it asks for its end: what is seen of a run
//! lies within its true life, so what overlaps here did overlap. Only a run that a stop took back
//! may say that it began when it was over already: its worker had not come to it yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{RunId, TaskId};
use tasker_core::task::{Attempt, AttemptEnd, TaskRecord};
use uuid::Uuid;

use super::ledger::Ledger;
use super::loans::Lent;
use super::{HELD, OPERATIONS, TRACE};

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The side effect of a run.
    Began(Began),
    /// From here on a run may be over.
    RunEnd(RunId, u32),
    /// What a worker asks as an executor outside, and what it was told.
    Lent(Lent, u32),
}

/// The side effect of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Began {
    pub(super) task: TaskId,
    pub(super) run: RunId,
    /// The attempt that the runner was told.
    pub(super) attempt: u32,
    /// The place in `OPERATIONS`.
    pub(super) operation: usize,
    pub(super) worker: u32,
}

impl fmt::Display for Mark {
    /// A line that ends with a dot, so that one that a kill cut off is told from a whole one. It
    /// begins anew, whatever the writer before left behind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Began(Began { task, run, attempt, operation, worker }) => {
                write!(f, "\nB {} {} {attempt} {operation} {worker} .", task.0, run.0)
            }
            Mark::RunEnd(run, worker) => write!(f, "\nO {} {worker} .", run.0),
            Mark::Lent(lent, worker) => write!(f, "\nL {lent} {worker} ."),
        }
    }
}

impl Mark {
    /// What a line says; nothing for one that was cut off.
    fn read(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split(' ').collect();
        let id = |text: &str| Uuid::parse_str(text).ok();
        Some(match *words.as_slice() {
            ["B", task, run, attempt, operation, worker, "."] => Mark::Began(Began {
                task: TaskId(id(task)?),
                run: RunId(id(run)?),
                attempt: attempt.parse().ok()?,
                operation: operation.parse().ok().filter(|n| *n < OPERATIONS.len())?,
                worker: worker.parse().ok()?,
            }),
            ["O", run, worker, "."] => Mark::RunEnd(RunId(id(run)?), worker.parse().ok()?),
            ["L", task, run, ask, said, worker, "."] => {
                Mark::Lent(Lent::read([task, run, ask, said])?, worker.parse().ok()?)
            }
            _ => return None,
        })
    }

    fn worker(&self) -> u32 {
        match self {
            Mark::Began(began) => began.worker,
            Mark::RunEnd(_, worker) | Mark::Lent(_, worker) => *worker,
        }
    }
}

/// All that the runs did.
pub(super) fn read(folder: &Path) -> Result<Vec<Mark>> {
    let text = std::fs::read_to_string(folder.join(TRACE));
    let text = text.map_err(|e| Error::new(Code::Io, "no side effects").with_source(e))?;
    Ok(text.lines().filter_map(Mark::read).collect())
}

/// Up to which place of the file each run was live for certain.
pub(super) fn ends(marks: &[Mark]) -> BTreeMap<RunId, usize> {
    let last: BTreeMap<u32, usize> =
        (0..).zip(marks).map(|(at, mark)| (mark.worker(), at)).collect();
    let mut ends = BTreeMap::new();
    for (at, mark) in (0..).zip(marks) {
        match mark {
            Mark::Lent(..) => None,
            // If nothing more is said of it: as long as its worker said anything.
            Mark::Began(began) => ends.insert(began.run, last[&began.worker]),
            Mark::RunEnd(run, _) => ends.insert(*run, at),
        };
    }
    ends
}

impl Ledger {
    /// Each run has its side effect once (I-4), was counted before (I-10), and is of no operation
    /// that is paused.
    pub(super) fn effects(&mut self, marks: &[Mark], tasks: &BTreeMap<TaskId, TaskRecord>) {
        let mut seen = BTreeSet::new();
        for mark in marks {
            let Mark::Began(Began { task, run, attempt, operation, worker }) = mark else {
                continue;
            };
            self.report.ran += 1;
            if OPERATIONS[*operation].0 == HELD && *worker != self.last {
                self.report.violation(format!("{} ran in {worker} although paused", task.0));
            }
            if !seen.insert(run) {
                self.report.is_doubled(format!("run {} of {} ran twice", run.0, task.0));
            }
            let attempts = tasks.get(task).map(|task| task.attempts.as_slice());
            let is_counted = |a: &Attempt| a.run == *run && a.attempt == *attempt;
            let is_gone = attempts.is_none() && self.removed.contains(task);
            if !is_gone && !attempts.unwrap_or_default().iter().any(is_counted) {
                self.report.violation(format!("run {} of {} was not counted", run.0, task.0));
            }
        }
    }

    /// A task has one live run at a time (I-4, I-5), an operation at most its limit (I-6).
    pub(super) fn overlaps(&mut self, marks: &[Mark], tasks: &BTreeMap<TaskId, TaskRecord>) {
        let ends = ends(marks);
        let mut live: Vec<Began> = Vec::new();
        for (at, mark) in (0..).zip(marks) {
            let Mark::Began(began) = mark else { continue };
            // Of a task that is gone nobody knows whether a stop gave its run back.
            if is_taken_back(began, tasks) || self.removed.contains(&began.task) {
                continue;
            }
            live.retain(|other| ends[&other.run] > at);
            if let Some(other) = live.iter().find(|other| other.task == began.task) {
                let (task, one, two) = (began.task.0, other.worker, began.worker);
                self.report.violation(format!("{task} ran in {one} and in {two} at once"));
            }
            live.push(*began);
            let peers = live.iter().filter(|other| other.operation == began.operation);
            let (name, limit) = OPERATIONS[began.operation];
            let Some(limit) = limit else { continue };
            if peers.clone().any(|other| other.worker != began.worker) {
                self.report.beside += 1;
            }
            let count = peers.count() as u32;
            if count > limit {
                self.report.violation(format!("{count} runs of {name} at once, not {limit}"));
            }
        }
    }
}

/// Whether a stop gave the run back.
pub(super) fn is_taken_back(began: &Began, tasks: &BTreeMap<TaskId, TaskRecord>) -> bool {
    let attempts = tasks.get(&began.task).map(|task| task.attempts.as_slice());
    let attempt = attempts.unwrap_or_default().iter().find(|attempt| attempt.run == began.run);
    attempt.is_some_and(|attempt| attempt.end == Some(AttemptEnd::Postponed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(run: u128, task: u128, operation: usize, worker: u32) -> Mark {
        let (task, run) = (TaskId(Uuid::from_u128(task)), RunId(Uuid::from_u128(run)));
        Mark::Began(Began { task, run, attempt: 1, operation, worker })
    }

    fn over(run: u128, worker: u32) -> Mark {
        Mark::RunEnd(RunId(Uuid::from_u128(run)), worker)
    }

    fn violations(marks: &[Mark]) -> usize {
        let mut ledger = Ledger::default();
        ledger.overlaps(marks, &BTreeMap::new());
        ledger.report.violations.len()
    }

    #[test]
    fn every_mark_comes_back_and_a_cut_one_does_not() {
        for mark in [began(7, 8, 2, 3), over(7, 3)] {
            let text = mark.to_string();
            assert_eq!(Mark::read(&text[1..]), Some(mark));
            assert_eq!(Mark::read(&text[1..text.len() - 2]), None);
        }
    }

    #[test]
    fn what_overlaps_is_seen_and_what_may_be_over_is_not_counted() {
        let pair = |run| began(run, run, 2, run as u32);
        assert_eq!(violations(&[pair(1), pair(2), over(1, 1), pair(3), over(2, 2)]), 0);
        assert_eq!(violations(&[pair(1), pair(2), pair(3), over(1, 1), over(2, 2)]), 1);
        assert_eq!(violations(&[pair(1), pair(2), pair(3)]), 0, "1 and 2 may have died before");
        assert_eq!(violations(&[began(1, 5, 0, 1), began(2, 5, 0, 2), over(1, 1)]), 1);
        assert_eq!(violations(&[began(1, 5, 0, 1), began(2, 5, 0, 2)]), 0);
    }
}
