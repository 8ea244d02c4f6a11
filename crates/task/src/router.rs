//! What the engine tells, and whom: answers to calls, runs to their handlers.
//!
//! # Promises
//! - A call is answered once, also if the engine ends.
//! - Nothing of the user's runs, or is dropped, on the engine's threads or under the lock, but on
//!   the runtime of the call that brought it.
//!
//! # Left to others
//! Carrying out a run: `run`. What to ask of the engine: `engine`.
//!
//! Proof: `task/tests/execute.rs`, `task/tests/context.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::TaskId;
use tasker_core::rules::{self, Settlement};
use tasker_core::task::{AbortReason, Cause, TaskEnd};
use tasker_engine::effect::{Answer, Effect, RunStart, Sink};
use tasker_engine::input::{Input, RunSlot, Ticket};
use tasker_engine::thread::Client;
use tokio::runtime;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::context::TaskContext;
use crate::handler::Handler;
use crate::retry::RetryPolicy;
use crate::run::{LiveRun, UNHEARD, carry_out, consumed};

/// How long a task waits that came to us for an operation of which we run only our own tasks.
const STRAY_MS: u64 = 1_000;

/// A handler, and where it runs.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) handler: Handler,
    pub(crate) runtime: runtime::Handle,
    /// Code that decides on retries, where no other policy is stored.
    pub(crate) policy: Option<RetryPolicy>,
    /// Whether it is that of an operation: its tasks are any process's.
    pub(crate) is_named: bool,
}

/// A task that is being added.
pub(crate) struct Adding {
    pub(crate) operation: Arc<str>,
    /// What it does, if that is its own.
    pub(crate) runner: Option<Runner>,
    /// Who waits for its end.
    pub(crate) end: Option<oneshot::Sender<Result<TaskEnd>>>,
}

/// Who waits for an answer.
pub(crate) enum Call {
    Answer(oneshot::Sender<Result<Answer>>),
    Adds(Vec<Adding>, oneshot::Sender<Result<Vec<TaskId>>>),
    End(TaskId, Arc<str>, Option<oneshot::Sender<Result<TaskEnd>>>),
}

/// What to do once the lock is released.
enum Deed {
    Submit(Input),
    Run(RunStart, Runner, Begun),
    /// Something of the user's is not needed any more.
    Drop(Runner),
}

/// What a run has of its own from the moment at which the engine tells of it.
struct Begun {
    token: CancellationToken,
    /// Counts it, before whoever waits for quiet is answered.
    counted: watch::Receiver<()>,
}

#[derive(Default)]
struct State {
    ticket: Ticket,
    calls: BTreeMap<Ticket, Call>,
    /// The handlers of tasks that have not ended.
    own: BTreeMap<TaskId, Runner>,
    /// Those of schedules, by their ids.
    schedules: BTreeMap<Arc<str>, Runner>,
    /// Those of operations.
    runners: BTreeMap<Arc<str>, Runner>,
    /// The operations that the engine starts here, and how many tasks and schedules of each have
    /// a handler of their own.
    offered: BTreeMap<Arc<str>, usize>,
    live: BTreeMap<RunSlot, CancellationToken>,
    closed: Option<Error>,
}

/// What the engine tells, and whom.
pub(crate) struct Router {
    state: Mutex<State>,
    client: OnceLock<Weak<Client>>,
    /// Its receivers are the runs that are under way.
    pub(crate) running: watch::Sender<()>,
}

impl Router {
    pub(crate) fn new() -> Self {
        let (running, _) = watch::channel(());
        Self { state: Mutex::default(), client: OnceLock::new(), running }
    }

    /// This is the client through which answers come.
    pub(crate) fn connect(&self, client: &Arc<Client>) {
        // There is one client for each router.
        let _ = self.client.set(Arc::downgrade(client));
    }

    fn submit(&self, inputs: Vec<Input>) {
        let client = self.client.get().and_then(Weak::upgrade);
        if let (Some(client), false) = (client, inputs.is_empty()) {
            client.submit(inputs);
        }
    }

    /// Notes who waits for an answer.
    ///
    /// # Errors
    /// Why the engine is closed; whoever waits hears the same.
    pub(crate) fn enter(&self, call: Call) -> Result<Ticket> {
        let mut state = self.state.lock();
        if let Some(error) = state.closed.clone() {
            drop(state);
            refuse(call, &error);
            return Err(error);
        }
        Ok(state.enter(call))
    }

    /// The operations of these that the engine does not start here yet; from now on it does. Each
    /// is needed once more.
    pub(crate) fn offer(&self, operations: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut state = self.state.lock();
        let mut new = Vec::new();
        for operation in operations {
            if !state.offered.contains_key(operation) {
                new.push(Arc::clone(operation));
            }
            *state.offered.entry(Arc::clone(operation)).or_default() += 1;
        }
        new
    }

    /// Each of these is needed once less.
    pub(crate) fn give_back(&self, operations: &[Arc<str>]) {
        let mut state = self.state.lock();
        operations.iter().for_each(|operation| state.give_back(operation));
    }

