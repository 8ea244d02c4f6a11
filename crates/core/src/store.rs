//! The port that every backend implements.
//!
//! Each owner drives its [`Store`] in turns: begin a [`Transaction`], catch up with what others
//! committed, look up what the plan needs, commit one batch. A transaction that is dropped is
//! rolled back. Every lookup takes a slice, so that one turn costs a store that is far away a few
//! trips, and not one per task. Reads of users go through a [`Reader`] on a connection of its own,
//! so that they never stall a turn. The seam is internal and promises nothing to outsiders.
//!
//! # Promises of an implementation
//! - What `commit` calls committed survives `kill -9`, and with durability `full` a power cut
//!   (I-1).
//! - A batch is applied whole or not at all; a change whose guard does not hold refuses the whole
//!   batch with [`Code::Fenced`](crate::error::Code::Fenced) (I-3, I-4).
//! - A transaction sees the store as it stands at one moment, and is committed only if nobody
//!   committed since.
//! - A dead owner's runs show up in [`ReadTransaction::orphans`], a living owner's never do (I-5).
//!
//! Proof: `proof::conformance`, run on the model and on SQLite.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::circuit::Circuit;
use crate::error::Result;
use crate::hold::{Hold, HoldId};
use crate::id::{IdKey, LaneId, OperationId, OwnerId, RunId, Seq, TaskId};
use crate::key::{Key, KeyKind};
use crate::rate::Arrival;
use crate::schedules::{Schedule, ScheduleName};
use crate::state::State;
use crate::task::{
    AbortReason, AttemptEnd, AttemptError, Json, LogLine, NewTask, Postponement, Priority,
    Progress, SharedOptions, Tally, TaskEnd,
};
use crate::time::WallMs;
use crate::timer::Timer;

mod lookup;
mod mirror;
mod batch;
mod gate;
mod outside;

pub use batch::{
    Batch, Commit, Entry, HoldChange, Note, PauseWish, Refused, ScheduleChange, Start,
};
pub use gate::{GATES_SWEPT_MAX, GateChange, GateId, GatesLeft};
pub use lookup::{
    Background, Brief, Expired, KeyHolder, Lookups, Orphan, Preview, QueuePart, Wait, Whose,
};
pub use mirror::{
    Head, Lane, LaneHead, LiveRun, Offers, Operation, ReadyTask, Window, WindowQuery,
};
pub use outside::{OutsideChange, OutsideRun};

