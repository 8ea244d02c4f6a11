//! New tasks.
//!
//! # Promises
//! - Sequence numbers grow in commit order and are never reused (I-8): they are taken from the
//!   draft's own counter, which becomes the store's with the same commit.
//! - A key makes one task, however often and with whatever it comes (I-2).
//!
//! Proof: `proof/tests/engine`, `conformance::add`, `conformance::key`.

use std::sync::Arc;

use tasker_core::dispatch::QueueKey;
use tasker_core::id::{AddKey, LaneId, Seq, TaskId};
use tasker_core::state::State;
use tasker_core::store::{Lane, Waiting};
use tasker_core::task::NewTask;

use crate::draft::{Added, Planner};
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

impl Planner<'_> {
    /// One task.
    pub(crate) fn add(&mut self, ticket: Ticket, def: NewTask) {
        let id = self.enter(def);
        self.answer(Effect::Answer(ticket, Answer::Task(id)));
    }

    /// Several tasks with one answer.
    pub(crate) fn add_many(&mut self, ticket: Ticket, defs: &[NewTask]) {
        let ids = defs.iter().map(|def| self.enter(def.clone())).collect();
        self.answer(Effect::Answer(ticket, Answer::Tasks(ids)));
    }

    /// Several tasks by their keys, with one answer.
    pub(crate) fn add_once(&mut self, ticket: Ticket, defs: &[(AddKey, NewTask)]) {
        let tasks = defs.iter().map(|(key, def)| self.enter_once(*key, def)).collect();
        self.answer(Effect::Answer(ticket, Answer::Once(tasks)));
    }

    /// Which task a key has made, in the store or in this very turn.
    pub(crate) fn keyed(&mut self, ticket: Ticket, key: AddKey) {
        let known = self.draft.keys.get(&key).copied();
        self.answer(Effect::Answer(ticket, Answer::Found(known)));
    }

    /// The task of a key, and whether it is new.
    fn enter_once(&mut self, key: AddKey, def: &NewTask) -> (TaskId, bool) {
        if let Some(known) = self.draft.keys.get(&key) {
            return (*known, false);
        }
        self.draft.keyed.push((key, self.draft.seq_next));
        let id = self.enter(def.clone());
        self.draft.keys.insert(key, id);
        (id, true)
    }

    fn enter(&mut self, def: NewTask) -> TaskId {
        let seq = self.draft.seq_next;
        self.draft.seq_next = Seq(seq.0 + 1);
        self.draft.counts.enter(State::Ready);
        let id = self.ids.task(seq, self.now.wall);
        let lane = self.lane(&def.operation);
        if self.memory.dispatch.has_runner(&def.operation) {
            self.join(lane, &def.operation, QueueKey::new(def.priority, seq));
        }
        let task = Waiting { seq, id, def, attempt: 0, losses: 0, logs: 0 };
        self.draft.adds.push(Added { lane, task, start: None });
        id
    }

    fn lane(&mut self, operation: &Arc<str>) -> LaneId {
        let known = self.memory.dispatch.lane_of(operation);
        let drafted = || self.draft.lanes.iter().find(|lane| lane.operation == *operation);
        if let Some(id) = known.or_else(|| drafted().map(|lane| lane.id)) {
            return id;
        }
        let id = LaneId(self.memory.next_lane + self.draft.lanes.len() as u32);
        self.draft.lanes.push(Lane { id, operation: operation.clone() });
        id
    }

    /// Puts the new tasks into queue order.
    pub(crate) fn sort_joined(&mut self) {
        self.draft.turnover.joined.sort_unstable_by_key(|joined| joined.key);
    }
}
