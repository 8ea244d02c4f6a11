//! An open engine, and what this crate asks of it.
//!
//! # Promises
//! - Whoever stops waiting for a task aborts it: a future that is dropped leaves none behind.
//! - The engine starts a task here only if there is a handler for it, or a runner of its operation.
//! - Nothing here blocks, but for the end of the last clone: that waits for the engine's thread to
//!   finish the turn that it is in.
//!
//! Proof: `task/tests/execute.rs`, `task/tests/storing.rs`.

use std::sync::Arc;

use parking_lot::Mutex;
use tasker_core::definition::{Defaults, Operations};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::TaskId;
use tasker_core::limits::TASKS_PER_CALL_MAX;
use tasker_core::operation::OperationOptions;
use tasker_core::task::{NewTask, TaskEnd};
use tasker_engine::clock::{Clock, SystemClock};
use tasker_engine::effect::{Answer, Sink};
use tasker_engine::input::{Input, Question, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::metrics::Figures;
use tasker_engine::thread::{Client, Handle, Opener, Read};
use tasker_engine::virtual_clock::VirtualClock;
use tasker_sqlite::{Durability, Location};
use tokio::runtime;
use tokio::sync::oneshot;

use crate::definition::Task;
use crate::error::{TaskError, result_of};
use crate::handler::Handler;
use crate::retry::RetryPolicy;
use crate::router::{Adding, Call, Router, Runner, abandoned};
use crate::run::UNHEARD;

/// Operations that stay offered in memory, where no other process wants them.
const OFFERED_MAX: usize = 1_000;

/// How to open an engine.
pub(crate) struct Opening {
    pub(crate) location: Location,
    pub(crate) is_file: bool,
    pub(crate) settings: Settings,
    pub(crate) defaults: Defaults,
    /// What holds for each operation that it runs; nothing if nothing is said.
    pub(crate) options: Option<OperationOptions>,
    pub(crate) policy: Option<RetryPolicy>,
    pub(crate) clock: Option<(Arc<VirtualClock>, u64)>,
}

/// An open engine.
pub(crate) struct Engine {
    handle: Option<Handle>,
    client: Arc<Client>,
    pub(crate) router: Arc<Router>,
    pub(crate) defaults: Defaults,
    names: Mutex<Operations>,
    options: Option<OperationOptions>,
    policy: Option<RetryPolicy>,
    pub(crate) is_file: bool,
    /// Held while runners are given and taken away.
    order: tokio::sync::Mutex<()>,
    /// The figures of the moment in which metrics were enabled.
    before: Mutex<Option<Arc<Figures>>>,
}

impl Engine {
    /// Opens one, and starts it. What is wrong with the file refuses every call.
    ///
    /// # Errors
    /// `Io` if the system gives no thread or no random seed.
    pub(crate) fn open(opening: Opening) -> Result<Self> {
        let Opening { location, is_file, settings, defaults, options, policy, clock } = opening;
        let router = Arc::new(Router::new());
        let sink: Arc<dyn Sink> = Arc::<Router>::clone(&router);
        let opener: Opener = Box::new(move || {
            let options = tasker_sqlite::Options { durability: Durability::Full, exclusive: false };
            let (store, reader) = tasker_sqlite::open(&location, options)?;
            Ok((Box::new(store), Box::new(reader)))
        });
        let (handle, client) = match clock {
            None => Handle::open(opener, settings, Arc::new(SystemClock::new()), sink)?,
            Some((clock, seed)) => {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&seed.to_le_bytes());
                let clock: Arc<dyn Clock> = clock;
                Handle::open_seeded(opener, settings, clock, sink, bytes)?
            }
        };
        let client = Arc::new(client);
        router.connect(&client);
        client.submit([Input::Start(UNHEARD)]);
        Ok(Self {
            handle: Some(handle),
            client,
            router,
            defaults,
            names: Mutex::default(),
            options,
            policy,
            is_file,
            order: Default::default(),
            before: Mutex::default(),
        })
    }

    /// One call, and its answer.
    pub(crate) async fn call(&self, input: impl FnOnce(Ticket) -> Input) -> Result<Answer> {
        self.ask(|client, ticket| client.submit([input(ticket)])).await
    }

    /// One read, and the JSON that it finds.
    pub(crate) async fn read(&self, read: Read) -> Result<String> {
        match self.ask(|client, ticket| client.read(ticket, read)).await? {
            Answer::Json(text) => Ok(text),
            other => Err(Error::bug(format!("a read got another answer: {other:?}"))),
        }
    }

    /// From now on is counted what `figures` tells, unless that has begun already.
    pub(crate) async fn count(&self) -> Result<()> {
        if self.before.lock().is_none() {
            let figures = self.figures_of_all().await?;
            self.before.lock().get_or_insert_with(|| figures.into());
        }
        Ok(())
    }

    /// What was counted; nothing if nothing is counted.
    pub(crate) async fn figures(&self) -> Result<Option<Box<Figures>>> {
        let Some(before) = self.before.lock().clone() else { return Ok(None) };
        let mut figures = self.figures_of_all().await?;
        figures.count_from(&before);
        Ok(Some(figures))
    }

    async fn figures_of_all(&self) -> Result<Box<Figures>> {
        match self.call(|ticket| Input::Ask(ticket, Question::Figures)).await? {
            Answer::Figures(figures) => Ok(figures),
            other => Err(Error::bug(format!("figures got another answer: {other:?}"))),
        }
    }

    /// Asks something, and waits for the answer.
    pub(crate) async fn ask(&self, ask: impl FnOnce(&Client, Ticket)) -> Result<Answer> {
        let (sender, answer) = oneshot::channel();
        let ticket = self.router.enter(Call::Answer(sender))?;
        ask(&self.client, ticket);
        heard(answer).await
    }

    /// The open handle, for those that make a client of their own.
    #[cfg(feature = "http")]
    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// Reads the names of operations.
    pub(crate) fn with_names<T>(&self, read: impl FnOnce(&mut Operations) -> T) -> T {
        read(&mut self.names.lock())
    }

    /// A handler of the user's that runs on the runtime of this call.
    pub(crate) fn runner(
        &self,
        handler: Handler,
        policy: Option<RetryPolicy>,
    ) -> std::result::Result<Runner, TaskError> {
        let runtime = runtime::Handle::try_current().map_err(|_| {
            let message = "there is no tokio runtime here; await this inside of one";
            TaskError::unsupported("runtime", message)
        })?;
        let policy = policy.or_else(|| self.policy.clone());
        Ok(Runner { handler, runtime, policy, is_named: false })
    }

    /// Starts the tasks of these operations here, each once more.
    pub(crate) async fn offer(&self, operations: Vec<Arc<str>>) -> Result<Offer<'_>> {
        let _order = self.order.lock().await;
        let new = self.router.offer(&operations);
        let offer = Offer { router: &self.router, operations, is_kept: false };
        self.withdraw_unneeded();
        let mut assigned = Vec::new();
        for operation in new {
            let (sender, answer) = oneshot::channel();
            let ticket = self.router.enter(Call::Answer(sender))?;
            let options = self.options.clone();
            self.client.submit([Input::Assign(ticket, Arc::clone(&operation), options)]);
            assigned.push((operation, answer));
        }
        let mut all = Ok(());
        for (operation, answer) in assigned {
            if let Err(error) = heard(answer).await {
                self.router.withdraw(&operation);
                all = Err(error);
            }
        }
        all.map(|()| offer)
    }

    /// Ceases to start tasks that nobody here has a handler for. In a file another process may.
    pub(crate) async fn tidy(&self) {
        let _order = self.order.lock().await;
        self.withdraw_unneeded();
    }

    fn withdraw_unneeded(&self) {
        let kept = if self.is_file { 0 } else { OFFERED_MAX };
        let unneeded = self.router.take_unneeded(kept);
        let inputs = unneeded.into_iter().map(|name| Input::Unassign(UNHEARD, name));
        let inputs: Vec<_> = inputs.collect();
        if !inputs.is_empty() {
            self.client.submit(inputs);
        }
    }

    /// Gives an operation its runner.
    pub(crate) async fn assign(
        &self,
        operation: &str,
        handler: Handler,
        options: Option<OperationOptions>,
    ) -> std::result::Result<(), TaskError> {
        let operation = self.with_names(|names| names.intern(operation))?;
        let runner = Runner { is_named: true, ..self.runner(handler, None)? };
        let _order = self.order.lock().await;
        if self.router.has_runner(&operation) {
            let text = format!("the operation {operation:?} has a runner; unassign that first");
            return Err(Error::new(Code::Conflict, text).with_path("operation").into());
        }
        self.router.set_runner(Arc::clone(&operation), Some(runner));
        let _ = self.router.offer(&[Arc::clone(&operation)]);
        let options = match (options, &self.options) {
            (Some(own), Some(all)) => Some(own.or(all)),
            (own, all) => own.or_else(|| all.clone()),
        };
        // It may be offered for tasks with handlers of their own.
        self.client.submit([Input::Unassign(UNHEARD, Arc::clone(&operation))]);
        let assigned =
            self.call(|ticket| Input::Assign(ticket, Arc::clone(&operation), options)).await;
        self.router.give_back(&[Arc::clone(&operation)]);
        if assigned.is_err() {
            self.router.set_runner(Arc::clone(&operation), None);
            self.router.withdraw(&operation);
        }
        assigned.map(|_| ()).map_err(TaskError::from)
    }

    /// Takes the runner of an operation away; whether there was one.
    pub(crate) async fn unassign(&self, operation: &str) -> bool {
        let _order = self.order.lock().await;
        let had_one = self.router.set_runner(operation.into(), None).is_some();
        self.withdraw_unneeded();
        had_one
    }

    /// Adds the tasks, all that are right in one commit; the others have their errors.
    ///
    /// # Errors
    /// Why none of them could be added.
    pub(crate) async fn add(
        self: &Arc<Self>,
        tasks: Vec<Task>,
        waits: bool,
    ) -> std::result::Result<Pending, TaskError> {
        let Plan { new, adding, ends, answers } = self.plan(tasks, waits)?;
        if new.len() > TASKS_PER_CALL_MAX {
            let text = format!("one call takes at most {TASKS_PER_CALL_MAX} tasks");
            return Err(Error::at(Code::TooLarge, "tasks", text).into());
        }
        let own = adding.iter().filter(|one| one.runner.is_some());
        let own: Vec<Arc<str>> = own.map(|one| Arc::clone(&one.operation)).collect();
        let offer = if own.is_empty() { None } else { Some(self.offer(own).await?) };
        let (sender, added) = oneshot::channel();
        let engine = Arc::clone(self);
        let mut pending = Pending { engine, added, ids: Vec::new(), ends, answers };
        if new.is_empty() {
            return Ok(pending);
        }
        let ticket = self.router.enter(Call::Adds(adding, sender))?;
        // From now on each is given back when its task ends, or is refused.
        offer.into_iter().for_each(Offer::keep);
        self.client.submit([Input::AddMany(ticket, new)]);
        pending.ids = match (&mut pending.added).await {
            Ok(added) => added?,
            Err(_) => return Err(TaskError::closed()),
        };
        Ok(pending)
    }

    fn plan(&self, tasks: Vec<Task>, waits: bool) -> std::result::Result<Plan, TaskError> {
        let mut plan = Plan::default();
        let mut places = Vec::new();
        let mut names = self.names.lock();
        for mut task in tasks {
            match task.read(&places, &self.defaults, &mut names) {
                Ok(new) => {
                    let policy = task.policy.take();
                    if policy.is_some() && task.handler.is_none() {
                        let message = "is code, which cannot be stored; give it to the executor \
                                       that has the runner";
                        return Err(TaskError::unsupported("retry", message));
                    }
                    let handler = task.handler.take();
                    let runner = handler.map(|handler| self.runner(handler, policy)).transpose()?;
                    let (end, ended) = if waits { channel() } else { (None, None) };
                    places.push(Some(plan.new.len()));
                    let operation = Arc::clone(&new.operation);
                    plan.adding.push(Adding { operation, runner, end });
                    plan.new.push(new);
                    plan.ends.push(ended);
                    plan.answers.push(None);
                }
                Err(error) => {
                    places.push(None);
                    plan.answers.push(Some(error));
                }
            }
        }
        if plan.new.is_empty()
            && let Some(first) = plan.answers.iter_mut().find_map(Option::take)
        {
            return Err(first);
        }
        Ok(plan)
    }

    /// Aborts a task of which nobody wants to know any more.
    fn abandon(&self, id: TaskId) {
        self.client.submit([Input::Abort(UNHEARD, id, abandoned())]);
    }
}

