//! The journal: what each batch did to which task, packed into a few bytes.
//!
//! One blob per batch. An owner that knows its position catches up from the blobs of later batches,
//! and the audit compares a task's last step with its state.
//!
//! The format is a sequence of groups: a step code (one byte), the distance of the lane from that
//! of the group before (zigzag varint), the priority if it differs from the last one named before
//! (varint of its bits), the distance of the first sequence number from the last one named before
//! (zigzag varint) and how many consecutive numbers the group has (varint). The high bit of the
//! code says that a priority follows. Codes are stored in the file and never change; the free ones
//! belong to later versions.
//!
//! # Promises
//! - What was packed comes back in the same order (I-11); anything else is `Corrupt`, never a
//!   guess.
//! - A step that changes the queue names the whole place that it is about: lane, priority, number
//!   (I-7). So another owner knows it without asking the store.
//!
//! # Left to others
//! Storing and trimming the blobs is the backend's work.
//!
//! Proof: the tests below; `proof::conformance::journal`.

use crate::circuit::Turned;
use crate::error::{Code, Error, Result};
use crate::id::{LaneId, Seq};
use crate::store::{Batch, Change, GateChange, OutsideChange};
use crate::task::{AttemptEnd, Cause, Priority, TaskEnd};
use crate::transition::TransitionKind;

/// What a batch did to one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which task.
    pub seq: Seq,
    /// Its lane.
    pub lane: LaneId,
    /// What happened to it.
    pub kind: TransitionKind,
    /// Its priority then, where the rule says that it is named: that of the place in the queue
    /// that it takes or leaves, if it does.
    pub priority: Option<Priority>,
}

/// In the byte of a step code: a priority follows.
const HAS_PRIORITY: u8 = 0x80;
/// The most tasks of one group, so that a damaged count cannot make a reader run for ever.
const GROUP_MAX: u64 = 1 << 16;

impl Transition {
    /// What a change does that is of no task, but of the operation of a lane, or of none.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`of` hands over no other")]
    fn of_no_task(change: &Change) -> Transition {
        let (lane, kind) = match change {
            Change::Operation(operation) => {
                (LaneId::new(operation.id, 0), TransitionKind::Operation)
            }
            Change::Timer { lane, .. } => (*lane, TransitionKind::Timer),
            Change::Hold(_) => (LaneId(0), TransitionKind::Holds),
            Change::Schedule(_) => (LaneId(0), TransitionKind::Schedule),
            Change::Gate(GateChange::Turn((operation, _), _, Some(turned))) => {
                (LaneId::new(*operation, 0), turn_of(*turned))
            }
            _ => (LaneId(0), TransitionKind::Owners),
        };
        Transition { seq: Seq(0), lane, kind, priority: None }
    }

