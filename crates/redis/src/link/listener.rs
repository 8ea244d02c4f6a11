//! A thread that hears what is published on a channel.
//!
//! # Promises
//! - The waker is called after each message, and after each new connection, because messages may
//!   have been lost before it.
//! - A connection that died without a word is noticed: in silence the server is asked.
//! - Dropping the listener ends and joins its thread, also when the server hangs.
//!
//! Proof: `tests/link/listening.rs`.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use redis::{PubSub, RedisResult, Value};
use tasker_core::error::{Code, Error, Result};
use tasker_core::store::Waker;

use super::clock::{BackOff, Stop};
use super::connect::{Settings, ask, connect};
use super::failure::of_setup;
use super::location::Location;

/// How long the thread waits for a message before it sees whether it shall end.
const SLICE: Duration = Duration::from_millis(200);

/// Stack of a thread that does little.
const STACK_BYTES: usize = 256 * 1024;

/// A thread that listens, as long as this lives.
#[derive(Debug)]
pub struct Listener {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens to a channel; connects by itself, now or when there is a server.
    ///
    /// # Errors
    /// `Io`, if the system gives no thread.
    pub fn start(
        location: &Location,
        settings: Settings,
        channel: &str,
        waker: Waker,
    ) -> Result<Listener> {
        Listener::start_beside(location, settings, (channel, Vec::new()), waker)
    }

    /// Listens to a channel, but not to messages that read so: those that its own owner sends.
    pub(crate) fn start_beside(
        location: &Location,
        settings: Settings,
        (channel, own): (&str, Vec<u8>),
        waker: Waker,
    ) -> Result<Listener> {
        let stop = Stop::default();
        let hearing = Hearing {
            location: location.clone(),
            settings,
            channel: channel.to_owned(),
            own,
            waker,
            stop: stop.clone(),
        };
        let thread = spawn("tasker-listener", move || hearing.run())?;
        Ok(Listener { stop, thread: Some(thread) })
    }
}

impl Listener {
    /// Ends soon, at the next message at the latest.
    pub(crate) fn end(&self) {
        self.stop.stop();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.stop();
        join(self.thread.take());
    }
}

/// Starts a thread of this layer.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.into()).stack_size(STACK_BYTES).spawn(run);
    thread.map_err(|e| Error::new(Code::Io, "the system gives no thread").with_source(e))
}

/// Waits for the end of a thread that was told to end.
pub(crate) fn join(thread: Option<JoinHandle<()>>) {
    // Its own waker may be what drops the owner.
    let thread = thread.filter(|thread| thread.thread().id() != thread::current().id());
    let ended = thread.map(JoinHandle::join);
    debug_assert!(!matches!(ended, Some(Err(_))), "a thread of the connection layer panicked");
}

/// What the thread has.
struct Hearing {
    location: Location,
    settings: Settings,
    channel: String,
    own: Vec<u8>,
    waker: Waker,
    stop: Stop,
}

impl Hearing {
    fn run(&self) {
        let mut back_off = BackOff::default();
        while !self.stop.is_stopped() {
            match self.hear(&mut back_off) {
                Err(error) if error.code() != Code::Busy => {
                    tracing::warn!(%error, "what others commit is not heard; owners poll");
                }
                Err(error) => tracing::debug!(%error, "the listener connects anew"),
                Ok(()) => return,
            }
            if self.stop.wait(back_off.advance()) {
                return;
            }
        }
    }

    /// Listens on one connection until it breaks or the thread shall end.
    fn hear(&self, back_off: &mut BackOff) -> Result<()> {
        let name = self.location.name();
        let (mut connection, _) = connect(&self.location, &self.settings)?;
        // The client crate does not look whether the server refuses.
        ask(&mut connection, redis::cmd("SUBSCRIBE").arg(&self.channel))
            .map_err(|e| of_setup(&name, "SUBSCRIBE", e))?;
        back_off.reset();
        (self.waker)();
        self.follow(connection.as_pubsub()).map_err(|e| of_setup(&name, "PING", e))
    }

    fn follow(&self, mut messages: PubSub<'_>) -> RedisResult<()> {
        let mut silence = Duration::ZERO;
        messages.set_read_timeout(Some(SLICE))?;
        while !self.stop.is_stopped() {
            match messages.get_message() {
                Ok(message) => {
                    silence = Duration::ZERO;
                    if self.own.is_empty() || message.get_payload_bytes() != self.own {
                        (self.waker)();
                    }
                }
                Err(error) if error.is_timeout() => silence += SLICE,
                Err(error) => return Err(error),
            }
            if silence >= self.settings.reply_timeout {
                messages.set_read_timeout(Some(self.settings.reply_timeout))?;
                messages.ping::<Value>()?;
                messages.set_read_timeout(Some(SLICE))?;
                silence = Duration::ZERO;
            }
        }
        Ok(())
    }
}
