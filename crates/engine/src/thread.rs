//! The real driver: one thread, a clock and a store around [`crate::turn`].
//!
//! A tokio runtime on that one thread owns the inbox and the one timer; cancellation tokens carry
//! the end of the handle and of reads. Nothing else in the engine knows that time passes by itself.
//!
//! # Promises
//! - What the engine says to `tracing` goes where it went on the thread that opened the handle.
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

use parking_lot::Mutex;
use tasker_core::error::{Code, Error, Result};
use tasker_core::reader::Reader;
use tasker_core::store::{Store, Waker};
use tasker_core::time::{MonoMs, Now};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::dispatcher::{self, Dispatch};

pub use crate::client::Client;
use crate::client::Shared;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::debug::trace_effects;
use crate::effect::Effect;
pub use crate::effect::Sink;
use crate::inbox::Inbox;
use crate::memory::Settings;
pub use crate::moment::Moment;
pub use crate::open_read::Read;
use crate::reads::Reads;
use crate::turn::{Engine, Next};
pub use crate::watching::Watching;

/// How long nothing must happen before the store does its housekeeping.
const IDLE_MS: u64 = 50;
/// The least time between two peeks at what others did: a busy neighbour must not keep us busy.
const PEEK_GAP_MS: u64 = 1;
/// How long to trust the wall clock while something is due by it: it may be set meanwhile.
const WALL_CHECK_MS: u64 = 30_000;

/// Opens the store on the engine's thread.
pub type Opener = Box<dyn FnOnce() -> Result<(Box<dyn Store>, Box<dyn Reader>)> + Send>;

/// An open engine.
pub struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Handle {
    /// Starts the engine's thread, which opens the store, for a first client. What goes wrong there
    /// refuses every call.
    ///
    /// # Errors
    /// `Io` if the system gives no thread or no random seed.
    pub fn open(
        opener: Opener,
        settings: Settings,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn Sink>,
    ) -> Result<(Self, Client)> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|e| Error::new(Code::Io, format!("no random seed: {e}")))?;
        Self::open_seeded(opener, settings, clock, sink, seed)
    }

    /// The same with a seed of the caller's: what is drawn at random (ids, jitter) is then the same
    /// each time.
    ///
    /// # Errors
    /// `Io` if the system gives no thread.
    pub fn open_seeded(
        opener: Opener,
        settings: Settings,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn Sink>,
        seed: [u8; 32],
    ) -> Result<(Self, Client)> {
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            reads: Reads::default(),
            end: CancellationToken::new(),
            notifier: Arc::default(),
            begun: Notify::new(),
            clients: Clients::new(sink),
        });
        let log = dispatcher::get_default(Dispatch::clone);
        let driver = Driver { shared: shared.clone(), clock, log: log.clone() };
        let thread = std::thread::Builder::new()
            .name("tasker".into())
            .spawn(move || {
                dispatcher::with_default(&log, || driver.run(opener, settings, seed));
            })
            .map_err(|e| Error::new(Code::Io, "no thread for the engine").with_source(e))?;
        let client = Client::first(Arc::clone(&shared));
        Ok((Self { shared, thread: Mutex::new(Some(thread)) }, client))
    }

    /// One more client; it is told what concerns it through `sink`. If the handle has closed, it is
    /// told so before this returns, and its calls are refused.
    ///
    /// # Errors
    /// `Limit` when the numbers of clients are used up.
    pub fn connect(&self, sink: Arc<dyn Sink>) -> Result<Client> {
        Client::connect(Arc::clone(&self.shared), sink)
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

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    log: Dispatch,
}

impl Driver {
    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// What the stopwatch of the housekeeping says.
    pub(crate) fn pace(&self) -> MonoMs {
        self.clock.pace().now().mono
    }

    fn waker(&self) -> Waker {
        let notifier = Arc::clone(&self.shared.notifier);
        Arc::new(move || notifier.notify_one())
    }

