//! What the parent knows: everything that was tried and told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::TaskRecord;

use super::line::{Key, Line};
use super::watched::{Place, Told};

/// The priorities that one worker may have given a task.
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
    /// Tasks that other adds have found by their unique keys.
    pub(super) earlier: BTreeSet<TaskId>,
    pub(super) ended: BTreeMap<TaskId, State>,
    /// By task and worker: each one's calls are answered in order, those of two are not.
    pub(super) priorities: BTreeMap<(TaskId, u32), Priorities>,
    /// Tasks that were told to be aborted.
    pub(super) aborted: BTreeSet<TaskId>,
    /// Tasks that may have been run again after their end: what was told of that end holds no more.
    pub(super) retried: BTreeSet<TaskId>,
    /// Tasks that may have been removed.
    pub(super) removed: BTreeSet<TaskId>,
    /// What watches of all tasks have told.
    pub(super) changes: BTreeMap<Place, Told>,
    /// How watched tasks ended.
    pub(super) seen: BTreeMap<TaskId, State>,
    /// Tasks whose run was told that it was replaced.
    pub(super) fenced: Vec<TaskId>,
    /// The first image of each ended task that was looked at.
    pub(super) images: BTreeMap<TaskId, TaskRecord>,
    /// What is wrong unless the task was run again, or is gone because it was removed. Another
    /// worker may have said that it tries to, and its line is still on the way: judged when all
    /// lines are here.
    doubts: Vec<(TaskId, Fault, String)>,
    /// How many tasks of each operation are in each state, as the last worker has told.
    pub(super) stand: BTreeMap<(usize, State), u64>,
    /// Ended tasks that were not looked at yet.
    pub(super) unseen: Vec<TaskId>,
    /// The last worker, which resumes what all others have paused.
    pub(super) last: u32,
    pub(super) report: Report,
}

/// What a doubt is, if it proves true.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Lost,
    Doubled,
    Changed,
}

/// How a storm went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What it can be repeated from.
    pub seed: u64,
    /// How many workers there were at a time.
    pub processes: u32,
    /// Workers killed by the parent.
    pub kills: u64,
    /// Workers killed while they still opened the file.
    pub early: u64,
    /// Workers killed while they stood still.
    pub still: u64,
    /// How often a worker was stopped and continued.
    pub stops: u64,
    /// Workers that died of a task.
    pub deaths: u64,
    /// Adds acknowledged.
    pub acked: u64,
    /// Adds that found an earlier task by its unique key.
    pub duplicates: u64,
    /// Ends told.
    pub ended: u64,
    /// Aborts acknowledged.
    pub aborted: u64,
    /// Watches answered.
    pub seen: u64,
    /// Waits for rest that were answered.
    pub rests: u64,
    /// Figures that were compared with what their engine has told.
    pub figures: u64,
    /// Changes that watches of all tasks have told.
    pub changes: u64,
    /// Watches that were told that they had missed changes.
    pub gaps: u64,
    /// Side effects.
    pub ran: u64,
    /// Runs of an operation with a limit that began beside one of another worker.
    pub beside: u64,
    /// Runs that began of tasks with conditions.
    pub bound: u64,
    /// Runs that lost their process.
    pub losses: u64,
    /// Attempts that failed and were followed by another one, and attempts that snoozed.
    pub retries: u64,
    /// Tasks that their `queueTimeout` ended.
    pub expired: u64,
    /// Tasks that ended because the last worker stopped that offers their operation.
    pub lapsed: u64,
    /// Starts of an operation with a rate limit, as far as its clock is known.
    pub limited: u64,
    /// How often a failure has opened a circuit, as far as that is known.
    pub opened: u64,
    /// Calls of a runner that took several tasks.
    pub batches: u64,
    /// Ends that were granted to executors outside.
    pub lent: u64,
    /// Calls of executors outside that were refused.
    pub denied: u64,
    /// Tasks that the ticks of schedules have made.
    pub ticks: u64,
    /// Ended tasks that depend on others.
    pub dependents: u64,
    /// Ended tasks that were removed.
    pub removed: u64,
    /// The longest that an add waited for its answer.
    pub waited_ms: u64,
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
        let figures = [
            ("seed", self.seed),
            ("processes", u64::from(self.processes)),
            ("kills", self.kills),
            ("at open", self.early),
            ("while stopped", self.still),
            ("stops", self.stops),
            ("deaths by a task", self.deaths),
            ("acked", self.acked),
            ("duplicates", self.duplicates),
            ("ended", self.ended),
            ("aborted", self.aborted),
            ("watched", self.seen),
            ("rests", self.rests),
            ("figures", self.figures),
            ("changes", self.changes),
            ("gaps", self.gaps),
            ("side effects", self.ran),
            ("beside another", self.beside),
            ("with conditions", self.bound),
            ("losses", self.losses),
            ("retries", self.retries),
            ("expired", self.expired),
            ("lapsed", self.lapsed),
            ("limited", self.limited),
            ("opened", self.opened),
            ("batches", self.batches),
            ("lent", self.lent),
            ("denied", self.denied),
            ("ticks", self.ticks),
            ("dependents", self.dependents),
            ("removed", self.removed),
            ("longest wait ms", self.waited_ms),
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("violations", self.violations.len() as u64),
            ("ms", self.elapsed_ms),
        ];
        let figures = figures.map(|(name, value)| format!("{name} {value}"));
        writeln!(f, "storm: {}", figures.join(", "))?;
        for violation in self.violations.iter().take(SHOWN_MAX) {
            writeln!(f, "violation: {violation}")?;
        }
        Ok(())
    }
}

