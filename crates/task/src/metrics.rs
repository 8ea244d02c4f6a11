//! Figures of an executor and of its store, in the words of `metrics()` of the Node.js class.
//!
//! # Promises
//! - What is counted is counted from the first `enable_metrics` on: nothing that was before.
//! - The engine counts; nothing is counted twice here.
//!
//! Proof: `task/tests/metrics.rs`, the tests below.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tasker_core::state::State;
use tasker_core::time::WallMs;
use tasker_core::totals::Bytes;
use tasker_engine::metrics::{self, Figures, Gauges, OperationFigures, OperationMeter, json, text};

use crate::error::TaskError;

/// How many operations the text names; the others are together in it, as `_other`.
const NAMED_MAX: usize = 100;

/// How values are distributed: times, or sizes. A percentile of times is off by a third at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Distribution<T> {
    /// How many there were.
    pub count: u64,
    /// All of them together.
    pub sum: T,
    /// The greatest one. If a greater one had been before `since`, it is as exact as a percentile.
    pub max: T,
    /// What half of them do not exceed.
    pub p50: T,
    /// What nine of ten do not exceed.
    pub p90: T,
    /// What 99 of a hundred do not exceed.
    pub p99: T,
}

/// The figures of one moment; what [`TaskExecutor::get_metrics`] answers.
///
/// `process`, and `operations` but for its `store`, are of this executor, from `since` on; `store`
/// is of the whole file, as any process sees it.
///
/// [`TaskExecutor::get_metrics`]: crate::TaskExecutor::get_metrics
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// Of which moment.
    pub at: SystemTime,
    /// From when on is counted what this executor does.
    pub since: SystemTime,
    /// What this executor did, whatever the operation.
    pub process: ProcessMetrics,
    /// How the store stands.
    pub store: StoreMetrics,
    /// Each operation that has, or had, tasks, by name.
    pub operations: BTreeMap<String, OperationMetrics>,
    figures: Box<Figures>,
}

/// What an executor did, whatever the operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessMetrics {
    /// Runs that go on here.
    pub running: u64,
    /// How many there may be at once.
    pub concurrency: u64,
    /// Calls of executors over HTTP that wait for tasks.
    pub polls: u64,
    /// How long turns of the engine took.
    pub turns: Distribution<Duration>,
    /// How many calls and results a turn took in.
    pub inputs: Distribution<u64>,
    /// How long commits took.
    pub commits: Distribution<Duration>,
    /// Commits that the store has refused, by the code of the error, such as `TASKER_FULL`.
    pub refused: BTreeMap<&'static str, u64>,
}

/// How a store stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreMetrics {
    /// The number of the last commit.
    pub commits: u64,
    /// How many tasks are in each state, such as `ready`.
    pub tasks: BTreeMap<&'static str, u64>,
    /// Executors and taskers that have the file open, in all processes.
    pub processes: u64,
    /// How many schedules there are.
    pub schedules: u64,
    /// How many bytes it takes; nothing in memory.
    pub bytes: Option<StoreBytes>,
}

/// How many bytes a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreBytes {
    /// Its file, once all of the log is in it.
    pub file: u64,
    /// The log beside it.
    pub wal: u64,
    /// Of its file what is free for what comes next.
    pub free: u64,
}

/// What is known of an operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperationMetrics {
    /// Tasks that this executor added.
    pub added: u64,
    /// Adds that gave an earlier task back, because of its key.
    pub skipped: u64,
    /// Tasks that ended by what this executor committed: `done`, `failed`, `aborted`.
    pub ended: BTreeMap<&'static str, u64>,
    /// Its runs.
    pub runs: RunMetrics,
    /// From when a task could start, its add or the end of its delay, to its first start here.
    /// Tasks that depend on others are left out, and those that executors over HTTP take.
    pub wait: Distribution<Duration>,
    /// From the start of a run here to its end.
    pub duration: Distribution<Duration>,
    /// How its tasks stand, for any process the same.
    pub store: OperationStoreMetrics,
}

/// The runs of an operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunMetrics {
    /// Runs that began by what this executor committed.
    pub started: u64,
    /// Runs that go on here.
    pub running: u64,
    /// How they ended: with their task (`done`, `failed`, `aborted`), or to be tried again
    /// (`retried`), given back (`postponed`), asked to go on later (`snoozed`), with their process
    /// (`lost`), or replaced by another run (`fenced`).
    pub ended: BTreeMap<&'static str, u64>,
}

/// How the tasks of an operation stand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperationStoreMetrics {
    /// How many are in each state, such as `ready`.
    pub tasks: BTreeMap<&'static str, u64>,
    /// How many wait, each by one reason: that of its state, or the first one that holds all ready
    /// tasks of the operation back, such as `limit`, or `order`.
    pub waiting: BTreeMap<&'static str, u64>,
    /// When the task was added that is next in the queue; nothing if none is ready.
    pub next_ready_at: Option<SystemTime>,
    /// Processes that start its tasks.
    pub runners: u64,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its circuit lets nothing start: it is open, or all its probes are under way.
    pub circuit_open: bool,
}