/// One change to one task (or one new operation). The guard is part of the change.
#[derive(Clone, Debug)]
pub enum Change {
    /// An operation is stored for the first time, or its record gets the next version. Guard: its
    /// number and name are new, or its version is the one before.
    Operation(Box<Operation>),
    /// A task enters; `start` if the same commit also starts it.
    Add {
        /// Its number in commit order.
        seq: Seq,
        /// Its identity.
        id: TaskId,
        /// The lane it waits in.
        lane: LaneId,
        /// What the caller defined.
        def: NewTask,
        /// When.
        at: WallMs,
        /// Its first run, if it starts at once.
        start: Option<Start>,
    },
    /// A task enters and waits for its start time, with a timer at that moment.
    AddDelayed {
        /// Its number in commit order.
        seq: Seq,
        /// Its identity.
        id: TaskId,
        /// The lane in which it will wait then.
        lane: LaneId,
        /// What the caller defined.
        def: NewTask,
        /// When it entered.
        at: WallMs,
        /// When it is due.
        due_at: WallMs,
    },
    /// A task enters and has open dependencies.
    AddBlocked {
        /// Its number in commit order.
        seq: Seq,
        /// Its identity.
        id: TaskId,
        /// The lane in which it will wait when they have ended.
        lane: LaneId,
        /// What the caller defined.
        def: NewTask,
        /// When it entered.
        at: WallMs,
    },
    /// A new task depends on these, each named once, and holds them until it has ended. Stands
    /// after the task's add, in the same batch.
    DependOn {
        /// Which task.
        seq: Seq,
        /// Each dependency, and whether it is met already.
        dependencies: Arc<[(Seq, bool)]>,
    },
    /// A dependency is met: those of these tasks that wait for it do not any more.
    Met {
        /// Which dependency.
        dependency: Seq,
        /// The first and the last of those that wait.
        dependents: RangeInclusive<Seq>,
    },
    /// A blocked task is ready, because the last of its dependencies is met. Guard: it is blocked.
    Unblock {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
    },
    /// A task has ended and holds its dependencies no more.
    LetGo {
        /// Which task.
        seq: Seq,
    },
    /// A task is, or is not any more, among those that lapse: that end when the last owner stops
    /// that offers their operation. Stands behind the `Add` of its task if both are in one batch.
    Lapses {
        /// Which task.
        seq: Seq,
        /// Its operation.
        operation: OperationId,
        /// Whether it is one from now on.
        lapses: bool,
    },
    /// A timer is set that belongs to no other change.
    Timer {
        /// The timer.
        timer: Timer,
        /// The lane of its task.
        lane: LaneId,
    },
    /// The task with this number was added under this key, or takes it over. Guard: the key is
    /// new, or the task that had it last is `had_by`. Stands after the task's `Add`, if that is in
    /// the same batch (I-2).
    Key {
        /// The name of the add.
        key: Key,
        /// Which task.
        seq: Seq,
        /// How long that holds it.
        kind: KeyKind,
        /// Until when at the longest.
        until: Option<WallMs>,
        /// Which task had it last, and holds it no more, or is this very one.
        had_by: Option<Seq>,
    },
    /// The start time of a delayed task has come, and it is ready now. Guard: it is delayed.
    Due {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
    },
    /// All timers up to this one have fired: they are forgotten.
    Fired(Timer),
    /// A task starts. Guard: it is ready, or delayed if it starts as it becomes due.
    Start {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority: with the lane and the number, its place in the queue.
        priority: Priority,
        /// Its run.
        start: Start,
        /// Whether its start time has come just now: that is told as well, and written once.
        is_due: bool,
    },
    /// A task ends. Guard: it is running under `run`; if there is none it waits without a run.
    End {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// The run that ends with it.
        run: Option<RunId>,
        /// How.
        outcome: TaskEnd,
        /// When.
        at: WallMs,
    },
    /// A run is over and its task waits for another one, ready or with a timer at the moment when
    /// it is due; the attempt goes to the history. Guard: it is running under `run`.
    Release {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// The run that is over.
        run: RunId,
        /// Lost, postponed, failed, aborted by its timeout, or snoozed.
        end: AttemptEnd,
        /// What went wrong with the attempt, if something did.
        error: Option<AttemptError>,
        /// What counts from now on.
        tally: Tally,
        /// When it may start again; at once if absent.
        due_at: Option<WallMs>,
        /// When.
        at: WallMs,
    },
    /// An ended task is ready again: it is as if it had not ended, and its failures and losses in a
    /// row count no more. Its last attempt goes to the history. Guard: it has ended.
    Reopen {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// The state that it leaves. Guard: it is in this one, and that is an end.
        from: State,
        /// How its last attempt ended.
        end: AttemptEnd,
        /// What is kept of its result or error, bounded.
        kept: Option<Json>,
    },
    /// A task waits for its start time, which lies ahead, with a timer at that moment: a ready or
    /// delayed one that is to start later, or a blocked one whose last dependency is met. Guard: it
    /// waits.
    Delay {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// When it is due.
        due_at: WallMs,
    },
    /// A ready task that comes up is held until this moment, with a timer then, and stands among
    /// those that its hold has held. Stands behind the `Add` of its task if both are in one batch.
    /// Guard: it is ready.
    HoldBack {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// Which hold.
        hold: HoldId,
        /// When that is over.
        until: WallMs,
    },
    /// The hold of a held task is over before its time, and the task is ready now. Guard: it is
    /// delayed.
    Free {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// When: its start time from now on.
        at: WallMs,
    },
    /// What becomes of a hold.
    Hold(HoldChange),
    /// What becomes of a schedule.
    Schedule(ScheduleChange),
    /// The `queueTimeout` of a waiting task ends at this moment, with a timer then; it does not
    /// count if that is absent. Stands behind the `Add` of its task if both are in one batch.
    /// Guard: it is ready or delayed.
    SetQueueTimeout {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// When.
        ends_at: Option<WallMs>,
    },
    /// A waiting task gets another definition, of the same operation. Guard: it is ready, or it
    /// waits without a place in the queue if it is not queued.
    Update {
        /// Which task.
        seq: Seq,
        /// Its lane from now on, one of the same operation.
        lane: LaneId,
        /// Its lane so far.
        from_lane: LaneId,
        /// Its priority so far.
        from: Priority,
        /// Its new priority.
        to: Priority,
        /// Whether it has a place in the queue.
        is_queued: bool,
        /// What its runner gets from now on.
        data: Option<Json>,
        /// What few tasks say.
        options: SharedOptions,
        /// When it is due, if it goes on waiting for that: a timer at this moment.
        due_at: Option<WallMs>,
    },
    /// A waiting task gets another priority. Guard: it is ready, or if it is not queued it waits
    /// for something else, without a run.
    Prioritize {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority so far.
        from: Priority,
        /// Its new priority.
        to: Priority,
        /// Whether it has a place in the queue.
        is_queued: bool,
    },
    /// A ready task is put into another lane of its operation, in the same place of the queue.
    /// Guard: it is ready.
    Sort {
        /// Which task.
        seq: Seq,
        /// Its lane from now on.
        lane: LaneId,
        /// Its lane so far.
        from: LaneId,
        /// Its priority.
        priority: Priority,
    },
    /// A waiting task is taken out until it is put back. Guard: it is blocked, delayed or ready.
    Pause {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// When: what it waited for stands still from then on.
        at: WallMs,
    },
    /// A task that was taken out is ready again; a [`Change::Block`] follows if it waits for others
    /// still, or a [`Change::Delay`] if its start time lies ahead. Guard: it is paused and has no
    /// run.
    Resume {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
    },
    /// A task that was put back waits for others still, and then until the moment of its start time
    /// at least. Guard: it is ready.
    Block {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// Its start time, if it has one.
        run_at: Option<WallMs>,
    },
    /// A run is to halt at its next checkpoint, or to stay halted; or it may go on as soon as its
    /// owner has a place for it. Guard: it is running under `run`, or paused under it.
    RequestPause {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its run.
        run: RunId,
        /// What is wanted of it.
        wish: PauseWish,
    },
    /// A run halts at a checkpoint. Guard: it is running under `run`.
    PauseRun {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its run.
        run: RunId,
    },
    /// A run goes on, or is not to halt any more: its wish is forgotten. Guard: it is running or
    /// paused under `run`, and there is a wish.
    ResumeRun {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its run.
        run: RunId,
    },
    /// A running task is to be aborted: its owner fires the run's signal, and if that owner dies
    /// the task ends for this reason. The first reason for a run stays. Guard: it is running under
    /// `run`, or paused under it.
    RequestAbort {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its run.
        run: RunId,
        /// Why.
        abort: AbortReason,
    },
    /// A running task is to go back to the queue: its owner gives the run back, and if that owner
    /// dies, whoever recovers it does. The last wish for a run counts. Guard: it is running under
    /// `run`.
    RequestPostpone {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its run.
        run: RunId,
        /// Until when, and why.
        postponement: Postponement,
    },
    /// A run tells how far it is. Guard: it is running or paused under `run`.
    Progress {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its run.
        run: RunId,
        /// How far.
        progress: Progress,
    },
    /// A run's logger wrote a line. Guard: it is running or paused under `run` (I-19). Changes for
    /// a run's lines stand before the change that ends the run.
    Log {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its run.
        run: RunId,
        /// The line.
        line: LogLine,
    },
    /// An ended task goes, and with it its attempts, logs, aborts, and a unique key that it had
    /// last. The key of an outbox row stays for [`KEYS_KEPT_MS`](crate::limits::KEYS_KEPT_MS) and
    /// leads to its uuid. Guard: it is in the state `from`, and that is an end.
    Purge {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// The state that it leaves.
        from: State,
        /// When.
        at: WallMs,
    },
    /// What the owner of the batch offers from now on: to start tasks of these operations. Guard:
    /// it is registered.
    Offer(Offers),
    /// A dead owner offers nothing any more. Guard: it offered something.
    Bury(OwnerId),
    /// Keys of removed tasks whose time is over by then are forgotten, the oldest first: at most
    /// [`KEYS_SWEPT_MAX`](crate::key::KEYS_SWEPT_MAX).
    SweepKeys(WallMs),
    /// What becomes of the gate of a rate limit or of a circuit breaker.
    Gate(GateChange),
    /// What becomes of a task that executors outside take.
    Outside(OutsideChange),
}