    fn run(&self, opener: Opener, settings: Settings, seed: [u8; 32]) {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let (mut store, reader) = opener()?;
            store.set_waker(self.waker());
            let (mut engine, effects) = Engine::open(store, settings, seed, self.now())?;
            engine.measure_times();
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
        let (shared, id_key) = (self.shared.clone(), engine.id_key());
        let log = self.log.clone();
        let reading = std::thread::Builder::new().name("tasker-read".into()).spawn(move || {
            let read = || shared.reads.run(reader, id_key, &shared.clients);
            dispatcher::with_default(&log, read);
        });
        let error = match reading {
            Ok(reading) => {
                let (error, last) = self.turn_until_closed(engine);
                if matches!(last.last(), Some(Effect::Closed(Some(_)))) {
                    self.shared.reads.close(&error, &self.shared.clients);
                } else {
                    self.shared.reads.finish(&error);
                }
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
        self.refuse_inbox(&error);
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
        let mut state = DriverState::new(self.pace());
        loop {
            let mut effects = Vec::new();
            debug_assert!(self.pace() >= state.peeked_at, "the stopwatch went back (F-19)");
            match self.next(engine, &state).await {
                Wakeup::Ended => return effects,
                Wakeup::Nothing => continue,
                // Below, as after a turn.
                Wakeup::Quiet => {}
                Wakeup::Idle => {
                    maintain(engine, true);
                    state.is_maintained = true;
                    continue;
                }
                Wakeup::Peek => {
                    state.peeked_at = self.pace();
                    state.after = engine.peek(self.now(), &mut effects);
                }
                Wakeup::Clock => {
                    let now = self.now();
                    if !engine.is_due(now.wall) {
                        continue;
                    }
                    // Of several owners one does what is due; the others need not wait for it.
                    state.after = if engine.is_shared() {
                        state.peeked_at = self.pace();
                        engine.peek(now, &mut effects)
                    } else {
                        Next::More
                    };
                }
                Wakeup::Due => {
                    state.after = if state.after == Next::Again {
                        engine.turn(Vec::new(), self.now(), &mut effects)
                    } else {
                        engine.turn(&self.shared.inbox, self.now(), &mut effects)
                    };
                    state.is_maintained = false;
                }
            }
            state.note(&effects);
            if self.is_quiet_wanted(state.after) {
                // With what the turn told: whoever waits is woken once.
                state.after = self.quiet(engine, &mut state, &mut effects);
            }
            if state.after == Next::Closed {
                return effects;
            }
            self.deliver(effects);
            self.shared.reads.tell(engine.memory().number);
            maintain(engine, false);
        }
    }

    /// What to do next; waits until there is something.
    async fn next(&self, engine: &Engine, state: &DriverState) -> Wakeup {
        let peek_at = engine.poll_interval_ms().map(|every| state.peeked_at.plus(every));
        let is_at_once = matches!(state.after, Next::Again | Next::More);
        if !is_at_once && self.shared.inbox.is_empty() {
            if self.is_quiet_wanted(state.after) && !self.shared.end.is_cancelled() {
                return Wakeup::Quiet;
            }
            return self.wait(engine, state, peek_at).await;
        }
        if self.shared.end.is_cancelled() {
            return Wakeup::Ended;
        }
        // Also under load: a neighbour's death must be noticed.
        let is_peek_due = peek_at.is_some_and(|at| self.pace() >= at);
        if is_peek_due { Wakeup::Peek } else { Wakeup::Due }
    }

    /// When to look at the wall clock, if something is due by it.
    fn check_at(&self, engine: &Engine) -> Option<MonoMs> {
        let (next, now) = (engine.next_timer()?, self.now());
        Some(now.mono.plus(next.ms_since(now.wall).min(WALL_CHECK_MS)))
    }

    /// What the clock brings next; of what comes at once, the first of these.
    fn next_by_time(&self, engine: &Engine, after: Next) -> Option<(MonoMs, Wakeup)> {
        let due = match after {
            Next::Wait(due) => due,
            Next::Again | Next::More | Next::Closed => None,
        };
        first([(due, Wakeup::Due), (self.check_at(engine), Wakeup::Clock)])
    }

    async fn wait(&self, engine: &Engine, state: &DriverState, peek_at: Option<MonoMs>) -> Wakeup {
        // Whoever knows of no other owner must learn of the first one.
        let is_awaited = engine.needs_wakeups() || self.shared.reads.is_watched();
        let needs_wakeups = peek_at.is_none() || is_awaited;
        let pace = self.clock.pace();
        let idle_at = (!state.is_maintained).then(|| self.pace().plus(IDLE_MS));
        let by_pace = first([(peek_at, Wakeup::Peek), (idle_at, Wakeup::Idle)]);
        let notified = async {
            pace.sleep_until(state.peeked_at.plus(PEEK_GAP_MS)).await;
            self.shared.notifier.notified().await;
        };
        tokio::select! {
            biased;
            () = self.shared.end.cancelled() => Wakeup::Ended,
            // What came before the last turn was taken by it, and has left its notification.
            () = self.shared.inbox.wait() => {
                if self.shared.inbox.is_empty() { Wakeup::Nothing } else { Wakeup::Due }
            }
            wakeup = at(&*self.clock, self.next_by_time(engine, state.after)) => wakeup,
            wakeup = at(pace, by_pace) => wakeup,
            () = notified, if needs_wakeups => Wakeup::Peek,
            () = self.shared.begun.notified() => Wakeup::Peek,
        }
    }

    pub(crate) fn deliver(&self, effects: Vec<Effect>) {
        trace_effects(&effects);
        if !effects.is_empty() && !self.shared.end.is_cancelled() {
            self.shared.clients.deliver(effects);
        }
    }

    /// The store did not open: everything that is asked gets this error, until the handle is
    /// dropped.
    fn refuse_for_good(&self, error: &Error) {
        self.deliver(vec![Effect::Closed(Some(error.clone()))]);
        self.shared.reads.close(error, &self.shared.clients);
        self.refuse_inbox(error);
    }

    fn refuse_inbox(&self, error: &Error) {
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

fn maintain(engine: &mut Engine, is_idle: bool) {
    let Some(store) = engine.store() else { return };
    if let Err(error) = store.maintain(is_idle) {
        // The next turn meets the same fault and answers for it.
        tracing::warn!(%error, "the store's housekeeping failed");
    }
}

/// What comes first of what has a moment.
fn first<const N: usize>(moments: [(Option<MonoMs>, Wakeup); N]) -> Option<(MonoMs, Wakeup)> {
    let moments = moments.into_iter().filter_map(|(at, wakeup)| Some((at?, wakeup)));
    moments.min_by_key(|(at, _)| *at)
}

/// Waits for the moment; for ever if there is none.
async fn at(clock: &dyn Clock, moment: Option<(MonoMs, Wakeup)>) -> Wakeup {
    let Some((at, wakeup)) = moment else { return std::future::pending().await };
    clock.sleep_until(at).await;
    wakeup
}

/// Where the driver stands between two turns.
pub(crate) struct DriverState {
    pub(crate) after: Next,
    is_maintained: bool,
    /// When it last peeked at what others did, by the stopwatch of the housekeeping.
    pub(crate) peeked_at: MonoMs,
    /// What has happened since somebody last heard that it is quiet.
    pub(crate) since_quiet: SinceQuiet,
}

/// What has happened since somebody last heard that it is quiet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SinceQuiet {
    /// How often the clock was moved on.
    pub(crate) moments: u64,
    /// Whether events were told.
    pub(crate) has_news: bool,
    /// Whether anything else was told.
    pub(crate) has_told: bool,
    /// Whether a turn that could not be written was tried again.
    pub(crate) has_retried: bool,
}

impl DriverState {
    fn new(peeked_at: MonoMs) -> Self {
        let since_quiet = SinceQuiet::default();
        Self { after: Next::Again, is_maintained: false, peeked_at, since_quiet }
    }

    /// This is told.
    pub(crate) fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            let told = &mut self.since_quiet;
            let flag = if effect.is_news() { &mut told.has_news } else { &mut told.has_told };
            *flag = true;
        }
    }
}

enum Wakeup {
    Due,
    /// Somebody asks to hear when it is quiet, and there is nothing to do.
    Quiet,
    Nothing,
    /// Something may be due by the wall clock.
    Clock,
    Peek,
    Idle,
    Ended,
}
