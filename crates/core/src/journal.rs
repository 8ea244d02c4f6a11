//! The journal: what each batch did to which task, packed into a few bytes.
//!
//! One blob per batch. An owner that knows its position catches up from the blobs of later batches,
//! and the audit compares a task's last step with its state.
//!
//! The format is a sequence of groups: a step code (one byte), the distance of the lane from that
//! of the group before (zigzag varint), the distance of the first sequence number from the last one
//! named before (zigzag varint) and how many consecutive numbers the group has (varint). Codes are
//! stored in the file and never change; the free ones belong to later versions.
//!
//! # Promises
//! - What was packed comes back in the same order (I-11); anything else is `Corrupt`, never a
//!   guess.
//!
//! # Left to others
//! Storing and trimming the blobs is the backend's work.
//!
//! Proof: the tests below; `proof::conformance::journal`.

use crate::error::{Code, Error, Result};
use crate::id::{LaneId, RunId, Seq};
use crate::state::State;
use crate::store::{Batch, Change};
use crate::task::{AttemptEnd, TaskEnd};

/// What happened to a task in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TransitionKind {
    /// It entered and waits.
    Add = 1,
    /// It entered and started in the same commit.
    AddStart = 2,
    /// A run began.
    Start = 3,
    /// The runner returned.
    Done = 4,
    /// The runner threw, or the engine gave up.
    Fail = 5,
    /// A decision ended it while it ran.
    Abort = 6,
    /// A stop gave its run back.
    Postpone = 7,
    /// The process of its run died; it waits again.
    Lost = 8,
    /// It got another priority.
    Prioritize = 9,
    /// A decision ended it before it ran.
    Withdraw = 10,
    /// It runs and is to be aborted by the owner of its run.
    RequestAbort = 11,
}

/// What a batch did to one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which task.
    pub seq: Seq,
    /// Its lane.
    pub lane: LaneId,
    /// What happened to it.
    pub kind: TransitionKind,
}

/// The most tasks of one group, so that a damaged count cannot make a reader run for ever.
const GROUP_MAX: u64 = 1 << 16;

impl TransitionKind {
    /// Every step, by code.
    pub const ALL: &[TransitionKind] = &[
        TransitionKind::Add,
        TransitionKind::AddStart,
        TransitionKind::Start,
        TransitionKind::Done,
        TransitionKind::Fail,
        TransitionKind::Abort,
        TransitionKind::Postpone,
        TransitionKind::Lost,
        TransitionKind::Prioritize,
        TransitionKind::Withdraw,
        TransitionKind::RequestAbort,
    ];

    /// The code under which it is stored.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The step with this stored code.
    pub fn from_code(code: u8) -> Option<TransitionKind> {
        TransitionKind::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// The state in which the step leaves the task; nothing if it does not move it.
    pub const fn state(self) -> Option<State> {
        match self {
            TransitionKind::Add | TransitionKind::Postpone | TransitionKind::Lost => {
                Some(State::Ready)
            }
            TransitionKind::AddStart | TransitionKind::Start => Some(State::Running),
            TransitionKind::Done => Some(State::Done),
            TransitionKind::Fail => Some(State::Failed),
            TransitionKind::Abort | TransitionKind::Withdraw => Some(State::Aborted),
            TransitionKind::Prioritize | TransitionKind::RequestAbort => None,
        }
    }
}

impl Transition {
    /// What a change does to its task, if others are told of it.
    pub fn of(change: &Change) -> Option<Transition> {
        let (seq, lane, kind) = match change {
            Change::Lane(_) | Change::Key { .. } | Change::Progress { .. } | Change::Log { .. } => {
                return None;
            }
            Change::Add { seq, lane, start: None, .. } => (seq, lane, TransitionKind::Add),
            Change::Add { seq, lane, start: Some(_), .. } => (seq, lane, TransitionKind::AddStart),
            Change::Start { seq, lane, .. } => (seq, lane, TransitionKind::Start),
            Change::End { seq, lane, run, outcome, .. } => (seq, lane, end_of(*run, outcome)),
            Change::Release { seq, lane, end: AttemptEnd::Postponed, .. } => {
                (seq, lane, TransitionKind::Postpone)
            }
            Change::Release { seq, lane, .. } => (seq, lane, TransitionKind::Lost),
            Change::Prioritize { seq, lane, .. } => (seq, lane, TransitionKind::Prioritize),
            Change::RequestAbort { seq, lane, .. } => (seq, lane, TransitionKind::RequestAbort),
        };
        Some(Transition { seq: *seq, lane: *lane, kind })
    }
}

fn end_of(run: Option<RunId>, outcome: &TaskEnd) -> TransitionKind {
    match (run, outcome) {
        (_, TaskEnd::Done(_)) => TransitionKind::Done,
        (_, TaskEnd::Failed(..)) => TransitionKind::Fail,
        (Some(_), TaskEnd::Aborted(..)) => TransitionKind::Abort,
        (None, TaskEnd::Aborted(..)) => TransitionKind::Withdraw,
    }
}

/// The journal entry of a batch.
pub fn pack(batch: &Batch) -> Vec<u8> {
    let mut packer = Packer::default();
    batch.changes.iter().filter_map(Transition::of).for_each(|transition| packer.push(transition));
    packer.finish()
}

/// Packs steps one by one.
#[derive(Debug, Default)]
pub struct Packer {
    bytes: Vec<u8>,
    last: u64,
    lane: u32,
    group: Option<Group>,
}

/// Consecutive tasks of one lane with the same step.
#[derive(Clone, Copy, Debug)]
struct Group {
    kind: TransitionKind,
    lane: LaneId,
    first: u64,
    count: u64,
}

impl Packer {
    /// Adds one.
    pub fn push(&mut self, Transition { seq, lane, kind }: Transition) {
        if let Some(group) = &mut self.group
            && (group.kind, group.lane) == (kind, lane)
            && group.first.checked_add(group.count) == Some(seq.0)
            && group.count < GROUP_MAX
        {
            group.count += 1;
            return;
        }
        self.flush();
        self.group = Some(Group { kind, lane, first: seq.0, count: 1 });
    }

