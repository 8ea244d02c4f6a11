//! A thread that runs a script each period and tells when that was last answered.
//!
//! # Promises
//! - The time that is told lies before the sending: who counts from it fences itself too early
//!   rather than too late.
//! - A beat that fails is told too, and the next one is sent in its time.
//! - Dropping it ends and joins its thread, also when the server hangs.
//!
//! Proof: `tests/link/beating.rs`.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::Value;
use tasker_core::error::{Error, Result};

use super::calls::Link;
use super::clock::{Stop, now};
use super::connect::Settings;
use super::listener::{join, spawn};
use super::location::Location;
use super::script::Script;

/// What became of one beat.
#[derive(Debug)]
pub enum Beat {
    /// The server answered.
    Answered {
        /// A moment before the script was sent.
        sent: Instant,
        /// What the script returned.
        reply: Value,
    },
    /// It did not, or refused.
    Failed(Error),
}

/// Told of each beat, on the thread of the heartbeat; must not block.
pub type OnBeat = Arc<dyn Fn(Beat) + Send + Sync>;

/// What is sent, and how often.
pub struct Pulse {
    /// From one sending to the next.
    pub period: Duration,
    /// What runs on the server.
    pub script: &'static Script,
    /// Its keys.
    pub keys: Vec<Vec<u8>>,
    /// Asked for its arguments before each beat: a session may have become another.
    pub args: Box<dyn Fn() -> Vec<Vec<u8>> + Send>,
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} each {:?}", self.script, self.period)
    }
}

/// A thread that beats, as long as this lives.
pub struct Heartbeat {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").finish_non_exhaustive()
    }
}

impl Heartbeat {
    /// Beats at once and then each period, on a connection of its own.
    ///
    /// # Errors
    /// `Io`, if the system gives no thread.
    pub fn start(
        location: &Location,
        settings: Settings,
        pulse: Pulse,
        on_beat: OnBeat,
    ) -> Result<Heartbeat> {
        debug_assert!(!pulse.period.is_zero(), "it would never rest");
        let stop = Stop::default();
        let link = Link::unconnected(location, settings, stop.clone());
        let stopped = stop.clone();
        let thread = spawn("tasker-heartbeat", move || run(link, &pulse, &on_beat, &stopped))?;
        Ok(Heartbeat { stop, thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.stop();
        join(self.thread.take());
    }
}

fn run(mut link: Link, pulse: &Pulse, on_beat: &OnBeat, stop: &Stop) {
    while !stop.is_stopped() {
        let sent = now();
        on_beat(match link.call(pulse.script, &pulse.keys, &(pulse.args)()) {
            Ok(reply) => Beat::Answered { sent, reply },
            Err(failure) => Beat::Failed(failure.error()),
        });
        if stop.wait(pulse.period.saturating_sub(now() - sent)) {
            return;
        }
    }
}
