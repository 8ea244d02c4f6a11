//! Waiting for the end of a task that the caller names.
//!
//! # Promises
//! - A waiter is answered once its task has ended, also if it had ended before.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::id::TaskId;

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

impl Planner<'_> {
    /// Answers when the task has ended.
    pub(crate) fn await_end(&mut self, ticket: Ticket, id: TaskId) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        match &brief.outcome {
            Some(outcome) => {
                self.answer(Effect::Answer(ticket, Answer::Ended(outcome.clone())));
            }
            None => self.note_waiter(seq, ticket),
        }
    }
}
