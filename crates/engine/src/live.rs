//! The runs that are live in this process.
//!
//! Timeouts lie in one ordered set that the turn reads; nothing here starts a timer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::backoff::RetryPolicy;
use tasker_core::id::{LaneId, RunId, Seq, TaskId};
use tasker_core::limits::LOGS_PER_TASK_MAX;
use tasker_core::retention::Retention;
use tasker_core::store::PauseWish;
use tasker_core::task::{AbortReason, OnStop, Postponement, Priority};
use tasker_core::time::{MonoMs, WallMs};

use crate::client_id::outside;
use crate::guarded::Guarded;
use crate::input::RunSlot;

/// One live run.
#[derive(Debug)]
pub struct Run {
    /// Its number in this handle.
    pub slot: RunSlot,
    /// Its task.
    pub seq: Seq,
    /// Its task's identity.
    pub id: TaskId,
    /// Its own identity, named by every write.
    pub run: RunId,
    /// Its operation.
    pub operation: Arc<str>,
    /// Where the task waits if it is given back.
    pub lane: LaneId,
    /// With which priority.
    pub priority: Priority,
    /// When it began.
    pub started_at: WallMs,
    /// Which attempt it is.
    pub attempt: u32,
    /// Failures of the task before it.
    pub failures: u32,
    /// How often the task is tried.
    pub retry: Option<Arc<RetryPolicy>>,
    /// How long the task is kept after its end, if not for ever.
    pub retention: Option<Arc<Retention>>,
    /// What the task says about a stop.
    pub on_stop: Option<OnStop>,
    /// Whether its task lapses when the last owner stops that offers its operation.
    pub lapses: bool,
    /// Whether its task has dependencies.
    pub has_dependencies: bool,
    /// Log lines of the task stored so far.
    pub logs: u32,
    /// Its batch, if it is one of several that have one runner: the number of the first of them.
    pub batch: Option<RunSlot>,
    /// Why its signal fired, if it did.
    pub fired: Option<AbortReason>,
    /// Whether somebody has aborted its task: whatever its signal fired for, it is not tried again.
    pub is_abort_asked: bool,
    /// When its time is up, and what happens then. One that has halted has none.
    pub deadline: Option<(MonoMs, Deadline)>,
    /// Where its circuit stands, if its operation had a circuit breaker when it began.
    pub guarded: Option<Box<Guarded>>,
    /// What is known of its pause, and the time that it has left when it goes on.
    pub pause: Option<(RunPause, TimeLeft)>,
}

impl Run {
    /// Whether it waits at a checkpoint.
    pub fn has_halted(&self) -> bool {
        self.pause.is_some_and(|(pause, _)| pause.has_halted)
    }
}

impl RunPause {
    /// Whether its run halts at its next checkpoint.
    pub fn is_to_halt(self) -> bool {
        self.wish == PauseWish::Halt && !self.has_halted
    }

    /// Whether its run goes on when there is a place for it.
    pub fn may_go_on(self) -> bool {
        self.wish == PauseWish::GoOn && self.has_halted
    }
}

/// What is known of the pause of a live run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPause {
    /// What those want who have paused or resumed its task.
    pub wish: PauseWish,
    /// Whether it waits at a checkpoint.
    pub has_halted: bool,
}

/// How many milliseconds a run that has halted has left, and what happens then.
pub type TimeLeft = Option<(u64, Deadline)>;

/// What happens when a run's time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// The run timeout: the signal fires and the grace begins.
    Timeout,
    /// The grace: the task ends and the run is fenced.
    Grace,
}

/// The live runs of a batch.
#[derive(Clone, Copy, Debug, Default)]
struct Members {
    live: u32,
    /// Those that have not halted.
    active: u32,
}

