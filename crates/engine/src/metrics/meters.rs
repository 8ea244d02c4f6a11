//! What is counted as turns are committed.

use std::collections::BTreeMap;

use tasker_core::error::Code;
use tasker_core::id::OperationId;
use tasker_core::journal::Transition;
use tasker_core::state::State;
use tasker_core::store::{Batch, Change, ReadyTask, Start};
use tasker_core::task::AttemptEnd;
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;

use super::Distribution;
use crate::moment::Moment;

/// How a run ended, in the word of its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its task is done.
    Done,
    /// Its task failed.
    Failed,
    /// Its task was aborted.
    Aborted,
    /// It failed, and its task is tried again.
    Retried,
    /// It was given back to the queue, by a stop or a call.
    Postponed,
    /// Its runner asked to go on later.
    Snoozed,
    /// Its process died, or its executor was not heard of; its task waits again.
    Lost,
    /// It had been replaced: what it returned counted for nothing.
    Fenced,
}

impl Outcome {
    /// Every outcome with its word.
    pub const WORDS: [(&str, Outcome); 8] = [
        ("done", Outcome::Done),
        ("failed", Outcome::Failed),
        ("aborted", Outcome::Aborted),
        ("retried", Outcome::Retried),
        ("postponed", Outcome::Postponed),
        ("snoozed", Outcome::Snoozed),
        ("lost", Outcome::Lost),
        ("fenced", Outcome::Fenced),
    ];
}

/// What this process has done for an operation.
#[derive(Clone, Debug)]
pub struct OperationMeter {
    /// Tasks that were added.
    pub added: u64,
    /// Adds that gave an earlier task back, because of its key.
    pub skipped: u64,
    /// Runs that began.
    pub started: u64,
    ended: [u64; 3],
    runs: [u64; Outcome::WORDS.len()],
    /// From when a task could start to its first start here, in microseconds. Tasks with
    /// dependencies are left out, and so are those of executors.
    pub wait: Distribution,
    /// From the start of a run here to its end, in microseconds.
    pub run: Distribution,
}

impl Default for OperationMeter {
    fn default() -> Self {
        Self {
            added: 0,
            skipped: 0,
            started: 0,
            ended: [0; 3],
            runs: [0; Outcome::WORDS.len()],
            wait: Distribution::of_durations(),
            run: Distribution::of_durations(),
        }
    }
}

impl OperationMeter {
    /// The ends of a task, in the order in which they are told.
    pub const ENDS: [State; 3] = [State::Done, State::Failed, State::Aborted];

    /// How many tasks ended so.
    pub fn ended(&self) -> impl Iterator<Item = (State, u64)> {
        Self::ENDS.into_iter().zip(self.ended)
    }

    /// How many runs ended so, by word.
    pub fn runs(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::WORDS.iter().map(|(word, _)| *word).zip(self.runs)
    }

    /// How much was done: who has done most is told by name.
    pub fn activity(&self) -> u64 {
        self.added + self.started
    }

    /// All that another one counted.
    pub fn merge(&mut self, other: &OperationMeter) {
        self.added += other.added;
        self.skipped += other.skipped;
        self.started += other.started;
        self.ended.iter_mut().zip(other.ended).for_each(|(count, more)| *count += more);
        self.runs.iter_mut().zip(other.runs).for_each(|(count, more)| *count += more);
        self.wait.merge(&other.wait);
        self.run.merge(&other.run);
    }

    /// What was counted after `earlier`, which is this one as it was then.
    #[must_use]
    pub fn since(&self, earlier: &OperationMeter) -> Self {
        let mut since = self.clone();
        since.added -= earlier.added;
        since.skipped -= earlier.skipped;
        since.started -= earlier.started;
        since.ended.iter_mut().zip(earlier.ended).for_each(|(count, before)| *count -= before);
        since.runs.iter_mut().zip(earlier.runs).for_each(|(count, before)| *count -= before);
        since.wait = self.wait.since(&earlier.wait);
        since.run = self.run.since(&earlier.run);
        since
    }

    fn end(&mut self, outcome: Outcome) {
        self.runs[outcome as usize] += 1;
    }

