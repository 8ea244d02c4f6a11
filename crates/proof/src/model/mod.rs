//! The store as simply as it can be said: maps in memory, and a transaction that has a copy of
//! them. Owners wait for each other, or ([`Disk::optimistic`]) overtake each other.
//!
//! What SQLite does with indexes, guards in statements and lock files is done here by looking at
//! every task. Slow on purpose: there is nothing in it to be wrong about.
//!
//! # Promises
//! - The whole contract of [`tasker_core::store`], checked by the same cases as any backend.
//!
//! Proof: `tests/model.rs`.

mod row;

mod image;

mod outside;

mod reader;
mod transaction;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_core::circuit::Circuit;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, OwnerId};
use tasker_core::store::{GateId, Preview, ReadTransaction, Store, Transaction, Waker};

pub use self::reader::ModelReader;

use self::image::Image;
use self::transaction::ModelTransaction;
use crate::conformance::{Backend, Handle};

/// A database: what lies on the disk, and who has it open.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    saved: Arc<Image>,
    /// Those that live.
    owners: BTreeSet<OwnerId>,
    owners_ever: u64,
    /// Who holds the write lock.
    writer: Option<OwnerId>,
    /// Whether there is no lock, and whoever commits first overtakes the others.
    is_optimistic: bool,
}

impl Disk {
    /// A database without a write lock, as on a server that is far away: a transaction that another
    /// one overtook is not committed.
    pub fn optimistic() -> Self {
        let disk = Disk::default();
        disk.lock().is_optimistic = true;
        disk
    }

    /// A reader of what is committed, whoever has the disk open.
    pub fn reader(&self) -> ModelReader {
        ModelReader::new(self.clone())
    }

    /// How many dependencies are held by tasks that have not ended.
    pub fn waits(&self) -> usize {
        self.lock().saved.waits.len()
    }

    /// How many gates of rate limits and of circuit breakers are kept.
    pub fn gates(&self) -> usize {
        let contents = self.lock();
        contents.saved.gates.len() + contents.saved.circuits.len()
    }

    /// What is kept of the circuit of a gate.
    pub fn circuit(&self, gate: &GateId) -> Option<Circuit> {
        self.lock().saved.circuits.get(gate).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Disk {
    fn open(&self) -> Result<Handle> {
        let mut contents = self.lock();
        contents.owners_ever += 1;
        let owner = OwnerId(contents.owners_ever);
        contents.owners.insert(owner);
        let store = Box::new(ModelStore { disk: self.clone(), owner, seen: None });
        Ok(Handle { store, reader: Box::new(ModelReader::new(self.clone())) })
    }
}

/// The writing side. Dropped, it leaves its owner dead; closing it does no more.
#[derive(Debug)]
pub struct ModelStore {
    disk: Disk,
    owner: OwnerId,
    /// The number of the last batch that we wrote or were told of.
    seen: Option<u64>,
}

impl Drop for ModelStore {
    fn drop(&mut self) {
        self.disk.lock().owners.remove(&self.owner);
    }
}

impl ModelStore {
    fn transaction(&mut self, image: Arc<Image>) -> ModelTransaction<'_> {
        let number = image.head.number;
        let has_news = self.seen.replace(number) != Some(number);
        ModelTransaction { store: self, image, has_news }
    }
}

impl Store for ModelStore {
    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn id_key(&self) -> IdKey {
        IdKey(0x5eed_0f00_0b00_c0de)
    }

    fn refresh_owners(&mut self) -> Result<()> {
        Ok(())
    }

    fn is_shared(&self) -> bool {
        self.disk.lock().owners.len() > 1
    }

    fn poll_interval_ms(&self) -> Option<u64> {
        self.is_shared().then_some(250)
    }

    fn set_waker(&mut self, _waker: Waker) {}

    fn begin<'s>(&'s mut self, _preview: Preview<'_>) -> Result<Box<dyn Transaction + 's>> {
        let mut contents = self.disk.lock();
        if contents.writer.is_some() && !contents.is_optimistic {
            return Err(Error::new(Code::Busy, "another handle writes to the model"));
        }
        contents.writer = Some(self.owner);
        let image = Arc::clone(&contents.saved);
        drop(contents);
        Ok(Box::new(self.transaction(image)))
    }

    fn begin_read<'s>(&'s mut self) -> Result<Box<dyn ReadTransaction + 's>> {
        let image = Arc::clone(&self.disk.lock().saved);
        Ok(Box::new(self.transaction(image)))
    }

    fn maintain(&mut self, is_idle: bool) -> Result<()> {
        if is_idle {
            Arc::make_mut(&mut self.disk.lock().saved).trim();
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