/// All live runs.
#[derive(Debug, Default)]
pub struct LiveRuns {
    by_slot: FxHashMap<RunSlot, Run>,
    by_seq: FxHashMap<Seq, RunSlot>,
    deadlines: BTreeSet<(MonoMs, RunSlot)>,
    /// Those of which another process has asked that they are given back, and whose signal has not
    /// fired.
    postponed: BTreeMap<RunSlot, Postponement>,
    /// Those whose signal has fired because of another process, and that may have to end soon.
    to_bound: BTreeSet<RunSlot>,
    /// How many have a pause.
    pauses: usize,
    /// How many of each batch have neither ended nor halted, if any has not ended.
    batches: FxHashMap<RunSlot, Members>,
}

impl LiveRuns {
    /// How many runs are live.
    pub fn len(&self) -> usize {
        self.by_slot.len()
    }

    /// Whether no run is live.
    pub fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    /// The run in this slot.
    pub fn get(&self, slot: RunSlot) -> Option<&Run> {
        self.by_slot.get(&slot)
    }

    /// The live run of a task.
    pub fn of_task(&self, seq: Seq) -> Option<&Run> {
        self.get(*self.by_seq.get(&seq)?)
    }

    /// The slot of the run with this id; a scan, for the rare case that a guard refused it.
    pub fn slot_of(&self, run: RunId) -> Option<RunSlot> {
        self.by_slot.values().find(|live| live.run == run).map(|live| live.slot)
    }