    /// What a change does to its task or operation, if others are told of it.
    pub fn of(change: &Change) -> Option<Transition> {
        let (seq, lane, kind, priority) = match change {
            Change::Outside(change) => return of_outside(change),
            Change::Operation(_)
            | Change::Timer { .. }
            | Change::Hold(_)
            | Change::Schedule(_)
            | Change::Offer(_)
            | Change::Bury(_) => return Some(Transition::of_no_task(change)),
            Change::Gate(gate) => return gate.turned().map(|_| Transition::of_no_task(change)),
            Change::Key { .. }
            | Change::SweepKeys(_)
            | Change::Fired(_)
            | Change::DependOn { .. }
            | Change::Met { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. } => return None,
            Change::Add { seq, lane, def, .. }
            | Change::AddDelayed { seq, lane, def, .. }
            | Change::AddBlocked { seq, lane, def, .. } => {
                (seq, lane, one_kind(change), Some(def.priority))
            }
            Change::Due { seq, lane, priority } | Change::Free { seq, lane, priority, .. } => {
                (seq, lane, TransitionKind::Due, Some(*priority))
            }
            Change::Start { seq, lane, priority, .. } => {
                (seq, lane, TransitionKind::Start, Some(*priority))
            }
            Change::End { seq, lane, priority, run, outcome, .. } => {
                (seq, lane, end_of(outcome, run.is_some()), Some(*priority))
            }
            Change::Release { seq, lane, priority, end, due_at, .. } => {
                (seq, lane, release_of(*end, due_at.is_some()), Some(*priority))
            }
            Change::Reopen { seq, lane, priority, .. } => {
                (seq, lane, TransitionKind::Reopen, Some(*priority))
            }
            Change::Delay { seq, lane, priority, .. }
            | Change::HoldBack { seq, lane, priority, .. } => {
                (seq, lane, TransitionKind::Delay, Some(*priority))
            }
            Change::Prioritize { seq, lane, to, is_queued, .. } => {
                (seq, lane, prioritize_of(*is_queued), Some(*to))
            }
            Change::Update { seq, lane, to, is_queued, .. } => {
                (seq, lane, update_of(*is_queued), Some(*to))
            }
            Change::Pause { seq, lane, priority, .. }
            | Change::Sort { seq, lane, priority, .. }
            | Change::Unblock { seq, lane, priority }
            | Change::Resume { seq, lane, priority }
            | Change::Block { seq, lane, priority, .. } => {
                (seq, lane, one_kind(change), Some(*priority))
            }
            Change::Purge { seq, lane, .. }
            | Change::SetQueueTimeout { seq, lane, .. }
            | Change::RequestAbort { seq, lane, .. }
            | Change::RequestPostpone { seq, lane, .. }
            | Change::RequestPause { seq, lane, .. }
            | Change::PauseRun { seq, lane, .. }
            | Change::ResumeRun { seq, lane, .. }
            | Change::Progress { seq, lane, .. }
            | Change::Log { seq, lane, .. } => (seq, lane, one_kind(change), None),
        };
        debug_assert!(!kind.rule().is_reserved, "{kind:?} is for a later version");
        debug_assert!(kind.rule().is_of_task(), "{kind:?} happens to no task");
        debug_assert_eq!(priority.is_some(), kind.rule().names_priority(), "{kind:?}");
        Some(Transition { seq: *seq, lane: *lane, kind, priority })
    }

    /// All that a change does to its task, in order: before the transition itself what happens in
    /// passing. Another place in the queue is told with the one it leaves, and a start that was due
    /// with that.
    fn all_of(change: &Change) -> impl Iterator<Item = Transition> {
        let last = Transition::of(change);
        let first = last.and_then(|last| match change {
            Change::Prioritize { from, lane, is_queued: true, .. }
            | Change::Update { from, from_lane: lane, is_queued: true, .. } => {
                let (kind, priority) = (TransitionKind::Leave, Some(*from));
                Some(Transition { lane: *lane, kind, priority, ..last })
            }
            Change::Sort { from: lane, .. } => {
                Some(Transition { lane: *lane, kind: TransitionKind::Leave, ..last })
            }
            Change::Start { is_due: true, .. } => {
                Some(Transition { kind: TransitionKind::Due, ..last })
            }
            Change::Operation(_)
            | Change::Add { .. }
            | Change::AddDelayed { .. }
            | Change::AddBlocked { .. }
            | Change::DependOn { .. }
            | Change::Met { .. }
            | Change::Unblock { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. }
            | Change::Timer { .. }
            | Change::Key { .. }
            | Change::Due { .. }
            | Change::Fired(_)
            | Change::Start { is_due: false, .. }
            | Change::End { .. }
            | Change::Release { .. }
            | Change::Reopen { .. }
            | Change::Delay { .. }
            | Change::HoldBack { .. }
            | Change::Free { .. }
            | Change::Hold(_)
            | Change::Schedule(_)
            | Change::SetQueueTimeout { .. }
            | Change::Prioritize { is_queued: false, .. }
            | Change::Update { is_queued: false, .. }
            | Change::RequestAbort { .. }
            | Change::RequestPostpone { .. }
            | Change::Pause { .. }
            | Change::Resume { .. }
            | Change::Block { .. }
            | Change::RequestPause { .. }
            | Change::PauseRun { .. }
            | Change::ResumeRun { .. }
            | Change::Progress { .. }
            | Change::Log { .. }
            | Change::Purge { .. }
            | Change::SweepKeys(_)
            | Change::Gate(_)
            | Change::Outside(_)
            | Change::Offer(_)
            | Change::Bury(_) => None,
        });
        first.into_iter().chain(last)
    }
}

