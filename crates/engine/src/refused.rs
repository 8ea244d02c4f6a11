//! A batch that the store has refused: the guard of a change did not hold.
//!
//! # Promises
//! - A run of ours that is not its task's run any more is fenced, and a call that named a run of
//!   others is refused; neither closes the handle. Anything else means that memory is wrong.
//!
//! Proof: `proof/tests/engine/races.rs`.

use tasker_core::error::Code;
use tasker_core::id::{IdKey, RunId, Seq};
use tasker_core::store::{Batch, Change, OutsideChange, Refused};

use crate::effect::{AbortSignal, Effect, RunEnd};
use crate::input::{Input, RunSlot};
use crate::memory::{Freshness, Memory};

/// What a refusal was about.
pub(crate) enum Refusal {
    /// A call, which is refused: the turn is planned again without it.
    Call,
    /// A run of ours, which is fenced, or what memory says: that must be read again.
    Memory,
}

/// A guard did not hold: somebody else changed the file. A run of ours is fenced, a call that named
/// a run of others is refused; anything else means that memory is wrong. The turn is planned again.
pub(crate) fn refuse(
    memory: &mut Memory,
    Refused { change, error }: Refused,
    batch: &Batch,
    (inputs, key): (&mut Vec<Input>, IdKey),
    effects: &mut Vec<Effect>,
) -> Refusal {
    debug_assert!(change < batch.changes.len(), "the store refuses what it was not given");
    debug_assert_eq!(error.code(), Code::Fenced, "a guard refuses with another code");
    memory.dispatch.rollback();
    if let Some((seq, run)) = batch.changes.get(change).and_then(run_of) {
        if let Some(slot) = memory.live.slot_of(run) {
            fence(memory, slot, effects);
        } else {
            let calls: Vec<Input> =
                inputs.extract_if(.., |input| asks_of_run(input, seq, key)).collect();
            if !calls.is_empty() {
                let tickets = calls.iter().filter_map(Input::ticket);
                effects.extend(tickets.map(|ticket| Effect::Refuse(ticket, error.clone())));
                return Refusal::Call;
            }
        }
    }
    memory.freshness = Freshness::Wrong;
    Refusal::Memory
}

/// Whether a call asks something of the run of this task.
#[expect(clippy::wildcard_enum_match_arm, reason = "only these ask something of a run of others")]
fn asks_of_run(input: &Input, seq: Seq, key: IdKey) -> bool {
    match input {
        Input::Abort(_, id, _)
        | Input::PostponeTask(_, id, _)
        | Input::Pause(_, id)
        | Input::Resume(_, id)
        | Input::Begin(_, id, _)
        | Input::Renew(_, id, ..)
        | Input::SettleOutside(_, id, ..) => key.seq_of(*id) == seq,
        Input::GiveBack(claims) => claims.iter().any(|(id, _)| key.seq_of(*id) == seq),
        Input::Bulk(_, bulk) => bulk.seqs.contains(&seq),
        _ => false,
    }
}

/// A run of ours is not the task's run any more.
fn fence(memory: &mut Memory, slot: RunSlot, effects: &mut Vec<Effect>) {
    let run = memory.live.remove(slot);
    debug_assert!(run.is_some(), "run {slot} is fenced, and was not live (I-4)");
    if let Some(live) = run {
        let shares = live.batch.is_some_and(|batch| memory.live.active_of(batch) > 0);
        if live.has_halted() || shares {
            memory.dispatch.take_place();
        }
        memory.dispatch.end_run(live.lane.operation(), live.seq);
        memory.meters.fenced(live.lane.operation());
        memory.dispatch.commit();
    }
    effects.push(Effect::RunEnded(slot, RunEnd::Fenced));
    effects.push(Effect::Abort(slot, AbortSignal::Fenced));
}

/// The run that must be live for this change, and its task.
fn run_of(change: &Change) -> Option<(Seq, RunId)> {
    match change {
        Change::End { seq, run, .. } => run.map(|run| (*seq, run)),
        Change::Release { seq, run, .. }
        | Change::RequestAbort { seq, run, .. }
        | Change::RequestPostpone { seq, run, .. }
        | Change::RequestPause { seq, run, .. }
        | Change::PauseRun { seq, run, .. }
        | Change::ResumeRun { seq, run, .. }
        | Change::Progress { seq, run, .. }
        | Change::Log { seq, run, .. }
        | Change::Outside(
            OutsideChange::Unclaim { seq, run, .. } | OutsideChange::Renew { seq, run, .. },
        ) => Some((*seq, *run)),
        Change::Outside(OutsideChange::Begin { seq, start, .. }) => Some((*seq, start.run)),
        Change::Outside(OutsideChange::Claim { .. } | OutsideChange::Touch { .. })
        | Change::Operation(_)
        | Change::Add { .. }
        | Change::AddDelayed { .. }
        | Change::AddBlocked { .. }
        | Change::DependOn { .. }
        | Change::Met { .. }
        | Change::Unblock { .. }
        | Change::LetGo { .. }
        | Change::Lapses { .. }
        | Change::Timer { .. }
        | Change::Due { .. }
        | Change::Fired(_)
        | Change::Key { .. }
        | Change::Start { .. }
        | Change::Reopen { .. }
        | Change::Delay { .. }
        | Change::HoldBack { .. }
        | Change::Free { .. }
        | Change::Hold(_)
        | Change::Schedule(_)
        | Change::SetQueueTimeout { .. }
        | Change::Update { .. }
        | Change::Pause { .. }
        | Change::Resume { .. }
        | Change::Block { .. }
        | Change::Prioritize { .. }
        | Change::Sort { .. }
        | Change::Purge { .. }
        | Change::SweepKeys(_)
        | Change::Gate(_)
        | Change::Offer(_)
        | Change::Bury(_) => None,
    }
}
