//! What a turn is going to do: planned, then written, then applied.
//!
//! [`Planner`] reads the memory and writes a [`Draft`]; of memory it changes the queue alone, which
//! takes that back if the batch is not committed. Each verb has a file of its own (`add`, `settle`,
//! `retry`, `record`, `timeout`, `abort`, `pause`, `prioritize`, `remove`, `await_end`, `stop`,
//! `recover`, `attached`)
//! and changes tasks by `transition` alone; this file holds what else they share. What starts is
//! chosen by `starts`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tasker_core::condition::{Conditions, Template};
use tasker_core::dependency::OnFailure;
use tasker_core::dispatch::{Dispatch, Mark, Pick, TakerId};
use tasker_core::error::{Code, Error, Result};
use tasker_core::hold::{HoldId, Holds};
use tasker_core::id::{IdSource, LaneId, OperationId, OwnerId, RunId, Seq, TaskId};
use tasker_core::journal::Transition;
use tasker_core::rate::RateKey;
use tasker_core::state::{Counts, State};
use tasker_core::store::{
    Batch, Brief, Change, GateId, Note, Offers, Operation, OutsideRun, ReadyTask, Start,
};
use tasker_core::task::{AbortReason, Json, NewTask, Priority, Tally, TaskEnd};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_core::timer::Timer;
use tasker_core::transition::RunEffect;

use crate::effect::{AbortSignal, Answer, Effect, Heard, RunEnd};
use crate::gather::Facts;
use crate::gathering::Gatherings;
use crate::guarded::{CircuitNews, GuardedEnd, TurnedCircuit};
use crate::input::{RunSlot, Ticket};
use crate::live::{Deadline, Run, RunPause};
use crate::memory::{Assigned, Known, Lapse, Memory};
use crate::poll::Claim;

