//! Executors on a clock that stands until a test moves it.
//!
//! The engine, its file and its threads are the real ones. All that a task can see of the engine's
//! time follows the clock of the test: delays, retries, timeouts, schedules, retention. The timers
//! of tokio do not: a handler that awaits one waits in real time.
//!
//! ```
//! use std::time::Duration;
//! use task::testing::TaskTest;
//! use task::{Task, TaskExecutor};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), task::TaskError> {
//! let test = TaskTest::new()?;
//! let executor = test.executor(TaskExecutor::builder())?;
//!
//! let day = Duration::from_secs(86_400);
//! let remind = Task::builder().name("remind").delay(30 * day).handler(async { "sent" }).build();
//! let uuid = executor.add_task(remind).await?;
//!
//! test.advance(29 * day).await?;
//! assert_eq!(executor.get_task(&uuid).await?["state"], "delayed");
//! test.advance(day).await?;
//! assert_eq!(executor.get_task(&uuid).await?["result"], "sent");
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//! - The clock stands at each moment at which something is due, until everything that is due then
//!   has been done.
//! - It does not move while a handler runs that has not been waited for.
//!
//! Proof: `task/tests/retries.rs`, `task/tests/schedules.rs`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tasker_core::error::{Code, Error};
use tasker_core::time::WallMs;
use tasker_engine::clock::Clock;
use tasker_engine::effect::Answer;
use tasker_engine::quiet::Travel;
use tasker_engine::virtual_clock::VirtualClock;
use tasker_sqlite::TestFolder;

use crate::duration::ms;
use crate::engine::Engine;
use crate::error::TaskError;
use crate::executor::{TaskExecutor, TaskExecutorBuilder};

/// When the clock of a test begins: 2030-01-01 in UTC.
const NOW: WallMs = WallMs(1_893_456_000_000);
/// How long a handler is waited for before it counts as waiting for the clock.
const PATIENCE_MS: usize = 1_000;
/// How often the runtime goes round before a look costs a millisecond.
const ROUNDS: usize = 64;

/// A test: a file of its own, a clock that stands at 2030-01-01, and the executors on them. The
/// file goes with it.
pub struct TaskTest {
    folder: TestFolder,
    clock: Arc<VirtualClock>,
    seed: u64,
    opened: AtomicU64,
    engines: Mutex<Vec<Weak<Engine>>>,
    /// So many handlers were waited for long enough.
    waited_for: AtomicU64,
}

/// What an engine says when it is quiet.
struct Quiet {
    number: u64,
    next: Option<WallMs>,
    has_told: bool,
}

impl TaskTest {
    /// A test in which what is drawn at random is the same each time: uuids, jitter.
    ///
    /// # Errors
    /// `TASKER_IO` if there is no folder for its file.
    pub fn new() -> Result<Self, TaskError> {
        Self::with_seed(0)
    }

    /// The same with another seed.
    ///
    /// # Errors
    /// The same.
    pub fn with_seed(seed: u64) -> Result<Self, TaskError> {
        Ok(Self {
            folder: TestFolder::make(seed)?,
            clock: Arc::new(VirtualClock::beside_real_time(NOW)),
            seed,
            opened: AtomicU64::new(0),
            engines: Mutex::default(),
            waited_for: AtomicU64::new(0),
        })
    }

    /// Opens an executor on the file and the clock of the test. One that is dropped instead of
    /// closed is one that crashed: the next one goes on with its stored tasks.
    ///
    /// # Errors
    /// What [`TaskExecutorBuilder::build`] refuses. A `path` or `persistence` is not looked at.
    pub fn executor(&self, builder: TaskExecutorBuilder) -> Result<TaskExecutor, TaskError> {
        let nth = self.opened.fetch_add(1, Ordering::Relaxed);
        let seed = self.seed ^ (nth << 48);
        let builder = builder.in_test(Arc::clone(&self.clock), seed, self.folder.location());
        let executor = builder.build()?;
        self.engines.lock().push(Arc::downgrade(executor.engine()?));
        Ok(executor)
    }

    /// The time by its clock, since 1970.
    pub fn now(&self) -> Duration {
        Duration::from_millis(self.clock.now().wall.ms_since(WallMs(0)))
    }

    /// Lets so much time go by, to the millisecond, and everything be done that is due on the way.
    ///
    /// # Errors
    /// What the store refuses.
    pub async fn advance(&self, by: Duration) -> Result<(), TaskError> {
        let until = self.clock.now().wall.plus(ms(by));
        loop {
            self.runs_wait().await;
            let engines: Vec<_> = self.engines.lock().iter().filter_map(Weak::upgrade).collect();
            let mut told = Vec::new();
            for engine in &engines {
                // Of one alone the time goes by inside it.
                let alone = engines.len() == 1;
                match self.quiet(engine, alone.then_some(until)).await {
                    Ok(quiet) => told.push(quiet),
                    // It is closed, and waits for no time.
                    Err(error) if error.code() == Some(Code::Closed.as_str()) => {}
                    Err(error) => return Err(error),
                }
            }
            let is_same = told.windows(2).all(|pair| pair[0].number == pair[1].number);
            if !is_same || told.iter().any(|quiet| quiet.has_told) {
                continue;
            }
            match told.iter().filter_map(|quiet| quiet.next).min().filter(|next| *next <= until) {
                Some(next) => self.clock.advance_to(next),
                None => {
                    self.clock.advance_to(until);
                    return Ok(());
                }
            }
        }
    }

    async fn quiet(&self, engine: &Engine, until: Option<WallMs>) -> Result<Quiet, TaskError> {
        let travel = until.map(|until| Travel {
            clock: Arc::clone(&self.clock),
            until,
            moments_max: u64::MAX,
            is_unheard: true,
        });
        let asked = engine.ask(|client, ticket| client.await_quiet(ticket, travel));
        let Answer::Json(text) = asked.await? else {
            return Err(Error::bug("a quiet engine says something else").into());
        };
        let (number, next, _moments, has_told): (u64, Option<i64>, u64, bool) =
            serde_json::from_str(&text)?;
        Ok(Quiet { number, next: next.map(WallMs), has_told })
    }

    /// Until no handler runs that has not been waited for.
    async fn runs_wait(&self) {
        for round in 0..ROUNDS + PATIENCE_MS {
            // What was told wakes tasks of the runtime: they have their turn first.
            tokio::task::yield_now().await;
            let running = self.running();
            if round >= ROUNDS && running <= self.waited_for.load(Ordering::Relaxed) {
                self.waited_for.store(running, Ordering::Relaxed);
                return;
            }
            if round >= ROUNDS {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        self.waited_for.store(self.running(), Ordering::Relaxed);
    }

    fn running(&self) -> u64 {
        let engines = self.engines.lock();
        let runs = |engine: Arc<Engine>| engine.router.running.receiver_count() as u64;
        engines.iter().filter_map(Weak::upgrade).map(runs).sum()
    }
}

impl fmt::Debug for TaskTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskTest(at {} ms)", self.now().as_millis())
    }
}
