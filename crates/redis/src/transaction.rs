//! What happens between `begin` and `commit`: lookups, each a trip or two, and the one batch.
//!
//! # Promises
//! - A lookup hides tasks and batches that came after the transaction began.
//! - A transaction that writes and has seen that another one committed is overtaken, whatever it
//!   made of what it saw.
//!
//! # Given up
//! - What a task has become since is not hidden: a transaction is no snapshot. One that only reads
//!   may see a task as it is now; one that writes is planned again.
//!
//! Proof: `proof::conformance`.

mod lookups;
mod mirrors;
mod queues;

pub(crate) use mirrors::{Batched, ask_journal, place, totals};

use std::ops::RangeInclusive;
use std::sync::Arc;

use tasker_core::circuit::Circuit;
use tasker_core::error::Result;
use tasker_core::hold::{Hold, HoldId};
use tasker_core::id::{IdKey, LaneId, OperationId, OwnerId, RunId, Seq, TaskId};
use tasker_core::key::Key;
use tasker_core::rate::Arrival;
use tasker_core::schedules::{Schedule, ScheduleName};
use tasker_core::state::State;
use tasker_core::store::{
    Background, Batch, Brief, Commit, Entry, Expired, GateId, GatesLeft, Head, KeyHolder, LaneHead,
    LiveRun, Offers, Operation, Orphan, OutsideRun, PauseWish, QueuePart, ReadTransaction,
    ReadyTask, Transaction, Wait, Whose, Window, WindowQuery,
};
use tasker_core::task::{AbortReason, Json, Postponement};
use tasker_core::time::WallMs;
use tasker_core::timer::Timer;
use tasker_core::totals::{Extent, Totals};

use crate::ask::{Answer, Ask, Found, Stand, Want};
use crate::writer::{Looked, Writer};

/// An open transaction.
pub(crate) struct RedisTransaction<'s> {
    writer: &'s mut Writer,
    stand: Stand,
    has_news: bool,
    is_writing: bool,
    has_turn: bool,
    /// Whether one that is dead may have left something.
    has_dead: bool,
    /// Whether another one has committed since.
    has_moved: bool,
}

impl Drop for RedisTransaction<'_> {
    fn drop(&mut self) {
        if self.has_turn {
            self.writer.release_turn();
        }
    }
}

impl<'s> RedisTransaction<'s> {
    pub(crate) fn new(
        writer: &'s mut Writer,
        looked: Looked,
        has_news: bool,
        is_writing: bool,
    ) -> Self {
        let Looked { stand, has_turn, has_dead, .. } = looked;
        let has_moved = false;
        Self { writer, stand, has_news, is_writing, has_turn, has_dead, has_moved }
    }

    fn key(&self) -> IdKey {
        self.writer.id_key
    }

    fn lives(&self, owner: OwnerId) -> bool {
        self.writer.owners.lives(owner)
    }

    /// Whether a task was there when the transaction began.
    fn has(&self, seq: Seq) -> bool {
        seq < self.stand.head.seq_next
    }

    /// Makes a trip.
    fn send(&mut self, ask: Ask) -> Result<Answer> {
        let answer = ask.send(&mut self.writer.link)?;
        self.has_moved |= answer.stand != self.stand;
        Ok(answer)
    }

    /// Tasks by their numbers, as they are.
    fn rows(&mut self, seqs: &[Seq], want: Want) -> Result<Vec<Option<Found>>> {
        let mut ask = Ask::default();
        ask.rows(seqs, want);
        let key = self.key();
        let mut found = self.send(ask)?.rows(seqs, key)?;
        for (found, seq) in found.iter_mut().zip(seqs) {
            if !self.has(*seq) {
                *found = None;
            }
        }
        Ok(found)
    }
}

