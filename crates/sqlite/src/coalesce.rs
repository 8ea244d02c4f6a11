//! Changes that one statement writes.
//!
//! To bind, begin and end a statement costs as much as the row that it writes. What starts in a
//! turn mostly has numbers in a row, and so has what ends; such changes are written together.
//!
//! # Promises
//! - What is written together has the same guards, and the same effect, as one by one.
//!
//! Proof: the tests below, `tests/write.rs`, `conformance::guards`.

use tasker_core::id::{RunId, Seq};
use tasker_core::state::State;
use tasker_core::store::{Change, Start};
use tasker_core::task::TaskEnd;
use tasker_core::time::WallMs;

const RUN_BYTES: usize = 16;
/// A longer result is not worth the copy.
const RESULT_BYTES_MAX: usize = 64;

/// What changes must have in common, beside numbers in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BulkKind {
    Start { attempt: u32, at: WallMs, is_due: bool },
    Due,
    Done { at: WallMs, result_bytes: Option<usize> },
    Purge { from: State, at: WallMs },
}

impl BulkKind {
    /// The state that they lead to, if any.
    pub(crate) fn state(self) -> Option<State> {
        match self {
            BulkKind::Start { .. } => Some(State::Running),
            BulkKind::Due => Some(State::Ready),
            BulkKind::Done { .. } => Some(State::Done),
            BulkKind::Purge { .. } => None,
        }
    }

    /// When, if it is written.
    pub(crate) fn at(self) -> Option<WallMs> {
        match self {
            BulkKind::Start { at, .. } | BulkKind::Done { at, .. } => Some(at),
            BulkKind::Due | BulkKind::Purge { .. } => None,
        }
    }
}

/// Changes that are written together: at least two.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BulkChange {
    pub(crate) kind: BulkKind,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    /// The ids of the runs, one after the other.
    pub(crate) runs: Vec<u8>,
    /// The results, one after the other.
    pub(crate) results: Vec<u8>,
}

impl BulkChange {
    /// The changes at the front that can be written together.
    pub(crate) fn of(changes: &[Change]) -> Option<BulkChange> {
        let (kind, first, ..) = parts(changes.first()?)?;
        let count = (0..).zip(changes).take_while(|(nth, change)| {
            let is_next = |seq: Seq| first.0.checked_add(*nth) == Some(seq.0);
            parts(change).is_some_and(|(other, seq, ..)| other == kind && is_next(seq))
        });
        let count = count.count();
        if count < 2 {
            return None;
        }
        let (mut runs, mut results) = (Vec::with_capacity(RUN_BYTES * count), Vec::new());
        for (_, _, run, result) in changes[..count].iter().filter_map(parts) {
            runs.extend(run.iter().flat_map(|run| run.0.as_bytes()));
            results.extend_from_slice(result.as_bytes());
        }
        Some(BulkChange { kind, first, last: Seq(first.0 + (count as u64 - 1)), runs, results })
    }

    /// Each task with the id of its run, if it has one.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Seq, Option<&[u8]>)> {
        let runs = self.runs.chunks_exact(RUN_BYTES).map(Some);
        (self.first.0..=self.last.0).map(Seq).zip(runs.chain(std::iter::repeat(None)))
    }

    /// Whether each task has its own part of the texts: a run, and a result of one length.
    pub(crate) fn is_sound(&self) -> bool {
        let (run_bytes, result_bytes) = match self.kind {
            BulkKind::Start { .. } => (RUN_BYTES, 0),
            BulkKind::Due | BulkKind::Purge { .. } => (0, 0),
            BulkKind::Done { result_bytes, .. } => (RUN_BYTES, result_bytes.unwrap_or(0)),
        };
        (self.runs.len(), self.results.len()) == (run_bytes * self.len(), result_bytes * self.len())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        debug_assert!(self.first < self.last, "what stands together is at least two");
        (self.last.0 - self.first.0) as usize + 1
    }
}

