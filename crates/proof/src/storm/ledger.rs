//! What the parent knows: everything that was tried and told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::TaskRecord;

use super::line::{Key, Line};

/// The priorities that a task may have.
#[derive(Clone, Debug, Default)]
pub(super) struct Priorities {
    /// The last one that was acknowledged.
    pub(super) acked: Option<f64>,
    /// Those tried since.
    pub(super) tried: Vec<f64>,
}

/// Everything that was tried and told.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) tried: BTreeSet<Key>,
    pub(super) added: BTreeMap<Key, TaskId>,
    pub(super) ended: BTreeMap<TaskId, State>,
    pub(super) priorities: BTreeMap<TaskId, Priorities>,
    /// Tasks whose run was told that it lost its place.
    pub(super) fenced: Vec<TaskId>,
    /// The first image of each ended task that was looked at.
    pub(super) images: BTreeMap<TaskId, TaskRecord>,
    /// Ended tasks that were not looked at yet.
    pub(super) unseen: Vec<TaskId>,
    pub(super) report: Report,
}

/// How a storm went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What it can be repeated from.
    pub seed: u64,
    /// Workers killed by the parent.
    pub kills: u64,
    /// Workers killed while they still opened the file.
    pub early: u64,
    /// Workers that died of a task.
    pub deaths: u64,
    /// Adds acknowledged.
    pub acked: u64,
    /// Ends told.
    pub ended: u64,
    /// Side effects.
    pub ran: u64,
    /// Runs that lost their process.
    pub losses: u64,
    /// Things acknowledged that are not there.
    pub lost: u64,
    /// Things that are there twice.
    pub doubled: u64,
    /// Everything that is wrong, a sentence each.
    pub violations: Vec<String>,
    /// How long it took.
    pub elapsed_ms: u64,
}

impl Report {
    pub(super) fn violation(&mut self, text: String) {
        self.violations.push(text);
    }

    pub(super) fn is_lost(&mut self, text: String) {
        self.lost += 1;
        self.violations.push(text);
    }

    pub(super) fn is_doubled(&mut self, text: String) {
        self.doubled += 1;
        self.violations.push(text);
    }
}

/// Violations shown; the rest is counted.
const SHOWN_MAX: usize = 30;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("seed", self.seed),
            ("kills", self.kills),
            ("  of them at open", self.early),
            ("deaths by a task", self.deaths),
            ("acked", self.acked),
            ("ended", self.ended),
            ("side effects", self.ran),
            ("losses", self.losses),
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("violations", self.violations.len() as u64),
            ("ms", self.elapsed_ms),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<18}{value:>12}")?;
        }
        for violation in self.violations.iter().take(SHOWN_MAX) {
            writeln!(f, "violation: {violation}")?;
        }
        Ok(())
    }
}

impl Ledger {
    pub(super) fn enter(&mut self, line: Line) {
        match line {
            Line::Ready => {}
            Line::Try(key, count) => {
                self.tried.extend((key.n..).take(count as usize).map(|n| Key { n, ..key }));
            }
            Line::Added(key, id) => self.add(key, id),
            Line::Ended(id, state) => self.end(id, state),
            Line::TryPriority(id, to) => self.priorities.entry(id).or_default().tried.push(to),
            Line::Prioritized(id, to) => self.prioritized(id, to),
            Line::Fenced(id) => self.fenced.push(id),
        }
    }

    fn add(&mut self, key: Key, id: TaskId) {
        self.report.acked += 1;
        if !self.tried.contains(&key) {
            self.report.violation(format!("{key} was acknowledged but never tried"));
        }
        if self.added.insert(key, id).is_some() {
            self.report.is_doubled(format!("{key} was acknowledged twice"));
        }
    }

    fn end(&mut self, id: TaskId, state: State) {
        self.report.ended += 1;
        self.unseen.push(id);
        if self.ended.insert(id, state).is_some() {
            self.report.is_doubled(format!("the end of {} was told twice", id.0));
        }
    }

    fn prioritized(&mut self, id: TaskId, to: f64) {
        let known = self.priorities.entry(id).or_default();
        // Calls are answered in the order in which they were made.
        let place = known.tried.iter().position(|tried| *tried == to);
        known.tried.drain(..place.map_or(0, |place| place + 1));
        known.acked = Some(to);
    }
}
