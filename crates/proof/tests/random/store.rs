//! Trouble on the way to a store: it fails on request and gives no more of a lane than it must.

use std::sync::{Arc, Mutex};

use tasker_core::error::{Code, Error, Result};
use tasker_core::store::{Batch, Change, Commit, Transaction};
use tasker_proof::faulty_store::{Call, Hooks};

/// What goes wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The write lock is not to be had.
    Begin(Code),
    /// Something cannot be read.
    Read(Code, Call),
    /// The commit does not happen, and says so.
    Commit(Code),
    /// Another owner comes first, so often.
    Overtaken(u32),
    /// Nobody knows whether the commit happened; it did, or it did not.
    Unknown(bool),
    /// The commit happens, and says that it did not: no store does so, and it must be noticed.
    Lie(Code),
    /// Housekeeping fails.
    Maintain(Code),
    /// The store cannot be closed in order.
    Close(Code),
}

impl Fault {
    /// How a turn or a look fails in which it strikes; nothing if it goes on.
    pub(crate) fn code(self) -> Option<Code> {
        match self {
            Fault::Begin(code) | Fault::Read(code, _) | Fault::Commit(code) | Fault::Lie(code) => {
                Some(code)
            }
            Fault::Unknown(_) => Some(Code::Unknown),
            Fault::Overtaken(_) | Fault::Maintain(_) | Fault::Close(_) => None,
        }
    }

    fn of(call: Call, code: Code) -> Self {
        match call {
            Call::Begin => Fault::Begin(code),
            Call::Maintain => Fault::Maintain(code),
            Call::Close => Fault::Close(code),
            _ => Fault::Read(code, call),
        }
    }

    fn strikes_at(self, call: Call) -> bool {
        match self {
            Fault::Begin(_) => call == Call::Begin,
            Fault::Read(_, read) => call == read,
            Fault::Maintain(_) => call == Call::Maintain,
            Fault::Close(_) => call == Call::Close,
            Fault::Commit(_) | Fault::Overtaken(_) | Fault::Unknown(_) | Fault::Lie(_) => false,
        }
    }
}

/// A call that fails, whatever it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailingCall {
    /// Its number among the calls of this store, from 1.
    pub(crate) number: u64,
    /// With what it fails.
    pub(crate) code: Code,
    /// What happens if it is a commit.
    pub(crate) commit: Fault,
}

/// What a store is told to do wrong, and what it has done.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) fault: Option<Fault>,
    /// What has gone wrong since the last turn or look began.
    pub(crate) struck: Option<Fault>,
    /// Most tasks of one window.
    pub(crate) window_max: usize,
    pub(crate) failing: Option<FailingCall>,
    /// How many calls there were.
    pub(crate) calls: u64,
    /// What the failing call has become.
    pub(crate) failed: Option<Fault>,
}

impl Default for Trouble {
    fn default() -> Self {
        let (fault, struck, failing, failed) = (None, None, None, None);
        Self { fault, struck, window_max: usize::MAX, failing, calls: 0, failed }
    }
}

impl Trouble {
    /// One more call; the one that is to fail, if it is this one.
    fn count(&mut self) -> Option<FailingCall> {
        self.calls += 1;
        self.failing.filter(|failing| failing.number == self.calls)
    }

    fn fail(&mut self, fault: Fault) {
        (self.fault, self.failed) = (Some(fault), Some(fault));
    }

    /// The fault, if it is one of those that strike here.
    fn strike(&mut self, strikes: impl Fn(Fault) -> bool) -> Option<Fault> {
        let fault = self.fault.take_if(|fault| strikes(*fault));
        self.struck = fault.or(self.struck);
        fault
    }
}

/// Trouble that the world looks at while the store has it.
#[derive(Clone)]
pub(crate) struct Troubled(pub(crate) Arc<Mutex<Trouble>>);

fn error(code: Code) -> Error {
    Error::new(code, "the test says so")
}

/// Nobody could tell whether such a request was stored, if the run goes on in another process; nor
/// how often a task has failed since it was opened again, or whether it is paused.
fn leaves_no_trace(batch: &Batch) -> bool {
    let is_one = |change: &Change| {
        matches!(
            change,
            Change::RequestAbort { .. }
                | Change::RequestPostpone { .. }
                | Change::Reopen { .. }
                | Change::Pause { .. }
                | Change::Resume { .. }
                | Change::RequestPause { .. }
                | Change::ResumeRun { .. }
        )
    };
    batch.changes.iter().any(is_one)
}

impl Hooks for Troubled {
    fn before(&mut self, call: Call) -> Result<()> {
        let mut trouble = self.0.lock().unwrap();
        if let Some(failing) = trouble.count() {
            trouble.fail(Fault::of(call, failing.code));
        }
        match trouble.strike(|fault| fault.strikes_at(call)) {
            Some(
                Fault::Begin(code)
                | Fault::Read(code, _)
                | Fault::Maintain(code)
                | Fault::Close(code),
            ) => Err(error(code)),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, transaction: Box<dyn Transaction + '_>, batch: &Batch) -> Commit {
        let mut trouble = self.0.lock().unwrap();
        if let Some(failing) = trouble.count() {
            let is_open = matches!(failing.commit, Fault::Unknown(_)) && leaves_no_trace(batch);
            trouble.fail(if is_open { Fault::Commit(failing.code) } else { failing.commit });
        }
        let strikes = |fault| {
            matches!(
                fault,
                Fault::Commit(_) | Fault::Overtaken(_) | Fault::Unknown(_) | Fault::Lie(_)
            )
        };
        match trouble.strike(strikes) {
            Some(Fault::Commit(code)) => Commit::NotCommitted(error(code)),
            Some(Fault::Lie(code)) => {
                transaction.commit(batch);
                Commit::NotCommitted(error(code))
            }
            Some(Fault::Overtaken(times)) => {
                trouble.fault = (times > 1).then(|| Fault::Overtaken(times - 1));
                Commit::Overtaken
            }
            Some(Fault::Unknown(is_written)) => {
                if is_written {
                    transaction.commit(batch);
                }
                Commit::Unknown(error(Code::Unknown))
            }
            _ => transaction.commit(batch),
        }
    }

    fn window_max(&self) -> usize {
        self.0.lock().unwrap().window_max
    }
}