fn parts(change: &Change) -> Option<(BulkKind, Seq, Option<RunId>, &str)> {
    match change {
        Change::Start { seq, start, is_due, .. } => {
            let Start { run, attempt, at } = *start;
            Some((BulkKind::Start { attempt, at, is_due: *is_due }, *seq, Some(run), ""))
        }
        Change::Due { seq, .. } => Some((BulkKind::Due, *seq, None, "")),
        Change::Purge { seq, from, at, .. } => {
            Some((BulkKind::Purge { from: *from, at: *at }, *seq, None, ""))
        }
        // One that is attached to an owner is not any more: that is written as well.
        Change::End { lane, .. } if lane.attached_to().is_some() => None,
        Change::End { seq, run: Some(run), outcome: TaskEnd::Done(result), at, .. } => {
            let text = result.as_ref().map(|json| json.as_str());
            let result_bytes = text.map(str::len);
            let kind = BulkKind::Done { at: *at, result_bytes };
            let is_small = result_bytes.is_none_or(|bytes| bytes <= RESULT_BYTES_MAX);
            is_small.then_some((kind, *seq, Some(*run), text.unwrap_or_default()))
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
        | Change::Fired(_)
        | Change::Key { .. }
        | Change::End { .. }
        | Change::Release { .. }
        | Change::Reopen { .. }
        | Change::Delay { .. }
        | Change::HoldBack { .. }
        | Change::Free { .. }
        | Change::Hold(_)
        | Change::Schedule(_)
        | Change::SetQueueTimeout { .. }
        | Change::Update { .. }
        | Change::Prioritize { .. }
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
        | Change::SweepKeys(_)
        | Change::Gate(_)
        | Change::Outside(_)
        | Change::Sort { .. }
        | Change::Offer(_)
        | Change::Bury(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use tasker_core::id::LaneId;
    use tasker_core::task::{Cause, Json, Priority};
    use uuid::Uuid;

    use super::*;

    fn start(seq: u64, attempt: u32, at: i64) -> Change {
        let run = RunId(Uuid::from_u128(seq.into()));
        let start = Start { run, attempt, at: WallMs(at) };
        let (seq, lane, priority) = (Seq(seq), LaneId(1), Priority::default());
        Change::Start { seq, lane, priority, start, is_due: false }
    }

    fn end(seq: u64, outcome: TaskEnd) -> Change {
        let run = Some(RunId(Uuid::from_u128(seq.into())));
        let (seq, lane, priority) = (Seq(seq), LaneId(1), Priority::default());
        Change::End { seq, lane, priority, run, outcome, at: WallMs(1) }
    }

    fn done(seq: u64, result: &str) -> Change {
        end(seq, TaskEnd::Done(Some(Json::trusted(result))))
    }

    fn count(changes: &[Change]) -> usize {
        BulkChange::of(changes).map_or(1, |all| all.len())
    }

    #[test]
    fn starts_with_numbers_in_a_row_belong_together() {
        assert_eq!(count(&[start(4, 1, 9), start(5, 1, 9), start(6, 1, 9)]), 3);
        assert_eq!(count(&[start(4, 1, 9), start(5, 1, 9), start(7, 1, 9)]), 2);
        assert_eq!(count(&[start(4, 1, 9), start(5, 2, 9)]), 1);
        assert_eq!(count(&[start(4, 1, 9), start(5, 1, 8)]), 1);
        assert_eq!(count(&[start(4, 1, 9), start(4, 1, 9)]), 1);
        assert_eq!(count(&[start(u64::MAX, 1, 9), start(0, 1, 9)]), 1);
    }

    #[test]
    fn what_is_due_belongs_together_but_not_with_what_was_ready() {
        let due = |seq| {
            let (seq, lane, priority) = (Seq(seq), LaneId(1), Priority::default());
            Change::Due { seq, lane, priority }
        };
        assert_eq!(count(&[due(4), due(5), due(7)]), 2);
        let all = BulkChange::of(&[due(4), due(5)]).unwrap();
        assert_eq!(all.each().collect::<Vec<_>>(), [(Seq(4), None), (Seq(5), None)]);
        let mut both = [start(4, 1, 9), start(5, 1, 9)];
        if let Change::Start { is_due, .. } = &mut both[1] {
            *is_due = true;
        }
        assert_eq!(count(&both), 1);
    }

    #[test]
    fn ends_with_small_results_of_one_length_belong_together() {
        let nothing = |seq| end(seq, TaskEnd::Done(None));
        assert_eq!(count(&[done(4, "10"), done(5, "11"), done(6, "2")]), 2);
        assert_eq!(count(&[nothing(4), nothing(5)]), 2);
        assert_eq!(count(&[nothing(4), done(5, "1")]), 1);
        let long = "1".repeat(RESULT_BYTES_MAX + 1);
        assert_eq!(count(&[done(4, &long), done(5, &long)]), 1);
        let failed = |seq| end(seq, TaskEnd::Failed(Cause::Error, Json::trusted("1")));
        assert_eq!(count(&[failed(4), failed(5)]), 1);
        assert_eq!(count(&[start(4, 1, 1), nothing(5)]), 1);
    }

    #[test]
    fn each_task_keeps_its_own_run_and_result() {
        let all = BulkChange::of(&[done(4, "10"), done(5, "11")]).unwrap();
        let runs: Vec<_> = all.each().map(|(seq, run)| (seq.0, run.unwrap()[15])).collect();
        assert_eq!((runs, all.results.as_slice()), (vec![(4, 4), (5, 5)], b"1011".as_slice()));
    }
}
