//! Effects on their way to JavaScript: a queue, and one bell that says it is not empty.
//!
//! # Promises
//! - The bell is weak, so it keeps no process alive, and rings once however much is waiting.
//! - After [`Outbox::shut`] it never rings: the environment may be gone (F-27). The lock around the
//!   bell is the gate; the engine's threads hold it only while they ring.
//! - One drain hands out at most [`STARTS_MAX`] runs, so that a user's server lives beside it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use parking_lot::{Mutex, RwLock};
use tasker_engine::effect::Effect;
use tasker_engine::thread::Sink;

use crate::message;

/// The doorbell: no payload, not counted by the event loop.
pub(crate) type Bell = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// Runs handed out per drain.
const STARTS_MAX: usize = 256;
/// Bytes after which a drain ends.
const BYTES_MAX: usize = 1024 * 1024;

pub(crate) struct Outbox {
    queue: Mutex<VecDeque<Effect>>,
    is_rung: AtomicBool,
    bell: RwLock<Option<Bell>>,
}

impl Outbox {
    pub(crate) fn new(bell: Bell) -> Self {
        Self {
            queue: Mutex::new(VecDeque::new()),
            is_rung: AtomicBool::new(false),
            bell: RwLock::new(Some(bell)),
        }
    }

    /// Never rings again.
    pub(crate) fn shut(&self) {
        self.bell.write().take();
    }

    /// What is waiting, as one JSON array whose first element says whether more is.
    pub(crate) fn drain(&self) -> String {
        self.is_rung.store(false, Ordering::Release);
        let mut queue = self.queue.lock();
        let mut text = String::with_capacity(64 * queue.len().min(1_024));
        let mut starts = 0;
        while starts < STARTS_MAX && text.len() < BYTES_MAX {
            let Some(effect) = queue.pop_front() else { break };
            starts += usize::from(matches!(effect, Effect::Start(_)));
            text.push(',');
            message::write(&effect, &mut text);
        }
        let head = if queue.is_empty() { "[false" } else { "[true" };
        [head, &text, "]"].concat()
    }

    fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel)
            && let Some(bell) = self.bell.read().as_ref()
        {
            bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

impl Sink for Outbox {
    fn deliver(&self, effects: Vec<Effect>) {
        self.queue.lock().extend(effects);
        self.ring();
    }
}
