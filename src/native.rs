//! The native surface: one class, sync methods, text each way.

#![allow(clippy::needless_pass_by_value, reason = "the border hands texts over by value")]

use std::sync::{Arc, Weak};

use napi::bindgen_prelude::{Either, Function, Uint8Array};
use napi::{CleanupEnvHook, Env, JsString};
use napi_derive::napi;
use parking_lot::Mutex;
use tasker_core::batching::Batching;
use tasker_core::definition::{self, Defaults, Operations};
use tasker_core::error::{Error, Result};
use tasker_core::operation::OperationOptions;
use tasker_core::schedule;
use tasker_core::time::WallMs;
use tasker_engine::clock::SystemClock;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::Input;
use tasker_engine::quiet::Travel;
use tasker_engine::thread::{Client, Handle, Sink};
use tasker_engine::virtual_clock::VirtualClock;
use tasker_http::mount;
use tasker_sqlite::Location;
use tracing::dispatcher;

use crate::calls::{self, Calls};
use crate::command::{self, ReadRequest};
use crate::effect_queue::EffectQueue;
use crate::error;
use crate::log;
use crate::options::Options;
use crate::servers::{Asked, Servers};

struct Inner {
    handle: Handle,
    client: Client,
    effects: Arc<EffectQueue>,
    defaults: Defaults,
    names: Mutex<Operations>,
    /// The clock, if it is that of a test.
    clock: Option<Arc<VirtualClock>>,
    servers: Servers,
}

impl Inner {
    /// Closes the gate, then ends the threads: nothing is called after this.
    fn shutdown(&self) {
        self.effects.close();
        self.servers.shutdown();
        self.handle.shutdown();
    }

    fn answer(&self, ticket: f64, answer: Answer) {
        self.effects.deliver(vec![Effect::Answer(ticket as u64, answer)]);
    }

    fn refuse(&self, ticket: f64, error: Error) {
        self.effects.deliver(vec![Effect::Refuse(ticket as u64, error)]);
    }

    fn submit(&self, calls: Calls) {
        if !calls.refused.is_empty() {
            self.effects.deliver(calls.refused);
        }
        if !calls.inputs.is_empty() {
            self.client.submit(calls.inputs);
        }
    }
}

/// An open engine, as `ts/` sees it.
#[napi]
pub struct Native {
    inner: Arc<Inner>,
    hook: Option<CleanupEnvHook<Weak<Inner>>>,
}

/// What is wrong with the name of an operation, given as JSON: the JSON text of an error.
#[napi(catch_unwind)]
pub(crate) fn check_operation(text: String) -> Option<String> {
    definition::operation(&text).err().map(|error| error::text(&error))
}

/// The next times of a cron: a JSON array of milliseconds, or the JSON text of an error.
#[napi(catch_unwind)]
pub(crate) fn next_times(options: String) -> String {
    schedule::next_times(&options).unwrap_or_else(|error| error::text(&error))
}

/// Whether it must be known who sends a request to answer it; nothing if there is nothing at its
/// path.
#[napi(catch_unwind)]
pub(crate) fn needs_access(verb: String, target: String) -> Option<bool> {
    mount::needs_access(&verb, &target)
}

/// The answer to a request with this head when the engine is gone.
#[napi(catch_unwind)]
pub(crate) fn answer_closed(head: String) -> String {
    mount::answer_closed(&head)
}

/// Checks the options and starts an engine; the JSON text of an error if they are wrong.
#[napi(catch_unwind)]
pub(crate) fn open(
    env: Env,
    options: String,
    notifier: Function<'_, (), ()>,
) -> napi::Result<Either<Native, String>> {
    open_with(env, &options, notifier, None)
}

/// How an engine is opened in a test.
pub(crate) struct InTest {
    pub(crate) location: Location,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) seed: [u8; 32],
}

/// The same, perhaps in a test: on its file, by its clock.
pub(crate) fn open_with(
    env: Env,
    options: &str,
    notifier: Function<'_, (), ()>,
    test: Option<InTest>,
) -> napi::Result<Either<Native, String>> {
    log::init();
    let opened = Options::read(options).and_then(|options| {
        let notifier = notifier
            .build_threadsafe_function()
            .callee_handled::<false>()
            .weak::<true>()
            .max_queue_size::<0>()
            .build()
            .map_err(|e| Error::bug(format!("no notifier: {e}")))?;
        let effects = Arc::new(EffectQueue::new(notifier));
        let (handle, client, clock) = start(&options, &effects, test)?;
        let (defaults, names, servers) = (options.defaults, Mutex::default(), Servers::default());
        Ok(Arc::new(Inner { handle, client, effects, defaults, names, clock, servers }))
    });
    match opened {
        // The hook is added after the notifier, so Node runs it before it tears the notifier down.
        Ok(inner) => {
            let end = |inner: Weak<Inner>| {
                if let Some(inner) = inner.upgrade() {
                    inner.shutdown();
                }
            };
            let hook = env.add_env_cleanup_hook(Arc::downgrade(&inner), end)?;
            Ok(Either::A(Native { inner, hook: Some(hook) }))
        }
        Err(error) => Ok(Either::B(error::text(&error))),
    }
}

