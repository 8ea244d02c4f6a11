//! Waiting for the end of a task that the caller names.
//!
//! # Promises
//! - A waiter is answered once its task has ended, also if it had ended before.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::id::TaskId;

use crate::draft::Planner;
use crate::input::Ticket;

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