/// What a change does to a task that executors outside take. That one was heard of, and how often a
/// task was changed, concerns nobody else.
fn of_outside(change: &OutsideChange) -> Option<Transition> {
    let (seq, lane, kind, priority) = match *change {
        OutsideChange::Claim { seq, lane, priority, .. } => {
            (seq, lane, TransitionKind::Claim, priority)
        }
        OutsideChange::Begin { seq, lane, priority, .. } => {
            (seq, lane, TransitionKind::Begin, priority)
        }
        OutsideChange::Unclaim { seq, lane, priority, .. } => {
            (seq, lane, TransitionKind::Unclaim, priority)
        }
        OutsideChange::Renew { .. } | OutsideChange::Touch { .. } => return None,
    };
    Some(Transition { seq, lane, kind, priority: Some(priority) })
}

/// The journal entry of a batch.
pub fn pack(batch: &Batch) -> Vec<u8> {
    let all = || batch.changes.iter().flat_map(Transition::all_of);
    let bytes = pack_all(all());
    debug_assert!(
        unpack(&bytes).map(Result::ok).eq(all().map(Some)),
        "batch {} is not read as it was written (I-11)",
        batch.number
    );
    bytes
}

fn pack_all(transitions: impl Iterator<Item = Transition>) -> Vec<u8> {
    let mut packer = Packer::default();
    transitions.for_each(|transition| packer.push(transition));
    packer.finish()
}

/// Packs steps one by one.
#[derive(Debug, Default)]
struct Packer {
    bytes: Vec<u8>,
    last: u64,
    lane: u64,
    priority: Priority,
    group: Option<Group>,
}

/// Consecutive tasks with the same step, lane and priority.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: Transition,
    count: u64,
}

impl Group {
    /// Whether this is what comes after the last one.
    fn continues_with(&self, next: Transition) -> bool {
        let seq = self.first.seq.0.checked_add(self.count).map(Seq);
        self.count < GROUP_MAX && seq.map(|seq| Transition { seq, ..self.first }) == Some(next)
    }
}

impl Packer {
    /// Adds one.
    fn push(&mut self, next: Transition) {
        debug_assert_eq!(next.priority.is_some(), next.kind.rule().names_priority(), "{next:?}");
        match &mut self.group {
            Some(group) if group.continues_with(next) => group.count += 1,
            _ => {
                self.flush();
                self.group = Some(Group { first: next, count: 1 });
            }
        }
    }

    /// The packed bytes.
    fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.bytes
    }

    fn flush(&mut self) {
        let Some(Group { first, count }) = self.group.take() else { return };
        debug_assert!((1..=GROUP_MAX).contains(&count), "a reader refuses a group of {count}");
        let Transition { seq, lane, kind, priority } = first;
        let news = priority.filter(|priority| *priority != self.priority);
        let flag = if news.is_some() { HAS_PRIORITY } else { 0 };
        self.bytes.push(kind.code() | flag);
        put_varint(&mut self.bytes, zigzag(lane.0.wrapping_sub(self.lane) as i64));
        if let Some(priority) = news {
            put_varint(&mut self.bytes, bits(priority));
            self.priority = priority;
        }
        put_varint(&mut self.bytes, zigzag(seq.0.wrapping_sub(self.last) as i64));
        put_varint(&mut self.bytes, count);
        (self.last, self.lane) = (seq.0 + (count - 1), lane.0);
        debug_assert_eq!(kind.code() & HAS_PRIORITY, 0, "a code takes the bit of the priority");
    }
}