/// What a turn is going to do.
#[derive(Debug, Default)]
pub struct Draft {
    /// What is written. The adds and starts are appended by `finish`.
    pub changes: Vec<Change>,
    /// What tasks were before changes of them that do not say so.
    pub(crate) notes: Vec<Note>,
    /// How many tasks will be in each state.
    pub counts: Counts,
    /// The next free sequence number.
    pub seq_next: Seq,
    /// The next free number of a lane.
    pub lane_next: u64,
    /// The conditions of the lanes that tasks enter.
    pub(crate) conditions: FxHashMap<LaneId, Conditions>,
    /// What must hold at the start of every new task, besides.
    pub(crate) rules: Option<Template>,
    /// Records of operations, in the order in which they are written.
    pub operations: Vec<Operation>,
    /// How many of them are of operations that are stored for the first time.
    pub new_operations: usize,
    /// The runners that come with options; nothing for one whose options no record can have.
    pub(crate) assigned: Vec<(Ticket, Arc<str>, Option<Assigned>)>,
    /// The new tasks, by sequence number without gaps.
    pub adds: Vec<Addition>,
    /// Tasks that have become due. Those that start are taken out by `finish`.
    pub dues: BTreeMap<Seq, DueTask>,
    /// When the next timer is due.
    pub next_timer: Option<WallMs>,
    /// The keys that tasks take, in order.
    pub new_keys: Vec<Change>,
    /// The new definitions of tasks that wait in the store.
    pub(crate) updated: FxHashMap<Seq, NewTask>,
    /// Runs that end.
    pub run_ends: Vec<(RunSlot, RunEnd)>,
    /// Runs whose signal fires because the task is aborted.
    pub fired: Vec<(RunSlot, AbortReason)>,
    /// Runs whose tasks somebody has aborted.
    pub abort_asked: FxHashSet<RunSlot>,
    /// Signals to tell that change nothing else.
    pub signals: Vec<(RunSlot, AbortSignal)>,
    /// What is known of the pauses of runs from now on.
    pub pauses: BTreeMap<RunSlot, Option<RunPause>>,
    /// Runs that wait at a checkpoint and go on.
    pub went_on: Vec<RunSlot>,
    /// Deadlines to set.
    pub deadlines: Vec<(RunSlot, MonoMs, Deadline)>,
    /// Log lines and progress reports per run.
    pub recorded: BTreeMap<RunSlot, (u32, u32)>,
    /// The tasks whose runs are given back.
    pub given_back: FxHashMap<Seq, GivenBack>,
    /// Ended tasks that run again, and have no run that ends in this turn.
    pub reopened: FxHashSet<Seq>,
    /// Tasks that are removed.
    pub removed: FxHashSet<Seq>,
    /// The changes that remove them. They stand behind all others.
    pub purges: Vec<Change>,
    /// What those were.
    pub(crate) purge_notes: Vec<Note>,
    /// Tasks on which new tasks depend.
    pub needed: FxHashSet<Seq>,
    /// The timers of tasks that end and are not kept for ever.
    pub purge_timers: BTreeSet<Timer>,
    /// What we offer, if that has changed.
    pub offers: Option<Offers>,
    /// All holds, if one comes or goes.
    pub(crate) holds: Option<Holds>,
    /// How many holds are made.
    pub(crate) holds_made: u64,
    /// How many schedules are made.
    pub(crate) schedules_made: u64,
    /// The holds that are over with it: it releases them, or made them too late.
    pub(crate) holds_over: Vec<HoldId>,
    /// When somebody looks at the gates of these operations next.
    pub(crate) gate_looks: BTreeMap<OperationId, WallMs>,
    /// What becomes of circuits.
    pub(crate) circuits: BTreeMap<GateId, TurnedCircuit>,
    /// What is told of that.
    pub(crate) circuit_news: Vec<CircuitNews>,
    /// The runs that end and whose operations had a circuit breaker when they began, in order.
    pub(crate) guarded_ends: Vec<GuardedEnd>,
    /// The recovered runs of operations with a circuit breaker.
    pub(crate) lost_guarded: Vec<(OperationId, Seq)>,
    /// Under which keys of a circuit breaker tasks start.
    pub(crate) guarded: FxHashMap<Seq, RateKey>,
    /// Dead owners that offer nothing any more.
    pub buried: Vec<OwnerId>,
    /// The lane and the task of each recovered run.
    pub recovered: Vec<(LaneId, Seq)>,
    /// Whether it does no more than to deal with what the dead have left.
    pub is_recovery: bool,
    /// Whether new tasks are attached to us.
    pub(crate) attaches: bool,
    /// Whether no other task is left that is attached to us.
    pub(crate) has_detached: bool,
    /// What a stop that is under way has still to look at, of what lapses.
    pub(crate) lapse: Option<Lapse>,
    /// How many adds of which operation gave an earlier task back.
    pub(crate) skipped: BTreeMap<OperationId, u64>,
    /// Answers to calls, in order.
    pub answers: Vec<Effect>,
    /// Who waits for the end of which task from now on.
    pub waiters: Vec<(Seq, Ticket)>,
    /// Tasks that end while others may wait for them, by number.
    pub ended: BTreeMap<Seq, EndedTask>,
    /// Which new tasks wait for a task to end.
    pub new_waits: BTreeMap<Seq, Vec<Seq>>,
    /// Tasks that end although their runner did not settle, or run again by hand, in order.
    pub task_news: Vec<TaskNews>,
    /// What executors outside have said.
    pub heard: Vec<(TaskId, Heard)>,
    /// Tasks that end while somebody waits for that.
    pub awaited_ends: Vec<(Seq, TaskEnd)>,
    /// Tasks to whose logs somebody listens and that have new lines, end or are removed.
    pub log_news: Vec<Seq>,
    /// How many runs of a batch will go on, of those of which one ends, halts or goes on.
    pub(crate) active: FxHashMap<RunSlot, u32>,
    /// What waits for a batch, once that was looked at.
    pub(crate) gathering: Option<Gatherings>,
    /// The tasks that are given out, and to whom.
    pub(crate) claims: Vec<(TakerId, Claim)>,
    /// What executors outside have of tasks from now on, or have no more, in order.
    pub(crate) leases: Vec<(Seq, Option<OutsideRun>)>,
    /// The runs that begin.
    pub starts: Vec<(Pick, Start)>,
    /// Whether another turn must follow at once.
    pub is_starved: bool,
    /// Whether memory was found to be wrong, so that nothing must come of this draft.
    pub is_stale: bool,
    /// The runs in `run_ends`: for what comes after, they are not live.
    ended_runs: FxHashSet<RunSlot>,
}

impl Draft {
    /// Whether a run ends in this turn.
    pub(crate) fn has_ended(&self, slot: RunSlot) -> bool {
        self.ended_runs.contains(&slot)
    }