/// Called from any thread when another owner may have committed something; must not block.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// The writing side of a backend: one owner, one thread.
///
/// What may fail gives `Busy`, `ReadOnly` or `Full`, which may pass; `Corrupt`; or `Io` if the file
/// that was opened is gone or cannot be used any more, and then the store must not be used again.
pub trait Store: Send {
    // Who we are.

    /// The owner record of this handle.
    fn owner(&self) -> OwnerId;

    /// The secret under which sequence numbers are folded into uuids; made once per database.
    fn id_key(&self) -> IdKey;

    // The other owners.

    /// Finds out which other owners have come or died; a dead one's runs are orphans from now on.
    fn refresh_owners(&mut self) -> Result<()>;

    /// Whether there are any, as far as transactions and `refresh_owners` have found.
    fn is_shared(&self) -> bool;

    /// How often `refresh_owners` and `begin_read` must be called even if nothing wakes us, in
    /// milliseconds; nothing if there is no other owner and a new one would wake us.
    fn poll_interval_ms(&self) -> Option<u64>;

    /// Calls `waker` when another owner may have committed, until the store is closed. A call may
    /// be lost: see `poll_interval_ms`.
    fn set_waker(&mut self, waker: Waker);

    // Transactions.

    /// Takes the right to write, in turn with the other owners. After an error nothing is begun.
    fn begin<'s>(&'s mut self, preview: Preview<'_>) -> Result<Box<dyn Transaction + 's>>;

