//! Effects on their way to JavaScript: a queue, and one notifier that says it is not empty.
//!
//! # Promises
//! - The notifier is weak, so it keeps no process alive, and fires once however much is queued.
//! - After [`EffectQueue::close`] it never fires: the environment may be gone (F-27). The lock
//!   around the notifier is the gate; the engine's threads hold it only while they notify.
//! - If JavaScript does not drain for longer than [`BLOCKED_MS_MAX`], the next drain says so
//!   (F-22).
//! - Nothing leaves the queue before JavaScript has it.
//! - One drain hands out at most [`STARTS_MAX`] runs and [`MESSAGES_MAX`] messages, so that a
//!   user's server lives beside it.
//!
//! Proof: `__test__/process/loop.test.mjs`, `__test__/border/blocked.test.mjs`.

use std::collections::VecDeque;

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use parking_lot::{Mutex, RwLock};
use tasker_core::error::{Code, Error};
use tasker_engine::effect::Effect;
use tasker_engine::thread::{Moment, Sink};

use crate::message;

/// Calls JavaScript without a payload; not counted by the event loop.
pub(crate) type Notifier = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// Runs handed out per drain.
const STARTS_MAX: usize = 256;
/// Messages handed out per drain: each calls back into JavaScript, which takes microseconds.
const MESSAGES_MAX: usize = 1_024;
/// Bytes after which a drain ends.
const BYTES_MAX: usize = 1024 * 1024;
/// How long a notification may go unanswered before JavaScript is told that its loop was blocked.
const BLOCKED_MS_MAX: u64 = 10_000;

pub(crate) struct EffectQueue {
    queue: Mutex<VecDeque<Effect>>,
    /// When JavaScript was notified, if it has not drained since.
    notified_at: Mutex<Option<Moment>>,
    notifier: RwLock<Option<Notifier>>,
}

impl EffectQueue {
    pub(crate) fn new(notifier: Notifier) -> Self {
        Self {
            queue: Mutex::new(VecDeque::new()),
            notified_at: Mutex::new(None),
            notifier: RwLock::new(Some(notifier)),
        }
    }

    /// Never notifies again.
    pub(crate) fn close(&self) {
        self.notifier.write().take();
    }

    /// What is queued, as one JSON array whose first element says whether there is more; `make`
    /// makes a string of JavaScript of it.
    ///
    /// # Errors
    /// That of `make`; everything is still queued then, and what comes later notifies again.
    pub(crate) fn drain<T>(&self, make: impl Fn(&str) -> napi::Result<T>) -> napi::Result<T> {
        // Before the queue is emptied: what comes later notifies again.
        let notified_at = self.notified_at.lock().take();
        let blocked_ms = notified_at.map_or(0, |at| at.elapsed_ms());
        let mut messages_max = MESSAGES_MAX;
        loop {
            let (text, count) = self.batch(messages_max, blocked_ms);
            match make(&text) {
                Ok(string) => {
                    self.take(count);
                    return Ok(string);
                }
                Err(_) if count > 1 => messages_max = count / 2,
                Err(error) if self.refuse_first(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The text of the first messages, and how many they are; they stay queued.
    fn batch(&self, messages_max: usize, blocked_ms: u64) -> (String, usize) {
        let queue = self.queue.lock();
        let mut text = String::with_capacity(64 * queue.len().min(messages_max));
        text.push_str("[false");
        if blocked_ms > BLOCKED_MS_MAX {
            message::write_blocked(blocked_ms, &mut text);
        }
        let (mut starts, mut count) = (0, 0);
        for effect in queue.iter().take(messages_max) {
            if starts == STARTS_MAX || text.len() >= BYTES_MAX {
                break;
            }
            starts += usize::from(matches!(effect, Effect::Start(_)));
            count += 1;
            text.push(',');
            message::write(effect, &mut text);
        }
        text.push(']');
        if count < queue.len() {
            text.replace_range(1..6, "true");
        }
        (text, count)
    }

    /// Takes away what has reached JavaScript.
    fn take(&self, count: usize) {
        let mut queue = self.queue.lock();
        queue.drain(..count);
        if !queue.is_empty() {
            // JavaScript comes again by itself: that is as good as a notification.
            *self.notified_at.lock() = Some(Moment::now());
        }
    }

    /// An answer that makes no string is refused instead, so that it loses nothing but itself.
    fn refuse_first(&self, fault: &napi::Error) -> bool {
        let mut queue = self.queue.lock();
        let Some(Effect::Answer(ticket, _)) = queue.front() else { return false };
        let message = format!("the answer makes no string of JavaScript: {}", fault.reason);
        let refusal = Effect::Refuse(*ticket, Error::at(Code::TooLarge, "limit", message));
        queue[0] = refusal;
        true
    }

    fn notify(&self) {
        let mut notified_at = self.notified_at.lock();
        if notified_at.is_some() {
            return;
        }
        *notified_at = Some(Moment::now());
        drop(notified_at);
        if let Some(notifier) = self.notifier.read().as_ref() {
            notifier.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

impl Sink for EffectQueue {
    fn deliver(&self, effects: Vec<Effect>) {
        self.queue.lock().extend(effects);
        self.notify();
    }
}
