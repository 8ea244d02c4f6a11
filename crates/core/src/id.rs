//! Names of tasks and runs.
//!
//! A task has a *sequence number* that grows in commit order and is never reused (I-8), and a
//! UUIDv7 that users see. The number is folded into the uuid under a key of the database, so that a
//! uuid finds its row without an index of its own (`docs/adr/0003-uuid-without-index.md`): the
//! index would cost a third of every insert.
//!
//! Proof: the tests below; `conformance::lookup`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use uuid::Uuid;

use crate::time::WallMs;

/// The order in which tasks were committed: 1, 2, 3 … Fits a JavaScript safe integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// The identity of a task, a UUIDv7; never used for order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub Uuid);

/// The identity of one run of a task, a UUIDv7 never used before; every write of a run names it
/// (I-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub Uuid);

/// What a caller names an add by, so that adding again makes no second task: any 16 bytes. A key
/// that grows with time keeps its table in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(pub Uuid);

/// One open handle on a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u64);

/// An operation that the store knows: 1, 2, 3 …
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u16);

/// All tasks with the same operation and the same resolved conditions: `n` · 65,536 + operation,
/// where `n` is 0 for the tasks without conditions and else counts up. Tasks that are attached to a
/// process have a lane of their own, whose `n` names the owner: nobody else starts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u64);

/// The numbers of lanes that are attached to owners begin here.
const ATTACHED: u64 = 1 << 46;

impl LaneId {
    /// The lane with number `n` of an operation.
    pub const fn new(operation: OperationId, n: u64) -> Self {
        debug_assert!(operation.0 > 0, "operations count from 1");
        debug_assert!(n < 1 << 47, "a backend stores the number with a sign");
        Self((n << 16) | operation.0 as u64)
    }

    /// Its number within its operation.
    pub const fn n(self) -> u64 {
        self.0 >> 16
    }

    /// Whether its tasks have conditions: they do unless it is plain, or of attached tasks.
    pub const fn has_conditions(self) -> bool {
        self.n() > 0 && self.attached_to().is_none()
    }

    /// The lane of the tasks of an operation that are attached to an owner.
    pub const fn attached(operation: OperationId, owner: OwnerId) -> Self {
        Self::new(operation, ATTACHED + owner.0)
    }

    /// The only owner that starts its tasks, if there is one.
    pub const fn attached_to(self) -> Option<OwnerId> {
        match (self.0 >> 16).checked_sub(ATTACHED) {
            Some(owner) => Some(OwnerId(owner)),
            None => None,
        }
    }

    /// The operation of its tasks.
    pub const fn operation(self) -> OperationId {
        OperationId(self.0 as u16)
    }
}

/// Bits of a sequence number: a JavaScript safe integer.
const SEQ_BITS: u32 = 53;
/// Half of the 62 free low bits of a UUIDv7.
const HALF_BITS: u32 = 31;
const HALF_MASK: u64 = (1 << HALF_BITS) - 1;
const ROUNDS: u64 = 6;

/// The secret of one database under which sequence numbers are folded into uuids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdKey(pub u64);

impl IdKey {
    /// The sequence number that `id` carries if it was made under this key. Any other uuid gives
    /// some number too: the caller compares the uuid of the row it finds.
    pub fn seq_of(self, id: TaskId) -> Seq {
        let low = id.0.as_u64_pair().1 & ((1 << (2 * HALF_BITS)) - 1);
        let (mut left, mut right) = (low >> HALF_BITS, low & HALF_MASK);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mix(left, round), left);
        }
        Seq(((left << HALF_BITS) | right) & ((1 << SEQ_BITS) - 1))
    }

    /// The low 62 bits of the uuid of task `seq`: a keyed permutation (Feistel), so unique per
    /// task.
    fn fold(self, seq: Seq, salt: u64) -> u64 {
        let plain = (salt << SEQ_BITS) | seq.0;
        let (mut left, mut right) = ((plain >> HALF_BITS) & HALF_MASK, plain & HALF_MASK);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mix(right, round));
        }
        (left << HALF_BITS) | right
    }

    fn mix(self, half: u64, round: u64) -> u64 {
        let mut x = half ^ self.0.rotate_left(round as u32 * 11) ^ (round << 40);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) & HALF_MASK
    }
}