/// Starts the engine; its lines go to the logger, if there is one.
fn start(
    options: &Options,
    effects: &Arc<EffectQueue>,
    test: Option<InTest>,
) -> Result<(Handle, Client, Option<Arc<VirtualClock>>)> {
    let (settings, sink) = (options.settings, Arc::clone(effects));
    let open = || {
        let Some(InTest { location, clock, seed }) = test else {
            let (opener, clock) = (options.opener(options.location()), SystemClock::new());
            let (handle, client) = Handle::open(opener, settings, Arc::new(clock), sink)?;
            return Ok((handle, client, None));
        };
        let (opener, by) = (options.opener(location), Arc::clone(&clock));
        let (handle, client) = Handle::open_seeded(opener, settings, by, sink, seed)?;
        Ok((handle, client, Some(clock)))
    };
    match options.log {
        Some(level) => dispatcher::with_default(&log::of_handle(level, Arc::clone(effects)), open),
        None => open(),
    }
}

#[napi]
impl Native {
    /// Adds tasks, one ticket each.
    #[napi(catch_unwind)]
    pub fn add(&self, ticket: f64, text: String) {
        let inner = &self.inner;
        let calls = calls::adds(ticket as u64, &text, &inner.defaults, &mut inner.names.lock());
        inner.submit(calls);
    }

    /// Adds tasks, all or none, with one ticket.
    #[napi(catch_unwind)]
    pub fn add_many(&self, ticket: f64, text: String) {
        let inner = &self.inner;
        match definition::tasks(&text, &inner.defaults, &mut inner.names.lock()) {
            Ok(tasks) => inner.client.submit([Input::AddMany(ticket as u64, tasks)]),
            Err(error) => inner.refuse(ticket, error),
        }
    }

    /// Adds tasks by their keys, all or none, with one ticket.
    #[napi(catch_unwind)]
    pub fn add_idempotent(&self, ticket: f64, text: String) {
        let inner = &self.inner;
        match calls::idempotent_adds(&text, &inner.defaults, &mut inner.names.lock()) {
            Ok(tasks) => inner.client.submit([Input::AddIdempotent(ticket as u64, tasks)]),
            Err(error) => inner.refuse(ticket, error),
        }
    }

    /// What is wrong with a definition of an outbox, as the JSON text of an error.
    #[napi(catch_unwind)]
    pub fn check(&self, text: String) -> Option<String> {
        let inner = &self.inner;
        let read = definition::row(&text, &inner.defaults, &mut inner.names.lock());
        read.err().map(|error| error::text(&error))
    }

    /// What is wrong with the options of an operation, as the JSON text of an error; with those of
    /// its batches, if the runner takes several tasks at once.
    #[napi(catch_unwind)]
    pub fn check_operation_options(&self, text: String, batch: Option<String>) -> Option<String> {
        let batch = batch.map(|batch| Batching::read(&batch, "batch")).transpose();
        let checked = OperationOptions::read(&text).and(batch);
        checked.err().map(|error| error::text(&error))
    }

    /// Runs have settled.
    #[napi(catch_unwind)]
    pub fn complete(&self, text: String) {
        self.inner.client.submit(calls::completions(&text));
    }

    /// Runs have logged or told their progress.
    #[napi(catch_unwind)]
    pub fn record(&self, text: String) {
        self.inner.client.submit(calls::records(&text));
    }

    /// One command.
    #[napi(catch_unwind)]
    pub fn command(&self, ticket: f64, text: String) {
        let inner = &self.inner;
        let names = &mut inner.names.lock();
        match command::command(ticket as u64, &text, (&inner.defaults, names)) {
            Ok(input) => inner.client.submit([input]),
            Err(error) => inner.refuse(ticket, error),
        }
    }

