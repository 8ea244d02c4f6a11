//! The port that a backend implements for its reading side: tasks, page by page.
//!
//! # Promises of an implementation
//! - A snapshot shows what was committed before it was taken, and nothing later, until it is
//!   renewed or ended (I-16).
//! - A page leaves out no task within its bounds; those of a filter are only there to spare work.
//!
//! # Left to others
//! What matches, in which order and how much of it: nothing is decided here.
//!
//! Proof: `proof::conformance`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::filter::Filter;
use super::outline::Outlines;
use crate::changes::WatchedBatch;
use crate::error::Result;
use crate::id::{IdKey, LaneId, OperationId, Seq};
use crate::index::{IndexPath, Key, KeyRange};
use crate::query::Direction;
use crate::range::Range;
use crate::read::{Interrupted, LogsPart, Verified};
use crate::schedules::Schedule;
use crate::store::{Head, Operation};
use crate::task::{Attempt, LogLine, Priority, TaskRecord};
use crate::totals::Totals;

/// A connection to read with.
pub trait Pages: Send {
    /// What it sees at one moment, as long as it is looked at.
    type Snapshot<'p>: Snapshot
    where
        Self: 'p;

    /// The secret under which sequence numbers are folded into uuids.
    fn id_key(&self) -> IdKey;

    /// Another connection to read with; nothing if there can be none.
    fn another(&self) -> Option<Self>
    where
        Self: Sized;

    /// The snapshot that is open; takes one if none is. It stays open when the value is dropped.
    ///
    /// # Errors
    /// `Corrupt` or `Io`.
    fn snapshot(&mut self) -> Result<Self::Snapshot<'_>>;

    /// Ends the snapshot, if one is open.
    fn end(&mut self);

    /// Where the store stands now, while no snapshot is open.
    ///
    /// # Errors
    /// `Corrupt` or `Io`.
    fn head(&mut self) -> Result<Head>;

    /// As [`Reader::back_up`](crate::reader::Reader::back_up).
    ///
    /// # Errors
    /// As there.
    fn back_up(&mut self, to: &Path, interrupted: Interrupted) -> Result<()>;

    /// As [`Reader::verify`](crate::reader::Reader::verify).
    ///
    /// # Errors
    /// As there.
    fn verify(&mut self, interrupted: Interrupted) -> Result<Verified>;
}

/// One state of the store. Every call fails with `Corrupt` or `Io`.
///
/// A task comes without its history of attempts: only with the last one, if it is in its row.
#[allow(clippy::missing_errors_doc, reason = "the trait says it for all")]
pub trait Snapshot {
    /// From now on what is committed now is seen. What was read before is not asked for again.
    fn renew(&mut self) -> Result<()>;

    /// Whether what was read of tasks since it was taken, or renewed, may be of several states, as
    /// where a backend has no old ones.
    fn has_moved(&self) -> bool {
        false
    }

    /// Where the store stands.
    fn head(&mut self) -> Result<Head>;

    /// The first `batches_max` commits behind commit `after`, or fewer because of their bytes;
    /// where the journal does not reach back so far, they begin with the oldest that it keeps.
    fn batches(&mut self, after: u64, batches_max: usize) -> Result<Vec<WatchedBatch>>;

    /// Every operation with its record, by number.
    fn operations(&mut self) -> Result<Vec<Operation>>;

    /// The first schedules by id, from this one on.
    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>>;

    /// One task, or nothing if there is none with this number.
    fn task(&mut self, seq: Seq, columns: Columns) -> Result<Option<TaskRecord>>;

    /// The first ready task of each lane that has one, by number of the lane: at most `lanes_max`
    /// lanes behind lane `after`, or from the first one on.
    fn queue_heads(&mut self, after: Option<LaneId>, lanes_max: usize) -> Result<Vec<QueueHead>>;

