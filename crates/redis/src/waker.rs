//! A thread that hears what other owners commit, and lets this one be heard.
//!
//! # Promises
//! - A message only says that it is worth to look; one that is lost costs a poll.
//!
//! Proof: `tests/owners.rs`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redis::Connection;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::OwnerId;
use tasker_core::store::Waker;

use crate::keys;
use crate::link::{Failure, Link, Location, Script, of};
use crate::owners::Session;
use crate::store::head_key;

static BEAT: Script = Script::new("beat", include_str!("lua/beat.lua"));

/// The longest that the thread listens before it looks whether it is to stop.
const LISTEN_MAX: Duration = Duration::from_millis(50);
/// So long it waits before it connects again.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Shared {
    /// Our session: another one after a commit of which nothing was heard.
    session: Session,
    waker: Option<Waker>,
    is_over: bool,
    /// How many messages of others have come.
    heard: u64,
}

/// The thread, as its store knows it.
pub(crate) struct Listener {
    shared: Arc<(Mutex<Shared>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

fn lock(shared: &(Mutex<Shared>, Condvar)) -> MutexGuard<'_, Shared> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    /// Subscribes, and goes on in a thread.
    pub(crate) fn start(
        location: &Location,
        own: (OwnerId, Session),
        beat: Duration,
    ) -> Result<Self> {
        let (own, session) = own;
        let shared = Shared { session, ..Shared::default() };
        let shared = Arc::new((Mutex::new(shared), Condvar::new()));
        let mut thread = Listening {
            location: location.clone(),
            own,
            beat,
            shared: Arc::clone(&shared),
            link: None,
        };
        let thread = std::thread::Builder::new()
            .name("tasker-redis".into())
            .spawn(move || thread.run())
            .map_err(|error| Error::new(Code::Io, "no thread to listen").with_source(error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn set_session(&self, session: Session) {
        lock(&self.shared).session = session;
    }

    pub(crate) fn set_waker(&mut self, waker: Waker) {
        lock(&self.shared).waker = Some(waker);
    }

    /// Waits for a message of others, but not longer than this.
    pub(crate) fn wait(&self, at_most: Duration) {
        let guard = lock(&self.shared);
        let before = guard.heard;
        let waited = self.shared.1.wait_timeout_while(guard, at_most, |now| now.heard == before);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn stop(&mut self) {
        let mut shared = lock(&self.shared);
        (shared.is_over, shared.waker) = (true, None);
        drop(shared);
        if let Some(thread) = self.thread.take() {
            // It looks often enough. What it dies of is of no use to anybody.
            drop(thread.join());
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Listening {
    location: Location,
    own: OwnerId,
    beat: Duration,
    shared: Arc<(Mutex<Shared>, Condvar)>,
    link: Option<Link>,
}

impl Listening {
    fn is_over(&self) -> bool {
        lock(&self.shared).is_over
    }

    fn run(&mut self) {
        while !self.is_over() {
            let listened = self.location.connect().and_then(|connection| self.listen(connection));
            if let Err(error) = listened {
                tracing::debug!(%error, "the others cannot be heard for now");
                self.link = None;
                std::thread::sleep(RECONNECT_AFTER);
            }
        }
    }

    fn listen(&mut self, mut connection: Connection) -> Result<()> {
        let mut subscription = connection.as_pubsub();
        let channel = [self.location.prefix(), keys::CHANNEL].concat();
        subscription.subscribe(channel).map_err(of)?;
        let pause = self.beat.min(LISTEN_MAX);
        subscription.set_read_timeout(Some(pause)).map_err(of)?;
        // Something may have come before.
        self.wake();
        let mut next = Instant::now();
        while !self.is_over() {
            match subscription.get_message() {
                Ok(message) => {
                    if message.get_payload_bytes() != keys::owner(self.own) {
                        self.wake();
                    }
                }
                Err(error) if error.is_timeout() => {}
                Err(error) => return Err(of(error)),
            }
            if Instant::now() >= next {
                self.tell()?;
                next = Instant::now() + self.beat;
            }
        }
        Ok(())
    }

    fn wake(&self) {
        let mut shared = lock(&self.shared);
        shared.heard += 1;
        let waker = shared.waker.clone();
        drop(shared);
        self.shared.1.notify_all();
        waker.iter().for_each(|waker| waker());
    }

    /// Raises our counter.
    fn tell(&mut self) -> Result<()> {
        let link = match self.link.take() {
            Some(link) => link,
            None => Link::open(&self.location)?,
        };
        let link = self.link.insert(link);
        let args = [keys::owner(self.own).to_vec(), lock(&self.shared).session.clone()];
        link.call(&BEAT, &head_key(&self.location), &args).map_err(Failure::error).map(drop)
    }
}
