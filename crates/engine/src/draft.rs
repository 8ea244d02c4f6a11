//! What a turn is going to do: planned without touching memory, then written, then applied.
//!
//! [`Planner`] reads the memory and writes a [`Draft`]. Each verb has a file of its own (`add`,
//! `settle`, `record`, `timeout`, `abort`, `prioritize`, `await_end`, `stop`, `recover`); this file
//! holds what they share, and chooses what starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tasker_core::dispatch::{Arrival, Pick, QueueKey, Turnover};
use tasker_core::error::{Code, Error};
use tasker_core::id::{IdSource, IdempotencyKey, LaneId, RunId, Seq, TaskId};
use tasker_core::state::{Counts, State};
use tasker_core::store::{Batch, Brief, Change, Lane, ReadyTask, Start};
use tasker_core::task::{AbortReason, Priority, TaskEnd};
use tasker_core::time::{MonoMs, Now, WallMs};

use crate::effect::{AbortSignal, Effect, RunEnd};
use crate::gather::Facts;
use crate::input::{RunSlot, Ticket};
use crate::live::{Deadline, Run};
use crate::memory::Memory;

/// What a turn is going to do.
#[derive(Debug, Default)]
pub struct Draft {
    /// What is written. The adds and starts are appended by `finish`.
    pub changes: Vec<Change>,
    /// How many tasks will be in each state.
    pub counts: Counts,
    /// The next free sequence number.
    pub seq_next: Seq,
    /// What the queue will lose and gain.
    pub turnover: Turnover,
    /// Lanes seen for the first time.
    pub lanes: Vec<Lane>,
    /// The new tasks, by sequence number without gaps.
    pub adds: Vec<Addition>,
    /// The tasks of the keys that are known from this turn on.
    pub keys: FxHashMap<IdempotencyKey, TaskId>,
    /// The keys of new tasks, in order.
    pub new_keys: Vec<(IdempotencyKey, Seq)>,
    /// Runs that end.
    pub run_ends: Vec<(RunSlot, RunEnd)>,
    /// Runs whose signal fires because the task is aborted.
    pub fired: Vec<(RunSlot, AbortReason)>,
    /// Signals to tell that change nothing else.
    pub signals: Vec<(RunSlot, AbortSignal)>,
    /// Deadlines to set.
    pub deadlines: Vec<(RunSlot, MonoMs, Deadline)>,
    /// Log lines and progress reports per run.
    pub recorded: BTreeMap<RunSlot, (u32, u32)>,
    /// Ready tasks that leave the queue without a start.
    pub departures: Vec<(LaneId, QueueKey)>,
    /// The lane of each recovered run.
    pub recovered: Vec<LaneId>,
    /// The priorities that ready tasks get.
    pub priorities: FxHashMap<Seq, Priority>,
    /// Lanes whose window must be read again.
    pub stale_lanes: Vec<LaneId>,
    /// Answers to calls, in order.
    pub answers: Vec<Effect>,
    /// Who waits for the end of which task from now on.
    pub waiters: Vec<(Seq, Ticket)>,
    /// Tasks that end although their runner did not settle.
    pub task_ends: Vec<(TaskId, TaskEnd)>,
    /// Tasks that end while somebody waits for that.
    pub awaited_ends: Vec<(Seq, TaskEnd)>,
    /// The runs that begin.
    pub starts: Vec<(Pick, Start)>,
    /// Whether another turn must follow at once.
    pub is_starved: bool,
    /// The runs in `run_ends`, to notice a second settlement.
    ended_runs: FxHashSet<RunSlot>,
    /// The tasks in `waiters`.
    waiter_set: FxHashSet<Seq>,
}

impl Draft {
    /// What is to be written; nothing if nothing changes.
    pub(crate) fn take_batch(&mut self, memory: &Memory, now: Now) -> Option<Batch> {
        let changes = std::mem::take(&mut self.changes);
        (!changes.is_empty()).then_some(Batch {
            number: memory.number + 1,
            owner: memory.owner,
            at: now.wall,
            seq_next: self.seq_next,
            counts: self.counts,
            changes,
        })
    }
}

/// A new task.
#[derive(Debug)]
pub struct Addition {
    /// Its lane.
    pub lane: LaneId,
    /// All of it.
    pub task: ReadyTask,
    /// Its first run, if it starts at once.
    pub start: Option<Start>,
}

/// Drafts one turn.
pub struct Planner<'a> {
    pub(crate) memory: &'a Memory,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) facts: &'a Facts,
    pub(crate) now: Now,
    pub(crate) draft: Draft,
}

impl<'a> Planner<'a> {
    /// A draft that changes nothing yet.
    pub fn new(memory: &'a Memory, ids: &'a mut IdSource, facts: &'a Facts, now: Now) -> Self {
        let draft = Draft { counts: memory.counts, seq_next: memory.seq_next, ..Draft::default() };
        Self { memory, ids, facts, now, draft }
    }

    /// The draft so far.
    pub fn into_draft(self) -> Draft {
        self.draft
    }

    pub(crate) fn answer(&mut self, effect: Effect) {
        self.draft.answers.push(effect);
    }

