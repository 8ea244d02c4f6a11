//! The journal: what each batch did to which task, packed into a few bytes.
//!
//! One blob per batch. A reader that knows its position catches up from the blobs of later batches,
//! and the audit compares a task's last step with its state.
//!
//! The format is a sequence of groups: a step code (one byte), the distance of the first sequence
//! number from the last one named before (zigzag varint) and how many consecutive numbers the group
//! has (varint). Codes are stored in the file and never change; the free ones belong to later
//! versions.
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
use crate::id::Seq;
use crate::state::State;
use crate::store::{Batch, Change};
use crate::task::{AttemptEnd, Outcome};

/// What happened to a task in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
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
    /// A decision ended it.
    Abort = 6,
    /// A stop gave its run back.
    Postpone = 7,
    /// The process of its run died; it waits again.
    Lost = 8,
    /// It got another priority.
    Prioritize = 9,
}

/// The most tasks of one group, so that a damaged count cannot make a reader run for ever.
const GROUP_MAX: u64 = 1 << 16;

impl Step {
    /// Every step, by code.
    pub const ALL: &[Step] = &[
        Step::Add,
        Step::AddStart,
        Step::Start,
        Step::Done,
        Step::Fail,
        Step::Abort,
        Step::Postpone,
        Step::Lost,
        Step::Prioritize,
    ];

    /// The code under which it is stored.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The step with this stored code.
    pub fn from_code(code: u8) -> Option<Step> {
        Step::ALL.iter().copied().find(|step| step.code() == code)
    }

    /// The state in which the step leaves the task; nothing if it does not move it.
    pub const fn state(self) -> Option<State> {
        match self {
            Step::Add | Step::Postpone | Step::Lost => Some(State::Ready),
            Step::AddStart | Step::Start => Some(State::Running),
            Step::Done => Some(State::Done),
            Step::Fail => Some(State::Failed),
            Step::Abort => Some(State::Aborted),
            Step::Prioritize => None,
        }
    }

    /// The step that a change means, if it is one that others are told of.
    pub fn of(change: &Change) -> Option<(Seq, Step)> {
        Some(match change {
            Change::Lane(_) | Change::Key { .. } | Change::Progress { .. } | Change::Log { .. } => {
                return None;
            }
            Change::Add { seq, start: None, .. } => (*seq, Step::Add),
            Change::Add { seq, start: Some(_), .. } => (*seq, Step::AddStart),
            Change::Start { seq, .. } => (*seq, Step::Start),
            Change::End { seq, outcome: Outcome::Done(_), .. } => (*seq, Step::Done),
            Change::End { seq, outcome: Outcome::Failed(..), .. } => (*seq, Step::Fail),
            Change::End { seq, outcome: Outcome::Aborted(..), .. } => (*seq, Step::Abort),
            Change::Release { seq, end: AttemptEnd::Postponed, .. } => (*seq, Step::Postpone),
            Change::Release { seq, .. } => (*seq, Step::Lost),
            Change::Prioritize { seq, .. } => (*seq, Step::Prioritize),
        })
    }
}

/// The journal entry of a batch.
pub fn pack(batch: &Batch) -> Vec<u8> {
    let mut packer = Packer::default();
    batch.changes.iter().filter_map(Step::of).for_each(|(seq, step)| packer.push(seq, step));
    packer.finish()
}

/// Packs steps one by one.
#[derive(Debug, Default)]
pub struct Packer {
    bytes: Vec<u8>,
    last: u64,
    group: Option<Group>,
}

/// Consecutive tasks with the same step.
#[derive(Clone, Copy, Debug)]
struct Group {
    step: Step,
    first: u64,
    count: u64,
}

impl Packer {
    /// Adds one step.
    pub fn push(&mut self, seq: Seq, step: Step) {
        if let Some(group) = &mut self.group
            && group.step == step
            && group.first.checked_add(group.count) == Some(seq.0)
            && group.count < GROUP_MAX
        {
            group.count += 1;
            return;
        }
        self.flush();
        self.group = Some(Group { step, first: seq.0, count: 1 });
    }