/// The end of a task: who tells it, and who waits for it.
type Channel = (Option<oneshot::Sender<Result<TaskEnd>>>, Option<End>);
/// What a task came to.
pub(crate) type Outcome = std::result::Result<serde_json::Value, TaskError>;

type End = oneshot::Receiver<Result<TaskEnd>>;

fn channel() -> Channel {
    let (sender, receiver) = oneshot::channel();
    (Some(sender), Some(receiver))
}

async fn heard<T>(answer: oneshot::Receiver<Result<T>>) -> Result<T> {
    let closed = |_| Err(Error::new(Code::Closed, "the executor is closed; make a new one"));
    answer.await.unwrap_or_else(closed)
}

#[derive(Default)]
struct Plan {
    new: Vec<NewTask>,
    adding: Vec<Adding>,
    ends: Vec<Option<End>>,
    /// For each task that was given, why it was refused, if it was.
    answers: Vec<Option<TaskError>>,
}

/// Operations whose tasks are started here for handlers that are about to come.
pub(crate) struct Offer<'e> {
    router: &'e Router,
    operations: Vec<Arc<str>>,
    is_kept: bool,
}

impl Offer<'_> {
    /// They are given back by somebody else.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.router.give_back(&self.operations);
        }
    }
}

/// Tasks that were added, and whose ends are awaited. What has not ended when it is dropped is
/// aborted.
pub(crate) struct Pending {
    engine: Arc<Engine>,
    added: oneshot::Receiver<Result<Vec<TaskId>>>,
    pub(crate) ids: Vec<TaskId>,
    ends: Vec<Option<End>>,
    answers: Vec<Option<TaskError>>,
}

