//! The books that the hand of a world keeps, as the engine would: how many tasks are in each state.

use std::collections::BTreeMap;

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::journal::Transition;
use tasker_core::state::{Counts, State};
use tasker_core::store::{Batch, Change, Note, OutsideChange, Transaction};

/// Keeps the books of what waits outside the queue, and of what has ended.
pub(super) fn note_waiting(unqueued: &mut BTreeMap<Seq, State>, change: &Change) {
    if let Change::AddDelayed { seq, .. }
    | Change::Delay { seq, .. }
    | Change::HoldBack { seq, .. }
    | Change::Release { seq, due_at: Some(_), .. } = change
    {
        unqueued.insert(*seq, State::Delayed);
    }
    if let Change::Pause { seq, .. } | Change::PauseRun { seq, .. } = change {
        unqueued.insert(*seq, State::Paused);
    }
    if let Change::AddBlocked { seq, .. } | Change::Block { seq, .. } = change {
        unqueued.insert(*seq, State::Blocked);
    }
    if let Change::Due { seq, .. }
    | Change::Free { seq, .. }
    | Change::Unblock { seq, .. }
    | Change::Resume { seq, .. }
    | Change::ResumeRun { seq, .. }
    | Change::Start { seq, is_due: true, .. }
    | Change::Reopen { seq, .. }
    | Change::Purge { seq, .. } = change
    {
        unqueued.remove(seq);
    }
    if let Change::End { seq, outcome, .. } = change {
        unqueued.insert(*seq, outcome.state());
    }
}

/// The number after those of the lanes that these changes name and that are counted up.
pub(super) fn lane_next(changes: &[Change]) -> u64 {
    let lanes = changes.iter().filter_map(|change| match change {
        Change::Add { lane, .. }
        | Change::AddDelayed { lane, .. }
        | Change::AddBlocked { lane, .. }
        | Change::Sort { lane, .. } => Some(lane.n()),
        _ => None,
    });
    lanes.filter(|n| *n < 1 << 46).max().map_or(1, |n| n + 1)
}

fn move_one(counts: &mut Counts, from: Option<State>, to: State) {
    if let Some(from) = from {
        counts.set(from, counts.get(from).saturating_sub(1));
    }
    counts.enter(to);
}

/// From where to where an executor takes a task.
fn outside(change: &OutsideChange) -> Option<(State, State)> {
    match change {
        OutsideChange::Claim { .. } => Some((State::Ready, State::Claimed)),
        OutsideChange::Begin { .. } => Some((State::Claimed, State::Running)),
        OutsideChange::Unclaim { .. } => Some((State::Claimed, State::Ready)),
        OutsideChange::Renew { .. } | OutsideChange::Touch { .. } => None,
    }
}

/// What the counters are after these changes if none is refused.
pub(super) fn tally(
    mut counts: Counts,
    unqueued: &mut BTreeMap<Seq, State>,
    changes: &[Change],
) -> Counts {
    let mut purged = Vec::new();
    let mut shift = |from: Option<State>, to: State| move_one(&mut counts, from, to);
    for change in changes {
        let waiting = |seq: &Seq| unqueued.get(seq).copied().unwrap_or(State::Ready);
        match change {
            Change::Add { start: None, .. } => shift(None, State::Ready),
            Change::Add { .. } => shift(None, State::Running),
            Change::AddDelayed { .. } => shift(None, State::Delayed),
            Change::AddBlocked { .. } => shift(None, State::Blocked),
            Change::Unblock { .. } => shift(Some(State::Blocked), State::Ready),
            Change::HoldBack { .. } => shift(Some(State::Ready), State::Delayed),
            Change::Due { .. } | Change::Free { .. } => shift(Some(State::Delayed), State::Ready),
            Change::Start { is_due: true, .. } => shift(Some(State::Delayed), State::Running),
            Change::Start { .. } => shift(Some(State::Ready), State::Running),
            Change::Release { due_at: None, .. } => shift(Some(State::Running), State::Ready),
            Change::Release { .. } => shift(Some(State::Running), State::Delayed),
            Change::Reopen { from, .. } => shift(Some(*from), State::Ready),
            Change::Delay { seq, .. } => shift(Some(waiting(seq)), State::Delayed),
            Change::Pause { seq, .. } => shift(Some(waiting(seq)), State::Paused),
            Change::Resume { .. } => shift(Some(State::Paused), State::Ready),
            Change::Block { .. } => shift(Some(State::Ready), State::Blocked),
            Change::PauseRun { .. } => shift(Some(State::Running), State::Paused),
            Change::ResumeRun { seq, .. } => {
                let from = unqueued.get(seq).copied().unwrap_or(State::Running);
                shift(Some(from), State::Running);
            }
            Change::End { seq, run, outcome, .. } => {
                let from = if run.is_some() { State::Running } else { waiting(seq) };
                shift(Some(from), outcome.state());
            }
            Change::Outside(change) => {
                outside(change).into_iter().for_each(|(from, to)| shift(Some(from), to));
            }
            Change::Purge { from, .. } => purged.push(*from),
            Change::Operation(_)
            | Change::SweepKeys(_)
            | Change::Gate(_)
            | Change::Offer(_)
            | Change::Bury(_)
            | Change::Fired(_)
            | Change::Timer { .. }
            | Change::Hold(_)
            | Change::Schedule(_)
            | Change::DependOn { .. }
            | Change::Met { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. }
            | Change::RequestAbort { .. }
            | Change::RequestPostpone { .. }
            | Change::RequestPause { .. }
            | Change::Prioritize { .. }
            | Change::Sort { .. }
            | Change::Update { .. }
            | Change::SetQueueTimeout { .. }
            | Change::Progress { .. }
            | Change::Key { .. }
            | Change::Log { .. } => {}
        }
        note_waiting(unqueued, change);
    }
    purged.iter().for_each(|state| counts.set(*state, counts.get(*state).saturating_sub(1)));
    counts
}

/// Notes what tasks were before those changes that do not say so, unless that is noted. Of a task
/// that is not there a change is refused, whatever is noted.
pub(super) fn add_notes(transaction: &mut dyn Transaction, batch: &mut Batch) -> Result<()> {
    if !batch.notes.is_empty() {
        return Ok(());
    }
    let mut states = BTreeMap::new();
    for step in batch.changes.iter().filter_map(Transition::of) {
        let rule = step.kind.rule();
        let state = match states.get(&step.seq) {
            Some(state) => Some(*state),
            None if rule.is_entry() || !rule.is_of_task() => None,
            None => transaction.states(&[step.seq])?.pop().flatten().map(|(_, state)| state),
        };
        if rule.needs_note() {
            let state = state.unwrap_or(State::Ready);
            batch.notes.push(Note { state, priority: None, id: None });
        }
        states.extend(rule.leads_to(state).map(|state| (step.seq, state)));
    }
    Ok(())
}