    /// The operations that nobody needs here any more; the engine starts them no more.
    /// As many may stay.
    pub(crate) fn take_unneeded(&self, kept: usize) -> Vec<Arc<str>> {
        let mut state = self.state.lock();
        if state.offered.len() <= kept {
            return Vec::new();
        }
        let State { offered, runners, .. } = &mut *state;
        let is_unneeded =
            |name: &Arc<str>, tasks: &mut usize| *tasks == 0 && !runners.contains_key(name);
        offered.extract_if(.., is_unneeded).map(|(name, _)| name).collect()
    }

    /// The engine does not start this one here.
    pub(crate) fn withdraw(&self, operation: &Arc<str>) {
        self.state.lock().offered.remove(operation);
    }

    /// The runner of an operation; the one before.
    pub(crate) fn set_runner(&self, operation: Arc<str>, runner: Option<Runner>) -> Option<Runner> {
        let mut state = self.state.lock();
        match runner {
            Some(runner) => state.runners.insert(operation, runner),
            None => state.runners.remove(&operation),
        }
    }

    pub(crate) fn has_runner(&self, operation: &str) -> bool {
        self.state.lock().runners.contains_key(operation)
    }

    /// The runner of the tasks of a schedule; the one before.
    pub(crate) fn set_schedule(&self, id: Arc<str>, runner: Option<Runner>) -> Option<Runner> {
        let mut state = self.state.lock();
        match runner {
            Some(runner) => state.schedules.insert(id, runner),
            None => state.schedules.remove(&id),
        }
    }

    /// Nothing comes any more: calls are refused, runs are dropped.
    pub(crate) fn end(&self, error: &Error) {
        let mut state = self.state.lock();
        state.closed.get_or_insert_with(|| error.clone());
        let rest = std::mem::take(&mut *state);
        state.closed.clone_from(&rest.closed);
        drop(state);
        rest.live.values().for_each(CancellationToken::cancel);
        rest.calls.into_values().for_each(|call| refuse(call, error));
        let State { own, schedules, runners, .. } = rest;
        let all = own.into_values().chain(schedules.into_values()).chain(runners.into_values());
        all.for_each(dispose);
    }

    fn carry_out(&self, start: &RunStart, runner: Runner, begun: Begun) {
        let Begun { token, counted } = begun;
        let context =
            TaskContext::new(start, token.clone(), self.client.get().cloned().unwrap_or_default());
        let Some(future) = runner.handler.run(context) else {
            return self.refuse_run(start, runner);
        };
        let stored = start.options.retry.as_deref();
        let attempts = stored.map_or(1, |policy| policy.attempts);
        let decides = |policy: &RetryPolicy| stored.is_some_and(|stored| policy.decides(stored));
        let run = LiveRun {
            slot: start.slot,
            operation: Arc::clone(&start.operation),
            token,
            failures: start.attempt.saturating_sub(1),
            has_more: start.attempt < attempts,
            is_stored: runner.is_named,
            policy: runner.policy.filter(decides),
            _counted: counted,
            client: self.client.get().cloned().unwrap_or_default(),
        };
        runner.runtime.spawn(carry_out(run, future, runner.handler));
    }

    /// A handler that is one future would have to run again. If a schedule wants that, it stops.
    fn refuse_run(&self, start: &RunStart, runner: Runner) {
        let mut inputs = vec![Input::Settle(start.slot, consumed())];
        let schedule = start.options.schedule_id.as_ref();
        if let Some(id) = schedule.and_then(|id| serde_json::from_str::<String>(id.as_str()).ok()) {
            inputs.push(Input::RemoveSchedule(UNHEARD, id.into()));
        }
        dispose(runner);
        self.submit(inputs);
    }
}

impl State {
    fn enter(&mut self, call: Call) -> Ticket {
        self.ticket += 1;
        self.calls.insert(self.ticket, call);
        self.ticket
    }

