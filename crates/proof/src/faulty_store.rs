//! A store around another one, on whose way a test may stand: it fails, panics or tampers there.
//!
//! # Promises
//! - What no hook changes goes through unchanged.

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
    LiveRun, Offers, Operation, Orphan, OutsideRun, PauseWish, Preview, QueuePart, ReadTransaction,
    ReadyTask, Store, Transaction, Wait, Waker, Whose, Window, WindowQuery,
};
use tasker_core::task::{AbortReason, Json, Postponement};
use tasker_core::time::WallMs;
use tasker_core::timer::Timer;
use tasker_core::totals::{Extent, Totals};

/// A call of a store that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `begin`
    Begin,
    /// `begin_read`
    BeginRead,
    /// `refresh_owners`
    RefreshOwners,
    /// `head`
    Head,
    /// `journal`
    Journal,
    /// Of `ReadTransaction::totals`.
    Totals,
    /// Of `ReadTransaction::extent`.
    Extent,
    /// `operations`
    Operations,
    /// `remote_runs`
    RemoteRuns,
    /// `live_runs`
    LiveRuns,
    /// `remote_offers`
    RemoteOffers,
    /// `holds`
    Holds,
    /// `held`
    Held,
    /// `schedules`
    Schedules,
    /// `count_schedules`
    CountSchedules,
    /// `gates`
    Gates,
    /// `circuits`
    Circuits,
    /// `gates_left`
    GatesLeft,
    /// `orphans`
    Orphans,
    /// `unburied`
    Unburied,
    /// `lapsing`
    Lapsing,
    /// `attached`
    Attached,
    /// `heads`
    Heads,
    /// `windows`
    Windows,
    /// `contents`
    Contents,
    /// `timers`
    Timers,
    /// `expired`
    Expired,
    /// `briefs`
    Briefs,
    /// `states`
    States,
    /// `dependents`
    Dependents,
    /// `open_dependencies`
    OpenDependencies,
    /// `find_by_keys`
    FindByKeys,
    /// `leased`
    Leased,
    /// `outside_runs`
    OutsideRuns,
    /// `last_errors`
    LastErrors,
    /// `backgrounds`
    Backgrounds,
    /// `runs_of`
    RunsOf,
    /// `count_queued`
    CountQueued,
    /// `postpone_requests`
    PostponeRequests,
    /// `pause_wishes`
    PauseWishes,
    /// `abort_requests`
    AbortRequests,
    /// `maintain`
    Maintain,
    /// `close`
    Close,
}

/// What stands in the way of a store.
pub trait Hooks: Send {
    /// Comes before each call; an error is given in its place.
    ///
    /// # Errors
    /// Those that the test wants.
    fn before(&mut self, _call: Call) -> Result<()> {
        Ok(())
    }

    /// Comes before each `begin`.
    fn before_begin(&mut self, _store: &mut dyn Store, _preview: Preview<'_>) {}

    /// Comes in place of the commit.
    fn commit(&mut self, transaction: Box<dyn Transaction + '_>, batch: &Batch) -> Commit {
        transaction.commit(batch)
    }

    /// The most tasks of one window.
    fn window_max(&self) -> usize {
        usize::MAX
    }
}

/// A store with hooks around it.
pub struct FaultyStore<H> {
    inner: Box<dyn Store>,
    hooks: H,
}

impl<H: Hooks> FaultyStore<H> {
    /// Puts hooks around a store.
    pub fn new(inner: Box<dyn Store>, hooks: H) -> Self {
        Self { inner, hooks }
    }
}

impl<H: Hooks> Store for FaultyStore<H> {
    fn owner(&self) -> OwnerId {
        self.inner.owner()
    }

    fn id_key(&self) -> IdKey {
        self.inner.id_key()
    }