    /// What is to be written; nothing if nothing changes.
    pub(crate) fn take_batch(&mut self, memory: &Memory, now: Now) -> Option<Batch> {
        debug_assert!(!self.is_stale, "a draft is written that is known to be wrong");
        debug_assert!(self.seq_next >= memory.seq_next, "numbers were given back (I-8)");
        debug_assert_eq!(
            self.counts.total() + self.removed.len() as u64 - memory.counts.total(),
            self.seq_next.0 - memory.seq_next.0,
            "as many tasks came as numbers were given (I-8, I-13)"
        );
        let changes = std::mem::take(&mut self.changes);
        let notes = std::mem::take(&mut self.notes);
        let has_pauses = changes
            .iter()
            .any(|change| matches!(change, Change::PauseRun { .. } | Change::ResumeRun { .. }));
        debug_assert!(
            has_pauses
                || runs(&memory.counts).checked_add_signed(runs_begun(&changes))
                    == Some(runs(&self.counts)),
            "as many tasks run as runs have begun and not ended (I-13)"
        );
        (!changes.is_empty()).then_some(Batch {
            number: memory.number + 1,
            owner: memory.owner,
            at: now.wall,
            seq_next: self.seq_next,
            lane_next: self.lane_next,
            counts: self.counts,
            changes,
            notes,
        })
    }
}

/// How many tasks run, or were given out.
fn runs(counts: &Counts) -> u64 {
    counts.get(State::Running) + counts.get(State::Claimed)
}

/// How many more runs there are after these changes.
fn runs_begun(changes: &[Change]) -> i64 {
    let kinds = changes.iter().filter_map(|change| Some(Transition::of(change)?.kind));
    kinds
        .map(|kind| match kind.rule().runs {
            RunEffect::Begins => 1,
            RunEffect::Ends => -1,
            RunEffect::Keeps => 0,
        })
        .sum()
}

/// What a task that is given back brings to its next run.
#[derive(Clone, Copy, Debug)]
pub struct GivenBack {
    /// What counts.
    pub tally: Tally,
    /// Its log lines.
    pub logs: u32,
}

/// What is told of a task that no runner has settled.
#[derive(Debug)]
pub enum TaskNews {
    /// It ended so.
    Ended(TaskId, TaskEnd),
    /// It is run again by hand: when, and its error so far.
    Retrying(TaskId, WallMs, Option<Json>),
    /// It got this priority, and nobody had asked for that.
    Prioritized(TaskId, Priority),
    /// It got another definition.
    Updated(TaskId),
    /// A schedule has added it.
    Added(TaskId),
    /// An executor outside has begun with it.
    Began(TaskId),
    /// The tick of a schedule is used up, for the store refuses its task.
    TickRefused(Arc<str>, WallMs, Error),
}

/// A new task.
#[derive(Debug)]
pub struct Addition {
    /// Its lane.
    pub lane: LaneId,
    /// All of it.
    pub task: ReadyTask,
    /// When it is due, if it has to wait for that.
    pub due_at: Option<WallMs>,
    /// Its first run, if it starts at once.
    pub start: Option<Start>,
    /// What it depends on, if it does.
    pub depends: Option<Depends>,
    /// The change that holds it back, if it came up and a hold matched it.
    pub held: Option<Box<Change>>,
}

/// What a new task depends on.
#[derive(Debug)]
pub struct Depends {
    /// Each dependency, and whether it is met.
    pub(crate) on: Vec<(Seq, bool)>,
    /// What the failure of one means.
    pub(crate) on_failure: OnFailure,
    /// Why the task ends as it comes, if one has failed.
    pub(crate) orphaned: Option<AbortReason>,
}

impl Depends {
    /// Whether the task cannot start.
    pub(crate) fn is_blocked(&self) -> bool {
        self.orphaned.is_some() || self.on.iter().any(|(_, is_met)| !is_met)
    }
}

/// A task that has ended, as those who wait for it see it.
#[derive(Clone, Copy, Debug)]
pub struct EndedTask {
    /// Its lane.
    pub(crate) lane: LaneId,
    /// How it ended.
    pub(crate) state: State,
}

/// A task that has become due and waits for its turn.
#[derive(Clone, Copy, Debug)]
pub struct DueTask {
    /// Its lane.
    pub(crate) lane: LaneId,
    /// Its priority.
    pub(crate) priority: Priority,
}