    fn give_back(&mut self, operation: &Arc<str>) {
        if let Some(needed) = self.offered.get_mut(operation) {
            *needed = needed.saturating_sub(1);
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer, deeds: &mut Vec<Deed>) {
        let Some(call) = self.calls.remove(&ticket) else { return };
        match (call, answer) {
            // Whoever has gone needs no answer.
            (Call::Answer(sender), answer) => drop(sender.send(Ok(answer))),
            (Call::Adds(adding, sender), Answer::Tasks(ids)) => {
                // Who hears of the ids aborts them if he goes; who goes before has closed this.
                let _ = sender.send(Ok(ids.clone()));
                for (id, one) in ids.into_iter().zip(adding) {
                    self.added(id, one, deeds);
                }
            }
            (Call::End(id, operation, sender), Answer::Ended(end)) => {
                if let Some(sender) = sender {
                    let _ = sender.send(Ok(end));
                }
                self.ended(id, &operation, deeds);
            }
            (call @ (Call::Adds(..) | Call::End(..)), answer) => {
                refuse(call, &Error::bug(format!("a call got another answer: {answer:?}")));
            }
        }
    }

    fn added(&mut self, id: TaskId, adding: Adding, deeds: &mut Vec<Deed>) {
        let Adding { operation, runner, end } = adding;
        if runner.is_none() && end.is_none() {
            return;
        }
        if end.as_ref().is_some_and(oneshot::Sender::is_closed) {
            deeds.push(Deed::Submit(Input::Abort(UNHEARD, id, abandoned())));
        }
        if let Some(runner) = runner {
            self.own.insert(id, runner);
        }
        let ticket = self.enter(Call::End(id, operation, end));
        deeds.push(Deed::Submit(Input::AwaitEnd(ticket, id)));
    }

    fn ended(&mut self, id: TaskId, operation: &Arc<str>, deeds: &mut Vec<Deed>) {
        if let Some(runner) = self.own.remove(&id) {
            self.give_back(operation);
            deeds.push(Deed::Drop(runner));
        }
    }

    fn refuse(&mut self, ticket: Ticket, error: &Error, deeds: &mut Vec<Deed>) {
        match self.calls.remove(&ticket) {
            Some(Call::End(id, operation, sender)) => {
                refuse(Call::End(id, Arc::clone(&operation), sender), error);
                self.ended(id, &operation, deeds);
            }
            Some(Call::Adds(adding, sender)) => {
                // Whoever has gone needs no answer.
                let _ = sender.send(Err(error.clone()));
                for Adding { operation, runner, .. } in adding {
                    if let Some(runner) = runner {
                        self.give_back(&operation);
                        deeds.push(Deed::Drop(runner));
                    }
                }
            }
            Some(call) => refuse(call, error),
            None => {}
        }
    }

    /// Who carries out a run.
    fn runner_of(&self, start: &RunStart) -> Option<&Runner> {
        let of_schedule = || {
            let id = start.options.schedule_id.as_ref()?;
            let id: String = serde_json::from_str(id.as_str()).ok()?;
            self.schedules.get(&*id)
        };
        let named = || self.runners.get(&start.operation);
        self.own.get(&start.id).or_else(of_schedule).or_else(named)
    }

    fn start(&mut self, start: RunStart, running: &watch::Sender<()>, deeds: &mut Vec<Deed>) {
        match self.runner_of(&start).cloned() {
            Some(runner) => {
                let token = CancellationToken::new();
                self.live.insert(start.slot, token.clone());
                let begun = Begun { token, counted: running.subscribe() };
                deeds.push(Deed::Run(start, runner, begun));
            }
            // A task of somebody else's, and we have a handler for our own ones alone.
            None if self.offered.contains_key(&start.operation) => {
                let later = Settlement::Snoozed(STRAY_MS);
                deeds.push(Deed::Submit(Input::Settle(start.slot, later)));
            }
            None => deeds.push(Deed::Submit(Input::Postpone(start.slot))),
        }
    }
}

impl Sink for Router {
    fn deliver(&self, effects: Vec<Effect>) {
        let mut deeds = Vec::new();
        let mut closed = None;
        let mut state = self.state.lock();
        for effect in effects {
            match effect {
                Effect::Answer(ticket, answer) => state.answer(ticket, answer, &mut deeds),
                Effect::Refuse(ticket, error) => state.refuse(ticket, &error, &mut deeds),
                Effect::Start(start) => state.start(start, &self.running, &mut deeds),
                Effect::Abort(slot, _) => {
                    if let Some(token) = state.live.get(&slot) {
                        token.cancel();
                    }
                }
                Effect::RunEnded(slot, _) => drop(state.live.remove(&slot)),
                Effect::Closed(error) => {
                    let message = "the executor is closed; make a new one";
                    closed = Some(error.unwrap_or_else(|| Error::new(Code::Closed, message)));
                }
                // What nobody here has asked for.
                _ => {}
            }
        }
        drop(state);
        let mut inputs = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Submit(input) => inputs.push(input),
                Deed::Run(start, runner, begun) => self.carry_out(&start, runner, begun),
                Deed::Drop(runner) => dispose(runner),
            }
        }
        self.submit(inputs);
        if let Some(error) = closed {
            self.end(&error);
        }
    }
}

/// Drops what is the user's where it would run.
fn dispose(runner: Runner) {
    let Runner { handler, runtime, .. } = runner;
    runtime.spawn(async move { drop(handler) });
}

fn refuse(call: Call, error: &Error) {
    // Whoever has gone needs no answer.
    match call {
        Call::Answer(sender) => drop(sender.send(Err(error.clone()))),
        Call::Adds(_, sender) => drop(sender.send(Err(error.clone()))),
        Call::End(_, _, Some(sender)) => drop(sender.send(Err(error.clone()))),
        Call::End(_, _, None) => {}
    }
}

/// Whoever waited for a task has gone.
pub(crate) fn abandoned() -> AbortReason {
    rules::abort_reason(Cause::Signal, "nobody waits for the task any more")
}
