//! Effects on their way to JavaScript: a queue, and one notifier that says it is not empty.
//!
//! # Promises
//! - The notifier is weak, so it keeps no process alive, and fires once however much is queued.
//! - After [`EffectQueue::close`] it never fires: the environment may be gone (F-27). The lock
//!   around the notifier is the gate; the engine's threads hold it only while they notify.
//! - What a logger hears waits apart, at most [`LINES_MAX`] lines, and comes before the rest; what
//!   finds no room is counted.
//! - If JavaScript does not drain for longer than [`BLOCKED_MS_MAX`], the next drain says so
//!   (F-22).
//! - Nothing leaves the queue before JavaScript has it.
//! - One drain hands out at most [`STARTS_MAX`] runs and [`MESSAGES_MAX`] messages, so that a
//!   user's server lives beside it.
//!
//! # Left to others
//! Whether JavaScript must be notified is `tasker_engine::backlog`'s question.
//!
//! Proof: `__test__/process/loop.test.mjs`, `__test__/border/blocked.test.mjs`.

use std::fmt::Write;

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use parking_lot::{Mutex, RwLock};
use tasker_core::error::{Code, Error};
use tasker_core::time::WallMs;
use tasker_engine::backlog::Backlog;
use tasker_engine::effect::Effect;
use tasker_engine::thread::Sink;

use crate::line::Line;
use crate::message::{self, Message};

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
/// Lines that wait for a logger.
const LINES_MAX: usize = 1_000;

pub(crate) struct EffectQueue {
    backlog: Backlog,
    notifier: RwLock<Option<Notifier>>,
    lines: Mutex<Unheard>,
}

/// What a logger has not heard yet.
#[derive(Default)]
struct Unheard {
    kept: Vec<Line>,
    left_out: usize,
}

impl EffectQueue {
    pub(crate) fn new(notifier: Notifier) -> Self {
        let (backlog, lines) = (Backlog::default(), Mutex::default());
        Self { backlog, notifier: RwLock::new(Some(notifier)), lines }
    }

    /// Never notifies again.
    pub(crate) fn close(&self) {
        self.notifier.write().take();
    }

    /// What is queued, as one JSON array; its first element says whether there is more, its second
    /// from which moment its times count. `make` makes a string of JavaScript of it.
    ///
    /// # Errors
    /// That of `make`; everything is still queued then, and what comes later notifies again.
    pub(crate) fn drain<T>(&self, make: impl Fn(&str) -> napi::Result<T>) -> napi::Result<T> {
        let blocked_ms = self.backlog.begin();
        let lines = self.take_lines();
        let mut messages_max = MESSAGES_MAX;
        loop {
            debug_assert!(messages_max > 0, "a drain of no messages ends in no time");
            let Batch { text, count, has_more } = self.batch(messages_max, blocked_ms, &lines);
            match make(&text) {
                Ok(string) => {
                    self.backlog.take(count, has_more);
                    return Ok(string);
                }
                Err(_) if count > 1 => messages_max = count / 2,
                Err(error) if self.refuse_first(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The first messages; they stay queued.
    fn batch(&self, messages_max: usize, blocked_ms: u64, lines: &[Line]) -> Batch {
        self.backlog.peek(|queue| {
            let mut text = String::with_capacity(64 * queue.len().min(messages_max));
            let since = since(queue.iter().take(messages_max));
            // Writing to a String cannot fail.
            let _ = write!(text, "[false,{}", since.0);
            if blocked_ms > BLOCKED_MS_MAX {
                Message::LoopBlocked { ms: blocked_ms }.write(&mut text);
            }
            for line in lines {
                message::write_line(line, &mut text);
            }
            let (mut starts, mut count) = (0, 0);
            for effect in queue.iter().take(messages_max) {
                if starts == STARTS_MAX || text.len() >= BYTES_MAX {
                    break;
                }
                starts += usize::from(matches!(effect, Effect::Start(_)));
                count += 1;
                message::write(effect, since, &mut text);
            }
            text.push(']');
            debug_assert!(count > 0 || queue.is_empty(), "what waits would never be handed out");
            let has_more = count < queue.len();
            if has_more {
                text.replace_range(1..6, "true");
            }
            Batch { text, count, has_more }
        })
    }

    /// An answer that makes no string is refused instead, so that it loses nothing but itself.
    fn refuse_first(&self, fault: &napi::Error) -> bool {
        self.backlog.replace_first(|first| {
            let Effect::Answer(ticket, _) = first else { return None };
            let message = format!("the answer makes no string of JavaScript: {}", fault.reason);
            Some(Effect::Refuse(*ticket, Error::at(Code::TooLarge, "limit", message)))
        })
    }

    /// A line for the logger.
    pub(crate) fn log(&self, line: Line) {
        let mut lines = self.lines.lock();
        if lines.kept.len() < LINES_MAX {
            lines.kept.push(line);
        } else {
            lines.left_out += 1;
        }
        drop(lines);
        if self.backlog.push(Vec::new()) {
            self.notify();
        }
    }

    fn take_lines(&self) -> Vec<Line> {
        let Unheard { mut kept, left_out } = std::mem::take(&mut *self.lines.lock());
        if left_out > 0 {
            kept.push(Line::of_left_out(left_out));
        }
        kept
    }

    fn notify(&self) {
        if let Some(notifier) = self.notifier.read().as_ref() {
            notifier.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

/// When the first of the runs started: the others started with it, or soon after.
fn since<'a>(mut effects: impl Iterator<Item = &'a Effect>) -> WallMs {
    let started = |effect: &Effect| match effect {
        Effect::Start(run) => Some(run.started_at),
        _ => None,
    };
    effects.find_map(started).unwrap_or(WallMs(0))
}

/// Messages for one drain.
struct Batch {
    text: String,
    count: usize,
    /// Whether JavaScript is told that there is more.
    has_more: bool,
}

impl Sink for EffectQueue {
    fn deliver(&self, effects: Vec<Effect>) {
        if self.backlog.push(effects) {
            self.notify();
        }
    }
}