    /// Every live run, oldest first.
    pub fn in_order(&self) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self.by_slot.values().collect();
        runs.sort_unstable_by_key(|run| outside(run.slot));
        runs
    }

    /// Whether anybody has paused the task of one.
    pub fn has_pauses(&self) -> bool {
        self.pauses > 0
    }

    /// How many runs of a batch are live and have not halted.
    pub fn active_of(&self, batch: RunSlot) -> u32 {
        self.batches.get(&batch).map_or(0, |members| members.active)
    }

    /// A run of a batch begins, ends, halts or goes on.
    fn count_member(&mut self, batch: Option<RunSlot>, change: impl FnOnce(&mut Members)) {
        let Some(batch) = batch else { return };
        let members = self.batches.entry(batch).or_default();
        change(members);
        debug_assert!(members.active <= members.live, "more runs go on than are live");
        if members.live == 0 {
            self.batches.remove(&batch);
        }
    }

    /// A run begins.
    pub fn insert(&mut self, run: Run) {
        self.count_member(run.batch, |members| {
            members.live += 1;
            members.active += 1;
        });
        if let Some((at, _)) = run.deadline {
            self.deadlines.insert((at, run.slot));
        }
        let (seq, slot) = (run.seq, run.slot);
        let old = self.by_seq.insert(seq, slot);
        debug_assert_eq!(old, None, "task {} has two runs (I-4)", seq.0);
        let old = self.by_slot.insert(slot, run);
        debug_assert!(old.is_none(), "slot {slot} is used twice");
        debug_assert!(self.deadlines.len() <= self.by_slot.len(), "a run has two deadlines");
    }

    /// A run is over.
    pub fn remove(&mut self, slot: RunSlot) -> Option<Run> {
        let run = self.by_slot.remove(&slot)?;
        self.postponed.remove(&slot);
        self.to_bound.remove(&slot);
        let known = self.by_seq.remove(&run.seq);
        debug_assert_eq!(known, Some(slot), "task {} had another run (I-4)", run.seq.0);
        if let Some((at, _)) = run.deadline {
            let was_set = self.deadlines.remove(&(at, slot));
            debug_assert!(was_set, "the time of run {slot} would never have been up");
        }
        self.pauses -= usize::from(run.pause.is_some());
        self.count_member(run.batch, |members| {
            members.live -= 1;
            members.active -= u32::from(!run.has_halted());
        });
        debug_assert_eq!(self.by_slot.len(), self.by_seq.len(), "a task without a run, or two");
        Some(run)
    }

    /// Sets what is known of the pause of a run. As long as it has halted its time stands still.
    pub fn set_pause(&mut self, slot: RunSlot, pause: Option<RunPause>, now: MonoMs) {
        let Some(run) = self.by_slot.get_mut(&slot) else { return };
        let had_halted = run.has_halted();
        let mut left = run.pause.and_then(|(_, left)| left);
        let has_halted = pause.is_some_and(|pause| pause.has_halted);
        self.pauses += usize::from(pause.is_some());
        self.pauses -= usize::from(run.pause.is_some());
        if has_halted && !had_halted {
            left = run.deadline.take().map(|(at, deadline)| {
                self.deadlines.remove(&(at, slot));
                // Not nothing: it is looked at in another turn than that in which it goes on.
                (at.0.saturating_sub(now.0).max(1), deadline)
            });
        }
        run.pause = pause.map(|pause| (pause, left));
        if had_halted && !has_halted {
            // One that was to end soon has another one by now.
            if run.deadline.is_none() {
                run.deadline = left.map(|(ms, deadline)| (now.plus(ms), deadline));
                self.deadlines.extend(run.deadline.map(|(at, _)| (at, slot)));
            }
        }
        let batch = run.batch;
        self.count_member(batch, |members| {
            members.active += u32::from(had_halted);
            members.active -= u32::from(has_halted);
        });
    }

    /// Fires the signal of a run; the first reason stays.
    pub fn fire(&mut self, slot: RunSlot, reason: AbortReason) {
        if let Some(run) = self.by_slot.get_mut(&slot) {
            run.fired.get_or_insert(reason);
            self.postponed.remove(&slot);
        }
    }

    /// Another process has asked that a run is given back; one that is ending anyway is not.
    pub(crate) fn postpone(&mut self, slot: RunSlot, wish: Postponement) {
        let run = self.by_slot.get(&slot);
        if run.is_some_and(|run| run.fired.is_none() && !run.is_abort_asked) {
            self.postponed.insert(slot, wish);
        }
    }

    /// Whether other processes have asked for something of which a turn has to take care.
    pub(crate) fn has_asked(&self) -> bool {
        !self.postponed.is_empty() || !self.to_bound.is_empty()
    }

    /// The runs that are to be given back, and until when.
    pub(crate) fn postponed(&self) -> &BTreeMap<RunSlot, Postponement> {
        &self.postponed
    }

    /// Somebody has aborted the task of a run.
    pub fn ask_abort(&mut self, slot: RunSlot) {
        if let Some(run) = self.by_slot.get_mut(&slot) {
            run.is_abort_asked = true;
            self.postponed.remove(&slot);
        }
    }

    /// The signal of a run has fired where the time is not known: the next turn looks whether it
    /// has to end soon.
    pub(crate) fn bound_later(&mut self, slot: RunSlot) {
        self.to_bound.insert(slot);
    }

    /// Those at which the next turn looks.
    pub(crate) fn to_bound(&self) -> &BTreeSet<RunSlot> {
        &self.to_bound
    }

    /// A turn has looked at them.
    pub(crate) fn have_looked(&mut self) {
        self.to_bound.clear();
    }

    /// So many more log lines of a run are stored.
    pub fn add_logs(&mut self, slot: RunSlot, lines: u32) {
        if let Some(run) = self.by_slot.get_mut(&slot) {
            run.logs += lines;
            debug_assert!(run.logs <= LOGS_PER_TASK_MAX, "more lines than a task may keep (I-19)");
        }
    }

    /// Sets when a run's time is up.
    pub fn set_deadline(&mut self, slot: RunSlot, at: MonoMs, deadline: Deadline) {
        let Some(run) = self.by_slot.get_mut(&slot) else { return };
        if let Some((old, _)) = run.deadline.replace((at, deadline)) {
            let was_set = self.deadlines.remove(&(old, slot));
            debug_assert!(was_set, "the time of run {slot} would never have been up");
        }
        self.deadlines.insert((at, slot));
    }

    /// The runs whose time is up, in order of time.
    pub fn due(&self, now: MonoMs) -> Vec<RunSlot> {
        let due = self.deadlines.range(..=(now, RunSlot::MAX));
        due.map(|(_, slot)| *slot).collect()
    }

    /// When the next run's time is up.
    pub fn next_deadline(&self) -> Option<MonoMs> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