impl Metrics {
    pub(crate) fn of(figures: Box<Figures>) -> Self {
        let operations = figures.operations.iter();
        let operations = operations.map(|one| (one.name.to_string(), one.into())).collect();
        let refused = figures.refused.iter().map(|(code, count)| (code.as_str(), *count));
        Self {
            at: moment(figures.at),
            since: moment(figures.since),
            process: ProcessMetrics {
                running: figures.live,
                concurrency: figures.limit,
                polls: figures.polls,
                turns: times(&figures.turns),
                inputs: seen(&figures.inputs, |size| size.round() as u64),
                commits: times(&figures.commits),
                refused: refused.collect(),
            },
            store: StoreMetrics {
                commits: figures.number,
                tasks: by_state(|state| figures.counts.get(state)),
                processes: figures.extent.owners,
                schedules: figures.schedules,
                bytes: figures.extent.bytes.map(StoreBytes::from),
            },
            operations,
            figures,
        }
    }

    /// The text format 0.0.4 of Prometheus: times in seconds, and the names that `GET /metrics` has
    /// of a server that listens. It names the 100 operations with the most tasks; the others are
    /// together, as `_other`.
    pub fn to_prometheus(&self) -> String {
        let mut figures = self.figures.clone();
        figures.limit_operations(NAMED_MAX);
        text::write(&figures, false)
    }

    /// What `metrics()` of the Node.js class gives: times in milliseconds.
    ///
    /// # Errors
    /// None that is known: what the engine writes is JSON.
    pub fn to_json(&self) -> Result<Value, TaskError> {
        Ok(serde_json::from_str(&json::write(&self.figures))?)
    }
}

/// A line for the whole, and one for each operation.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProcessMetrics { running, concurrency, commits, .. } = &self.process;
        write!(f, "running {running} of {concurrency}, commits {commits}, store ")?;
        f.write_str(&words(&self.store.tasks))?;
        for (name, operation) in &self.operations {
            write!(f, "\n{name}: {operation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for OperationMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, skipped, ended, runs, wait, duration, store } = self;
        write!(f, "added {added}, skipped {skipped}, ended {}, runs ", words(ended))?;
        write!(
            f,
            "started {} running {} ended {}",
            runs.started,
            runs.running,
            words(&runs.ended)
        )?;
        write!(f, ", wait {wait}, duration {duration}, waiting {}", words(&store.waiting))
    }
}

impl<T: fmt::Debug> fmt::Display for Distribution<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, max, p50, p90, p99, .. } = self;
        write!(f, "{count} (p50 {p50:?} p90 {p90:?} p99 {p99:?} max {max:?})")
    }
}

/// Those of which there are any.
fn words(counts: &BTreeMap<&'static str, u64>) -> String {
    let some = counts.iter().filter(|(_, count)| **count > 0);
    let some: Vec<_> = some.map(|(word, count)| format!("{word} {count}")).collect();
    if some.is_empty() { "none".to_owned() } else { some.join(" ") }
}

impl From<Bytes> for StoreBytes {
    fn from(Bytes { file, wal, free }: Bytes) -> Self {
        Self { file, wal, free }
    }
}

impl From<&OperationFigures> for OperationMetrics {
    fn from(figures: &OperationFigures) -> Self {
        let OperationFigures { meter, gauges, .. } = figures;
        let OperationMeter { added, skipped, started, wait, run, .. } = meter;
        Self {
            added: *added,
            skipped: *skipped,
            ended: meter.ended().map(|(state, count)| (state.as_str(), count)).collect(),
            runs: RunMetrics {
                started: *started,
                running: gauges.live,
                ended: meter.runs().collect(),
            },
            wait: times(wait),
            duration: times(run),
            store: gauges.into(),
        }
    }
}

impl From<&Gauges> for OperationStoreMetrics {
    fn from(gauges: &Gauges) -> Self {
        let waiting = gauges.waiting.iter().map(|(reason, count)| (reason.as_str(), *count));
        Self {
            tasks: by_state(|state| gauges.count(state)),
            waiting: waiting.collect(),
            next_ready_at: gauges.next_ready_at.map(moment),
            runners: gauges.runners,
            paused: gauges.is_paused,
            circuit_open: gauges.is_circuit_open,
        }
    }
}

fn by_state(count: impl Fn(State) -> u64) -> BTreeMap<&'static str, u64> {
    State::ALL.iter().map(|state| (state.as_str(), count(*state))).collect()
}

fn moment(at: WallMs) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.ms_since(WallMs(0)))
}

fn times(all: &metrics::Distribution) -> Distribution<Duration> {
    seen(all, |micros| Duration::from_micros(micros.round() as u64))
}

fn seen<T>(all: &metrics::Distribution, unit: impl Fn(f64) -> T) -> Distribution<T> {
    let part = |part| unit(all.percentile(part));
    Distribution {
        count: all.count(),
        sum: unit(all.sum() as f64),
        max: unit(all.max() as f64),
        p50: part(0.5),
        p90: part(0.9),
        p99: part(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_only_what_there_is() {
        assert_eq!(words(&BTreeMap::from([("done", 0), ("failed", 2)])), "failed 2");
        assert_eq!(words(&BTreeMap::from([("done", 0)])), "none");
    }

    #[test]
    fn times_of_the_engine_are_told_with_their_unit() {
        let mut all = metrics::Distribution::of_durations();
        all.observe(2_000);
        let told = times(&all);
        assert_eq!((told.count, told.sum), (1, Duration::from_millis(2)));
        assert_eq!(told.to_string(), "1 (p50 2ms p90 2ms p99 2ms max 2ms)");
    }
}