    /// One read.
    #[napi(catch_unwind)]
    pub fn read(&self, ticket: f64, text: String) {
        match command::read(&text) {
            Ok(ReadRequest::Read(read)) => self.inner.client.read(ticket as u64, read),
            Ok(ReadRequest::Watching(asked)) => self.inner.client.watch(ticket as u64, asked),
            Ok(ReadRequest::Cancel(other)) => {
                self.inner.client.cancel_read(other);
                self.inner.answer(ticket, Answer::Done);
            }
            Err(error) => self.inner.refuse(ticket, error),
        }
    }

    /// Answers when the engine is quiet. In a test that has no other tasker open, time may go by
    /// until then: no further than `until`, in milliseconds since 1970, and `moments_max` moments;
    /// events stop it unless nobody listens.
    #[napi(catch_unwind)]
    pub fn quiet(&self, ticket: f64, until: Option<f64>, moments_max: f64, is_unheard: bool) {
        let inner = &self.inner;
        let travel = |(clock, until): (&Arc<VirtualClock>, f64)| Travel {
            clock: Arc::clone(clock),
            until: WallMs(until as i64),
            moments_max: moments_max as u64,
            is_unheard,
        };
        let travel = inner.clock.as_ref().zip(until).map(travel);
        inner.client.await_quiet(ticket as u64, travel);
    }

    /// Opens a server of HTTP.
    #[napi(catch_unwind)]
    pub fn listen(&self, ticket: f64, options: String) {
        let Inner { servers, handle, defaults, effects, .. } = &*self.inner;
        match servers.listen(&options, handle, defaults.clone(), effects) {
            Ok(text) => self.inner.answer(ticket, Answer::Json(text)),
            Err(error) => self.inner.refuse(ticket, error),
        }
    }

    /// Closes one; answered when nothing is left of it.
    #[napi(catch_unwind)]
    pub fn unlisten(&self, ticket: f64, number: String) {
        match self.inner.servers.unlisten(ticket as u64, &number) {
            Ok(true) => self.inner.answer(ticket, Answer::Done),
            Ok(false) => {}
            Err(error) => self.inner.refuse(ticket, error),
        }
    }

    /// Requests may come through servers of the user's; the JSON text of an error if that fails.
    #[napi(catch_unwind)]
    pub fn mount(&self) -> Option<String> {
        let Inner { servers, handle, defaults, effects, .. } = &*self.inner;
        let mounted = servers.mount(handle, defaults.clone(), effects);
        mounted.err().map(|error| error::text(&error))
    }

    /// One request that came so; the JSON text of an error if its access is none.
    #[napi(catch_unwind)]
    pub fn ask(
        &self,
        ticket: f64,
        head: String,
        access: Option<String>,
        body: Option<Uint8Array>,
    ) -> Option<String> {
        let (access, body) = (access.as_deref(), body.map(|body| body.to_vec()));
        let asked = self.inner.servers.ask(ticket as u64, Asked { head: &head, access, body });
        asked.err().map(|error| error::text(&error))
    }

    /// The next part of the body of a request, an empty one at its end, or none if it has broken
    /// off; whether more is wanted.
    #[napi(catch_unwind)]
    pub fn feed(&self, ticket: f64, part: Option<Uint8Array>) -> bool {
        self.inner.servers.feed(ticket as u64, part.map(|part| part.to_vec()))
    }

    /// Nobody waits for the answer to a request any more.
    #[napi(catch_unwind)]
    pub fn forget(&self, ticket: f64) {
        self.inner.servers.forget(ticket as u64);
    }

    /// Answers such requests as are under way, and refuses others.
    #[napi(catch_unwind)]
    pub fn unmount(&self, ticket: f64) {
        self.inner.servers.unmount(ticket as u64, &self.inner.effects);
    }

    /// The event loop goes round.
    #[napi(catch_unwind)]
    pub fn beat(&self) {
        self.inner.servers.process.beat();
    }

    /// What is known of the process beside the engine: JSON, or a text of metrics.
    #[napi(catch_unwind)]
    pub fn process_metrics(&self, format: String) -> String {
        let process = &self.inner.servers.process;
        match format.as_str() {
            "prometheus" => process.text(false),
            "openmetrics" => process.text(true),
            _ => process.json(),
        }
    }

    /// What waits for JavaScript.
    #[napi(catch_unwind)]
    pub fn drain<'env>(&self, env: &'env Env) -> napi::Result<JsString<'env>> {
        self.inner.effects.drain(|text| env.create_string(text))
    }

    /// Ends everything at once; no callback fires after it.
    #[napi(catch_unwind)]
    pub fn shutdown(&mut self, env: Env) -> napi::Result<()> {
        self.inner.shutdown();
        match self.hook.take() {
            Some(hook) => env.remove_env_cleanup_hook(hook),
            None => Ok(()),
        }
    }
}
