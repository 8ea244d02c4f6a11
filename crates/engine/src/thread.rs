//! The real driver: one thread, the real clock and a store around [`crate::turn`].
//!
//! A tokio runtime on that one thread owns the inbox and the one timer; cancellation tokens carry
//! the end of the handle and of reads. Nothing else in the engine knows that time passes by itself.
//!
//! # Promises
//! - Importing or creating nothing starts no thread; [`Handle::open`] starts the engine's, which
//!   starts the reader's.
//! - After [`Handle::shutdown`] both are joined, every file is released and nothing is delivered
//!   (I-14).
//! - A panic answers `Bug` to everyone and closes the handle; the process lives (F-6).
//!
//! Proof: `proof/tests/thread.rs`, the storm.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tasker_core::error::{Code, Error, Result};
use tasker_core::store::{Reader, Store, Wake};
use tasker_core::time::{MonoMs, Now, WallMs};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::effect::Effect;
pub use crate::effect::Sink;
use crate::inbox::Inbox;
use crate::input::{Input, Ticket};
use crate::memory::Settings;
pub use crate::reads::Read;
use crate::reads::Reads;
use crate::turn::{After, Engine};

/// How long nothing must happen before the store is tidied.
const IDLE_MS: u64 = 50;
/// The least time between two looks at what others did: a busy neighbour must not keep us busy.
const LOOK_MS: u64 = 1;

/// A moment, to ask later how long ago it was.
#[derive(Debug)]
pub struct Moment(Instant);

impl Moment {
    /// This one.
    #[expect(clippy::disallowed_methods, reason = "the clocks are read in this file")]
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was.
    pub fn elapsed_ms(&self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

/// Opens the store on the engine's thread.
pub type Opener = Box<dyn FnOnce() -> Result<(Box<dyn Store>, Box<dyn Reader>)> + Send>;

/// An open engine.
pub struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    inbox: Inbox,
    reads: Reads,
    end: CancellationToken,
    /// Rung when another owner may have committed.
    bell: Arc<Notify>,
    sink: Arc<dyn Sink>,
}

impl Handle {
    /// Starts the engine's thread, which opens the store. What goes wrong there refuses every call.
    ///
    /// # Errors
    /// `Io` if the system gives no thread or no random seed.
    pub fn open(opener: Opener, settings: Settings, sink: Arc<dyn Sink>) -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|e| Error::new(Code::Io, format!("no random seed: {e}")))?;
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            reads: Reads::default(),
            end: CancellationToken::new(),
            bell: Arc::default(),
            sink,
        });
        let driver = Driver::new(shared.clone());
        let thread = std::thread::Builder::new()
            .name("tasker".into())
            .spawn(move || driver.run(opener, settings, seed))
            .map_err(|e| Error::new(Code::Io, "no thread for the engine").with_source(e))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Hands calls to the engine; each with a ticket is answered once.
    pub fn submit(&self, inputs: impl IntoIterator<Item = Input>) {
        if let Some((tickets, error)) = self.shared.inbox.push(inputs) {
            let refuse = |ticket| Effect::Refuse(ticket, error.clone());
            self.shared.sink.deliver(tickets.into_iter().map(refuse).collect());
        }
    }

    /// Asks for a read; it is answered once.
    pub fn read(&self, ticket: Ticket, read: Read) {
        if let Err(error) = self.shared.reads.push(ticket, read, &self.shared.end) {
            self.shared.sink.deliver(vec![Effect::Refuse(ticket, error)]);
        }
    }

    /// Ends a read that waits or is under way; it is answered with `Closed`.
    pub fn cancel_read(&self, ticket: Ticket) {
        self.shared.reads.cancel(ticket);
    }

    /// Ends both threads at the next turn and waits for them. Live runs are left as they are: the
    /// next owner recovers them. For an orderly end, submit `Close` first.
    pub fn shutdown(&self) {
        self.shared.end.cancel();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the thread was caught and told inside it.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shutdown();
    }
}

struct Driver {
    shared: Arc<Shared>,
    origin: Instant,
}

#[expect(clippy::disallowed_methods, reason = "the driver is where the clocks are read")]
impl Driver {
    fn new(shared: Arc<Shared>) -> Self {
        Self { shared, origin: Instant::now() }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let wall = WallMs(i64::try_from(wall).unwrap_or(i64::MAX));
        Now { wall, mono: MonoMs(self.origin.elapsed().as_millis() as u64) }
    }
}

impl Driver {
    fn waker(&self) -> Wake {
        let bell = Arc::clone(&self.shared.bell);
        Arc::new(move || bell.notify_one())
    }

