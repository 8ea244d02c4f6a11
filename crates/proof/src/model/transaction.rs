//! A transaction: a copy of everything.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use tasker_core::changes::WatchedBatch;
use tasker_core::circuit::Circuit;
use tasker_core::error::{Code, Error, Result};
use tasker_core::hold::{Hold, HoldId};
use tasker_core::id::{LaneId, OperationId, OwnerId, RunId, Seq, TaskId};
use tasker_core::key::Key;
use tasker_core::rate::Arrival;
use tasker_core::schedules::{Schedule, ScheduleName};
use tasker_core::state::State;
use tasker_core::store::{
    Background, Batch, Brief, Commit, Entry, Expired, GATES_SWEPT_MAX, GateId, GatesLeft, Head,
    KeyHolder, LaneHead, LiveRun, Offers, Operation, Orphan, OutsideRun, PauseWish, QueuePart,
    ReadTransaction, ReadyTask, Refused, Transaction, Wait, Whose, Window, WindowQuery,
};
use tasker_core::task::{AbortReason, Json, Postponement};
use tasker_core::time::WallMs;
use tasker_core::timer::Timer;
use tasker_core::totals::{Extent, Totals};
use tasker_core::{journal, journal_notes};

use super::ModelStore;
use super::image::Image;
use super::row::Row;

/// Everything, as it stood at `begin`.
pub(super) struct ModelTransaction<'s> {
    pub(super) store: &'s mut ModelStore,
    pub(super) image: Arc<Image>,
    pub(super) has_news: bool,
}

impl Drop for ModelTransaction<'_> {
    fn drop(&mut self) {
        let owner = self.store.owner;
        self.store.disk.lock().writer.take_if(|writer| *writer == owner);
    }
}

