//! The native surface: one class, sync methods, text each way.

#![allow(clippy::needless_pass_by_value, reason = "the border hands texts over by value")]

use std::sync::{Arc, Weak};

use napi::bindgen_prelude::{Either, Function};
use napi::{CleanupEnvHook, Env, JsString};
use napi_derive::napi;
use parking_lot::Mutex;
use tasker_core::definition::{self, Defaults, Operations};
use tasker_core::error::Error;
use tasker_core::operation::OperationOptions;
use tasker_engine::clock::SystemClock;
use tasker_engine::effect::Effect;
use tasker_engine::input::Input;
use tasker_engine::thread::{Client, Handle, Sink};
use tracing::dispatcher;

use crate::calls::{self, Calls};
use crate::command::{self, ReadRequest};
use crate::effect_queue::EffectQueue;
use crate::error;
use crate::log;
use crate::options::Options;

struct Inner {
    handle: Handle,
    client: Client,
    effects: Arc<EffectQueue>,
    defaults: Defaults,
    names: Mutex<Operations>,
}

impl Inner {
    /// Closes the gate, then ends the threads: nothing is called after this.
    fn shutdown(&self) {
        self.effects.close();
        self.handle.shutdown();
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

/// Checks the options and starts an engine; the JSON text of an error if they are wrong.
#[napi(catch_unwind)]
pub(crate) fn open(
    env: Env,
    options: String,
    notifier: Function<'_, (), ()>,
) -> napi::Result<Either<Native, String>> {
    log::init();
    let opened = Options::read(&options).and_then(|options| {
        let notifier = notifier
            .build_threadsafe_function()
            .callee_handled::<false>()
            .weak::<true>()
            .max_queue_size::<0>()
            .build()
            .map_err(|e| Error::bug(format!("no notifier: {e}")))?;
        let effects = Arc::new(EffectQueue::new(notifier));
        let clock = Arc::new(SystemClock::new());
        let opener = options.opener();
        let sink = Arc::clone(&effects);
        let open = || Handle::open(opener, options.settings, clock, sink);
        let (handle, client) = match options.log {
            Some(level) => {
                let lines = log::of_handle(level, Arc::clone(&effects));
                dispatcher::with_default(&lines, open)?
            }
            None => open()?,
        };
        let names = Mutex::default();
        Ok(Arc::new(Inner { handle, client, effects, defaults: options.defaults, names }))
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

    /// What is wrong with the options of an operation, as the JSON text of an error.
    #[napi(catch_unwind)]
    pub fn check_operation_options(&self, text: String) -> Option<String> {
        OperationOptions::read(&text).err().map(|error| error::text(&error))
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
        let read = command::command(ticket as u64, &text, &mut self.inner.names.lock());
        match read {
            Ok(input) => self.inner.client.submit([input]),
            Err(error) => self.inner.refuse(ticket, error),
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
                let done = Effect::Answer(ticket as u64, tasker_engine::effect::Answer::Done);
                self.inner.effects.deliver(vec![done]);
            }
            Err(error) => self.inner.refuse(ticket, error),
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
