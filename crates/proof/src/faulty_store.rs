//! A store around another one, on whose way a test may stand: it fails, panics or tampers there.
//!
//! # Promises
//! - What no hook changes goes through unchanged.

use tasker_core::error::Result;
use tasker_core::id::{IdKey, IdempotencyKey, LaneId, OwnerId, RunId, Seq, TaskId};
use tasker_core::store::{
    Batch, Brief, Commit, Entry, Head, Lane, Orphan, Refused, Store, Waker, Window, WindowSize,
};
use tasker_core::task::AbortReason;

/// A call of a store.
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
    /// `lanes`
    Lanes,
    /// `journal`
    Journal,
    /// `remote_runs`
    RemoteRuns,
    /// `abort_request`
    AbortRequest,
    /// `orphans`
    Orphans,
    /// `window`
    Window,
    /// `brief`
    Brief,
    /// `find_by_key`
    FindByKey,
    /// `write`
    Write,
    /// `rollback`, which cannot fail
    Rollback,
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
    fn before(&mut self, _call: Call, _inner: &mut dyn Store) -> Result<()> {
        Ok(())
    }

    /// Comes in place of the commit.
    fn commit(&mut self, inner: &mut dyn Store) -> Commit {
        inner.commit()
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

    fn at(&mut self, call: Call) -> Result<&mut dyn Store> {
        self.hooks.before(call, self.inner.as_mut())?;
        Ok(self.inner.as_mut())
    }
}

impl<H: Hooks> Store for FaultyStore<H> {
    fn owner(&self) -> OwnerId {
        self.inner.owner()
    }

    fn id_key(&self) -> IdKey {
        self.inner.id_key()
    }

    fn begin(&mut self) -> Result<bool> {
        self.at(Call::Begin)?.begin()
    }

    fn begin_read(&mut self) -> Result<bool> {
        self.at(Call::BeginRead)?.begin_read()
    }

    fn refresh_owners(&mut self) -> Result<()> {
        self.at(Call::RefreshOwners)?.refresh_owners()
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

    fn head(&mut self) -> Result<Head> {
        self.at(Call::Head)?.head()
    }

    fn lanes(&mut self) -> Result<Vec<Lane>> {
        self.at(Call::Lanes)?.lanes()
    }

    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        self.at(Call::Journal)?.journal(after, batches_max)
    }

    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        self.at(Call::RemoteRuns)?.remote_runs()
    }

    fn find_by_key(&mut self, key: IdempotencyKey) -> Result<Option<TaskId>> {
        self.at(Call::FindByKey)?.find_by_key(key)
    }

    fn abort_request(&mut self, seq: Seq, run: RunId) -> Result<Option<AbortReason>> {
        self.at(Call::AbortRequest)?.abort_request(seq, run)
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        self.at(Call::Orphans)?.orphans()
    }

    fn window(&mut self, lane: &Lane, size: WindowSize) -> Result<Window> {
        let tasks_max = size.tasks_max.min(self.hooks.window_max());
        self.at(Call::Window)?.window(lane, WindowSize { tasks_max, ..size })
    }

    fn brief(&mut self, seq: Seq) -> Result<Option<Brief>> {
        self.at(Call::Brief)?.brief(seq)
    }

    fn write(&mut self, batch: &Batch) -> std::result::Result<(), Refused> {
        self.at(Call::Write)?.write(batch)
    }

    fn commit(&mut self) -> Commit {
        self.hooks.commit(self.inner.as_mut())
    }

    fn rollback(&mut self) {
        // It cannot fail: a hook may only panic here.
        let _ = self.hooks.before(Call::Rollback, self.inner.as_mut());
        self.inner.rollback();
    }

    fn maintain(&mut self, is_idle: bool) -> Result<()> {
        self.at(Call::Maintain)?.maintain(is_idle)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.at(Call::Close)?;
        self.inner.close()
    }
}
