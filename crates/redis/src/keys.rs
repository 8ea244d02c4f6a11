//! The names of keys behind the prefix of a store. All share its slot: `{prefix}h`, `{prefix}q` …
//!
//! Sets in order have the score 0 throughout, so that they sort by their members' bytes, and one
//! set serves all lanes, owners or operations: a part of it is a range.

use tasker_core::id::{LaneId, OperationId, OwnerId, Seq};
use tasker_core::queue::QueueKey;
use tasker_core::rate::RateKey;
use tasker_core::task::Priority;
use tasker_core::time::WallMs;
use tasker_core::timer::Timer;

use crate::bytes::{descending, sortable};

/// Number, stamp and the facts of the last batch, the schema version, the key of the ids.
pub(crate) const HEAD: &str = "h";
// Only scripts name these: `n`, the owners that live, each with the secret of its session; `nb`,
// how often each was heard of; `t`, who has the turn, while it lasts.
/// The journal: a stream with an entry for each batch.
pub(crate) const JOURNAL: &str = "j";
/// The channel on which commits are told.
pub(crate) const CHANNEL: &str = "w";
/// Operations by number, and their numbers by name.
pub(crate) const OPERATIONS: &str = "op";
pub(crate) const OPERATION_NAMES: &str = "on";
/// How many tasks each operation has in each state.
pub(crate) const TOTALS: &str = "to";
/// The buckets in which there are tasks, in order.
pub(crate) const BUCKETS: &str = "b";
/// Ready tasks by lane, priority and number.
pub(crate) const READY: &str = "q";
/// Tasks that wait and are not ready, by priority and number.
pub(crate) const UNQUEUED: &str = "uq";
/// Live runs and claims, by number.
pub(crate) const LIVE: &str = "u";
/// Tasks that have not ended and are attached, by owner and number.
pub(crate) const ATTACHED: &str = "at";
/// What executors have, by the end of the lease.
pub(crate) const LEASES: &str = "le";
/// Tasks that lapse, by operation and number.
pub(crate) const LAPSING: &str = "la";
/// Timers in the order in which they fire.
pub(crate) const TIMERS: &str = "z";
/// Who depends on whom: by dependency, and by dependent; of these again those that are open.
pub(crate) const NEEDED: &str = "wn";
pub(crate) const NEEDS: &str = "wb";
pub(crate) const OPEN: &str = "wo";
pub(crate) const OPEN_OF: &str = "wp";
/// Keys of tasks; those of each task; those of removed tasks by the end of their time.
pub(crate) const KEYS: &str = "k";
pub(crate) const KEYS_OF: &str = "ks";
pub(crate) const KEYS_UNTIL: &str = "ku";
/// Holds, and what they have held.
pub(crate) const HOLDS: &str = "ho";
pub(crate) const HELD: &str = "hh";
/// Schedules by number, their numbers by id, and their ids in order.
pub(crate) const SCHEDULES: &str = "sc";
pub(crate) const SCHEDULE_NAMES: &str = "sn";
pub(crate) const SCHEDULE_ORDER: &str = "so";
/// Gates, and by operation and moment when they rest.
pub(crate) const GATES: &str = "g";
pub(crate) const GATES_REST: &str = "gr";
/// How many live runs and attached tasks each owner has, so that the dead are seen at once.
pub(crate) const BELONGINGS: &str = "bo";
/// What owners offer.
pub(crate) const OFFERS: &str = "of";

/// A row, its data and its outcome lie in hashes of so many tasks.
pub(crate) const BUCKET_BITS: u32 = 12;

/// The hash of the bucket of a task: `r` for rows, `d` for data, `e` for outcomes.
pub(crate) fn bucket(kind: char, seq: Seq) -> String {
    format!("{kind}:{}", seq.0 >> BUCKET_BITS)
}

/// The field of a task in its bucket.
pub(crate) fn field(seq: Seq) -> [u8; 2] {
    ((seq.0 & ((1 << BUCKET_BITS) - 1)) as u16).to_be_bytes()
}

/// The history of attempts of a task.
pub(crate) fn attempts(seq: Seq) -> String {
    format!("a:{}", seq.0)
}

/// The log lines of a task.
pub(crate) fn logs(seq: Seq) -> String {
    format!("l:{}", seq.0)
}

/// Parts one after the other.
pub(crate) fn join<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    parts.concat()
}

/// A pair of numbers, as entries of sets have them.
pub(crate) fn pair(one: u64, other: u64) -> Vec<u8> {
    join([&one.to_be_bytes(), &other.to_be_bytes()])
}

pub(crate) fn unqueued(priority: Priority, seq: Seq) -> Vec<u8> {
    join([&descending(priority), &seq.0.to_be_bytes()])
}

pub(crate) fn ready(lane: LaneId, key: QueueKey) -> Vec<u8> {
    join([&lane.0.to_be_bytes(), &descending(key.priority()), &key.seq.0.to_be_bytes()])
}

pub(crate) fn timer(timer: Timer) -> Vec<u8> {
    join([&sortable(timer.at), &[timer.kind.code()], &timer.seq.0.to_be_bytes()])
}

pub(crate) fn lapsing(operation: OperationId, seq: Seq) -> Vec<u8> {
    join([&operation.0.to_be_bytes(), &seq.0.to_be_bytes()])
}

/// The field of a gate; `kind` tells a rate limit from a circuit.
pub(crate) fn gate(kind: u8, operation: OperationId, key: &RateKey) -> Vec<u8> {
    join([&operation.0.to_be_bytes(), &[kind], key.as_bytes()])
}

pub(crate) fn gate_rest(operation: OperationId, at: WallMs) -> Vec<u8> {
    join([&operation.0.to_be_bytes(), &sortable(at)])
}

pub(crate) fn owner(owner: OwnerId) -> [u8; 8] {
    owner.0.to_be_bytes()
}
