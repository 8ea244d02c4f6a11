//! Effects on their way to JavaScript: a queue, and one notifier that says it is not empty.
//!
//! # Promises
//! - The notifier is weak, so it keeps no process alive, and fires once however much is queued.
//! - After [`EffectQueue::close`] it never fires: the environment may be gone (F-27). The lock
//!   around the notifier is the gate; the engine's threads hold it only while they notify.
//! - If JavaScript does not drain for longer than [`BLOCKED_MS_MAX`], the next drain says so
//!   (F-22).
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

    /// What is queued, as one JSON array whose first element says whether more is.
    pub(crate) fn drain(&self) -> String {
        // Before the queue is emptied: what comes later notifies again.
        let notified_at = self.notified_at.lock().take();
        let mut queue = self.queue.lock();
        let mut text = String::with_capacity(64 * queue.len().min(MESSAGES_MAX));
        let blocked_ms = notified_at.map_or(0, |notified_at| notified_at.elapsed_ms());
        if blocked_ms > BLOCKED_MS_MAX {
            message::write_blocked(blocked_ms, &mut text);
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
        // JavaScript comes again by itself: that is as good as a notification.
        *self.notified_at.lock() = Some(Moment::now());
        ["[true", &text, "]"].concat()
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
