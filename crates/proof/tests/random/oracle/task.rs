//! A task as the oracle knows it.

use std::collections::BTreeSet;

use tasker_core::document::for_conditions;
use tasker_core::id::{LaneId, Seq, TaskId};
use tasker_core::limits;
use tasker_core::query::{Fields, Value};
use tasker_core::read::Found;
use tasker_core::state::State;
use tasker_core::store::PauseWish;
use tasker_core::task::{AttemptEnd, Cause, NewTask, OnInterrupted, Priority, TaskEnd, TaskRecord};
use tasker_core::time::WallMs;
use tasker_engine::input::RunSlot;

use super::time::compare_times;
use super::updates::Later;

/// Data that is longer takes long to read.
const WIDE_BYTES_MIN: usize = 1024 * 1024;

/// A task that was acknowledged.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) seq: Seq,
    pub(super) created_at: WallMs,
    pub(crate) def: NewTask,
    pub(crate) state: State,
    /// The number of the lane to which a stranger has added it.
    pub(super) lane: Option<u64>,
    /// The process in which alone it runs.
    pub(crate) attached_to: Option<usize>,
    /// Those that it was given after its add, or may have been.
    pub(super) priorities: Vec<Priority>,
    pub(super) attempt: u32,
    /// Failures since it was added or opened again.
    pub(super) failures: u32,
    pub(super) losses: u32,
    /// Runs that ever began, and how many of them before it was opened again.
    pub(super) starts: usize,
    pub(super) reopened_at: usize,
    /// How it ended before it was opened again.
    pub(super) earlier: Vec<(State, Option<TaskEnd>)>,
    /// Until when its run is to be given back by the process that has it.
    pub(super) postponed: Option<Option<WallMs>>,
    /// What calls have changed after its run, of which it is not told yet that it is over.
    pub(super) later: Later,
    /// Its live run, and whose it is.
    pub(super) run: Option<(usize, RunSlot)>,
    pub(super) lines: Vec<String>,
    pub(super) cause: Option<Cause>,
    /// Why its run is to be aborted, which outlives the process.
    pub(super) abort: Option<Cause>,
    /// How it ended, in the words that were told first.
    pub(super) outcome: Option<TaskEnd>,
    /// How it was when it was first seen ended.
    pub(super) image: Option<TaskRecord>,
    /// What is wanted of its run by those who paused or resumed it.
    pub(super) wish: Option<PauseWish>,
    /// Whether its run waits at a checkpoint.
    pub(crate) has_halted: bool,
    /// Whether only the store knows since when it is paused.
    pub(super) is_paused_somewhen: bool,
    /// It ended with its process, and those that live have not said so yet.
    pub(super) is_end_owed: bool,
    /// What it still waits for.
    pub(super) waits: BTreeSet<TaskId>,
    /// What had failed of it when it came.
    pub(super) doomed_by: Option<TaskId>,
    /// It was removed by hand in this turn, of which not all is told.
    pub(super) is_leaving: bool,
    /// Nobody knows whether it was removed by hand.
    pub(super) is_doubtful: bool,
    /// The earliest moment at which it may have ended, if it has.
    pub(super) ended_from: WallMs,
}

impl Task {
    /// Whether it has so much data that nobody reads it for nothing.
    pub(super) fn is_wide(&self) -> bool {
        self.def.data.as_ref().is_some_and(|data| data.as_str().len() > WIDE_BYTES_MIN)
    }

    /// What a query of a condition or a hold looks at of it: all of these fields, but of a wide
    /// one no more than the query asks for.
    pub(super) fn document(&self, all: Fields, asked: Fields) -> Value {
        for_conditions(&self.def, if self.is_wide() { asked } else { all }).unwrap()
    }

    /// Whether somebody wants its run to be aborted.
    pub(crate) fn is_abort_asked(&self) -> bool {
        self.abort.is_some()
    }

    /// Whether it has a live run, whoever has it.
    pub(crate) fn has_run(&self) -> bool {
        self.run.is_some()
    }

    /// A stranger has added it to the n-th lane of its operation.
    pub(super) fn put_in_lane(&mut self, n: u64) {
        self.lane = Some(n);
    }

    /// Whether it may wait in this lane: which one its engine gave it, nobody knows.
    pub(crate) fn may_be_in(&self, lane: LaneId) -> bool {
        let is_attached = lane.attached_to().is_some();
        // With another definition it has another lane.
        let is_known = self.lane == Some(lane.n());
        let has_conditions = !self.def.conditions().is_none();
        is_attached == self.attached_to.is_some()
            // Tasks of one value have a lane of their own, also without conditions.
            && (is_known || lane.has_conditions() || !has_conditions)
    }

