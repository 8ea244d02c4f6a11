//! A ceiling to measure against, not a product: the whole path of a task and nothing else.
//!
//! JavaScript sends one JSON text per batch; one writer thread puts all that waits (adds, results,
//! starts) into one synced transaction and answers after it. No validation, limits, errors, logs,
//! events, timeouts, owners or recovery: what tasker is slower by is the price of those.

#![allow(clippy::disallowed_methods, reason = "the rules of the product do not bind a bench")]

mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::{Error, Result, Status};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use writer::{Message, Writer};

/// How to open.
#[napi(object)]
pub struct Options {
    /// The file; it must not exist.
    pub path: String,
    /// Whether each commit is synced to disk.
    pub full: bool,
    /// How many tasks may be with JavaScript at once.
    pub window: u32,
}

type Run = ThreadsafeFunction<String, (), String, Status, false>;
type Ack = ThreadsafeFunction<u32, (), u32, Status, false>;

/// One open file.
#[napi]
pub struct Sketch {
    inbox: Mutex<Sender<Message>>,
    done: Arc<AtomicU64>,
}

/// What one turn has to tell.
struct Effects {
    run: Run,
    ack: Ack,
    done: Arc<AtomicU64>,
}

impl writer::Listener for Effects {
    fn committed(&self, turn: writer::Turn) {
        let mode = ThreadsafeFunctionCallMode::NonBlocking;
        if let Some(added) = turn.added {
            self.ack.call(added, mode);
        }
        if let Some(text) = turn.starts {
            self.run.call(text, mode);
        }
        self.done.fetch_add(turn.done, Ordering::Release);
    }
}

#[napi]
impl Sketch {
    /// Opens a new file; `run` gets `[[id, data], …]`, `ack` how many adds are on disk in all.
    #[napi(factory, catch_unwind)]
    pub fn open(options: Options, run: Run, ack: Ack) -> Result<Self> {
        let writer = Writer::open(&options.path, options.full, options.window).map_err(fault)?;
        let done = Arc::new(AtomicU64::new(0));
        let effects = Effects { run, ack, done: Arc::clone(&done) };
        let (sender, inbox) = channel();
        std::thread::spawn(move || writer.serve(&inbox, &effects));
        Ok(Self { inbox: Mutex::new(sender), done })
    }

    /// Adds tasks: a JSON array of their data.
    #[napi(catch_unwind)]
    pub fn add(&self, text: String) -> Result<()> {
        self.send(Message::Add(text))
    }

    /// Ends tasks: a JSON array of `[id, result]`.
    #[napi(catch_unwind)]
    pub fn complete(&self, text: String) -> Result<()> {
        self.send(Message::Complete(text))
    }

    /// Begins to hand out tasks.
    #[napi(catch_unwind)]
    pub fn start(&self) -> Result<()> {
        self.send(Message::Start)
    }

    /// How many tasks have their result on disk.
    #[napi(catch_unwind)]
    pub fn done_count(&self) -> f64 {
        self.done.load(Ordering::Acquire) as f64
    }

    fn send(&self, message: Message) -> Result<()> {
        let inbox = self.inbox.lock().map_err(fault)?;
        inbox.send(message).map_err(fault)
    }
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}