    /// The ready tasks of a lane behind a place, or those waiting tasks that have no place in a
    /// lane, in queue order.
    fn queue(&mut self, part: QueuePart, columns: Columns) -> Result<Vec<TaskRecord>>;

    /// The numbers of the running tasks, by start. There are no more than run at once.
    fn running(&mut self) -> Result<Vec<Seq>>;

    /// The outlines of all blocks in which there are tasks; nothing if they are not kept.
    fn outlines(&mut self) -> Result<Option<Outlines>>;

    /// How many tasks each operation has; nothing if that is not kept.
    fn totals(&mut self) -> Result<Option<Totals>>;

    /// The numbers of the operations with these names.
    fn operation_ids(&mut self, names: &BTreeSet<Box<str>>) -> Result<BTreeSet<OperationId>>;

    /// The next number in a stretch that a task has, from the end where the direction begins.
    fn next_number(&mut self, seqs: Range<Seq>, direction: Direction) -> Result<Option<Seq>>;

    /// The tasks of a stretch of numbers that the filter lets through, in order. They are all if
    /// that is true; else those behind the last one are left out, because of their bytes.
    fn numbers(
        &mut self,
        part: NumbersPart,
        filter: &Filter,
        columns: Columns,
    ) -> Result<(Vec<TaskRecord>, bool)>;

    /// The own fields of which there is an index now.
    fn indexes(&mut self) -> Result<Vec<IndexPath>>;

    /// The next entries of an index, by key and number; nothing if there is no such index any more.
    /// A key may be given that stands beside the range, but none that stands in it is left out.
    fn entries(&mut self, part: EntriesPart<'_>) -> Result<Option<Vec<(Key, Seq)>>>;

    /// The attempts of a task that are in its history, oldest first, and how many before them are
    /// not kept.
    fn attempts(&mut self, seq: Seq) -> Result<(Vec<Attempt>, u32)>;

    /// The number of the last log line of a task; 0 if it has none.
    fn last_log(&mut self, seq: Seq) -> Result<u32>;

    /// Tells log lines of a task, in order, until `take` refuses one: with its error.
    fn logs(
        &mut self,
        seq: Seq,
        part: LogsPart,
        take: &mut dyn FnMut(LogLine) -> Result<()>,
    ) -> Result<()>;
}

/// How much of a task is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Without its data and its outcome: they may be long, and may lie apart.
    Narrow,
    /// All.
    Wide,
}

/// A place in a queue: greater priority first, then smaller sequence number (I-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How soon.
    pub priority: Priority,
    /// In commit order.
    pub seq: Seq,
}

/// Where the queue of a lane begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueHead {
    /// Its number.
    pub lane: LaneId,
    /// Its operation.
    pub operation: Arc<str>,
    /// The place of its first ready task.
    pub place: Place,
}

/// A part of the queue of a lane, or of the tasks that wait outside the lanes.
#[derive(Clone, Copy, Debug)]
pub struct QueuePart {
    /// Which lane; nothing for the tasks that wait and are not ready.
    pub lane: Option<LaneId>,
    /// What stands behind this place …
    pub after: Place,
    /// … down to this priority.
    pub priority_low: Priority,
    /// So many tasks at most.
    pub tasks_max: usize,
}

/// A part of an index of an own field.
#[derive(Clone, Copy, Debug)]
pub struct EntriesPart<'p> {
    /// Of which field.
    pub path: &'p IndexPath,
    /// Which keys.
    pub range: &'p KeyRange,
    /// Only what stands behind this entry.
    pub after: Option<&'p (Key, Seq)>,
    /// So many at most.
    pub max: usize,
}

/// A stretch of numbers to be read at once.
#[derive(Clone, Copy, Debug)]
pub struct NumbersPart {
    /// The numbers.
    pub seqs: Range<Seq>,
    /// The states of the tasks, a bit for each code.
    pub states: u16,
    /// Which come first.
    pub direction: Direction,
}