fn end_of(outcome: &TaskEnd, has_run: bool) -> TransitionKind {
    match outcome {
        TaskEnd::Done(_) => TransitionKind::Done,
        TaskEnd::Failed(..) => TransitionKind::Fail,
        TaskEnd::Aborted(..) if has_run => TransitionKind::Abort,
        TaskEnd::Aborted(Cause::QueueTimeout, _) => TransitionKind::Expire,
        TaskEnd::Aborted(..) => TransitionKind::Withdraw,
    }
}

fn turn_of(turned: Turned) -> TransitionKind {
    match turned {
        Turned::Opened => TransitionKind::CircuitOpened,
        Turned::HalfOpened => TransitionKind::CircuitHalfOpened,
        Turned::Closed => TransitionKind::CircuitClosed,
    }
}

fn prioritize_of(is_queued: bool) -> TransitionKind {
    if is_queued { TransitionKind::Prioritize } else { TransitionKind::PrioritizeUnqueued }
}

fn update_of(is_queued: bool) -> TransitionKind {
    if is_queued { TransitionKind::UpdateQueued } else { TransitionKind::Update }
}

/// The kind of a change whose own facts say it; `Pause` if it is no other of these.
#[expect(clippy::wildcard_enum_match_arm, reason = "`of` hands over no other")]
fn one_kind(change: &Change) -> TransitionKind {
    match change {
        Change::Add { start: None, .. } => TransitionKind::Add,
        Change::Add { .. } => TransitionKind::AddStart,
        Change::AddDelayed { .. } => TransitionKind::AddDelayed,
        Change::AddBlocked { .. } => TransitionKind::AddBlocked,
        Change::Purge { .. } => TransitionKind::Purge,
        Change::SetQueueTimeout { .. } => TransitionKind::SetQueueTimeout,
        Change::Sort { .. } => TransitionKind::Sort,
        Change::Unblock { .. } => TransitionKind::Unblock,
        Change::Resume { .. } => TransitionKind::Resume,
        Change::Block { .. } => TransitionKind::Block,
        Change::RequestAbort { .. } => TransitionKind::RequestAbort,
        Change::RequestPostpone { .. } => TransitionKind::RequestPostpone,
        Change::RequestPause { .. } => TransitionKind::RequestPause,
        Change::PauseRun { .. } => TransitionKind::PauseRun,
        Change::ResumeRun { .. } => TransitionKind::ResumeRun,
        Change::Log { .. } => TransitionKind::Noted,
        Change::Progress { .. } => TransitionKind::Progressed,
        _ => TransitionKind::Pause,
    }
}

fn release_of(end: AttemptEnd, is_delayed: bool) -> TransitionKind {
    match end {
        AttemptEnd::Lost => TransitionKind::Lost,
        AttemptEnd::Postponed if !is_delayed => TransitionKind::Postpone,
        AttemptEnd::Postponed | AttemptEnd::Snoozed => TransitionKind::Snooze,
        AttemptEnd::Done | AttemptEnd::Failed | AttemptEnd::Aborted if is_delayed => {
            TransitionKind::Retry
        }
        AttemptEnd::Done | AttemptEnd::Failed | AttemptEnd::Aborted => TransitionKind::RetryAtOnce,
    }
}

/// What a packed entry did, in order.
///
/// # Errors
/// Each item may be [`Code::Corrupt`]; nothing follows it.
pub fn unpack(bytes: &[u8]) -> Transitions<'_> {
    Transitions { bytes, last: 0, lane: 0, priority: Priority::default(), group: None }
}

/// Iterator of [`unpack`].
#[derive(Clone, Debug)]
pub struct Transitions<'a> {
    bytes: &'a [u8],
    last: u64,
    lane: u64,
    priority: Priority,
    group: Option<Group>,
}