    fn refresh_owners(&mut self) -> Result<()> {
        self.hooks.before(Call::RefreshOwners)?;
        self.inner.refresh_owners()
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn poll_interval_ms(&self) -> Option<u64> {
        self.inner.poll_interval_ms()
    }

    fn set_waker(&mut self, waker: Waker) {
        self.inner.set_waker(waker);
    }

    fn begin<'s>(&'s mut self, preview: Preview<'_>) -> Result<Box<dyn Transaction + 's>> {
        self.hooks.before_begin(self.inner.as_mut(), preview);
        self.hooks.before(Call::Begin)?;
        let inner = self.inner.begin(preview)?;
        Ok(Box::new(Faulty { inner, hooks: &mut self.hooks }))
    }

    fn begin_read<'s>(&'s mut self) -> Result<Box<dyn ReadTransaction + 's>> {
        self.hooks.before(Call::BeginRead)?;
        let inner = self.inner.begin_read()?;
        Ok(Box::new(Faulty { inner, hooks: &mut self.hooks }))
    }

    fn maintain(&mut self, is_idle: bool) -> Result<()> {
        self.hooks.before(Call::Maintain)?;
        self.inner.maintain(is_idle)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.hooks.before(Call::Close)?;
        self.inner.close()
    }
}

/// A transaction of such a store: `T` is `dyn ReadTransaction` or `dyn Transaction`.
struct Faulty<'s, T: ?Sized, H> {
    inner: Box<T>,
    hooks: &'s mut H,
}

impl<T: ReadTransaction + ?Sized, H: Hooks> Faulty<'_, T, H> {
    fn at(&mut self, call: Call) -> Result<&mut T> {
        self.hooks.before(call)?;
        Ok(&mut self.inner)
    }
}

