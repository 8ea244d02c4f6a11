//! The runs that are live in this process.
//!
//! Each carries a cancellation token: *the signal has fired* is the token's state, so a JavaScript
//! `AbortSignal` and a Rust runner see the same abort. Timeouts lie in one ordered set that the
//! turn reads; nothing here starts a timer.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::id::{LaneId, RunId, Seq, TaskId};
use tasker_core::task::{AbortReason, OnStop};
use tasker_core::time::MonoMs;
use tokio_util::sync::CancellationToken;

use crate::input::RunNo;

/// One live run.
#[derive(Debug)]
pub struct Live {
    /// Its number here.
    pub no: RunNo,
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
    /// Which attempt it is.
    pub attempt: u32,
    /// What the task says about a stop.
    pub on_stop: Option<OnStop>,
    /// Log lines of the task kept so far.
    pub logs: u32,
    /// Cancelled when the signal fires.
    pub token: CancellationToken,
    /// Why it fired.
    pub fired: Option<AbortReason>,
    /// When its patience ends, and what happens then.
    pub deadline: Option<(MonoMs, Deadline)>,
}

/// What happens when a run's time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// The run timeout: the signal fires and the grace begins.
    Timeout,
    /// The grace: the place is taken back and the run is fenced.
    Grace,
}

/// All live runs.
#[derive(Debug, Default)]
pub struct LiveRuns {
    by_no: FxHashMap<RunNo, Live>,
    by_seq: FxHashMap<Seq, RunNo>,
    deadlines: BTreeSet<(MonoMs, RunNo)>,
}

impl LiveRuns {
    /// How many runs are live.
    pub fn len(&self) -> usize {
        self.by_no.len()
    }

    /// Whether no run is live.
    pub fn is_empty(&self) -> bool {
        self.by_no.is_empty()
    }

    /// The run with this number.
    pub fn get(&self, no: RunNo) -> Option<&Live> {
        self.by_no.get(&no)
    }

    /// The live run of a task.
    pub fn of_task(&self, seq: Seq) -> Option<&Live> {
        self.get(*self.by_seq.get(&seq)?)
    }

    /// The number of the run with this id; a scan, for the rare case that a guard refused it.
    pub fn no_of(&self, run: RunId) -> Option<RunNo> {
        self.by_no.values().find(|live| live.run == run).map(|live| live.no)
    }

    /// Every live run, oldest first.
    pub fn in_order(&self) -> Vec<&Live> {
        let mut runs: Vec<&Live> = self.by_no.values().collect();
        runs.sort_unstable_by_key(|run| run.no);
        runs
    }

    /// A run begins.
    pub fn insert(&mut self, run: Live) {
        if let Some((at, _)) = run.deadline {
            self.deadlines.insert((at, run.no));
        }
        self.by_seq.insert(run.seq, run.no);
        self.by_no.insert(run.no, run);
    }

    /// A run is over.
    pub fn remove(&mut self, no: RunNo) -> Option<Live> {
        let run = self.by_no.remove(&no)?;
        self.by_seq.remove(&run.seq);
        if let Some((at, _)) = run.deadline {
            self.deadlines.remove(&(at, no));
        }
        Some(run)
    }

    /// Fires the signal of a run; the first reason stays.
    pub fn fire(&mut self, no: RunNo, reason: AbortReason) {
        if let Some(run) = self.by_no.get_mut(&no) {
            run.fired.get_or_insert(reason);
            run.token.cancel();
        }
    }

    /// So many more log lines of a run are kept.
    pub fn add_logs(&mut self, no: RunNo, lines: u32) {
        if let Some(run) = self.by_no.get_mut(&no) {
            run.logs += lines;
        }
    }

    /// Sets when a run's patience ends.
    pub fn set_deadline(&mut self, no: RunNo, at: MonoMs, deadline: Deadline) {
        let Some(run) = self.by_no.get_mut(&no) else { return };
        if let Some((old, _)) = run.deadline.replace((at, deadline)) {
            self.deadlines.remove(&(old, no));
        }
        self.deadlines.insert((at, no));
    }

    /// The runs whose patience has ended, in order of time.
    pub fn due(&self, now: MonoMs) -> Vec<RunNo> {
        let due = self.deadlines.range(..=(now, RunNo::MAX));
        due.map(|(_, no)| *no).collect()
    }

    /// When the next run's patience ends.
    pub fn next_deadline(&self) -> Option<MonoMs> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
