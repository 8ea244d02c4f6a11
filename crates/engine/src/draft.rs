//! What a turn is going to do: drafted without touching memory, then written, then applied.
//!
//! [`Planner`] reads the memory and writes a [`Draft`]. Each verb has its part in a file of its own
//! (`settle`, `abort`, `add`, `stop`); this file holds what they share and the choice of starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tasker_core::dispatch::{Joined, Pick, QueueKey, Turnover};
use tasker_core::id::{AddKey, IdSource, LaneId, RunId, Seq, TaskId};
use tasker_core::state::{Counts, State};
use tasker_core::store::{Brief, Change, Lane, Start, Waiting};
use tasker_core::task::{AbortReason, Outcome};
use tasker_core::time::{MonoMs, Now};

use crate::effect::{AbortSignal, Effect, Over};
use crate::input::{RunNo, Ticket};
use crate::live::{Deadline, Live};
use crate::memory::Memory;

/// What the store told about the tasks that the inputs name.
pub type Briefs = FxHashMap<Seq, Option<Brief>>;

/// The tasks of the keys that are known: to the store, or from this turn on.
pub type Keys = FxHashMap<AddKey, TaskId>;

/// What a turn is going to do.
#[derive(Debug, Default)]
pub struct Draft {
    /// What is written, but for the adds and starts, which `finish` puts at the end.
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
    pub adds: Vec<Added>,
    /// The keys that the inputs name, as far as they are known.
    pub keys: Keys,
    /// The keys of new tasks.
    pub keyed: Vec<(AddKey, Seq)>,
    /// Runs that are over.
    pub over: Vec<(RunNo, Over)>,
    /// Runs whose signal fires because the task is aborted.
    pub fired: Vec<(RunNo, AbortReason)>,
    /// Signals to tell that change nothing else.
    pub signals: Vec<(RunNo, AbortSignal)>,
    /// Deadlines to set.
    pub deadlines: Vec<(RunNo, MonoMs, Deadline)>,
    /// Log lines and progress reports per run.
    pub recorded: BTreeMap<RunNo, (u32, u32)>,
    /// Waiting tasks that leave their place.
    pub left: Vec<(LaneId, QueueKey)>,
    /// The lane of each dead owner's run that is over.
    pub recovered: Vec<LaneId>,
    /// Lanes whose window must be read again.
    pub stale: Vec<LaneId>,
    /// Answers to calls, in order.
    pub answers: Vec<Effect>,
    /// Tickets that watch a task from now on.
    pub watches: Vec<(Seq, Ticket)>,
    /// Tasks that ended without their runner's word.
    pub ended: Vec<(TaskId, Outcome)>,
    /// Tasks that ended and are watched.
    pub watched: Vec<(Seq, Outcome)>,
    /// The runs that begin.
    pub starts: Vec<(Pick, Start)>,
    /// Whether another turn must follow at once.
    pub is_starved: bool,
    /// The runs in `over`, to see a second settle.
    over_set: FxHashSet<RunNo>,
    /// The tasks in `watches`.
    watch_set: FxHashSet<Seq>,
}

/// A new task.
#[derive(Debug)]
pub struct Added {
    /// Its lane.
    pub lane: LaneId,
    /// All of it.
    pub task: Waiting,
    /// Its first run, if it starts at once.
    pub start: Option<Start>,
}

/// Drafts one turn.
pub struct Planner<'a> {
    pub(crate) memory: &'a Memory,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) briefs: &'a Briefs,
    pub(crate) now: Now,
    pub(crate) draft: Draft,
}

impl<'a> Planner<'a> {
    /// A draft that changes nothing yet.
    pub fn new(memory: &'a Memory, ids: &'a mut IdSource, briefs: &'a Briefs, now: Now) -> Self {
        let draft = Draft { counts: memory.counts, seq_next: memory.seq_next, ..Draft::default() };
        Self { memory, ids, briefs, now, draft }
    }

    /// Takes a draft up again, after windows have been loaded.
    #[must_use]
    pub fn with(self, draft: Draft) -> Self {
        Self { draft, ..self }
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
        let brief = self.briefs.get(&seq)?.as_ref()?;
        (brief.id == id).then_some((seq, brief))
    }

    /// The run with this number, unless it is over already.
    pub(crate) fn live(&self, no: RunNo) -> Option<&'a Live> {
        if self.draft.over_set.contains(&no) { None } else { self.memory.live.get(no) }
    }

    /// A run is over: its place is free.
    pub(crate) fn free(&mut self, run: &Live, over: Over) {
        self.draft.over_set.insert(run.no);
        self.draft.over.push((run.no, over));
        *self.draft.turnover.freed.entry(run.operation.clone()).or_default() += 1;
    }

    /// A run's task ends with it.
    pub(crate) fn end_run(&mut self, run: &Live, outcome: Outcome) {
        self.draft.counts.shift(State::Running, outcome.state());
        self.note_end(run.seq, &outcome);
        let (seq, lane, at) = (run.seq, run.lane, self.now.wall);
        self.draft.changes.push(Change::End { seq, lane, run: Some(run.run), outcome, at });
    }

    pub(crate) fn note_watch(&mut self, seq: Seq, ticket: Ticket) {
        self.draft.watch_set.insert(seq);
        self.draft.watches.push((seq, ticket));
    }

    pub(crate) fn note_end(&mut self, seq: Seq, outcome: &Outcome) {
        if self.draft.watch_set.contains(&seq) || self.memory.watches.has(seq) {
            self.draft.watched.push((seq, outcome.clone()));
        }
    }

    /// Chooses what starts. The windows must reach as far as `Dispatch::wanted` asked.
    pub fn choose_starts(&mut self) {
        if !self.draft.stale.is_empty() {
            // A window will be read again: what starts next is known only then.
            self.draft.is_starved = true;
            return;
        }
        let starts = self.memory.dispatch.starts(&self.draft.turnover);
        self.draft.is_starved = starts.is_starved;
        for pick in starts.picks {
            let attempt = 1 + self.attempts_before(pick);
            let start = Start { run: self.new_run(), attempt, at: self.now.wall };
            self.draft.counts.shift(State::Ready, State::Running);
            self.draft.starts.push((pick, start));
        }
    }

    fn attempts_before(&self, pick: Pick) -> u32 {
        if pick.is_joined {
            return 0;
        }
        self.memory.dispatch.peek(pick.lane, pick.key).map_or(0, |task| task.attempt)
    }

    fn new_run(&mut self) -> RunId {
        self.ids.run(self.now.wall)
    }

    /// Writes the adds and starts into the changes.
    pub fn finish(mut self) -> Draft {
        let first = self.draft.adds.first().map_or(self.draft.seq_next, |added| added.task.seq);
        for (pick, start) in &self.draft.starts {
            if pick.is_joined {
                let at = (pick.key.seq.0 - first.0) as usize;
                self.draft.adds[at].start = Some(*start);
            } else {
                let (seq, lane) = (pick.key.seq, pick.lane);
                self.draft.changes.push(Change::Start { seq, lane, start: *start });
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
        let keys = self.draft.keyed.iter().map(|(key, seq)| Change::Key { key: *key, seq: *seq });
        self.draft.changes.extend(lanes.chain(adds).chain(keys));
        self.draft
    }

    pub(crate) fn join(&mut self, lane: LaneId, operation: &Arc<str>, key: QueueKey) {
        self.draft.turnover.joined.push(Joined { key, lane, operation: operation.clone() });
    }
}
