//! Giving another priority to a task that the caller names.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::id::TaskId;
use tasker_core::store::Change;
use tasker_core::task::Priority;
use tasker_core::transition::TransitionKind;

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

impl Planner<'_> {
    /// Gives a waiting task another priority; any other is left as it is.
    pub(crate) fn prioritize(&mut self, ticket: Ticket, id: TaskId, to: Priority) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_queued = Self::allows(TransitionKind::Prioritize, brief.state);
        let is_out = Self::allows(TransitionKind::PrioritizeUnqueued, brief.state);
        // One that has halted has a run, and keeps what it started with.
        let may = is_queued || (is_out && brief.run.is_none());
        if may {
            let (lane, from) = (brief.lane, brief.priority);
            let change = Change::Prioritize { seq, lane, from, to, is_queued };
            self.transition(Some(brief.state), change);
        }
        self.answer(Effect::Answer(ticket, Answer::Flag(may)));
    }
}
