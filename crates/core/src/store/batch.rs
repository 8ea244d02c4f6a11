//! What one turn writes, what becomes of it, and what the journal keeps of it.

use super::{Change, Head};
use crate::error::Error;
use crate::hold::{Hold, HoldId};
use crate::id::{OwnerId, RunId, Seq, TaskId};
use crate::range::Range;
use crate::schedules::{Schedule, ScheduleNo};
use crate::state::{Counts, State};
use crate::task::Priority;
use crate::time::WallMs;

/// What one turn writes, in one transaction with one sync.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its number: one more than that of the last commit. The journal's key.
    pub number: u64,
    /// Who writes it.
    pub owner: OwnerId,
    /// When, by the clock of its owner.
    pub at: WallMs,
    /// The next sequence number that is free after it.
    pub seq_next: Seq,
    /// The next free number of a lane after it.
    pub lane_next: u64,
    /// How many tasks are in each state after it.
    pub counts: Counts,
    /// What changes, in order.
    pub changes: Vec<Change>,
    /// What the task was before each change whose rule
    /// [needs a note](crate::transition::TransitionRule::needs_note), in their order. Those who
    /// watch tasks know less without it.
    pub notes: Vec<Note>,
}

/// What a task was before a change of it that does not say so; see [`crate::journal_notes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its state.
    pub state: State,
    /// Its priority, if whoever wrote it had that at hand.
    pub priority: Option<Priority>,
    /// Its identity, if the step removes it.
    pub id: Option<TaskId>,
}

impl Batch {
    /// Where the store stands after it.
    pub fn head(&self) -> Head {
        let Batch { number, seq_next, lane_next, counts, .. } = *self;
        Head { number, seq_next, lane_next, counts }
    }

    /// The first and the last of the moments at which tasks enter or end by it, if any does.
    pub fn task_times(&self) -> Option<Range<WallMs>> {
        let times = self.changes.iter().filter_map(Change::task_time);
        times.fold(None, |range: Option<Range<WallMs>>, at| {
            let Range { low, high } = range.unwrap_or(Range { low: at, high: at });
            Some(Range { low: low.min(at), high: high.max(at) })
        })
    }
}

impl Change {
    /// When a task enters or ends by it.
    fn task_time(&self) -> Option<WallMs> {
        match self {
            Change::Add { at, .. }
            | Change::AddDelayed { at, .. }
            | Change::AddBlocked { at, .. }
            | Change::End { at, .. } => Some(*at),
            Change::Operation(_)
            | Change::Key { .. }
            | Change::Due { .. }
            | Change::Fired(_)
            | Change::Start { .. }
            | Change::Release { .. }
            | Change::Reopen { .. }
            | Change::Delay { .. }
            | Change::HoldBack { .. }
            | Change::Free { .. }
            | Change::Hold(_)
            | Change::Schedule(_)
            | Change::Prioritize { .. }
            | Change::Update { .. }
            | Change::Purge { .. }
            | Change::SweepKeys(_)
            | Change::Gate(_)
            | Change::Outside(_)
            | Change::Sort { .. }
            | Change::Offer(_)
            | Change::Bury(_)
            | Change::SetQueueTimeout { .. }
            | Change::DependOn { .. }
            | Change::Met { .. }
            | Change::Unblock { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. }
            | Change::Timer { .. }
            | Change::RequestAbort { .. }
            | Change::Progress { .. }
            | Change::RequestPostpone { .. }
            | Change::Pause { .. }
            | Change::Resume { .. }
            | Change::Block { .. }
            | Change::RequestPause { .. }
            | Change::PauseRun { .. }
            | Change::ResumeRun { .. }
            | Change::Log { .. } => None,
        }
    }
}

/// A run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its new id.
    pub run: RunId,
    /// Which attempt it is; 1 is the first.
    pub attempt: u32,
    /// When.
    pub at: WallMs,
}

/// What somebody who pauses or resumes a task wants of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseWish {
    /// It halts at its next checkpoint, and stays halted.
    Halt,
    /// It has halted, and may go on when there is a place for it.
    GoOn,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Commit {
    /// It is on disk.
    Committed,
    /// The guard of a change does not hold; the store is as before.
    Refused(Refused),
    /// Another owner committed since the transaction began; the store is as before. Catch up and
    /// plan again.
    Overtaken,
    /// It cannot be written; the store is as before and can be used.
    NotCommitted(Error),
    /// Nobody knows whether it is on disk; the store must not be used again.
    Unknown(Error),
}

/// A change whose guard does not hold.
#[derive(Debug)]
pub struct Refused {
    /// Its index in `Batch::changes`.
    pub change: usize,
    /// `Fenced`, and why.
    pub error: Error,
}

/// What another owner committed, or we ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of the batch.
    pub number: u64,
    /// Who wrote it.
    pub owner: OwnerId,
    /// What it did, as [`crate::journal::unpack`] reads it.
    pub transitions: Box<[u8]>,
}

/// A change of a hold.
#[derive(Clone, Debug)]
pub enum HoldChange {
    /// It is made, with a timer at its end. Guard: its number is new.
    Make(Box<Hold>),
    /// It is over before its time. Guard: nobody has released it.
    Release(HoldId),
    /// The tasks that it has held up to this number are looked after, and forgotten; without a
    /// number all of them, and the hold with them.
    Sweep(HoldId, Option<Seq>),
}

/// A change of a schedule. One that has a next tick has a timer then.
#[derive(Clone, Debug)]
pub enum ScheduleChange {
    /// It is stored for the first time. Guard: its number and its id are new.
    Make(Box<Schedule>),
    /// It gets its next version. Guard: it has the one before.
    Change(Box<Schedule>),
    /// It goes. Guard: it has this version.
    Remove(ScheduleNo, u32),
}
