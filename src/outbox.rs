//! Effects on their way to JavaScript: a queue, and one bell that says it is not empty.
//!
//! # Promises
//! - The bell is weak, so it keeps no process alive, and rings once however much is waiting.
//! - After [`Outbox::shut`] it never rings: the environment may be gone (F-27). The lock around the
//!   bell is the gate; the engine's threads hold it only while they ring.
//! - Who lets the bell ring for longer than [`UNHEARD_MS_MAX`] is told so by the next drain (F-22).
//! - One drain hands out at most [`STARTS_MAX`] runs and [`MESSAGES_MAX`] messages, so that a
//!   user's server lives beside it.
//!
//! Proof: `__test__/process/loop.test.mjs`, `__test__/border/blocked.test.mjs`.

use std::collections::VecDeque;

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use parking_lot::{Mutex, RwLock};
use tasker_engine::effect::Effect;
use tasker_engine::thread::{Moment, Sink};

use crate::message;

/// The doorbell: no payload, not counted by the event loop.
pub(crate) type Bell = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// Runs handed out per drain.
const STARTS_MAX: usize = 256;
/// Messages handed out per drain: each calls back into JavaScript, which takes microseconds.
const MESSAGES_MAX: usize = 1_024;
/// Bytes after which a drain ends.
const BYTES_MAX: usize = 1024 * 1024;
/// How long the bell may stay unheard before JavaScript is told that its loop was blocked.
const UNHEARD_MS_MAX: u64 = 10_000;

pub(crate) struct Outbox {
    queue: Mutex<VecDeque<Effect>>,
    /// Since when JavaScript has known that something waits, and has not come for it.
    rung: Mutex<Option<Moment>>,
    bell: RwLock<Option<Bell>>,
}

impl Outbox {
    pub(crate) fn new(bell: Bell) -> Self {
        Self {
            queue: Mutex::new(VecDeque::new()),
            rung: Mutex::new(None),
            bell: RwLock::new(Some(bell)),
        }
    }

    /// Never rings again.
    pub(crate) fn shut(&self) {
        self.bell.write().take();
    }

    /// What is waiting, as one JSON array whose first element says whether more is.
    pub(crate) fn drain(&self) -> String {
        // Before the queue is emptied: what comes later rings again.
        let rung = self.rung.lock().take();
        let mut queue = self.queue.lock();
        let mut text = String::with_capacity(64 * queue.len().min(MESSAGES_MAX));
        let unheard_ms = rung.map_or(0, |rung| rung.elapsed_ms());
        if unheard_ms > UNHEARD_MS_MAX {
            message::write_blocked(unheard_ms, &mut text);
        }
        let mut starts = 0;
        for _ in 0..MESSAGES_MAX {
            if starts == STARTS_MAX || text.len() >= BYTES_MAX {
                break;
            }
            let Some(effect) = queue.pop_front() else { break };
            starts += usize::from(matches!(effect, Effect::Start(_)));
            text.push(',');
            message::write(&effect, &mut text);
        }
        if queue.is_empty() {
            return ["[false", &text, "]"].concat();
        }
        // JavaScript comes again by itself: that is as good as a ring.
        *self.rung.lock() = Some(Moment::now());
        ["[true", &text, "]"].concat()
    }

    fn ring(&self) {
        let mut rung = self.rung.lock();
        if rung.is_some() {
            return;
        }
        *rung = Some(Moment::now());
        drop(rung);
        if let Some(bell) = self.bell.read().as_ref() {
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
