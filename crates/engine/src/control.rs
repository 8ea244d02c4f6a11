//! Calls that change only what this process knows: runners, start, stop, subscriptions.
//!
//! They are answered whatever the store says, so a full disk does not refuse them.
//!
//! Proof: `proof/tests/engine`.

use std::sync::Arc;

use tasker_core::batching::Batching;
use tasker_core::error::{Code, Error};
use tasker_core::limits;
use tasker_core::operation::OperationOptions;
use tasker_core::time::Now;

use crate::client_id::ClientId;
use crate::effect::{Answer, Effect};
use crate::input::{Input, StopOptions, Subscription, Ticket};
use crate::memory::{Memory, Runner, Stopping};

impl Memory {
    /// Carries out such a call, or gives any other back.
    pub(crate) fn control(
        &mut self,
        input: Input,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Option<Input> {
        match input {
            Input::Assign(ticket, operation, options) => {
                return self.assign_with((ticket, operation), options, effects);
            }
            Input::Threads(ticket, name, most) => self.give_threads(ticket, name, most, effects),
            Input::AssignBatch(ticket, operation, options, batching) => {
                return self.assign_batch((ticket, operation), options, batching, effects);
            }
            Input::Unassign(ticket, operation) => self.unassign(ticket, &operation, effects),
            Input::Start(ticket) => self.start(ticket, effects),
            Input::Stop(ticket, options) => self.stop(ticket, options, now, false),
            Input::Close(ticket, options) => self.stop(ticket, options, now, true),
            Input::Subscribe(ticket, of) => self.subscribe(ticket, of, effects),
            Input::Ack(ticket) => self.ack(ticket, effects),
            Input::AwaitIdle(ticket) => self.rest.wait(ticket),
            Input::Ask(ticket, question) => self.questions.push((ticket, question)),
            Input::Ready(ticket) => effects.push(Effect::Answer(ticket, Answer::Done)),
            Input::CancelAwait(ticket, waiter) => self.cancel_await(ticket, waiter, effects),
            Input::Poll(ticket, poll) => self.poll((ticket, poll), now, effects),
            Input::Unpoll(ticket, poll) => self.unpoll((ticket, poll), now, effects),
            // The plan gives its runs back.
            Input::Leave(client) => {
                self.forget(client, now);
                return Some(input);
            }
            others @ (Input::Add(..)
            | Input::AddMany(..)
            | Input::AddIdempotent(..)
            | Input::FindByKey(..)
            | Input::Settle(..)
            | Input::Postpone(_)
            | Input::Record(..)
            | Input::Abort(..)
            | Input::Prioritize(..)
            | Input::Define(..)
            | Input::PauseOperation(..)
            | Input::Hold(..)
            | Input::ReleaseHold(..)
            | Input::AddSchedule(..)
            | Input::UpdateSchedule(..)
            | Input::PauseSchedule(..)
            | Input::TriggerSchedule(..)
            | Input::RemoveSchedule(..)
            | Input::Pause(..)
            | Input::Resume(..)
            | Input::Halt(_)
            | Input::Retry(..)
            | Input::PostponeTask(..)
            | Input::Update(..)
            | Input::Remove(..)
            | Input::Bulk(..)
            | Input::AwaitEnd(..)
            | Input::AwaitLogs(..)
            | Input::Stand(_)
            | Input::GiveBack(_)
            | Input::Begin(..)
            | Input::Renew(..)
            | Input::SettleOutside(..)
            | Input::IsShared(_)) => return Some(others),
        }
        None
    }

    fn subscribe(&mut self, ticket: Ticket, of: Subscription, effects: &mut Vec<Effect>) {
        self.subscribers.set(ClientId::of(ticket), of, self.number);
        effects.push(Effect::Answer(ticket, Answer::Done));
    }

    fn ack(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        self.subscribers.ack(ClientId::of(ticket));
        effects.push(Effect::Answer(ticket, Answer::Done));
    }

    fn give_threads(
        &mut self,
        ticket: Ticket,
        operation: Arc<str>,
        most: u32,
        effects: &mut Vec<Effect>,
    ) {
        self.threads.insert(operation, most);
        effects.push(Effect::Answer(ticket, Answer::Done));
    }

    fn cancel_await(&mut self, ticket: Ticket, waiter: Ticket, effects: &mut Vec<Effect>) {
        self.waiters.remove(waiter);
        self.log_listeners.remove(waiter);
        self.rest.remove(waiter);
        effects.push(Effect::Answer(ticket, Answer::Done));
    }

    /// Gives back what the plan does: it writes the options.
    fn assign_with(
        &mut self,
        (ticket, operation): (Ticket, Arc<str>),
        options: Option<OperationOptions>,
        effects: &mut Vec<Effect>,
    ) -> Option<Input> {
        match self.assign(ticket, &operation) {
            Ok(()) if options.is_some() => Some(Input::Assign(ticket, operation, options)),
            assigned => {
                effects.push(answer(ticket, assigned));
                None
            }
        }
    }

    /// The same; the runner of this call takes several tasks at once, if it was assigned.
    fn assign_batch(
        &mut self,
        (ticket, operation): (Ticket, Arc<str>),
        options: Option<OperationOptions>,
        batching: Batching,
        effects: &mut Vec<Effect>,
    ) -> Option<Input> {
        let rest = self.assign_with((ticket, operation.clone()), options, effects);
        if self.runners.get(&operation).is_some_and(|runner| runner.ticket == ticket) {
            self.dispatch.set_batch(&operation, batching.max);
            self.batches.assign(&operation, batching);
        }
        rest
    }

    fn assign(&mut self, ticket: Ticket, operation: &Arc<str>) -> Result<(), Error> {
        debug_assert_eq!(
            self.dispatch.has_runner(operation),
            self.runners.contains_key(operation),
            "a runner of {operation} is nobody's"
        );
        if self.dispatch.executor_of(operation).is_some() {
            return Err(two_takers(operation));
        }
        if self.dispatch.has_runner(operation) {
            let text = format!("the operation {operation:?} has a runner already");
            return Err(Error::new(Code::Conflict, text).with_path("operation"));
        }
        // Before, or more would start.
        self.dispatch.set_threads(operation, self.threads.remove(operation));
        self.dispatch.set_runner(operation, true);
        self.has_new_offers = true;
        let old = self.runners.insert(operation.clone(), Runner { ticket, assigned: None });
        debug_assert!(old.is_none(), "a runner of {operation} is taken from its client");
        Ok(())
    }

    /// Nobody takes away the runner of another client.
    fn unassign(&mut self, ticket: Ticket, operation: &Arc<str>, effects: &mut Vec<Effect>) {
        let client = ClientId::of(ticket);
        self.unassign_if(operation, |runner| runner.client() == client);
        effects.push(Effect::Answer(ticket, Answer::Done));
    }

    /// The options of this call cannot be written: without them its runner would do more than it
    /// may.
    pub(crate) fn take_back(&mut self, ticket: Ticket, operation: &Arc<str>) {
        self.unassign_if(operation, |runner| runner.ticket == ticket);
    }

    fn unassign_if(&mut self, operation: &Arc<str>, is_meant: impl FnOnce(&Runner) -> bool) {
        if self.runners.get(operation).is_some_and(is_meant) {
            self.runners.remove(operation);
            self.batches.unassign(operation, self.dispatch.operation(operation));
            self.dispatch.set_runner(operation, false);
            self.has_new_offers = true;
        }
    }

    /// A client has gone.
    fn forget(&mut self, client: ClientId, now: Now) {
        self.unpoll_all(client, now);
        self.waiters.remove_all(client);
        self.log_listeners.remove_all(client);
        self.rest.remove_all(client);
        self.subscribers.remove(client);
        self.questions.retain(|(ticket, _)| ClientId::of(*ticket) != client);
        for (operation, _) in self.runners.extract_if(|_, runner| runner.client() == client) {
            self.batches.unassign(&operation, self.dispatch.operation(&operation));
            self.dispatch.set_runner(&operation, false);
            self.has_new_offers = true;
        }
    }

    /// A start during a stop takes effect when the stop is over.
    fn start(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        match &self.stopping {
            Some(stopping) if stopping.closes => effects.push(Effect::Refuse(ticket, closed())),
            Some(_) => self.start_after_stop.push(ticket),
            None if let Some(name) = self.runner_beside_executors() => {
                effects.push(Effect::Refuse(ticket, two_takers(name)));
            }
            None => {
                self.dispatch.set_started(true);
                self.has_new_offers = true;
                effects.push(Effect::Answer(ticket, Answer::Done));
            }
        }
    }

    /// An operation with a runner here whose tasks executors outside take.
    fn runner_beside_executors(&self) -> Option<&Arc<str>> {
        self.runners.keys().find(|name| self.dispatch.executor_of(name).is_some())
    }

    fn stop(&mut self, ticket: Ticket, options: StopOptions, now: Now, closes: bool) {
        debug_assert!(
            self.stopping.is_none() || !self.dispatch.is_started(),
            "tasks start during a stop (I-14)"
        );
        let lapse = self.lapse_of_stop();
        self.dispatch.set_started(false);
        self.has_new_offers = true;
        let timeout_ms = options.timeout_ms.unwrap_or(limits::STOP_TIMEOUT_MS);
        let deadline = now.mono.plus(timeout_ms);
        let stopping = self.stopping.get_or_insert_with(|| Stopping {
            tickets: Vec::new(),
            closes,
            options,
            deadline,
            has_begun: false,
            lapse,
        });
        // A start that waited is overtaken by this stop: it is answered, and starts nothing.
        stopping.tickets.append(&mut self.start_after_stop);
        stopping.tickets.push(ticket);
        stopping.closes |= closes;
        if options != StopOptions::default() {
            // The later stop is the more urgent one: its words replace the earlier.
            stopping.options = options;
            stopping.deadline = deadline;
            stopping.has_begun = false;
        }
    }

    /// When no run is live any more: answers the stop and carries out what waited for it.
    ///
    /// Returns the tickets of a close, which are answered when the store is released.
    pub(crate) fn finish_stop(&mut self, effects: &mut Vec<Effect>) -> Option<Vec<Ticket>> {
        if !self.live.is_empty() || self.is_detaching() || self.is_lapsing() {
            return None;
        }
        let stopping = self.stopping.take()?;
        debug_assert!(!stopping.tickets.is_empty(), "nobody has asked for this stop");
        if stopping.closes {
            return Some(stopping.tickets);
        }
        let done = |ticket| Effect::Answer(ticket, Answer::Done);
        effects.extend(stopping.tickets.into_iter().map(done));
        for ticket in std::mem::take(&mut self.start_after_stop) {
            self.start(ticket, effects);
        }
        None
    }
}

fn two_takers(operation: &Arc<str>) -> Error {
    let text = format!(
        "executors outside take the tasks of {operation:?}, so it has no runner: unassign that, or \
         define the operation without `executor`"
    );
    Error::new(Code::Conflict, text).with_path("operation")
}

pub(crate) fn closed() -> Error {
    Error::new(Code::Closed, "the tasker is closed")
}

fn answer(ticket: Ticket, result: Result<(), Error>) -> Effect {
    match result {
        Ok(()) => Effect::Answer(ticket, Answer::Done),
        Err(error) => Effect::Refuse(ticket, error),
    }
}
