//! What a watch reads of a store: one state of it.

use std::sync::Arc;

use crate::error::Result;
use crate::id::{OperationId, Seq};
use crate::task::TaskRecord;
use crate::time::WallMs;

/// Where a store stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The number of the last commit; 0 for a new store.
    pub number: u64,
    /// When that was written; 0 for a new store.
    pub at: WallMs,
}

/// A commit in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedBatch {
    /// Its number.
    pub number: u64,
    /// When it was written.
    pub at: WallMs,
    /// What it did, as [`crate::journal::unpack`] reads it.
    pub transitions: Box<[u8]>,
    /// What tasks were before, as [`crate::journal_notes::unpack`] reads it.
    pub notes: Option<Box<[u8]>>,
}

/// What looks at a store at one moment.
pub type Looking<'l> = &'l mut dyn FnMut(&mut dyn Changes) -> Result<()>;

/// A store at one moment. Every call fails with `Corrupt` or `Io`.
#[allow(clippy::missing_errors_doc, reason = "the trait says it for all")]
pub trait Changes {
    /// Where the store stands.
    fn stand(&mut self) -> Result<Stand>;

    /// The first `batches_max` commits behind commit `after`; where the journal does not reach back
    /// so far, they begin with the oldest that it keeps.
    fn batches(&mut self, after: u64, batches_max: usize) -> Result<Vec<WatchedBatch>>;

    /// The name of an operation.
    fn operation(&mut self, id: OperationId) -> Result<Option<Arc<str>>>;

    /// A task with its attempts, or nothing if it is not there any more.
    fn task(&mut self, seq: Seq) -> Result<Option<TaskRecord>>;
}