impl ReadTransaction for ModelTransaction<'_> {
    fn has_news(&self) -> bool {
        self.has_news
    }

    fn head(&mut self) -> Result<Head> {
        Ok(self.image.head)
    }

    fn totals(&mut self) -> Result<Option<Totals>> {
        let mut totals = Totals::default();
        for row in self.image.rows() {
            totals.shift(row.lane.operation(), (None, Some(row.task.state)), 1);
        }
        Ok(Some(totals))
    }

    fn extent(&mut self) -> Result<Extent> {
        let owners = self.store.disk.lock().owners.len() as u64;
        Ok(Extent { owners, bytes: None })
    }

    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        let entries = self.image.journal.iter().filter(|entry| entry.number > after);
        Ok(entries.take(batches_max).cloned().collect())
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        Ok(self.image.operations.values().cloned().collect())
    }

    fn heads(&mut self, after: LaneId, heads_max: usize) -> Result<Vec<LaneHead>> {
        let mut heads: BTreeMap<LaneId, LaneHead> = BTreeMap::new();
        for row in self.image.queue().into_iter().filter(|row| row.lane > after) {
            let (lane, first) = (row.lane, row.key());
            match heads.get_mut(&lane) {
                Some(head) => head.next = head.next.or(Some(first)),
                None => drop(heads.insert(lane, LaneHead { lane, first, next: None })),
            }
        }
        Ok(heads.into_values().take(heads_max).collect())
    }

    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        let mut lanes = BTreeMap::new();
        for row in self.image.rows() {
            let is_remote = row.owner != self.store.owner || row.is_outside;
            if row.has_outside_run() || (row.has_live_run() && is_remote) {
                *lanes.entry(row.lane).or_default() += 1;
            }
        }
        Ok(lanes.into_iter().collect())
    }

    fn live_runs(&mut self) -> Result<Vec<LiveRun>> {
        let tasks = self.image.tasks.iter();
        let live = tasks.filter(|(_, row)| row.has_live_run() || row.has_outside_run());
        Ok(live.map(|(seq, row)| LiveRun { seq: *seq, lane: row.lane }).collect())
    }

    fn remote_offers(&mut self) -> Result<Vec<(OwnerId, Offers)>> {
        let others = self.image.offers.iter().filter(|(owner, _)| **owner != self.store.owner);
        Ok(others.map(|(owner, offers)| (*owner, offers.clone())).collect())
    }

    fn holds(&mut self) -> Result<Vec<Hold>> {
        Ok(self.image.holds.values().cloned().collect())
    }

    fn held(&mut self, hold: HoldId, max: usize) -> Result<Vec<Seq>> {
        let held = self.image.held.range((hold, Seq(0))..).take_while(|(one, _)| *one == hold);
        Ok(held.map(|(_, seq)| *seq).take(max).collect())
    }

    fn schedules(&mut self, names: &[ScheduleName]) -> Result<Vec<Option<Schedule>>> {
        let all = &self.image.schedules;
        let find = |name: &ScheduleName| match name {
            ScheduleName::Id(id) => all.values().find(|one| one.id == *id).cloned(),
            ScheduleName::No(no) => all.get(no).cloned(),
        };
        Ok(names.iter().map(find).collect())
    }

    fn count_schedules(&mut self) -> Result<usize> {
        Ok(self.image.schedules.len())
    }

    fn gates(&mut self, gates: &[GateId]) -> Result<Vec<Option<Arrival>>> {
        Ok(gates.iter().map(|gate| self.image.gates.get(gate).copied()).collect())
    }

    fn circuits(&mut self, gates: &[GateId]) -> Result<Vec<Option<Circuit>>> {
        Ok(gates.iter().map(|gate| self.image.circuits.get(gate).cloned()).collect())
    }

    fn gates_left(&mut self, operation: OperationId, now: WallMs) -> Result<GatesLeft> {
        let of = || self.image.gates_of(operation).map(|(_, _, at)| at);
        let resting = of().filter(|at| *at < now).count();
        let busy = of().filter(|at| *at >= now).min();
        Ok(match busy {
            _ if resting > GATES_SWEPT_MAX => GatesLeft::Resting,
            None => GatesLeft::Nothing,
            Some(at) => GatesLeft::Busy(at.plus(1)),
        })
    }

    fn unburied(&mut self) -> Result<Vec<OwnerId>> {
        let living = self.store.disk.lock().owners.clone();
        let all = self.image.offers.keys().copied();
        Ok(all.filter(|owner| !living.contains(owner)).collect())
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        let living = self.store.disk.lock().owners.clone();
        let has_owner = |row: &&Row| row.has_live_run() && !row.has_outside_run();
        let is_orphan = |row: &&Row| has_owner(row) && !living.contains(&row.owner);
        let mut rows: Vec<_> = self.image.rows().filter(is_orphan).collect();
        rows.sort_by(|one, other| one.in_queue_order(other));
        Ok(rows.into_iter().filter_map(Row::orphan).collect())
    }

    fn lapsing(
        &mut self,
        operation: OperationId,
        seqs: RangeInclusive<Seq>,
        max: usize,
    ) -> Result<Vec<Seq>> {
        let own =
            self.image.lapsing.iter().filter(|(of, seq)| *of == operation && seqs.contains(seq));
        Ok(own.map(|(_, seq)| *seq).take(max).collect())
    }

    fn attached(&mut self, whose: Whose, max: usize) -> Result<Vec<Seq>> {
        let (us, living) = (self.store.owner, self.store.disk.lock().owners.clone());
        let is_meant = |owner| match whose {
            Whose::Ours => owner == us,
            Whose::OfTheDead => !living.contains(&owner),
        };
        let rows = self.image.rows().filter(|row| !row.task.state.is_final());
        let rows = rows.filter(|row| row.lane.attached_to().is_some_and(is_meant));
        Ok(rows.map(|row| row.task.seq).take(max).collect())
    }

    fn windows(&mut self, windows: &[WindowQuery], bytes_max: usize) -> Result<Vec<Window>> {
        let mut left = Some(bytes_max);
        let mut found = Vec::new();
        for query in windows {
            if left.is_some() {
                found.push(self.image.window(query, &mut left));
            }
        }
        Ok(found)
    }

    fn timers(&mut self, at: RangeInclusive<WallMs>, max: usize) -> Result<Vec<Timer>> {
        let timers = self.image.timers.iter().filter(|timer| at.contains(&timer.at));
        Ok(timers.take(max).copied().collect())
    }

    fn contents(
        &mut self,
        tasks: &[(Seq, Arc<str>)],
        bytes_max: usize,
    ) -> Result<Vec<Option<ReadyTask>>> {
        let mut left = Some(bytes_max);
        let mut found = Vec::new();
        for (seq, _) in tasks {
            if left.is_some() {
                found.push(self.image.task(*seq).map(|row| row.taken(&mut left)));
            }
        }
        Ok(found)
    }

    fn briefs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Brief>>> {
        let brief = |seq: &Seq| {
            let row = self.image.task(*seq)?;
            Some(row.brief(self.image.is_needed(*seq)))
        };
        Ok(seqs.iter().map(brief).collect())
    }

    fn expired(&mut self, seqs: RangeInclusive<Seq>, now: WallMs) -> Result<Vec<Expired>> {
        let image = &self.image;
        let expired = |(seq, row): (&Seq, &Arc<Row>)| row.expired(now, image.is_needed(*seq));
        Ok(image.tasks.range(seqs).filter_map(expired).collect())
    }

    fn states(&mut self, seqs: &[Seq]) -> Result<Vec<Option<(TaskId, State)>>> {
        let state = |row: &Row| (row.task.id, row.task.state);
        Ok(seqs.iter().map(|seq| self.image.task(*seq).map(state)).collect())
    }

    fn dependents(
        &mut self,
        dependencies: &[Seq],
        each_max: usize,
        max: usize,
    ) -> Result<Vec<Wait>> {
        let of_one = |dependency: &Seq| {
            let open = self.image.waits.iter().filter(|(_, is_met)| !**is_met);
            let waits = open.map(|(wait, _)| *wait).filter(|wait| wait.dependency == *dependency);
            waits.take(each_max).collect::<Vec<_>>()
        };
        Ok(dependencies.iter().flat_map(of_one).take(max).collect())
    }

    fn open_dependencies(&mut self, tasks: &[(Seq, usize)]) -> Result<Vec<usize>> {
        let open = |(seq, max): &(Seq, usize)| {
            let waits = self.image.waits.iter().filter(|(_, is_met)| !**is_met);
            waits.filter(|(wait, _)| wait.dependent == *seq).take(*max).count()
        };
        Ok(tasks.iter().map(open).collect())
    }

    fn find_by_keys(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyHolder>>> {
        Ok(keys.iter().map(|key| self.image.keys.get(key).copied()).collect())
    }

    fn last_errors(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Json>>> {
        let error = |seq: &Seq| {
            let history = self.image.task(*seq)?.history();
            history.last()?.error.as_ref().map(|error| error.error.clone())
        };
        Ok(seqs.iter().map(error).collect())
    }

    fn leased(&mut self) -> Result<Vec<Seq>> {
        Ok(self.image.leased())
    }

    fn outside_runs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<OutsideRun>>> {
        let run = |seq: &Seq| self.image.task(*seq).and_then(Row::outside_run);
        Ok(seqs.iter().map(run).collect())
    }

    fn backgrounds(&mut self, seqs: &[Seq], open_max: usize) -> Result<Vec<Option<Background>>> {
        let background = |seq: &Seq| {
            let row = self.image.task(*seq)?;
            let waits = self.image.waits.iter().filter(|(_, is_met)| !**is_met);
            let open = waits.filter(|(wait, _)| wait.dependent == *seq);
            let open = open.filter_map(|(wait, _)| self.image.task(wait.dependency));
            Some(Background {
                ended_at: row.task.ended_at,
                last_end: row.history().last().and_then(|attempt| attempt.end),
                open: open.map(|row| row.task.id).take(open_max).collect(),
            })
        };
        Ok(seqs.iter().map(background).collect())
    }

    fn runs_of(&mut self, operations: &[OperationId], each_max: usize) -> Result<Vec<Vec<TaskId>>> {
        let of_one = |id: &OperationId| {
            let tasks = self.image.rows();
            let live = tasks.filter(|row| row.has_live_run() || row.has_outside_run());
            let own = live.filter(|row| row.lane.operation() == *id);
            own.map(|row| row.task.id).take(each_max).collect()
        };
        Ok(operations.iter().map(of_one).collect())
    }

    fn count_queued(&mut self, parts: &[QueuePart], max: usize) -> Result<Vec<usize>> {
        let queue = self.image.queue();
        let count = |part: &QueuePart| {
            let own = queue.iter().filter(|row| row.lane == part.lane);
            own.filter(|row| part.from <= row.key() && row.key() < part.to).take(max).count()
        };
        Ok(parts.iter().map(count).collect())
    }

    fn pause_wishes(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<PauseWish>>> {
        Ok(runs.iter().map(|(seq, run)| self.image.run(*seq, *run)?.wish).collect())
    }

    fn abort_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<AbortReason>>> {
        let reason = |(seq, run): &(Seq, RunId)| self.image.run(*seq, *run)?.abort.clone();
        Ok(runs.iter().map(reason).collect())
    }

    fn postpone_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<Postponement>>> {
        let wish = |(seq, run): &(Seq, RunId)| self.image.run(*seq, *run)?.postponement.clone();
        Ok(runs.iter().map(wish).collect())
    }
}

impl Transaction for ModelTransaction<'_> {
    fn commit(mut self: Box<Self>, batch: &Batch) -> Commit {
        let seen = self.image.head.number;
        if self.store.disk.lock().saved.head.number != seen {
            return Commit::Overtaken;
        }
        let image = Arc::make_mut(&mut self.image);
        for (change, what) in batch.changes.iter().enumerate() {
            if image.apply(what, batch.owner).is_none() {
                let error = Error::new(Code::Fenced, "the guard of a change does not hold");
                return Commit::Refused(Refused { change, error });
            }
        }
        let Batch { number, owner, .. } = *batch;
        image.head = batch.head();
        let transitions: Box<[u8]> = journal::pack(batch).into();
        let notes = journal_notes::pack(batch).map(Vec::into_boxed_slice);
        let watched = WatchedBatch { number, at: batch.at, transitions, notes };
        let transitions = watched.transitions.clone();
        image.watched.push(watched);
        image.journal.push(Entry { number, owner, transitions });
        self.store.seen = Some(number);
        self.store.disk.lock().saved = Arc::clone(&self.image);
        Commit::Committed
    }
}