impl ReadTransaction for RedisTransaction<'_> {
    fn has_news(&self) -> bool {
        self.has_news
    }

    fn head(&mut self) -> Result<Head> {
        Ok(self.stand.head)
    }

    fn totals(&mut self) -> Result<Option<Totals>> {
        self.read_totals().map(Some)
    }

    fn extent(&mut self) -> Result<Extent> {
        Ok(Extent { owners: self.writer.owners.count(), bytes: None })
    }

    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        self.read_journal(after, batches_max)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        self.read_operations()
    }

    fn heads(&mut self, after: LaneId, heads_max: usize) -> Result<Vec<LaneHead>> {
        self.read_heads(after, heads_max)
    }

    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        self.read_remote_runs()
    }

    fn live_runs(&mut self) -> Result<Vec<LiveRun>> {
        let all = self.live()?;
        Ok(all.into_iter().map(|live| LiveRun { seq: live.seq, lane: live.lane }).collect())
    }

    fn holds(&mut self) -> Result<Vec<Hold>> {
        self.read_holds()
    }

    fn remote_offers(&mut self) -> Result<Vec<(OwnerId, Offers)>> {
        let own = self.writer.owner;
        Ok(self.offers()?.into_iter().filter(|(owner, _)| *owner != own).collect())
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        self.read_orphans()
    }

    fn unburied(&mut self) -> Result<Vec<OwnerId>> {
        if !self.has_dead {
            return Ok(Vec::new());
        }
        let all = self.offers()?.into_iter().map(|(owner, _)| owner);
        Ok(all.filter(|owner| !self.lives(*owner)).collect())
    }

    fn attached(&mut self, whose: Whose, max: usize) -> Result<Vec<Seq>> {
        self.read_attached(whose, max)
    }

    fn lapsing(
        &mut self,
        operation: OperationId,
        seqs: RangeInclusive<Seq>,
        max: usize,
    ) -> Result<Vec<Seq>> {
        self.read_lapsing(operation, &seqs, max)
    }

    fn windows(&mut self, windows: &[WindowQuery], bytes_max: usize) -> Result<Vec<Window>> {
        self.read_windows(windows, bytes_max)
    }

    fn timers(&mut self, at: RangeInclusive<WallMs>, max: usize) -> Result<Vec<Timer>> {
        self.read_timers(&at, max)
    }

    fn contents(
        &mut self,
        tasks: &[(Seq, Arc<str>)],
        bytes_max: usize,
    ) -> Result<Vec<Option<ReadyTask>>> {
        self.read_contents(tasks, bytes_max)
    }

    fn briefs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Brief>>> {
        self.read_briefs(seqs)
    }

    fn expired(&mut self, seqs: RangeInclusive<Seq>, now: WallMs) -> Result<Vec<Expired>> {
        self.read_expired(&seqs, now)
    }

    fn held(&mut self, hold: HoldId, max: usize) -> Result<Vec<Seq>> {
        self.read_held(hold, max)
    }

    fn schedules(&mut self, names: &[ScheduleName]) -> Result<Vec<Option<Schedule>>> {
        self.read_schedules(names)
    }

    fn count_schedules(&mut self) -> Result<usize> {
        self.read_schedule_count()
    }

    fn states(&mut self, seqs: &[Seq]) -> Result<Vec<Option<(TaskId, State)>>> {
        let found = self.rows(seqs, Want::Row)?;
        Ok(found.into_iter().map(|one| one.map(|one| (one.row.id, one.row.state))).collect())
    }

    fn dependents(
        &mut self,
        dependencies: &[Seq],
        each_max: usize,
        max: usize,
    ) -> Result<Vec<Wait>> {
        self.read_dependents(dependencies, each_max, max)
    }

    fn open_dependencies(&mut self, tasks: &[(Seq, usize)]) -> Result<Vec<usize>> {
        self.read_open_dependencies(tasks)
    }

    fn find_by_keys(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyHolder>>> {
        self.read_keys(keys)
    }

    fn gates(&mut self, gates: &[GateId]) -> Result<Vec<Option<Arrival>>> {
        self.read_gates(gates, 1, crate::packed::read_arrival)
    }

    fn circuits(&mut self, gates: &[GateId]) -> Result<Vec<Option<Circuit>>> {
        self.read_gates(gates, 2, crate::packed::read_circuit)
    }

    fn gates_left(&mut self, operation: OperationId, now: WallMs) -> Result<GatesLeft> {
        self.read_gates_left(operation, now)
    }

    fn last_errors(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Json>>> {
        let last = self.last_attempts(seqs)?;
        Ok(last.into_iter().map(|one| Some(one?.error?.error)).collect())
    }

    fn leased(&mut self) -> Result<Vec<Seq>> {
        self.read_leased()
    }

    fn outside_runs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<OutsideRun>>> {
        self.read_outside_runs(seqs)
    }

    fn backgrounds(&mut self, seqs: &[Seq], open_max: usize) -> Result<Vec<Option<Background>>> {
        self.read_backgrounds(seqs, open_max)
    }

    fn runs_of(&mut self, operations: &[OperationId], each_max: usize) -> Result<Vec<Vec<TaskId>>> {
        self.read_runs_of(operations, each_max)
    }

    fn count_queued(&mut self, parts: &[QueuePart], max: usize) -> Result<Vec<usize>> {
        self.read_queued(parts, max)
    }

    fn pause_wishes(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<PauseWish>>> {
        self.of_runs(runs, |asked| asked.wish)
    }

    fn abort_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<AbortReason>>> {
        self.of_runs(runs, |asked| asked.abort)
    }

    fn postpone_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<Postponement>>> {
        self.of_runs(runs, |asked| asked.postponement)
    }
}

impl Transaction for RedisTransaction<'_> {
    fn commit(mut self: Box<Self>, batch: &Batch) -> Commit {
        debug_assert!(self.is_writing, "a look writes nothing");
        debug_assert_eq!(batch.owner, self.writer.owner, "a batch of another owner (I-5)");
        if self.has_moved {
            return Commit::Overtaken;
        }
        let committed = self.writer.commit(batch, &self.stand);
        // The commit has given the turn back.
        self.has_turn &= !matches!(committed, Commit::Committed);
        committed
    }
}