impl<T: ReadTransaction + ?Sized, H: Hooks> ReadTransaction for Faulty<'_, T, H> {
    fn has_news(&self) -> bool {
        self.inner.has_news()
    }

    fn head(&mut self) -> Result<Head> {
        self.at(Call::Head)?.head()
    }

    fn totals(&mut self) -> Result<Option<Totals>> {
        self.at(Call::Totals)?.totals()
    }

    fn extent(&mut self) -> Result<Extent> {
        self.at(Call::Extent)?.extent()
    }

    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        self.at(Call::Journal)?.journal(after, batches_max)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        self.at(Call::Operations)?.operations()
    }

    fn heads(&mut self, after: LaneId, heads_max: usize) -> Result<Vec<LaneHead>> {
        self.at(Call::Heads)?.heads(after, heads_max)
    }

    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        self.at(Call::RemoteRuns)?.remote_runs()
    }

    fn live_runs(&mut self) -> Result<Vec<LiveRun>> {
        self.at(Call::LiveRuns)?.live_runs()
    }

    fn remote_offers(&mut self) -> Result<Vec<(OwnerId, Offers)>> {
        self.at(Call::RemoteOffers)?.remote_offers()
    }

    fn holds(&mut self) -> Result<Vec<Hold>> {
        self.at(Call::Holds)?.holds()
    }

    fn held(&mut self, hold: HoldId, max: usize) -> Result<Vec<Seq>> {
        self.at(Call::Held)?.held(hold, max)
    }

    fn schedules(&mut self, names: &[ScheduleName]) -> Result<Vec<Option<Schedule>>> {
        self.at(Call::Schedules)?.schedules(names)
    }

    fn count_schedules(&mut self) -> Result<usize> {
        self.at(Call::CountSchedules)?.count_schedules()
    }

    fn gates(&mut self, gates: &[GateId]) -> Result<Vec<Option<Arrival>>> {
        self.at(Call::Gates)?.gates(gates)
    }

    fn circuits(&mut self, gates: &[GateId]) -> Result<Vec<Option<Circuit>>> {
        self.at(Call::Circuits)?.circuits(gates)
    }

    fn gates_left(&mut self, operation: OperationId, now: WallMs) -> Result<GatesLeft> {
        self.at(Call::GatesLeft)?.gates_left(operation, now)
    }

    fn unburied(&mut self) -> Result<Vec<OwnerId>> {
        self.at(Call::Unburied)?.unburied()
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        self.at(Call::Orphans)?.orphans()
    }

    fn lapsing(
        &mut self,
        operation: OperationId,
        seqs: RangeInclusive<Seq>,
        max: usize,
    ) -> Result<Vec<Seq>> {
        self.at(Call::Lapsing)?.lapsing(operation, seqs, max)
    }

    fn attached(&mut self, whose: Whose, max: usize) -> Result<Vec<Seq>> {
        self.at(Call::Attached)?.attached(whose, max)
    }

    fn windows(&mut self, windows: &[WindowQuery], bytes_max: usize) -> Result<Vec<Window>> {
        let mut windows = windows.to_vec();
        for query in &mut windows {
            query.tasks_max = query.tasks_max.min(self.hooks.window_max());
        }
        self.at(Call::Windows)?.windows(&windows, bytes_max)
    }

    fn timers(&mut self, at: RangeInclusive<WallMs>, max: usize) -> Result<Vec<Timer>> {
        self.at(Call::Timers)?.timers(at, max)
    }

    fn contents(
        &mut self,
        tasks: &[(Seq, Arc<str>)],
        bytes_max: usize,
    ) -> Result<Vec<Option<ReadyTask>>> {
        self.at(Call::Contents)?.contents(tasks, bytes_max)
    }

    fn briefs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Brief>>> {
        self.at(Call::Briefs)?.briefs(seqs)
    }

    fn expired(&mut self, seqs: RangeInclusive<Seq>, now: WallMs) -> Result<Vec<Expired>> {
        self.at(Call::Expired)?.expired(seqs, now)
    }

    fn states(&mut self, seqs: &[Seq]) -> Result<Vec<Option<(TaskId, State)>>> {
        self.at(Call::States)?.states(seqs)
    }

    fn dependents(
        &mut self,
        dependencies: &[Seq],
        each_max: usize,
        max: usize,
    ) -> Result<Vec<Wait>> {
        self.at(Call::Dependents)?.dependents(dependencies, each_max, max)
    }

    fn open_dependencies(&mut self, tasks: &[(Seq, usize)]) -> Result<Vec<usize>> {
        self.at(Call::OpenDependencies)?.open_dependencies(tasks)
    }

    fn find_by_keys(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyHolder>>> {
        self.at(Call::FindByKeys)?.find_by_keys(keys)
    }

    fn leased(&mut self) -> Result<Vec<Seq>> {
        self.at(Call::Leased)?.leased()
    }

    fn outside_runs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<OutsideRun>>> {
        self.at(Call::OutsideRuns)?.outside_runs(seqs)
    }

    fn last_errors(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Json>>> {
        self.at(Call::LastErrors)?.last_errors(seqs)
    }

    fn backgrounds(&mut self, seqs: &[Seq], open_max: usize) -> Result<Vec<Option<Background>>> {
        self.at(Call::Backgrounds)?.backgrounds(seqs, open_max)
    }

    fn runs_of(&mut self, operations: &[OperationId], each_max: usize) -> Result<Vec<Vec<TaskId>>> {
        self.at(Call::RunsOf)?.runs_of(operations, each_max)
    }

    fn count_queued(&mut self, parts: &[QueuePart], max: usize) -> Result<Vec<usize>> {
        self.at(Call::CountQueued)?.count_queued(parts, max)
    }

    fn pause_wishes(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<PauseWish>>> {
        self.at(Call::PauseWishes)?.pause_wishes(runs)
    }

    fn abort_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<AbortReason>>> {
        self.at(Call::AbortRequests)?.abort_requests(runs)
    }

    fn postpone_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<Postponement>>> {
        self.at(Call::PostponeRequests)?.postpone_requests(runs)
    }
}

impl<'s, H: Hooks> Transaction for Faulty<'s, dyn Transaction + 's, H> {
    fn commit(self: Box<Self>, batch: &Batch) -> Commit {
        let Faulty { inner, hooks } = *self;
        hooks.commit(inner, batch)
    }
}
