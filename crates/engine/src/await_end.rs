//! Waiting for the end of a task that the caller names.
//!
//! # Promises
//! - A waiter is answered once its task has ended, also if it had ended before.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::id::TaskId;

use crate::client_id::ClientId;
use crate::draft::Planner;
use crate::input::{Input, Ticket};

impl Planner<'_> {
    /// Answers when the task has ended. Comes after all that may end it in this turn.
    pub(crate) fn await_end(&mut self, ticket: Ticket, id: TaskId) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        self.draft.waiters.push((seq, ticket));
        debug_assert_eq!(
            brief.state.is_final(),
            brief.outcome.is_some(),
            "task {} has ended, and nobody knows how",
            seq.0
        );
        if let Some(outcome) = brief.outcome {
            self.draft.awaited_ends.push((seq, outcome));
        }
    }
}

/// Takes back a wait that is cancelled in the turn in which it was asked for.
pub(crate) fn cancel_await(work: &mut Vec<Input>, waiter: Ticket) {
    let is_it = |input: &Input| matches!(input, Input::AwaitEnd(ticket, _) if *ticket == waiter);
    if let Some(at) = work.iter().rposition(is_it) {
        work.remove(at);
    }
}

/// Takes back the waits of a client that goes in the turn in which it asked for them.
#[expect(clippy::wildcard_enum_match_arm, reason = "only a wait is one")]
pub(crate) fn cancel_awaits(work: &mut Vec<Input>, client: ClientId) {
    let is_its = |input: &Input| match input {
        Input::AwaitEnd(ticket, _) => ClientId::of(*ticket) == client,
        _ => false,
    };
    work.retain(|input| !is_its(input));
}