impl Ledger {
    pub(super) fn enter(&mut self, worker: u32, line: Line) {
        match line {
            Line::Ready => {}
            Line::Try(key, count) => {
                self.tried.extend((key.n..).take(count as usize).map(|n| Key { n, ..key }));
            }
            Line::Added(key, id) => self.add(key, id),
            Line::Earlier(id) => {
                self.report.duplicates += 1;
                self.earlier.insert(id);
            }
            Line::Ended(id, state) => self.end(id, state),
            Line::TryPriority(id, to) => {
                self.priorities.entry((id, worker)).or_default().tried.push(to);
            }
            Line::Prioritized(id, to) => self.prioritized((id, worker), to),
            Line::Fenced(id) => self.fenced.push(id),
            Line::TryRetry(id) => drop(self.retried.insert(id)),
            Line::TryRemove(id) => drop(self.removed.insert(id)),
            Line::Aborted(id) => {
                self.report.aborted += 1;
                self.aborted.insert(id);
            }
            Line::Seen(id, state) => self.see(id, state),
            Line::Changed(place, told) => self.changed(place, told),
            Line::Gap => self.report.gaps += 1,
            Line::Waited(ms) => self.report.waited_ms = self.report.waited_ms.max(ms),
            Line::Together(runs) => self.report.batches += u64::from(runs > 1),
            Line::Rests => self.report.rests += 1,
            Line::Figures => self.report.figures += 1,
            Line::Stand(place, state, count) => {
                // Of a state in which no task is, a scan finds nothing.
                self.stand.extend((count > 0).then_some(((place, state), count)));
            }
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
            self.doubt(id, Fault::Doubled, format!("the end of {} was told twice", id.0));
        }
    }

    fn see(&mut self, id: TaskId, state: State) {
        self.report.seen += 1;
        let first = *self.seen.entry(id).or_insert(state);
        let text = || format!("{} ended {first:?} and {state:?}", id.0);
        if !state.is_final() {
            self.report.violation(text());
        } else if first != state {
            self.doubt(id, Fault::Changed, text());
        }
    }

    /// A change stands in one place, whoever tells it.
    pub(super) fn changed(&mut self, place: Place, told: Told) {
        self.report.changes += 1;
        if let Some(other) = self.changes.insert(place, told).filter(|other| *other != told) {
            let (batch, step) = place;
            self.report.violation(format!("{batch}.{step} was told as {other:?} and {told:?}"));
        }
    }

    pub(super) fn doubt(&mut self, id: TaskId, fault: Fault, text: String) {
        self.doubts.push((id, fault, text));
    }

    /// Every line of every worker is here: what is still doubted is wrong.
    pub(super) fn judge(&mut self) {
        for (id, fault, text) in std::mem::take(&mut self.doubts) {
            match fault {
                _ if self.retried.contains(&id) => {}
                Fault::Lost if self.removed.contains(&id) => {}
                Fault::Lost => self.report.is_lost(text),
                Fault::Doubled => self.report.is_doubled(text),
                Fault::Changed => self.report.violation(text),
            }
        }
    }

    fn prioritized(&mut self, by: (TaskId, u32), to: f64) {
        let known = self.priorities.entry(by).or_default();
        // Calls are answered in the order in which they were made.
        let place = known.tried.iter().position(|tried| *tried == to);
        known.tried.drain(..place.map_or(0, |place| place + 1));
        known.acked = Some(to);
    }
}