/// Makes ids from a seed and the time that the caller passes.
///
/// The time part never goes backwards within one source, whatever the wall clock does (I-8).
#[derive(Debug)]
pub struct IdSource {
    key: IdKey,
    random: ChaCha8Rng,
    last_ms: u64,
}

impl IdSource {
    /// A source for a database with this key.
    pub fn new(key: IdKey, seed: [u8; 32]) -> Self {
        Self { key, random: ChaCha8Rng::from_seed(seed), last_ms: 0 }
    }

    /// The database's key.
    pub fn key(&self) -> IdKey {
        self.key
    }

    /// The uuid of the task with this sequence number.
    pub fn task(&mut self, seq: Seq, wall: WallMs) -> TaskId {
        debug_assert!(seq.0 > 0, "tasks count from 1");
        debug_assert!(seq.0 < 1 << SEQ_BITS, "JavaScript cannot count to {}", seq.0);
        let random = self.random.next_u64();
        let low = self.key.fold(seq, random >> SEQ_BITS);
        let id = TaskId(self.uuid(wall, random & 0xfff, low));
        debug_assert_eq!(self.key.seq_of(id), seq, "a uuid does not find its task (I-8)");
        id
    }

    /// A new run id.
    pub fn run(&mut self, wall: WallMs) -> RunId {
        let (high, low) = (self.random.next_u64(), self.random.next_u64());
        RunId(self.uuid(wall, high & 0xfff, low))
    }

    fn uuid(&mut self, wall: WallMs, high12: u64, low62: u64) -> Uuid {
        debug_assert!(high12 < 1 << 12, "more than the 12 bits between version and variant");
        let now = u64::try_from(wall.0).unwrap_or(0) & ((1 << 48) - 1);
        self.last_ms = self.last_ms.max(now);
        let high = (self.last_ms << 16) | 0x7000 | high12;
        let low = (0b10 << 62) | (low62 & ((1 << 62) - 1));
        let uuid = Uuid::from_u64_pair(high, low);
        debug_assert_eq!(uuid.get_version_num(), 7, "{uuid} sorts by no time");
        uuid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(key: u64) -> IdSource {
        IdSource::new(IdKey(key), [7; 32])
    }

    #[test]
    fn a_task_id_is_a_uuid_v7_that_finds_its_sequence_number() {
        let mut ids = source(0x1234_5678_9abc_def0);
        for seq in (1..5_000).chain([1 << 31, 1 << 40, (1 << 53) - 1]) {
            let id = ids.task(Seq(seq), WallMs(1_700_000_000_000));
            assert_eq!(id.0.get_version_num(), 7);
            assert_eq!(ids.key().seq_of(id), Seq(seq));
        }
    }

    #[test]
    fn a_uuid_of_another_database_does_not_find_the_same_number() {
        let id = source(1).task(Seq(42), WallMs(1_700_000_000_000));
        assert_ne!(IdKey(2).seq_of(id), Seq(42));
    }

    #[test]
    fn a_lane_names_its_operation_and_the_owner_to_which_it_is_attached() {
        let (operation, owner) = (OperationId(u16::MAX), OwnerId(7));
        for (lane, expected) in [
            (LaneId::new(operation, 0), None),
            (LaneId::new(operation, ATTACHED - 1), None),
            (LaneId::attached(operation, owner), Some(owner)),
        ] {
            assert_eq!((lane.operation(), lane.attached_to()), (operation, expected));
        }
    }

    #[test]
    fn the_time_part_never_goes_back_when_the_clock_does() {
        let mut ids = source(9);
        let first = ids.run(WallMs(2_000_000_000_000));
        let second = ids.run(WallMs(-5));
        assert_eq!(first.0.as_bytes()[..6], second.0.as_bytes()[..6]);
        assert_ne!(first, second);
    }
}
