//! The circuit breaker of a storm: an operation of which nothing starts for a time after a failure.
//!
//! The changes that watches tell say in which commit each run began and ended, and the attempts of
//! its task say how and when. What they leave open may have opened the circuit or not: then nothing
//! is asked of what started before.

use std::collections::BTreeMap;

use tasker_core::circuit::CircuitBreaker;
use tasker_core::error::Result;
use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::{Attempt, AttemptEnd, Cause, TaskRecord};
use tasker_core::time::WallMs;

use super::CALL;
use super::ledger::Ledger;
use super::watched::{Change, Told};

const OPEN_MS: u64 = 30;

/// One failure opens it, and one success closes it.
pub(super) fn breaker() -> Result<CircuitBreaker> {
    CircuitBreaker::read(
        &format!(r#"{{"failures":1,"within":60000,"openFor":{OPEN_MS}}}"#),
        "circuitBreaker",
    )
}

/// The runs of one task, in the order of the commits.
#[derive(Default)]
struct Runs {
    /// In which commit the one began that is live.
    live: Option<u64>,
    /// When each began and ended; the last one may not have.
    all: Vec<(u64, Option<u64>)>,
    /// Whether the changes of the task leave open what ran.
    is_unclear: bool,
}

/// What a commit says of the circuit.
#[derive(Default)]
struct Commit {
    /// In which commit the runs began that have failed here, and when they did, if that is known.
    failed: Vec<(u64, Option<WallMs>)>,
    /// Whether something has ended here of which nobody knows how.
    is_unclear: bool,
    /// What has started, and when.
    started: Vec<(TaskId, WallMs)>,
}

impl Ledger {
    /// After a failure nothing starts before its time, in any worker and over all kills.
    pub(super) fn circuits(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        if self.report.gaps > 0 {
            return;
        }
        let is_guarded =
            |id: &TaskId| tasks.get(id).is_none_or(|task| &*task.def.operation == CALL);
        let mut runs: BTreeMap<TaskId, Runs> = BTreeMap::new();
        for ((batch, _), told) in &self.changes {
            if is_guarded(&told.id) {
                runs.entry(told.id).or_default().take(*batch, told);
            }
        }
        let mut commits: BTreeMap<u64, Commit> = BTreeMap::new();
        for (id, runs) in runs {
            // Another add may have given a unique one another definition, and its operation.
            let task = tasks.get(&id).filter(|task| task.def.options.unique.is_none());
            let attempts = task.map(|task| task.attempts.as_slice());
            runs.put(id, attempts.unwrap_or_default(), &mut commits);
        }
        // The last commit that has turned it for certain, the last one that may have, and until
        // when it is open for certain.
        let (mut turned, mut perhaps, mut until) = (0, 0, None);
        for (batch, commit) in commits {
            // A run that began before the circuit turned counts for nothing.
            let counts = |since: u64| commit.failed.iter().filter(move |(began, _)| *began > since);
            if let Some((_, at)) = counts(perhaps).next() {
                (turned, perhaps, until) = (batch, batch, at.map(|at| at.plus(OPEN_MS)));
                self.report.opened += 1;
            } else if commit.is_unclear || counts(turned).next().is_some() {
                perhaps = batch;
            }
            for (id, at) in commit.started {
                if let Some(until) = until.filter(|until| at < *until) {
                    let text = format!("{} began at {at:?} in {batch}, open until {until:?}", id.0);
                    self.report.violation(text);
                }
            }
        }
    }
}

impl Runs {
    fn take(&mut self, batch: u64, told: &Told) {
        let is_live = told.change != Change::Removed && told.state == State::Running;
        // Whether a run has ended with a pause is not told.
        self.is_unclear |= told.state == State::Paused;
        match (self.live, is_live) {
            (None, true) => {
                self.all.push((batch, None));
                self.live = Some(batch);
            }
            (Some(_), false) => {
                self.all.last_mut().into_iter().for_each(|(_, end)| *end = Some(batch));
                self.live = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    fn put(self, id: TaskId, attempts: &[Attempt], commits: &mut BTreeMap<u64, Commit>) {
        let is_clear = !self.is_unclear && self.all.len() == attempts.len();
        let attempts = if is_clear { attempts } else { &[] };
        let attempts = attempts.iter().map(Some).chain(std::iter::repeat(None));
        for ((began, ended), attempt) in self.all.into_iter().zip(attempts) {
            if let Some(attempt) = attempt {
                let start = (id, attempt.started_at);
                commits.entry(began).or_default().started.push(start);
            }
            let Some(ended) = ended else { continue };
            let commit = commits.entry(ended).or_default();
            match attempt.map(|attempt| (has_failed(attempt), attempt.ended_at)) {
                Some((true, Some(at))) => {
                    // None ends before it started: in one moment with that, it may have failed
                    // before.
                    let is_exact = attempt.is_some_and(|attempt| attempt.started_at < at);
                    commit.failed.push((began, is_exact.then_some(at)));
                }
                Some((false, _)) => {}
                Some((true, None)) | None => commit.is_unclear = true,
            }
        }
    }
}

fn has_failed(attempt: &Attempt) -> bool {
    match attempt.end {
        Some(AttemptEnd::Failed) => true,
        Some(AttemptEnd::Aborted) => {
            attempt.error.as_ref().is_some_and(|error| error.cause == Cause::RunTimeout)
        }
        Some(AttemptEnd::Done | AttemptEnd::Lost | AttemptEnd::Postponed | AttemptEnd::Snoozed)
        | None => false,
    }
}

#[cfg(test)]
mod tests {
    use tasker_core::id::RunId;
    use tasker_core::task::NewTask;
    use uuid::Uuid;

    use super::*;
    use crate::storm::done_task;

    /// How many violations two tasks show, of which the first one fails at 100 in commit 3, if the
    /// second one starts in this commit at this moment.
    fn violations(batch: u64, at: i64) -> usize {
        violations_from(90, batch, at)
    }

    /// The same if the first one began then.
    fn violations_from(began: i64, batch: u64, at: i64) -> usize {
        let run = |seq, at, ended_at, end| {
            let mut task = done_task(seq, NewTask::new(CALL));
            task.attempts = vec![Attempt {
                attempt: 1,
                run: RunId(Uuid::from_u128(seq.into())),
                started_at: WallMs(at),
                ended_at: Some(WallMs(ended_at)),
                end: Some(end),
                error: None,
                result: None,
            }];
            (task.id, task)
        };
        let failed = run(1, began, 100, AttemptEnd::Failed);
        let other = run(2, at, at + 9, AttemptEnd::Done);
        let mut ledger = Ledger::default();
        let mut tell = |batch, id, state: State| {
            let change = if state.is_final() { Change::Ended } else { Change::Changed };
            ledger.changed(
                (batch, id as u32),
                Told { id: TaskId(Uuid::from_u128(id)), change, state },
            );
        };
        tell(2, 1, State::Running);
        tell(3, 1, State::Failed);
        tell(batch, 2, State::Running);
        tell(9, 2, State::Done);
        ledger.circuits(&[failed, other].into());
        ledger.report.violations.len()
    }

    #[test]
    fn a_start_too_early_after_a_failure_is_seen() {
        assert_eq!(violations(2, 99), 0, "before it");
        assert_eq!(violations(3, 100), 1, "with it");
        assert_eq!(violations(4, 129), 1, "too early");
        assert_eq!(violations(4, 130), 0, "a probe");
    }

    /// What its process took for the time when it failed may have been before.
    #[test]
    fn a_failure_in_the_moment_of_its_start_does_not_say_until_when_it_is_open() {
        assert_eq!(violations_from(99, 4, 129), 1);
        assert_eq!(violations_from(100, 4, 129), 0);
    }
}