    /// The task that a caller names: its brief if its uuid is the one asked for.
    pub(crate) fn brief(&self, id: TaskId) -> Option<(Seq, &'a Brief)> {
        let seq = self.ids.key().seq_of(id);
        let brief = self.facts.briefs.get(&seq)?;
        (brief.id == id).then_some((seq, brief))
    }

    /// As `brief`; a task that is not there refuses the call.
    pub(crate) fn find(&mut self, ticket: Ticket, id: TaskId) -> Option<(Seq, &'a Brief)> {
        let found = self.brief(id);
        if found.is_none() {
            let error = Error::new(Code::NotFound, format!("there is no task {}", id.0));
            self.answer(Effect::Refuse(ticket, error));
        }
        found
    }

    /// The priority of a ready task, as this turn has left it so far.
    pub(crate) fn priority(&self, seq: Seq, brief: &Brief) -> Priority {
        self.draft.priorities.get(&seq).copied().unwrap_or(brief.priority)
    }

    /// The live run in this slot, unless it ends in this turn.
    pub(crate) fn live(&self, slot: RunSlot) -> Option<&'a Run> {
        if self.draft.ended_runs.contains(&slot) { None } else { self.memory.live.get(slot) }
    }

    /// A run ends and no longer counts for `concurrency`.
    pub(crate) fn free(&mut self, run: &Run, over: RunEnd) {
        self.draft.ended_runs.insert(run.slot);
        self.draft.run_ends.push((run.slot, over));
        self.draft.turnover.free(&run.operation);
    }

    /// A run's task ends with it.
    pub(crate) fn end_run(&mut self, run: &Run, outcome: TaskEnd) {
        self.draft.counts.shift(State::Running, outcome.state());
        self.note_end(run.seq, &outcome);
        self.draft.changes.push(Change::End {
            seq: run.seq,
            lane: run.lane,
            priority: run.priority,
            run: Some(run.run),
            outcome,
            at: self.now_or(run.started_at),
        });
    }

    pub(crate) fn note_waiter(&mut self, seq: Seq, ticket: Ticket) {
        self.draft.waiter_set.insert(seq);
        self.draft.waiters.push((seq, ticket));
    }

    pub(crate) fn note_end(&mut self, seq: Seq, outcome: &TaskEnd) {
        if self.draft.waiter_set.contains(&seq) || self.memory.waiters.has(seq) {
            self.draft.awaited_ends.push((seq, outcome.clone()));
        }
    }

    /// Chooses what starts. The windows must reach as far as `Dispatch::lanes_to_load` asked.
    pub fn choose_starts(&mut self) {
        if !self.draft.stale_lanes.is_empty() {
            // A window will be read again: what starts next is known only then.
            self.draft.is_starved = true;
            return;
        }
        let starts = self.memory.dispatch.starts(&self.draft.turnover);
        self.draft.is_starved = starts.is_starved;
        for pick in starts.picks {
            let (attempts, at) = self.before(pick);
            let start = Start { run: self.new_run(), attempt: 1 + attempts, at };
            self.draft.counts.shift(State::Ready, State::Running);
            self.draft.starts.push((pick, start));
        }
    }

    /// The attempts of a task so far, and the moment at which it starts.
    fn before(&self, pick: Pick) -> (u32, WallMs) {
        let task = self.memory.dispatch.peek(pick.lane, pick.key).filter(|_| !pick.is_arrival);
        task.map_or((0, self.now.wall), |task| (task.attempt, self.now_or(task.created_at)))
    }

    /// Now, or the moment before if the clock was set back since: nothing ends before it started.
    pub(crate) fn now_or(&self, before: WallMs) -> WallMs {
        self.now.wall.max(before)
    }

    fn new_run(&mut self) -> RunId {
        self.ids.run(self.now.wall)
    }

    /// Writes the adds and starts into the changes.
    pub fn finish(mut self) -> Draft {
        let first = self.draft.adds.first().map_or(self.draft.seq_next, |added| added.task.seq);
        for (pick, start) in &self.draft.starts {
            if pick.is_arrival {
                let at = (pick.key.seq.0 - first.0) as usize;
                self.draft.adds[at].start = Some(*start);
            } else {
                let (lane, QueueKey { seq, .. }) = (pick.lane, pick.key);
                let (priority, start) = (pick.key.priority(), *start);
                self.draft.changes.push(Change::Start { seq, lane, priority, start });
            }
        }
        let lanes = self.draft.lanes.iter().cloned().map(Change::Lane);
        let at = self.now.wall;
        let adds = self.draft.adds.iter().map(|added| Change::Add {
            seq: added.task.seq,
            id: added.task.id,
            lane: added.lane,
            def: added.task.def.clone(),
            at,
            start: added.start,
        });
        let keys =
            self.draft.new_keys.iter().map(|(key, seq)| Change::Key { key: *key, seq: *seq });
        self.draft.changes.extend(lanes.chain(adds).chain(keys));
        self.draft
    }

    pub(crate) fn join(&mut self, lane: LaneId, operation: &Arc<str>, key: QueueKey) {
        self.draft.turnover.arrivals.push(Arrival { key, lane, operation: operation.clone() });
    }
}