    /// Begins a transaction that only reads, so that nobody waits for it.
    fn begin_read<'s>(&'s mut self) -> Result<Box<dyn ReadTransaction + 's>>;

    // Between turns.

    /// Housekeeping when nothing waits (a checkpoint, say); `is_idle` is false under load, when
    /// only what cannot wait is done. After an error the caller may go on.
    fn maintain(&mut self, is_idle: bool) -> Result<()>;

    /// Releases the owner and every file, also if it fails. Its runs, if any are left, are orphans
    /// from now on.
    fn close(self: Box<Self>) -> Result<()>;
}

/// The store as it stands at one moment. A lookup gives one answer for each item of its slice, in
/// that order. Each may fail with `Corrupt` or `Io`.
pub trait ReadTransaction {
    // Where the store stands.

    /// Whether another owner may have committed since the last transaction of this handle.
    fn has_news(&self) -> bool;

    /// The facts of the last batch.
    fn head(&mut self) -> Result<Head>;

    /// How many tasks each operation has in each state; nothing if the store does not know.
    fn totals(&mut self) -> Result<Option<crate::totals::Totals>>;

    /// Who has the store open, and how large it is.
    fn extent(&mut self) -> Result<crate::totals::Extent>;

    /// The first `batches_max` batches that were committed after batch `after`; where the journal
    /// does not reach back so far, they begin with the oldest that it keeps.
    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>>;

    // What memory mirrors.

    /// Every operation with its record, by number.
    fn operations(&mut self) -> Result<Vec<Operation>>;

    /// Where the lanes with ready tasks begin: the first `heads_max` of those whose numbers come
    /// after this one.
    fn heads(&mut self, after: LaneId, heads_max: usize) -> Result<Vec<LaneHead>>;

    /// How many runs of other owners are live, by lane.
    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>>;

    /// The runs that are live, of whichever owner, by the numbers of their tasks. What conditions
    /// look at of these is in [`ReadTransaction::contents`].
    fn live_runs(&mut self) -> Result<Vec<LiveRun>>;

    /// Every hold, by number.
    fn holds(&mut self) -> Result<Vec<Hold>>;

    /// What each other owner offers, by number. A dead one does so until it is buried.
    fn remote_offers(&mut self) -> Result<Vec<(OwnerId, Offers)>>;

    // Of the dead, who are forgotten when a batch is committed that leaves no run, no offer and no
    // attached task of theirs.

    /// The live runs of dead owners, in queue order.
    fn orphans(&mut self) -> Result<Vec<Orphan>>;

    /// The dead owners that still offer something, by number.
    fn unburied(&mut self) -> Result<Vec<OwnerId>>;

    /// The first `max` tasks by number that have not ended and are attached to us, or to the dead.
    fn attached(&mut self, whose: Whose, max: usize) -> Result<Vec<Seq>>;

    /// The first `max` tasks of an operation within these numbers that have not ended and lapse.
    fn lapsing(
        &mut self,
        operation: OperationId,
        seqs: RangeInclusive<Seq>,
        max: usize,
    ) -> Result<Vec<Seq>>;

    // Lookups.