impl Pending {
    /// The results, in the order in which the tasks were given.
    pub(crate) async fn results(mut self) -> Vec<Outcome> {
        let mut results = Vec::with_capacity(self.answers.len());
        let mut next = 0;
        for refused in std::mem::take(&mut self.answers) {
            if let Some(error) = refused {
                results.push(Err(error));
                continue;
            }
            results.push(self.result(next).await);
            next += 1;
        }
        let engine = Arc::clone(&self.engine);
        drop(self);
        engine.tidy().await;
        results
    }

    async fn result(&mut self, place: usize) -> Outcome {
        let Some(end) = self.ends.get_mut(place).and_then(Option::as_mut) else {
            return Err(TaskError::closed());
        };
        let ended = end.await;
        self.ends[place] = None;
        match ended {
            Ok(ended) => result_of(&ended?),
            Err(_) => Err(TaskError::closed()),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let open: Vec<usize> = (0..self.ends.len()).filter(|n| self.ends[*n].is_some()).collect();
        if open.is_empty() {
            return;
        }
        // Closed first: if the ids come now, whoever tells them sees that nobody waits.
        self.ends.iter_mut().flatten().for_each(oneshot::Receiver::close);
        if self.ids.is_empty()
            && let Ok(Ok(ids)) = self.added.try_recv()
        {
            self.ids = ids;
        }
        for n in open {
            if let Some(id) = self.ids.get(n) {
                self.engine.abandon(*id);
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let closed = Error::new(Code::Closed, "the executor is gone");
        self.router.end(&closed);
        let name = std::thread::current().name().map(str::to_owned);
        if matches!(name.as_deref(), Some("tasker" | "tasker-read"))
            && let Some(handle) = self.handle.take()
        {
            // The last one was held by a handler that was dropped there: a thread cannot wait for
            // itself. It closes by itself instead.
            self.client.submit([Input::Close(UNHEARD, Default::default())]);
            std::mem::forget(handle);
        }
    }
}