    fn run(&self, opener: Opener, settings: Settings, seed: [u8; 32]) {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let (mut store, reader) = opener()?;
            store.listen(self.waker());
            let (engine, effects) = Engine::open(store, settings, seed, self.now())?;
            Ok((engine, reader, effects))
        }));
        let opened = opened.unwrap_or_else(|_| Err(Error::bug("the engine panicked at open")));
        match opened {
            Ok((engine, reader, effects)) => self.serve(engine, reader, effects),
            Err(error) => self.refuse_for_good(&error),
        }
    }

    fn serve(&self, engine: Engine, reader: Box<dyn Reader>, effects: Vec<Effect>) {
        self.deliver(effects);
        let shared = self.shared.clone();
        let reading = std::thread::Builder::new().name("tasker-read".into()).spawn(move || {
            let mut reader = reader;
            shared.reads.run(reader.as_mut(), shared.sink.as_ref());
        });
        let error = match reading {
            Ok(reading) => {
                let (error, last) = self.turn_until_closed(engine);
                self.shared.reads.close(&error, self.shared.sink.as_ref());
                // A panic of the reader was caught and answered inside it.
                let _ = reading.join();
                // Only now is every file released: what the last turn told may be told.
                self.deliver(last);
                error
            }
            Err(e) => {
                let error = Error::new(Code::Io, "no thread for reads").with_source(e);
                return self.refuse_for_good(&error);
            }
        };
        self.refuse_waiting(&error);
    }

    /// Turns until the engine is closed. Gives what the last turn told, and the error with which
    /// what comes later is refused.
    fn turn_until_closed(&self, mut engine: Engine) -> (Error, Vec<Effect>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let turned = match runtime {
            Ok(runtime) => {
                catch_unwind(AssertUnwindSafe(|| Ok(runtime.block_on(self.turns(&mut engine)))))
            }
            Err(e) => Ok(Err(Error::new(Code::Io, "no runtime for the engine").with_source(e))),
        };
        let error = match turned {
            Ok(Ok(last)) => return (closed_by(&last), last),
            Ok(Err(error)) => error,
            Err(_) => Error::bug("the engine panicked; the file is as of its last commit"),
        };
        let mut last = Vec::new();
        // A store that panics as it closes is dropped by that, and so released.
        let _ = catch_unwind(AssertUnwindSafe(|| engine.fail(error.clone(), &mut last)));
        (error, last)
    }

    /// Turns until the engine closes or the handle ends; what the closing turn told.
    async fn turns(&self, engine: &mut Engine) -> Vec<Effect> {
        let mut rest = Rest { after: After::Again, is_tidy: false, looked: self.now().mono };
        loop {
            let mut effects = Vec::new();
            match self.next(engine, &rest).await {
                Woken::Ended => return effects,
                Woken::Idle => {
                    tidy(engine, true);
                    rest.is_tidy = true;
                    continue;
                }
                Woken::Look => {
                    rest.looked = self.now().mono;
                    rest.after = engine.look(&mut effects);
                }
                Woken::Due => {
                    let is_again = rest.after == After::Again;
                    let is_shared = engine.look_every_ms().is_some();
                    let take = || self.shared.inbox.take(is_shared);
                    let inputs = if is_again { Vec::new() } else { take() };
                    rest.after = engine.turn(inputs, self.now(), &mut effects);
                    rest.is_tidy = false;
                }
            }
            if rest.after == After::Closed {
                return effects;
            }
            self.deliver(effects);
            tidy(engine, false);
        }
    }

    /// What to do next; waits until there is something.
    async fn next(&self, engine: &Engine, rest: &Rest) -> Woken {
        let look = engine.look_every_ms().map(|every| rest.looked.plus(every));
        if rest.after != After::Again && self.shared.inbox.is_empty() {
            // Who knows of no other owner must hear of the first one.
            let hears = look.is_none() || engine.heeds_others();
            return self.wait(rest, look, hears).await;
        }
        if self.shared.end.is_cancelled() {
            return Woken::Ended;
        }
        // Also under load: a neighbour's death must be noticed.
        let is_look_due = look.is_some_and(|at| self.now().mono >= at);
        if is_look_due { Woken::Look } else { Woken::Due }
    }

    async fn wait(&self, rest: &Rest, look: Option<MonoMs>, hears: bool) -> Woken {
        let at =
            |at: MonoMs| tokio::time::Instant::from_std(self.origin + Duration::from_millis(at.0));
        let far = tokio::time::Instant::now() + Duration::from_secs(3_600);
        let due = match rest.after {
            After::Wait(Some(due)) => at(due),
            _ => far,
        };
        let idle = if rest.is_tidy { far } else { at(self.now().mono.plus(IDLE_MS)) };
        let rung = async {
            tokio::time::sleep_until(at(rest.looked.plus(LOOK_MS))).await;
            self.shared.bell.notified().await;
        };
        tokio::select! {
            biased;
            () = self.shared.end.cancelled() => Woken::Ended,
            () = self.shared.inbox.wait() => Woken::Due,
            () = tokio::time::sleep_until(due) => Woken::Due,
            () = rung, if hears => Woken::Look,
            () = tokio::time::sleep_until(look.map_or(far, at)) => Woken::Look,
            () = tokio::time::sleep_until(idle) => Woken::Idle,
        }
    }

    fn deliver(&self, effects: Vec<Effect>) {
        if !effects.is_empty() && !self.shared.end.is_cancelled() {
            self.shared.sink.deliver(effects);
        }
    }

    /// The store did not open: everything that is asked gets this error, until the handle is
    /// dropped.
    fn refuse_for_good(&self, error: &Error) {
        self.deliver(vec![Effect::Closed(Some(error.clone()))]);
        self.shared.reads.close(error, self.shared.sink.as_ref());
        self.refuse_waiting(error);
    }

    fn refuse_waiting(&self, error: &Error) {
        let tickets = self.shared.inbox.close(error);
        let refuse = |ticket| Effect::Refuse(ticket, error.clone());
        self.deliver(tickets.into_iter().map(refuse).collect());
    }
}

/// The reason with which the engine closed.
fn closed_by(last: &[Effect]) -> Error {
    match last.last() {
        Some(Effect::Closed(Some(error))) => error.clone(),
        _ => Error::new(Code::Closed, "the tasker is closed"),
    }
}

fn tidy(engine: &mut Engine, is_idle: bool) {
    let Some(store) = engine.store() else { return };
    if let Err(error) = store.tidy(is_idle) {
        // The next turn meets the same fault and answers for it.
        tracing::warn!(%error, "the store could not be tidied");
    }
}

/// Where the driver stands between two turns.
struct Rest {
    after: After,
    is_tidy: bool,
    /// When it last looked at what others did.
    looked: MonoMs,
}

enum Woken {
    Due,
    Look,
    Idle,
    Ended,
}