    /// The packed bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.bytes
    }

    fn flush(&mut self) {
        let Some(Group { kind, lane, first, count }) = self.group.take() else { return };
        self.bytes.push(kind.code());
        put_varint(&mut self.bytes, zigzag(i64::from(lane.0) - i64::from(self.lane)));
        put_varint(&mut self.bytes, zigzag(first.wrapping_sub(self.last) as i64));
        put_varint(&mut self.bytes, count);
        (self.last, self.lane) = (first + (count - 1), lane.0);
    }
}

/// What a packed entry did, in order.
///
/// # Errors
/// Each item may be [`Code::Corrupt`]; nothing follows it.
pub fn unpack(bytes: &[u8]) -> Transitions<'_> {
    Transitions { bytes, last: 0, lane: 0, group: None }
}

/// Iterator of [`unpack`].
#[derive(Clone, Debug)]
pub struct Transitions<'a> {
    bytes: &'a [u8],
    last: u64,
    lane: u32,
    group: Option<Group>,
}

impl Transitions<'_> {
    fn group(&mut self) -> Option<Group> {
        let (code, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        let kind = TransitionKind::from_code(*code)?;
        let lane = i64::from(self.lane).checked_add(unzigzag(take_varint(&mut self.bytes)?))?;
        self.lane = u32::try_from(lane).ok()?;
        let distance = unzigzag(take_varint(&mut self.bytes)?);
        let first = self.last.checked_add_signed(distance)?;
        let count = take_varint(&mut self.bytes)?;
        (1..=GROUP_MAX).contains(&count).then_some(())?;
        self.last = first.checked_add(count - 1)?;
        Some(Group { kind, lane: LaneId(self.lane), first, count })
    }
}

impl Iterator for Transitions<'_> {
    type Item = Result<Transition>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.group.is_none() && !self.bytes.is_empty() {
            self.group = self.group();
            if self.group.is_none() {
                self.bytes = &[];
                return Some(Err(Error::new(Code::Corrupt, "a journal entry cannot be read")));
            }
        }
        let mut group = self.group.take()?;
        let Group { kind, lane, first, .. } = group;
        let item = Transition { seq: Seq(first), lane, kind };
        if group.count > 1 {
            group.first += 1;
            group.count -= 1;
            self.group = Some(group);
        }
        Some(Ok(item))
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part != 0 && part.leading_zeros() < shift {
            return None; // more than 64 bits
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(transitions: &[(u64, u32, TransitionKind)]) -> Vec<u8> {
        let mut packer = Packer::default();
        for (seq, lane, kind) in transitions {
            packer.push(Transition { seq: Seq(*seq), lane: LaneId(*lane), kind: *kind });
        }
        packer.finish()
    }

    fn unpacked(bytes: &[u8]) -> Result<Vec<(u64, u32, TransitionKind)>> {
        let plain = |transition: Transition| (transition.seq.0, transition.lane.0, transition.kind);
        unpack(bytes).map(|item| item.map(plain)).collect()
    }

    #[test]
    fn a_thousand_adds_in_a_row_take_six_bytes() {
        let transitions: Vec<_> = (5_000..6_000).map(|seq| (seq, 1, TransitionKind::Add)).collect();
        assert_eq!(packed(&transitions).len(), 6);
        assert_eq!(unpacked(&packed(&transitions)).unwrap(), transitions);
    }

    #[test]
    fn an_empty_batch_packs_to_nothing() {
        assert!(packed(&[]).is_empty());
        assert!(unpacked(&[]).unwrap().is_empty());
    }

    #[test]
    fn step_codes_survive_a_round_trip_and_zero_is_none() {
        for kind in TransitionKind::ALL {
            assert_eq!(TransitionKind::from_code(kind.code()), Some(*kind));
        }
        assert_eq!(TransitionKind::from_code(0), None);
    }

    #[test]
    fn a_cut_or_damaged_entry_is_corrupt() {
        let whole = packed(&[(300, 70, TransitionKind::Done), (7, 2, TransitionKind::Start)]);
        for len in 1..whole.len() {
            let cut = unpacked(&whole[..len]);
            assert!(
                cut.is_err() || cut.unwrap() == [(300, 70, TransitionKind::Done)],
                "cut at {len}"
            );
        }
        assert_eq!(unpacked(&[0, 0, 2, 1]).unwrap_err().code(), Code::Corrupt);
        assert_eq!(unpacked(&[1, 0, 2, 0]).unwrap_err().code(), Code::Corrupt);
        assert_eq!(unpacked(&[1, 0, 3, 1]).unwrap_err().code(), Code::Corrupt);
        assert_eq!(unpacked(&[1, 1, 2, 1]).unwrap_err().code(), Code::Corrupt);
    }

    fn any_step() -> impl Strategy<Value = TransitionKind> {
        (0..TransitionKind::ALL.len()).prop_map(|index| TransitionKind::ALL[index])
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_in_the_same_order(
            far in prop::collection::vec((0..1_u64 << 53, any::<u32>(), any_step()), 0..60),
            near in prop::collection::vec((0..9_u64, 0..3_u32, any_step()), 0..60),
        ) {
            let all = [far, near].concat();
            prop_assert_eq!(unpacked(&packed(&all)).unwrap(), all);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            // A group has at most 65,536 tasks, so an entry of n bytes ends.
            let _ = unpack(&bytes).take(1 << 20).count();
        }
    }
}
