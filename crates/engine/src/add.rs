//! New tasks.
//!
//! # Promises
//! - Sequence numbers grow in commit order and are never reused (I-8): they are taken from the
//!   draft's own counter, which becomes the store's with the same commit.
//! - A key makes one task, however often and with whatever it comes (I-2).
//! - A task whose start time lies ahead is delayed; one whose start time is over is ready.
//! - What a task does not say its operation says, and it keeps that.
//! - A call whose tasks have not all room, or depend on what is not there, is refused, and adds
//!   none of them (I-17).
//!
//! Proof: `proof/tests/engine`, `conformance::add`, `conformance::key`.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use tasker_core::condition::Conditions;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdempotencyKey, LaneId, OperationId, Seq, TaskId};
use tasker_core::key::{Key, KeyKind};
use tasker_core::queue::QueueKey;
use tasker_core::rate::RateKey;
use tasker_core::store::{KeyHolder, Operation, ReadyTask};
use tasker_core::task::NewTask;

use crate::draft::{Addition, Depends, Planner};
use crate::effect::{Added, Answer, Effect};
use crate::input::Ticket;
use crate::unique::{Asked, at_place};

impl Planner<'_> {
    /// One task.
    pub(crate) fn add(&mut self, ticket: Ticket, def: NewTask) {
        if def.is_unique() {
            return self.add_unique(ticket, &[(None, &def)], |_| None);
        }
        let answer = self.admit_plain(def).map(Answer::Task);
        self.reply(ticket, answer);
    }

    /// One task that no call adds.
    pub(crate) fn admit(&mut self, def: NewTask) -> Result<(TaskId, Added)> {
        if !def.is_unique() {
            return Ok((self.admit_plain(def)?, Added::New));
        }
        let admitted = self.admit_unique(&[(None, &def)], |_| None)?.pop();
        admitted.ok_or_else(|| Error::bug("a task is neither added nor known"))
    }

    fn admit_plain(&mut self, def: NewTask) -> Result<TaskId> {
        self.check_dependencies(&def)?;
        let lane = self.lane(&def)?;
        Ok(self.enter(lane, def, &[]))
    }

    /// Several tasks with one answer.
    pub(crate) fn add_many(&mut self, ticket: Ticket, defs: &[NewTask]) {
        if defs.iter().any(NewTask::is_unique) {
            let asked: Vec<Asked<'_>> = defs.iter().map(|def| (None, def)).collect();
            return self.add_unique(ticket, &asked, in_list);
        }
        let lanes = self.lanes(defs.iter().enumerate(), in_list);
        let answer = lanes.map(|lanes| {
            debug_assert_eq!(lanes.len(), defs.len(), "a task has no lane");
            let mut tasks = Vec::with_capacity(defs.len());
            for (lane, def) in lanes.into_iter().zip(defs) {
                tasks.push(self.enter(lane, def.clone(), &tasks));
            }
            Answer::Tasks(tasks)
        });
        self.reply(ticket, answer);
    }

    /// Several tasks under idempotency keys, with one answer. A task that is known already makes
    /// no operation known.
    pub(crate) fn add_idempotent(&mut self, ticket: Ticket, defs: &[(IdempotencyKey, NewTask)]) {
        if defs.iter().any(|(_, def)| def.is_unique()) {
            let asked = defs.iter().map(|(key, def)| (Some(Key::Idempotency(*key)), def));
            let asked: Vec<Asked<'_>> = asked.collect();
            return self.add_unique(ticket, &asked, in_list);
        }
        let is_new = self.are_new(defs);
        let adds = defs.iter().enumerate().zip(&is_new).filter(|(_, is_new)| **is_new);
        let adds: Vec<(usize, &(IdempotencyKey, NewTask))> = adds.map(|(add, _)| add).collect();
        let lanes = self.lanes(adds.iter().map(|(index, (_, def))| (*index, def)), in_list);
        let answer = lanes.map(|lanes| {
            for ((_, (key, def)), lane) in adds.into_iter().zip(lanes) {
                let (seq, id) = (self.draft.seq_next, self.enter(lane, def.clone(), &[]));
                let holder = KeyHolder { seq, id, kind: KeyKind::Idempotency, until: None };
                self.give_key(Key::Idempotency(*key), holder);
            }
            let task = |((key, _), is_new): (&(IdempotencyKey, NewTask), bool)| {
                self.known(&Key::Idempotency(*key)).map(|holder| (holder.id, is_new))
            };
            let tasks: Vec<_> = defs.iter().zip(is_new).filter_map(task).collect();
            debug_assert_eq!(tasks.len(), defs.len(), "a key has no task after its add (I-2)");
            Answer::Idempotent(tasks)
        });
        self.reply(ticket, answer);
    }

    /// Which task was added under a key, in the store or in this very turn.
    pub(crate) fn find_by_key(&mut self, ticket: Ticket, key: IdempotencyKey) {
        let known = self.known(&Key::Idempotency(key)).map(|holder| holder.id);
        self.answer(Effect::Answer(ticket, Answer::Found(known)));
    }

    /// Which of these adds a task: the first one of each key that is not known.
    fn are_new(&self, defs: &[(IdempotencyKey, NewTask)]) -> Vec<bool> {
        let mut new = FxHashSet::default();
        let is_known = |key: &IdempotencyKey| self.known(&Key::Idempotency(*key)).is_some();
        let mut is_new = |key| !is_known(key) && new.insert(*key);
        defs.iter().map(|(key, _)| is_new(key)).collect()
    }

    /// A task enters; `earlier` are those of its call that stand before it.
    pub(crate) fn enter(&mut self, lane: LaneId, mut def: NewTask, earlier: &[TaskId]) -> TaskId {
        debug_assert_eq!(
            self.dispatch.operation(&def.operation),
            Some(lane.operation()),
            "a task enters a lane of another operation"
        );
        debug_assert_eq!(
            self.draft.seq_next.0 - self.memory.seq_next.0,
            self.draft.adds.len() as u64,
            "numbers are given without gaps (I-8)"
        );
        self.draft.attaches |= std::mem::take(&mut def.is_attached);
        let mut due_at = self.prepare(lane, &mut def);
        let seq = self.draft.seq_next;
        self.draft.seq_next = Seq(seq.0 + 1);
        let id = self.ids.task(seq, self.now.wall);
        let depends = self.depend(seq, &mut def, earlier);
        let is_blocked = depends.as_ref().is_some_and(Depends::is_blocked);
        if !is_blocked && !def.options.is_none() {
            def.options.begin_queue_timeout(due_at.unwrap_or(self.now.wall));
        }
        match due_at {
            // Its times are looked at when they have ended.
            _ if is_blocked => due_at = None,
            None => self.dispatch.enter(lane, QueueKey::new(def.priority, seq)),
            Some(_) => self.wake_at(due_at),
        }
        if def.is_unique()
            && let Some(unique) = def.options.unique.clone()
        {
            self.take_key(lane.operation(), &unique, (seq, id, self.now.wall));
        }
        let (created_at, attempt, failures, losses, logs) = (self.now.wall, 0, 0, 0, 0);
        let task = ReadyTask { seq, id, created_at, def, attempt, failures, losses, logs };
        self.draft.adds.push(Addition { lane, task, due_at, start: None, depends, held: None });
        id
    }

    /// The lane of each task; with each stands its place in the call. If one has none, the call
    /// makes no operation known.
    pub(crate) fn lanes<'d>(
        &mut self,
        defs: impl Iterator<Item = (usize, &'d NewTask)>,
        path: fn(usize) -> Option<String>,
    ) -> Result<Vec<LaneId>> {
        let (known, before) = (self.draft.operations.len(), self.dispatch.mark());
        let (new_operations, lane_next) = (self.draft.new_operations, self.draft.lane_next);
        let lane = |(index, def): (usize, &NewTask)| {
            let lane = self.check_dependencies(def).and_then(|()| self.lane(def));
            lane.map_err(|error| at_place(error, path(index)))
        };
        let lanes = defs.map(lane).collect();
        if Result::is_err(&lanes) {
            self.draft.operations.truncate(known);
            self.draft.new_operations = new_operations;
            self.draft.lane_next = lane_next;
            self.dispatch.rollback_to(before);
        }
        lanes
    }

    /// The lane of the tasks of its operation with its conditions.
    pub(crate) fn lane(&mut self, def: &NewTask) -> Result<LaneId> {
        // What does not fit makes no operation known.
        let known = self.dispatch.operation(&def.operation);
        let conditions = self.conditions_of(def, known)?;
        if def.is_attached && !conditions.is_none() {
            let message = "is not taken together with conditions yet";
            return Err(Error::at(Code::Unsupported, "attach", message));
        }
        if def.is_attached && known.is_some_and(|id| self.dispatch.executor(id).is_some()) {
            let message = "cannot reach an executor outside, and the operation has those";
            return Err(Error::at(Code::Unsupported, "attach", message));
        }
        let key = known.map(|id| self.dispatch.gate_key(id, def)).transpose()?.flatten();
        if def.is_attached && key.is_some() {
            let message = "is not taken together with a rate limit or a circuit breaker of the \
                           operation that is by a value of the task yet";
            return Err(Error::at(Code::Unsupported, "attach", message));
        }
        if conditions.is_none() && key.is_none() {
            let id = known.map_or_else(|| self.add_operation(&def.operation), Ok)?;
            let owner = self.memory.owner;
            return Ok(if def.is_attached {
                LaneId::attached(id, owner)
            } else {
                LaneId::new(id, 0)
            });
        }
        let found = known.and_then(|id| self.dispatch.lane_of(id, &conditions, key.as_ref()));
        let lane = match found {
            Some(lane) => lane,
            None => {
                self.dispatch.check_room(&conditions)?;
                let id = known.map_or_else(|| self.add_operation(&def.operation), Ok)?;
                self.new_lane(id, &conditions, key.as_ref())
            }
        };
        self.note_conditions(lane, conditions);
        Ok(lane)
    }

    /// The lane of the tasks with the conditions of one that waits, and with its value of the rate
    /// limit. It is there already, so nobody asks whether there is room.
    pub(crate) fn lane_of_key(&mut self, id: OperationId, def: &NewTask) -> Result<LaneId> {
        let key = self.dispatch.gate_key(id, def)?;
        debug_assert!(key.is_some(), "a task is sorted by no value");
        let lane = self.dispatch.lane_of(id, def.conditions(), key.as_ref());
        Ok(lane.unwrap_or_else(|| self.new_lane(id, def.conditions(), key.as_ref())))
    }

    fn add_operation(&mut self, name: &Arc<str>) -> Result<OperationId> {
        let id = self.new_operation(name)?;
        self.store_operation(Operation::new(id, name.clone()));
        Ok(id)
    }

    fn new_lane(
        &mut self,
        operation: OperationId,
        conditions: &Conditions,
        key: Option<&RateKey>,
    ) -> LaneId {
        let lane = LaneId::new(operation, self.draft.lane_next);
        self.draft.lane_next += 1;
        self.dispatch.add_lane(lane, conditions, key);
        lane
    }
}

/// Where the task at a place of a list stands.
fn in_list(place: usize) -> Option<String> {
    Some(format!("[{place}]"))
}