/// What a packed entry did, alike for so many consecutive tasks at a time.
///
/// # Errors
/// As of [`unpack`].
pub fn unpack_groups(bytes: &[u8]) -> impl Iterator<Item = Result<(Transition, u64)>> {
    let mut rest = unpack(bytes);
    std::iter::from_fn(move || {
        if rest.bytes.is_empty() {
            return None;
        }
        let group = rest.group();
        if group.is_none() {
            rest.bytes = &[];
        }
        Some(group.map(|Group { first, count }| (first, count)).ok_or_else(unreadable))
    })
}

fn unreadable() -> Error {
    Error::new(Code::Corrupt, "a journal entry cannot be read")
}

impl Transitions<'_> {
    fn group(&mut self) -> Option<Group> {
        let (code, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        let kind = TransitionKind::from_code(*code & !HAS_PRIORITY)?;
        self.lane = self.lane.checked_add_signed(unzigzag(take_varint(&mut self.bytes)?))?;
        if *code & HAS_PRIORITY != 0 {
            kind.rule().names_priority().then_some(())?;
            self.priority = priority_of(take_varint(&mut self.bytes)?)?;
        }
        let distance = unzigzag(take_varint(&mut self.bytes)?);
        let first = self.last.checked_add_signed(distance)?;
        let count = take_varint(&mut self.bytes)?;
        (1..=GROUP_MAX).contains(&count).then_some(())?;
        self.last = first.checked_add(count - 1)?;
        let priority = kind.rule().names_priority().then_some(self.priority);
        let first = Transition { seq: Seq(first), lane: LaneId(self.lane), kind, priority };
        Some(Group { first, count })
    }
}

