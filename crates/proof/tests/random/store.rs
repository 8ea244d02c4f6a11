//! A store that fails on request and gives no more of a lane than it must.

use std::sync::{Arc, Mutex};

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{AddKey, IdKey, LaneId, OwnerId, RunId, Seq, TaskId};
use tasker_core::store::{
    Batch, Brief, Commit, Entry, Head, Lane, Orphan, Refused, Store, Wake, Window, WindowSize,
};
use tasker_core::task::AbortReason;

/// What goes wrong once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The write lock is not to be had.
    Begin(Code),
    /// The batch cannot be written.
    Write(Code),
    /// The commit does not happen, and says so.
    Commit(Code),
    /// Nobody knows whether the commit happened; it did, or it did not.
    Unknown(bool),
}

/// What a store is told to do wrong, and whether it has done it.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) fault: Option<Fault>,
    pub(crate) is_hit: bool,
    /// Most tasks of one window.
    pub(crate) window_max: usize,
}

/// A store in trouble.
pub(crate) struct Troubled {
    pub(crate) inner: Box<dyn Store>,
    pub(crate) trouble: Arc<Mutex<Trouble>>,
}

impl Troubled {
    /// The fault, if it is one of those that strike here.
    fn strike(&self, strikes: fn(&Fault) -> bool) -> Option<Fault> {
        let mut trouble = self.trouble.lock().unwrap();
        let fault = trouble.fault.take_if(|fault| strikes(fault));
        trouble.is_hit |= fault.is_some();
        fault
    }
}

fn error(code: Code) -> Error {
    Error::new(code, "the test says so")
}

impl Store for Troubled {
    fn owner(&self) -> OwnerId {
        self.inner.owner()
    }
    fn id_key(&self) -> IdKey {
        self.inner.id_key()
    }
    fn begin(&mut self) -> Result<bool> {
        match self.strike(|fault| matches!(fault, Fault::Begin(_))) {
            Some(Fault::Begin(code)) => Err(error(code)),
            _ => self.inner.begin(),
        }
    }
    fn look(&mut self) -> Result<bool> {
        self.inner.look()
    }
    fn look_around(&mut self) -> Result<()> {
        self.inner.look_around()
    }
    fn look_every_ms(&self) -> Option<u64> {
        self.inner.look_every_ms()
    }
    fn listen(&mut self, wake: Wake) {
        self.inner.listen(wake);
    }
    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Option<Vec<Entry>>> {
        self.inner.journal(after, batches_max)
    }
    fn elsewhere(&mut self) -> Result<Vec<(LaneId, u32)>> {
        self.inner.elsewhere()
    }
    fn abort_asked(&mut self, seq: Seq, run: RunId) -> Result<Option<AbortReason>> {
        self.inner.abort_asked(seq, run)
    }
    fn head(&mut self) -> Result<Head> {
        self.inner.head()
    }
    fn lanes(&mut self) -> Result<Vec<Lane>> {
        self.inner.lanes()
    }
    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        self.inner.orphans()
    }
    fn window(&mut self, lane: &Lane, size: WindowSize) -> Result<Window> {
        let tasks_max = size.tasks_max.min(self.trouble.lock().unwrap().window_max);
        self.inner.window(lane, WindowSize { tasks_max, ..size })
    }
    fn brief(&mut self, seq: Seq) -> Result<Option<Brief>> {
        self.inner.brief(seq)
    }
    fn keyed(&mut self, key: AddKey) -> Result<Option<TaskId>> {
        self.inner.keyed(key)
    }
    fn write(&mut self, batch: &Batch) -> std::result::Result<(), Refused> {
        match self.strike(|fault| matches!(fault, Fault::Write(_))) {
            Some(Fault::Write(code)) => Err(error(code).into()),
            _ => self.inner.write(batch),
        }
    }
    fn commit(&mut self) -> Commit {
        match self.strike(|fault| matches!(fault, Fault::Commit(_) | Fault::Unknown(_))) {
            Some(Fault::Unknown(true)) => {
                self.inner.commit();
                Commit::Unknown(error(Code::Unknown))
            }
            Some(Fault::Unknown(false)) => {
                self.inner.rollback();
                Commit::Unknown(error(Code::Unknown))
            }
            Some(Fault::Commit(code)) => {
                self.inner.rollback();
                Commit::NotCommitted(error(code))
            }
            _ => self.inner.commit(),
        }
    }
    fn rollback(&mut self) {
        self.inner.rollback();
    }
    fn tidy(&mut self, is_idle: bool) -> Result<()> {
        self.inner.tidy(is_idle)
    }
    fn close(self: Box<Self>) -> Result<()> {
        self.inner.close()
    }
}
