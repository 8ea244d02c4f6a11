//! Trouble on the way to a store: it fails on request and gives no more of a lane than it must.

use std::sync::{Arc, Mutex};

use tasker_core::error::{Code, Error, Result};
use tasker_core::store::{Batch, Commit, Transaction};
use tasker_proof::faulty_store::{Call, Hooks};

/// What goes wrong once.
#[derive(Clone, Copy, Debug)]
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
}

/// What a store is told to do wrong, and whether it has done it.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) fault: Option<Fault>,
    pub(crate) is_hit: bool,
    /// Most tasks of one window.
    pub(crate) window_max: usize,
}

impl Trouble {
    /// The fault, if it is one of those that strike here.
    fn strike(&mut self, strikes: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let fault = self.fault.take_if(|fault| strikes(fault));
        self.is_hit |= fault.is_some();
        fault
    }
}

/// Trouble that the world looks at while the store has it.
#[derive(Clone)]
pub(crate) struct Troubled(pub(crate) Arc<Mutex<Trouble>>);

fn error(code: Code) -> Error {
    Error::new(code, "the test says so")
}

impl Hooks for Troubled {
    fn before(&mut self, call: Call) -> Result<()> {
        let strikes = |fault: &Fault| match fault {
            Fault::Begin(_) => call == Call::Begin,
            Fault::Read(_, read) => call == *read,
            Fault::Commit(_) | Fault::Overtaken(_) | Fault::Unknown(_) => false,
        };
        match self.0.lock().unwrap().strike(strikes) {
            Some(Fault::Begin(code) | Fault::Read(code, _)) => Err(error(code)),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, transaction: Box<dyn Transaction + '_>, batch: &Batch) -> Commit {
        let mut trouble = self.0.lock().unwrap();
        if let Some(Fault::Overtaken(times)) = &mut trouble.fault
            && *times > 0
        {
            *times -= 1;
            return Commit::Overtaken;
        }
        let strikes = |fault: &Fault| matches!(fault, Fault::Commit(_) | Fault::Unknown(_));
        match trouble.strike(strikes) {
            Some(Fault::Unknown(is_written)) => {
                if is_written {
                    transaction.commit(batch);
                }
                Commit::Unknown(error(Code::Unknown))
            }
            Some(Fault::Commit(code)) => Commit::NotCommitted(error(code)),
            _ => transaction.commit(batch),
        }
    }

    fn window_max(&self) -> usize {
        self.0.lock().unwrap().window_max
    }
}