    /// Ready tasks of lanes. Stops after the task that passes this many bytes of data, and leaves
    /// out the windows that it does not come to.
    fn windows(&mut self, windows: &[WindowQuery], bytes_max: usize) -> Result<Vec<Window>>;

    /// The first `max` timers within these bounds, in the order in which they fire.
    fn timers(&mut self, at: RangeInclusive<WallMs>, max: usize) -> Result<Vec<Timer>>;

    /// What the start of these tasks needs, each named with its operation; nothing for one that is
    /// not there. Stops after the one that passes this many bytes of data, and leaves
    /// out the answers for the rest.
    fn contents(
        &mut self,
        tasks: &[(Seq, Arc<str>)],
        bytes_max: usize,
    ) -> Result<Vec<Option<ReadyTask>>>;

    /// Tasks in brief; nothing where there is none with this number.
    fn briefs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Brief>>>;

    /// The ended tasks within these numbers whose retention is over at a moment, by number.
    fn expired(&mut self, seqs: RangeInclusive<Seq>, now: WallMs) -> Result<Vec<Expired>>;

    /// The first `max` tasks by number that a hold has held. They may have become anything since,
    /// or may not be there any more.
    fn held(&mut self, hold: HoldId, max: usize) -> Result<Vec<Seq>>;

    /// Schedules, where there is one.
    fn schedules(&mut self, names: &[ScheduleName]) -> Result<Vec<Option<Schedule>>>;

    /// How many schedules there are.
    fn count_schedules(&mut self) -> Result<usize>;

    /// The identity and the state of tasks; nothing where there is none with this number.
    fn states(&mut self, seqs: &[Seq]) -> Result<Vec<Option<(TaskId, State)>>>;

    /// Who waits for these: of each the first `each_max` by number, and no more than `max` in all,
    /// in the order of the slice.
    fn dependents(
        &mut self,
        dependencies: &[Seq],
        each_max: usize,
        max: usize,
    ) -> Result<Vec<Wait>>;

    /// For how many dependencies each of these tasks waits; counted no further than to its bound.
    fn open_dependencies(&mut self, tasks: &[(Seq, usize)]) -> Result<Vec<usize>>;

    /// The tasks that have, or had, these keys last, where there is one. Whether they hold them
    /// still is for the caller to judge, by their state and the time.
    fn find_by_keys(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyHolder>>>;

    /// The arrivals of these gates, where one is kept.
    fn gates(&mut self, gates: &[GateId]) -> Result<Vec<Option<Arrival>>>;

    /// The circuits of these gates, where one is kept.
    fn circuits(&mut self, gates: &[GateId]) -> Result<Vec<Option<Circuit>>>;

    /// What is left of the gates of an operation, if those are swept that rest at this moment.
    fn gates_left(&mut self, operation: OperationId, now: WallMs) -> Result<GatesLeft>;

    /// The errors of the last attempts in the history of these tasks, where there is one.
    fn last_errors(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Json>>>;

    /// The tasks that executors outside have, by the end of their leases.
    fn leased(&mut self) -> Result<Vec<Seq>>;

    /// The live runs that executors outside have of these tasks.
    fn outside_runs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<OutsideRun>>>;

    // For explanations.

    /// What is known of these tasks beside their briefs, each with the first of its open
    /// dependencies; nothing where there is no task with this number.
    fn backgrounds(&mut self, seqs: &[Seq], open_max: usize) -> Result<Vec<Option<Background>>>;

    /// The first tasks of these operations that have a live run, by number, whoever runs them.
    fn runs_of(&mut self, operations: &[OperationId], each_max: usize) -> Result<Vec<Vec<TaskId>>>;

    /// How many tasks these parts of the queue have; each is counted no further than to a bound.
    fn count_queued(&mut self, parts: &[QueuePart], max: usize) -> Result<Vec<usize>>;

    // Of runs.

    /// What is wanted of these live runs, where somebody has paused their tasks.
    fn pause_wishes(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<PauseWish>>>;

    /// Why these runs are to be aborted, where somebody asked for it.
    fn abort_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<AbortReason>>>;

    /// Until when these runs are to be given back, where somebody asked for it.
    fn postpone_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<Postponement>>>;
}

/// A transaction that may write. Dropped, it is as if it had never been.
pub trait Transaction: ReadTransaction {
    /// Writes a batch and ends the transaction.
    fn commit(self: Box<Self>, batch: &Batch) -> Commit;
}