impl Addition {
    /// Whether it has ended as it came, or waits; for others it makes no difference for what.
    pub(crate) fn state(&self) -> State {
        let is_orphaned = |depends: &Depends| depends.orphaned.is_some();
        let has_ended = self.depends.as_ref().is_some_and(is_orphaned);
        if has_ended { State::Aborted } else { State::Ready }
    }

    /// Whether it cannot start, because of its dependencies.
    pub(crate) fn is_blocked(&self) -> bool {
        self.depends.as_ref().is_some_and(Depends::is_blocked)
    }

    /// Whether it has taken a place in the queue.
    pub(crate) fn is_ready(&self) -> bool {
        self.due_at.is_none() && self.held.is_none() && !self.is_blocked()
    }

    fn change(&self, at: WallMs) -> Change {
        let Addition { lane, task, due_at, start, .. } = self;
        let (seq, id, lane, def) = (task.seq, task.id, *lane, task.def.clone());
        debug_assert!(due_at.is_none() || start.is_none(), "it starts before it is due");
        if self.is_blocked() {
            debug_assert!(due_at.is_none() && start.is_none(), "it starts while it is blocked");
            return Change::AddBlocked { seq, id, lane, def, at };
        }
        match *due_at {
            Some(due_at) => Change::AddDelayed { seq, id, lane, def, at, due_at },
            None => Change::Add { seq, id, lane, def, at, start: *start },
        }
    }
}

/// Drafts one turn.
pub struct Planner<'a> {
    pub(crate) memory: Known<'a>,
    pub(crate) dispatch: &'a mut Dispatch,
    pub(crate) ids: &'a mut IdSource,
    /// What the store knows, as it is after what is drafted so far.
    pub(crate) facts: Facts,
    pub(crate) now: Now,
    pub(crate) draft: Draft,
}

impl<'a> Planner<'a> {
    /// A draft that changes nothing yet. No other turn is open.
    pub(crate) fn new(
        memory: &'a mut Memory,
        ids: &'a mut IdSource,
        facts: Facts,
        now: Now,
    ) -> Self {
        memory.assert_balanced();
        debug_assert_eq!(memory.dispatch.mark(), Mark::default(), "another turn is open");
        let (memory, dispatch) = memory.split();
        let next_timer = facts.fired.as_ref().map_or(memory.next_timer, |fired| fired.next_at);
        let Known { counts, seq_next, lane_next, .. } = memory;
        let draft = Draft { counts, seq_next, lane_next, next_timer, ..Draft::default() };
        let mut planner = Self { memory, dispatch, ids, facts, now, draft };
        planner.find_rules();
        planner
    }

    /// The draft so far.
    pub fn into_draft(self) -> Draft {
        self.draft
    }

    /// The `queueTimeout` of a new task begins, unless it starts at once.
    fn set_queue_timeout_of_new(&mut self, at: usize) {
        let Addition { lane, task, due_at, start, .. } = &self.draft.adds[at];
        let timeout =
            if task.def.options.is_none() { None } else { task.def.options.queue_timeout };
        let ends_at = timeout.and_then(|timeout| timeout.ends_at).filter(|_| start.is_none());
        if ends_at.is_some() {
            let state = if due_at.is_some() { State::Delayed } else { State::Ready };
            self.set_queue_timeout((task.seq, state), *lane, ends_at);
        }
    }

    /// A new task that lapses is among those, unless it has ended as it came.
    fn write_lapses(&mut self, at: usize) {
        let Addition { lane, task, .. } = &self.draft.adds[at];
        if task.def.lapses() && !self.draft.adds[at].state().is_final() {
            self.note_lapses((task.seq, lane.operation()), false, true);
        }
    }

    pub(crate) fn answer(&mut self, effect: Effect) {
        debug_assert!(
            matches!(effect, Effect::Answer(..) | Effect::Refuse(..)),
            "no call is answered by {effect:?}"
        );
        self.draft.answers.push(effect);
    }

    /// Answers a call, or refuses it.
    pub(crate) fn reply(&mut self, ticket: Ticket, answer: Result<Answer>) {
        self.answer(match answer {
            Ok(answer) => Effect::Answer(ticket, answer),
            Err(error) => Effect::Refuse(ticket, error),
        });
    }