    /// Whether it was ever tried again, or may have been.
    pub(super) fn is_tried_again(&self) -> bool {
        self.def.options.retry.is_some() || !self.earlier.is_empty()
    }

    /// Whether it must have ended if nothing else became of it, and nobody has seen that it did.
    pub(super) fn is_end_supposed(&self) -> bool {
        self.state.is_final() && self.outcome.is_none()
    }

    pub(super) fn ended_as(&mut self, outcome: &TaskEnd) {
        // Where several have died, who finds them decides what is seen first.
        let is_by_death = |cause| matches!(cause, Some(Cause::Lost | Cause::Dependency));
        if self.attached_to.is_some() && is_by_death(self.cause) && is_by_death(outcome.cause()) {
            self.cause = outcome.cause();
        }
        assert_eq!((self.state, self.cause), (outcome.state(), outcome.cause()));
        assert_eq!(self.outcome.get_or_insert(outcome.clone()), outcome);
    }

    /// Its process died.
    pub(super) fn lose(&mut self) {
        (self.run, self.ended_from) = (None, WallMs::FIRST);
        let postponed = self.postponed.take();
        if let Some(cause) = self.abort {
            (self.state, self.cause) = (State::Aborted, Some(cause));
            return self.wait_or_pause(None);
        }
        if let Some(at) = postponed.filter(|_| self.attached_to.is_none()) {
            (self.state, self.losses) = (State::Ready, 0);
            self.attempt -= 1;
            at.into_iter().for_each(|at| self.delay(at));
            return self.wait_or_pause(None);
        }
        self.losses += 1;
        let choice = match self.attached_to {
            Some(_) => OnInterrupted::Abort,
            None => self.def.options.on_interrupted,
        };
        (self.state, self.cause) = match choice {
            OnInterrupted::Retry if self.losses < limits::LOSSES_MAX => (State::Ready, None),
            OnInterrupted::Retry => (State::Failed, Some(Cause::Poison)),
            OnInterrupted::Abort => (State::Aborted, Some(Cause::Lost)),
            OnInterrupted::Fail => (State::Failed, Some(Cause::Lost)),
        };
        self.wait_or_pause(None);
    }

    pub(super) fn compare(&mut self, Found { task, logs }: &Found) {
        assert_eq!((task.state, task.attempt), (self.state, self.attempt), "{self:?}");
        if std::mem::take(&mut self.is_paused_somewhen) {
            self.def.options.paused_at = task.def.options.paused_at;
        }
        assert_eq!((&task.def, task.seq), (&self.def, self.seq));
        let is_pausing = self.state == State::Running && self.wish.is_some();
        assert_eq!((task.is_pausing, task.has_halted()), (is_pausing, self.has_halted), "{self:?}");
        let lines: Vec<_> = logs.iter().flatten().map(|line| line.message.to_string()).collect();
        assert_eq!(lines, self.lines, "I-19");
        compare_times(task);
        if !self.state.is_final() {
            assert_eq!(self.failures_in(&task.attempts), self.failures, "{self:?} {task:?}");
        }
        if let Some(outcome) = &task.outcome {
            self.ended_as(outcome);
            assert_eq!(self.image.get_or_insert(task.clone()), task, "I-3");
        }
    }

    pub(super) fn adopt(&mut self, Found { task, logs }: &Found) {
        assert!(task.attempts.iter().all(|attempt| attempt.end.is_some()));
        (self.run, self.ended_from) = (None, WallMs::FIRST);
        (self.postponed, self.later) = (None, Later::new());
        (self.wish, self.has_halted, self.is_paused_somewhen) = (None, false, false);
        self.def = task.def.clone();
        if self.def.options.depends_on.is_none() {
            // What has replaced its definition waits for nothing.
            (self.waits, self.doomed_by) = (BTreeSet::new(), None);
        }
        (self.state, self.attempt, self.outcome) = (task.state, task.attempt, task.outcome.clone());
        self.cause = task.outcome.as_ref().and_then(TaskEnd::cause);
        let counted = task.attempts.iter().skip(self.reopened_at);
        let ends = counted.rev().map(|attempt| attempt.end);
        (self.starts, self.failures) = (task.attempts.len(), self.failures_in(&task.attempts));
        self.losses = ends.take_while(|end| *end == Some(AttemptEnd::Lost)).count() as u32;
        self.lines = logs.iter().flatten().map(|line| line.message.to_string()).collect();
    }
}