    /// What a transition adds.
    fn note(&mut self, kind: TransitionKind) {
        use TransitionKind as Kind;
        match kind {
            Kind::Add | Kind::AddDelayed | Kind::AddBlocked => self.added += 1,
            Kind::AddStart => {
                self.added += 1;
                self.started += 1;
            }
            Kind::Start | Kind::Begin => self.started += 1,
            Kind::Done => {
                self.ended[0] += 1;
                self.end(Outcome::Done);
            }
            Kind::Fail => {
                self.ended[1] += 1;
                self.end(Outcome::Failed);
            }
            Kind::Abort => {
                self.ended[2] += 1;
                self.end(Outcome::Aborted);
            }
            Kind::Withdraw | Kind::Expire => self.ended[2] += 1,
            Kind::Retry | Kind::RetryAtOnce => self.end(Outcome::Retried),
            Kind::Postpone => self.end(Outcome::Postponed),
            Kind::Snooze => self.end(Outcome::Snoozed),
            Kind::Lost => self.end(Outcome::Lost),
            Kind::Prioritize
            | Kind::RequestAbort
            | Kind::Due
            | Kind::Unblock
            | Kind::Claim
            | Kind::Unclaim
            | Kind::Pause
            | Kind::Resume
            | Kind::Leave
            | Kind::Update
            | Kind::Purge
            | Kind::Reopen
            | Kind::Noted
            | Kind::Operation
            | Kind::Owners
            | Kind::Schedule
            | Kind::Delay
            | Kind::Block
            | Kind::PauseRun
            | Kind::ResumeRun
            | Kind::RequestPause
            | Kind::PrioritizeUnqueued
            | Kind::SetQueueTimeout
            | Kind::Timer
            | Kind::UpdateQueued
            | Kind::RequestPostpone
            | Kind::Holds
            | Kind::Progressed
            | Kind::Sort
            | Kind::CircuitOpened
            | Kind::CircuitHalfOpened
            | Kind::CircuitClosed => {}
        }
    }
}

/// What this process has done.
#[derive(Debug)]
pub struct Meters {
    /// When the handle was opened.
    pub opened_at: WallMs,
    /// By number, which counts up from 1.
    operations: Vec<Option<Box<OperationMeter>>>,
    /// How long turns took, in microseconds.
    pub turns: Distribution,
    /// How many inputs a turn had.
    pub inputs: Distribution,
    /// How long commits took, in microseconds.
    pub commits: Distribution,
    /// Commits that the store has refused, by code.
    pub refused: BTreeMap<Code, u64>,
    /// Whether it is measured how long turns and commits take: not where time is an argument.
    is_timed: bool,
}

impl Meters {
    /// Nothing yet.
    pub fn new(opened_at: WallMs) -> Self {
        Self {
            opened_at,
            operations: Vec::new(),
            turns: Distribution::of_durations(),
            inputs: Distribution::of_sizes(),
            commits: Distribution::of_durations(),
            refused: BTreeMap::new(),
            is_timed: false,
        }
    }

    /// From now on it is measured how long turns and commits take.
    pub(crate) fn measure_times(&mut self) {
        self.is_timed = true;
    }

    /// This moment, if times are measured.
    pub(crate) fn moment(&self) -> Option<Moment> {
        self.is_timed.then(Moment::now)
    }

    /// What was counted of an operation; nothing if nothing was.
    pub fn of(&self, operation: OperationId) -> Option<&OperationMeter> {
        self.operations.get(usize::from(operation.0))?.as_deref()
    }

    fn of_mut(&mut self, operation: OperationId) -> &mut OperationMeter {
        let at = usize::from(operation.0);
        if self.operations.len() <= at {
            self.operations.resize(at + 1, None);
        }
        self.operations[at].get_or_insert_default()
    }

    /// A turn that began then is over.
    pub(crate) fn turned(&mut self, began: Option<Moment>) {
        began.into_iter().for_each(|began| self.turns.observe(began.elapsed_micros()));
    }

    /// The store has answered to a commit that began then.
    pub(crate) fn answered(&mut self, began: Option<Moment>) {
        began.into_iter().for_each(|began| self.commits.observe(began.elapsed_micros()));
    }

    /// A batch of ours was committed.
    pub(crate) fn committed(&mut self, batch: &Batch) {
        for change in &batch.changes {
            let transition = Transition::of(change).filter(|one| one.kind.rule().is_of_task());
            let Some(Transition { kind, lane, .. }) = transition else { continue };
            let meter = self.of_mut(lane.operation());
            // One that is given back for a time looks like a snooze in the journal.
            if let Change::Release { end: AttemptEnd::Postponed, .. } = change {
                meter.end(Outcome::Postponed);
            } else {
                meter.note(kind);
            }
        }
    }

    /// Adds of this operation gave earlier tasks back.
    pub(crate) fn skipped(&mut self, operation: OperationId, count: u64) {
        self.of_mut(operation).skipped += count;
    }

    /// A task has started here, in this attempt.
    pub(crate) fn started(&mut self, operation: OperationId, task: &ReadyTask, start: Start) {
        let has_waited = task.attempt == 0 && task.def.options.depends_on.is_none();
        if has_waited {
            let could =
                task.def.options.start_time.map_or(task.created_at, |time| {
                    time.moment(task.created_at).max(task.created_at)
                });
            self.of_mut(operation).wait.observe(micros(could, start.at));
        }
    }

    /// A run that began here is over.
    pub(crate) fn run_over(&mut self, operation: OperationId, began: WallMs, now: WallMs) {
        self.of_mut(operation).run.observe(micros(began, now));
    }

    /// A run had been replaced.
    pub(crate) fn fenced(&mut self, operation: OperationId) {
        self.of_mut(operation).end(Outcome::Fenced);
    }

    /// The store has refused a commit.
    pub(crate) fn refused(&mut self, code: Code) {
        *self.refused.entry(code).or_default() += 1;
    }
}

/// Between two moments; nothing if the clock was set back between them.
fn micros(from: WallMs, to: WallMs) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0).saturating_mul(1_000)
}
