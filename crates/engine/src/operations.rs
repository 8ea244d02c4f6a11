//! The records of operations: what is said of them, for all processes.
//!
//! # Promises
//! - A change that changes nothing is none: no version, no batch. So whoever says at each start
//!   what it said before writes nothing.
//! - What a turn says of an operation holds for what the same turn adds and starts.
//!
//! # Left to others
//! The runners of this process: `control`. What other owners said: `catch_up`.
//!
//! Proof: `proof/tests/engine/operations.rs`, `proof/tests/random`.

use std::sync::Arc;

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{LaneId, OperationId};
use tasker_core::limits::OPERATIONS_MAX;
use tasker_core::operation::{Layer, OperationOptions, OperationRecord, WHOLE_STORE};
use tasker_core::store::Operation;
use tasker_core::task::NewTask;

use crate::draft::Planner;
use crate::effect::Answer;
use crate::input::Ticket;

impl Planner<'_> {
    /// `defineOperation`, and the conditions of a tasker. These are answered with the list of what
    /// they have replaced and what holds now, if something was replaced.
    pub(crate) fn define(&mut self, ticket: Ticket, name: &Arc<str>, options: &OperationOptions) {
        if let Err(error) = self.check_executor(name, options) {
            return self.reply(ticket, Err(error));
        }
        let is_of_all = &**name == WHOLE_STORE;
        let before = self.draft.rules.clone().filter(|before| is_of_all && !before.is_empty());
        let layer = |record: &mut OperationRecord| record.set(Layer::Defined, options.clone());
        let changed = self.change_operation(name, layer);
        let texts = before.zip(options.conditions.as_ref());
        let answer = |changed| match texts.filter(|_| changed) {
            Some((before, now)) => Answer::Json(format!("[{},{}]", before.text(), now.text())),
            None => Answer::Done,
        };
        self.reply(ticket, changed.map(answer));
    }

    /// Executors take all tasks of an operation, or none: nobody may have a runner for it.
    fn check_executor(&self, name: &Arc<str>, options: &OperationOptions) -> Result<()> {
        let assigned = self.dispatch.record(name).assigned;
        let has_circuit = options.circuit_breaker.is_some() || assigned.circuit_breaker.is_some();
        if options.executor.is_some() && has_circuit {
            let text = "is not taken together with `executor` yet";
            return Err(Error::at(Code::Unsupported, "circuitBreaker", text));
        }
        let is_new = options.executor.is_some() && self.dispatch.executor_of(name).is_none();
        if is_new && (self.dispatch.has_runner(name) || self.dispatch.is_offered(name)) {
            let text = format!(
                "a process has a runner for {name:?}; unassign it, or define the operation without \
                 `executor`"
            );
            return Err(Error::new(Code::Conflict, text).with_path("executor"));
        }
        Ok(())
    }

    /// The options of an `assignRunner`; the runner is there already.
    pub(crate) fn assign(&mut self, ticket: Ticket, name: &Arc<str>, options: &OperationOptions) {
        let layer = |record: &mut OperationRecord| record.set(Layer::Assigned, options.clone());
        let changed = match options.executor {
            None => self.change_operation(name, layer),
            Some(_) => {
                let text = "goes with `defineOperation`: an operation has a runner or executors";
                Err(Error::invalid("executor", text))
            }
        };
        let version = self.dispatch.record(name).version;
        let assigned = changed.is_ok().then(|| (options.clone(), version));
        self.draft.assigned.push((ticket, name.clone(), assigned));
        self.reply(ticket, changed.map(|_| Answer::Done));
    }

    /// `pauseOperation` and `resumeOperation`. The answer says whether that changed anything; one
    /// of which nothing is known is not paused.
    pub(crate) fn pause_operation(&mut self, ticket: Ticket, name: &Arc<str>, pauses: bool) {
        if self.dispatch.record(name).paused_at.is_some() == pauses {
            return self.reply(ticket, Ok(Answer::Flag(false)));
        }
        let paused_at = pauses.then_some(self.now.wall);
        let changed = self.change_operation(name, |record| record.paused_at = paused_at);
        self.reply(ticket, changed.map(Answer::Flag));
    }

    /// Gives an operation the next version of its record, unless that says the same. Whether it
    /// does not.
    fn change_operation(
        &mut self,
        name: &Arc<str>,
        change: impl FnOnce(&mut OperationRecord),
    ) -> Result<bool> {
        let old = self.dispatch.record(name);
        let mut record = old.clone();
        change(&mut record);
        if record == old && old.version > 0 {
            return Ok(false);
        }
        record.in_force().check_paths()?;
        let id = match self.dispatch.operation(name) {
            Some(id) => id,
            None => self.new_operation(name)?,
        };
        record.version += 1;
        record.follow(&old, self.memory.number + 1, self.draft.lane_next);
        self.store_operation(Operation { id, name: name.clone(), record });
        Ok(true)
    }

    /// The number of an operation that is stored for the first time.
    pub(crate) fn new_operation(&mut self, name: &Arc<str>) -> Result<OperationId> {
        let number = self.memory.next_operation + self.draft.new_operations;
        let id = u16::try_from(number).map(OperationId).map_err(|_| full())?;
        debug_assert!(
            self.dispatch.operation_name(id).is_none(),
            "number {number} is another operation's"
        );
        self.dispatch.add_operation(id, name);
        self.draft.new_operations += 1;
        Ok(id)
    }

    /// A record is written, and holds for what comes after it in this turn.
    pub(crate) fn store_operation(&mut self, operation: Operation) {
        self.dispatch.set_record(operation.id, operation.record.clone());
        let is_of_all = &*operation.name == WHOLE_STORE;
        self.draft.operations.push(operation);
        if is_of_all {
            self.find_rules();
        }
    }

    /// Gives a task what its caller did not say.
    pub(crate) fn complete(&self, lane: LaneId, def: &mut NewTask) {
        let options = self.dispatch.options(lane.operation());
        debug_assert!(options.is_some(), "nothing is known of the operation of {lane:?}");
        options.unwrap_or(&OperationOptions::default()).complete(def);
    }
}

fn full() -> Error {
    let message = format!("the file knows {OPERATIONS_MAX} operations, and this is another one");
    Error::at(Code::Limit, "operation", message)
}
