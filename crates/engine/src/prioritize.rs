//! Giving another priority to a task that the caller names.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::Priority;

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

impl Planner<'_> {
    /// Gives a ready task another priority; any other is left as it is.
    pub(crate) fn prioritize(&mut self, ticket: Ticket, id: TaskId, to: Priority) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_ready = brief.state == State::Ready && !self.draft.turnover.gone.contains(&seq);
        if is_ready {
            let (lane, from) = (brief.lane, self.priority(seq, brief));
            self.draft.priorities.insert(seq, to);
            self.draft.changes.push(Change::Prioritize { seq, lane, from, to });
            self.draft.stale_lanes.push(brief.lane);
        }
        self.answer(Effect::Answer(ticket, Answer::Flag(is_ready)));
    }
}
