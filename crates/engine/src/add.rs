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
use tasker_core::id::{IdempotencyKey, LaneId, Seq, TaskId};
use tasker_core::store::{Lane, ReadyTask};
use tasker_core::task::NewTask;

use crate::draft::{Addition, Planner};
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

    /// Several tasks under idempotency keys, with one answer.
    pub(crate) fn add_idempotent(&mut self, ticket: Ticket, defs: &[(IdempotencyKey, NewTask)]) {
        let tasks = defs.iter().map(|(key, def)| self.enter_idempotent(*key, def)).collect();
        self.answer(Effect::Answer(ticket, Answer::Idempotent(tasks)));
    }

    /// Which task was added under a key, in the store or in this very turn.
    pub(crate) fn find_by_key(&mut self, ticket: Ticket, key: IdempotencyKey) {
        let known = self.facts.keys.get(&key).copied();
        self.answer(Effect::Answer(ticket, Answer::Found(known)));
    }

    /// The task of a key, and whether it is new.
    fn enter_idempotent(&mut self, key: IdempotencyKey, def: &NewTask) -> (TaskId, bool) {
        if let Some(known) = self.facts.keys.get(&key) {
            return (*known, false);
        }
        self.draft.new_keys.push((key, self.draft.seq_next));
        let id = self.enter(def.clone());
        self.facts.keys.insert(key, id);
        (id, true)
    }

    fn enter(&mut self, def: NewTask) -> TaskId {
        let seq = self.draft.seq_next;
        self.draft.seq_next = Seq(seq.0 + 1);
        let id = self.ids.task(seq, self.now.wall);
        let lane = self.lane(&def.operation);
        if self.memory.dispatch.has_runner(&def.operation) {
            self.join(lane, &def.operation, QueueKey::new(def.priority, seq));
        }
        let (created_at, attempt, losses, logs) = (self.now.wall, 0, 0, 0);
        let task = ReadyTask { seq, id, created_at, def, attempt, losses, logs };
        self.draft.adds.push(Addition { lane, task, start: None });
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
    pub(crate) fn sort_arrivals(&mut self) {
        self.draft.turnover.arrivals.sort_unstable_by_key(|arrivals| arrivals.key);
    }
}