    /// The packed bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.bytes
    }

    fn flush(&mut self) {
        let Some(Group { step, first, count }) = self.group.take() else { return };
        self.bytes.push(step.code());
        put_varint(&mut self.bytes, zigzag(first.wrapping_sub(self.last) as i64));
        put_varint(&mut self.bytes, count);
        self.last = first + (count - 1);
    }
}

/// The steps of a packed entry, in order.
///
/// # Errors
/// Each item may be [`Code::Corrupt`]; nothing follows it.
pub fn unpack(bytes: &[u8]) -> Steps<'_> {
    Steps { bytes, last: 0, group: None }
}

/// Iterator of [`unpack`].
#[derive(Clone, Debug)]
pub struct Steps<'a> {
    bytes: &'a [u8],
    last: u64,
    group: Option<Group>,
}

impl Steps<'_> {
    fn group(&mut self) -> Option<Group> {
        let (code, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        let step = Step::from_code(*code)?;
        let distance = unzigzag(take_varint(&mut self.bytes)?);
        let first = self.last.checked_add_signed(distance)?;
        let count = take_varint(&mut self.bytes)?;
        (1..=GROUP_MAX).contains(&count).then_some(())?;
        self.last = first.checked_add(count - 1)?;
        Some(Group { step, first, count })
    }
}

impl Iterator for Steps<'_> {
    type Item = Result<(Seq, Step)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.group.is_none() && !self.bytes.is_empty() {
            self.group = self.group();
            if self.group.is_none() {
                self.bytes = &[];
                return Some(Err(Error::new(Code::Corrupt, "a journal entry cannot be read")));
            }
        }
        let mut group = self.group.take()?;
        let item = (Seq(group.first), group.step);
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

    fn packed(steps: &[(u64, Step)]) -> Vec<u8> {
        let mut packer = Packer::default();
        steps.iter().for_each(|(seq, step)| packer.push(Seq(*seq), *step));
        packer.finish()
    }

    fn unpacked(bytes: &[u8]) -> Result<Vec<(u64, Step)>> {
        unpack(bytes).map(|item| item.map(|(seq, step)| (seq.0, step))).collect()
    }

    #[test]
    fn a_thousand_adds_in_a_row_take_five_bytes() {
        let steps: Vec<_> = (5_000..6_000).map(|seq| (seq, Step::Add)).collect();
        assert_eq!(packed(&steps).len(), 5);
        assert_eq!(unpacked(&packed(&steps)).unwrap(), steps);
    }

    #[test]
    fn an_empty_batch_packs_to_nothing() {
        assert!(packed(&[]).is_empty());
        assert!(unpacked(&[]).unwrap().is_empty());
    }

    #[test]
    fn step_codes_survive_a_round_trip_and_zero_is_none() {
        for step in Step::ALL {
            assert_eq!(Step::from_code(step.code()), Some(*step));
        }
        assert_eq!(Step::from_code(0), None);
    }

    #[test]
    fn a_cut_or_damaged_entry_is_corrupt() {
        let whole = packed(&[(300, Step::Done), (7, Step::Start)]);
        for len in 1..whole.len() {
            let cut = unpacked(&whole[..len]);
            assert!(cut.is_err() || cut.unwrap() == [(300, Step::Done)], "cut at {len}");
        }
        assert_eq!(unpacked(&[0, 2, 1]).unwrap_err().code(), Code::Corrupt);
        assert_eq!(unpacked(&[1, 2, 0]).unwrap_err().code(), Code::Corrupt);
        assert_eq!(unpacked(&[1, 3, 1]).unwrap_err().code(), Code::Corrupt);
    }

    fn any_step() -> impl Strategy<Value = Step> {
        (0..Step::ALL.len()).prop_map(|index| Step::ALL[index])
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_in_the_same_order(
            steps in prop::collection::vec((0..1_u64 << 53, any_step()), 0..60),
            near in prop::collection::vec((0..9_u64, any_step()), 0..60),
        ) {
            let all = [steps, near].concat();
            prop_assert_eq!(unpacked(&packed(&all)).unwrap(), all);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            // A group has at most 65,536 tasks, so an entry of n bytes ends.
            let _ = unpack(&bytes).take(1 << 20).count();
        }
    }
}