impl Iterator for Transitions<'_> {
    type Item = Result<Transition>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.group.is_none() && !self.bytes.is_empty() {
            self.group = self.group();
            if self.group.is_none() {
                self.bytes = &[];
                return Some(Err(unreadable()));
            }
        }
        let mut group = self.group.take()?;
        let item = group.first;
        if group.count > 1 {
            group.first.seq.0 += 1;
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

/// The bits of a priority, those that a small number does not need last.
fn bits(priority: Priority) -> u64 {
    priority.get().to_bits().swap_bytes()
}

fn priority_of(bits: u64) -> Option<Priority> {
    Priority::new(f64::from_bits(bits.swap_bytes())).ok()
}

pub(crate) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
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

    use uuid::Uuid;

    use super::*;
    use crate::id::{OperationId, RunId};
    use crate::store::Start;
    use crate::time::WallMs;
    use crate::transition::TRANSITIONS;

    fn step(seq: u64, lane: u64, kind: TransitionKind, priority: f64) -> Transition {
        let priority = kind.rule().names_priority().then(|| Priority::new(priority).unwrap());
        Transition { seq: Seq(seq), lane: LaneId(lane), kind, priority }
    }

    fn packed(transitions: &[Transition]) -> Vec<u8> {
        pack_all(transitions.iter().copied())
    }

    fn unpacked(bytes: &[u8]) -> Result<Vec<Transition>> {
        unpack(bytes).collect()
    }

    /// The bytes of a thousand steps from task 5,000 on, which come back as they were.
    fn bytes_of(each: impl Fn(u64) -> Transition) -> usize {
        let transitions: Vec<_> = (0..1_000).map(each).collect();
        let bytes = packed(&transitions);
        assert_eq!(unpacked(&bytes).unwrap(), transitions);
        bytes.len()
    }

    #[test]
    fn a_thousand_adds_in_a_row_take_six_bytes_and_with_a_priority_nine() {
        let add = |n, priority| step(5_000 + n, 1, TransitionKind::Add, priority);
        assert_eq!(bytes_of(|n| add(n, 0.0)), 6);
        for priority in [1.0, -1.0, 100.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(bytes_of(|n| add(n, priority)), 9, "{priority}");
        }
    }

    #[test]
    fn tasks_of_a_lane_each_take_less_than_seven_bytes_and_with_a_priority_each_ten() {
        let lane = |n| LaneId::new(OperationId(7), n);
        let add = |n: u64, priority| step(5_000 + n, lane(n).0, TransitionKind::Add, priority);
        assert!(bytes_of(|n| add(n, 0.0)) < 7_000);
        assert!(bytes_of(|n| add(n, n as f64)) < 10_000);
    }

    #[test]
    fn a_step_that_names_no_priority_does_not_forget_the_last_one() {
        let three = [
            step(1, 1, TransitionKind::Start, 3.0),
            step(1, 1, TransitionKind::Noted, 0.0),
            step(2, 1, TransitionKind::Start, 3.0),
        ];
        assert_eq!(packed(&three).len(), packed(&three[..1]).len() + 4 + 4);
        assert_eq!(unpacked(&packed(&three)).unwrap(), three);
    }

    #[test]
    fn a_task_with_another_priority_leaves_its_old_place_first() {
        let (seq, lane) = (Seq(7), LaneId(2));
        let (from, to) = (Priority::default(), Priority::new(f64::INFINITY).unwrap());
        let change = Change::Prioritize { seq, lane, from, to, is_queued: true };
        let expected = [
            step(7, 2, TransitionKind::Leave, 0.0),
            step(7, 2, TransitionKind::Prioritize, f64::INFINITY),
        ];
        assert_eq!(Transition::all_of(&change).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_start_that_was_due_is_told_as_both() {
        let (seq, lane, priority) = (Seq(7), LaneId(2), Priority::new(3.0).unwrap());
        let start = Start { run: RunId(Uuid::from_u128(1)), attempt: 1, at: WallMs(1) };
        let change = Change::Start { seq, lane, priority, start, is_due: true };
        let expected =
            [step(7, 2, TransitionKind::Due, 3.0), step(7, 2, TransitionKind::Start, 3.0)];
        assert_eq!(Transition::all_of(&change).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_empty_batch_packs_to_nothing() {
        assert!(packed(&[]).is_empty());
        assert!(unpacked(&[]).unwrap().is_empty());
    }

    #[test]
    fn step_codes_leave_the_high_bit_free() {
        assert!(TRANSITIONS.iter().all(|rule| rule.kind.code() & HAS_PRIORITY == 0));
    }

    #[test]
    fn a_cut_or_damaged_entry_is_corrupt() {
        let first = step(300, 70, TransitionKind::Start, 2.0);
        let whole = packed(&[first, step(7, 2, TransitionKind::Lost, 1.0)]);
        for len in 1..whole.len() {
            let cut = unpacked(&whole[..len]);
            assert!(cut.is_err() || cut.unwrap() == [first], "cut at {len}");
        }
        let not_a_number = [&[0x81, 0][..], &packed_bits(f64::NAN), &[2, 1]].concat();
        let unnamed = [0x9c, 0, 0xbf, 0xe0, 3, 2, 1];
        let damaged: [&[u8]; 6] =
            [&[0, 0, 2, 1], &[1, 0, 2, 0], &[1, 0, 3, 1], &[1, 1, 2, 1], &not_a_number, &unnamed];
        for bytes in damaged {
            assert_eq!(unpacked(bytes).unwrap_err().code(), Code::Corrupt, "{bytes:x?}");
        }
    }

    fn packed_bits(number: f64) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, number.to_bits().swap_bytes());
        bytes
    }

    fn any_step() -> impl Strategy<Value = TransitionKind> {
        (0..TRANSITIONS.len()).prop_map(|index| TRANSITIONS[index].kind)
    }

    fn any_priority() -> impl Strategy<Value = f64> {
        let named = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
        let any = any::<f64>().prop_filter("a priority", |number| !number.is_nan());
        prop_oneof![prop::sample::select(named.to_vec()), any]
    }

    fn any_task(seqs: u64, lanes: u64) -> impl Strategy<Value = Transition> {
        (0..seqs, 0..lanes, any_step(), any_priority())
            .prop_map(|(seq, lane, kind, priority)| step(seq, lane, kind, priority))
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_in_the_same_order(
            far in prop::collection::vec(any_task(1 << 53, 1 << 63), 0..60),
            near in prop::collection::vec(any_task(9, 3), 0..60),
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