    /// The task that a caller names: its brief if its uuid is the one asked for.
    pub(crate) fn brief(&self, id: TaskId) -> Option<(Seq, Brief)> {
        let seq = self.ids.key().seq_of(id);
        let brief = self.facts.briefs.get(&seq)?;
        (brief.id == id).then(|| (seq, brief.clone()))
    }

    /// As `brief`; a task that is not there refuses the call.
    pub(crate) fn find(&mut self, ticket: Ticket, id: TaskId) -> Option<(Seq, Brief)> {
        let found = self.brief(id);
        if found.is_none() {
            let error = Error::new(Code::NotFound, format!("there is no task {}", id.0));
            self.answer(Effect::Refuse(ticket, error));
        }
        found
    }

    /// The live run in this slot, unless it ends in this turn.
    pub(crate) fn live(&self, slot: RunSlot) -> Option<&'a Run> {
        if self.draft.ended_runs.contains(&slot) { None } else { self.memory.live.get(slot) }
    }

    /// A run ends and no longer counts for `concurrency`.
    pub(crate) fn free(&mut self, run: &Run, over: RunEnd) {
        let is_new = self.draft.ended_runs.insert(run.slot);
        debug_assert!(is_new, "run {} ends twice in a turn (I-4)", run.slot);
        self.draft.run_ends.push((run.slot, over));
        if self.has_halted(run) || !self.leave_place(run) {
            self.dispatch.take_place();
        }
        self.dispatch.end_run(run.lane.operation(), run.seq);
        self.judge_rest(run);
    }

    /// A run's task ends with it.
    pub(crate) fn end_run(&mut self, run: &Run, outcome: TaskEnd) {
        debug_assert!(self.live(run.slot).is_none(), "a task ends whose run goes on (I-4)");
        let (at, state) = (self.now_or(run.started_at), outcome.state());
        self.forget_pause(run);
        let end = Change::End {
            seq: run.seq,
            lane: run.lane,
            priority: run.priority,
            run: Some(run.run),
            outcome,
            at,
        };
        self.transition(Some(State::Running), end);
        self.let_go(run.seq, run.has_dependencies);
        self.note_lapses((run.seq, run.lane.operation()), run.lapses, false);
        if let Some(retention) = &run.retention {
            self.retain(retention, (run.seq, run.lane), state, at);
        }
    }

    /// Now, or the moment before if the clock was set back since: nothing ends before it started.
    pub(crate) fn now_or(&self, before: WallMs) -> WallMs {
        self.now.wall.max(before)
    }

    pub(crate) fn new_run(&mut self) -> RunId {
        self.ids.run(self.now.wall)
    }

    /// Writes the adds and starts into the changes.
    pub fn finish(mut self) -> Draft {
        let first = self.memory.seq_next;
        for at in 0..self.draft.starts.len() {
            let (Pick { lane, key, .. }, start) = self.draft.starts[at];
            let (seq, priority) = (key.seq, key.priority());
            debug_assert!(start.attempt > 0, "an attempt is counted before its code runs (I-10)");
            if seq >= first {
                let add = &mut self.draft.adds[(seq.0 - first.0) as usize];
                debug_assert_eq!(add.task.seq, seq, "another task has this number (I-8)");
                debug_assert_eq!(add.start, None, "task {} starts twice in a turn", seq.0);
                add.start = Some(start);
            } else {
                let is_due = self.draft.dues.remove(&seq).is_some();
                let start = Change::Start { seq, lane, priority, start, is_due };
                self.transition(Some(State::Ready), start);
            }
        }
        self.write_due();
        let operations = self
            .draft
            .operations
            .iter()
            .cloned()
            .map(|operation| Change::Operation(operation.into()));
        self.draft.changes.extend(operations);
        for at in 0..self.draft.adds.len() {
            let add = self.draft.adds[at].change(self.now.wall);
            self.transition(None, add);
            self.set_queue_timeout_of_new(at);
            self.write_dependencies(at);
            self.write_lapses(at);
            if let Some(held) = self.draft.adds[at].held.clone() {
                self.transition(Some(State::Ready), *held);
            }
        }
        self.write_gates();
        self.draft.changes.append(&mut self.draft.new_keys);
        self.write_schedules();
        self.draft.changes.append(&mut self.draft.purges);
        self.draft.notes.append(&mut self.draft.purge_notes);
        self.draft
    }
}
