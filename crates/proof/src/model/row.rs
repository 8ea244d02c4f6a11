//! One task, as its row has it.

use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::id::{LaneId, OwnerId, RunId};
use tasker_core::limits::ATTEMPTS_KEPT_MAX;
use tasker_core::queue::QueueKey;
use tasker_core::read::{Found, ReadBudget, WithLogs};
use tasker_core::state::State;
use tasker_core::store::{Brief, Expired, Orphan, PauseWish, ReadyTask, Start};
use tasker_core::task::{
    AbortReason, Attempt, AttemptEnd, AttemptError, Json, LogLine, NewTask, Postponement, Priority,
    TaskEnd, TaskRecord,
};
use tasker_core::time::WallMs;

/// What is kept of a task that an executor has ever taken.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    pub(super) version: u32,
    pub(super) changed_at: WallMs,
    /// While an executor has it.
    pub(super) live: Option<(RunId, WallMs)>,
    pub(super) executor: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) task: TaskRecord,
    pub(super) lane: LaneId,
    pub(super) owner: OwnerId,
    pub(super) failures: u32,
    pub(super) losses: u32,
    pub(super) logs: Vec<LogLine>,
    /// Why its run is to be aborted.
    pub(super) abort: Option<AbortReason>,
    /// Until when its run is to be given back.
    pub(super) postponement: Option<Postponement>,
    /// What is wanted of its run by those who paused it.
    pub(super) wish: Option<PauseWish>,
    /// Whether it ended with its last attempt, and not while it waited.
    pub(super) has_last_run: bool,
    /// Whether its live run is of an executor outside, if it runs.
    pub(super) is_outside: bool,
    /// What is kept of it if an executor has ever taken it.
    pub(super) outside: Option<Outside>,
}

impl Row {
    /// The row, which must have the place in the queue that a change names: the journal tells the
    /// other owners of it.
    pub(super) fn at(&mut self, lane: LaneId, priority: Priority) -> &mut Self {
        assert_eq!((lane, priority), (self.lane, self.task.def.priority), "{:?}", self.task);
        self
    }

    pub(super) fn in_queue_order(&self, other: &Self) -> std::cmp::Ordering {
        let by_priority = other.task.def.priority.cmp(&self.task.def.priority);
        by_priority.then(self.task.seq.cmp(&other.task.seq))
    }

    pub(super) fn start(&mut self, start: Start, owner: OwnerId) -> Option<()> {
        let Start { run, attempt, at } = start;
        let (ended_at, end, error, result) = (None, None, None, None);
        let live = Attempt { attempt, run, started_at: at, ended_at, end, error, result };
        self.task.attempts.push(live);
        (self.task.state, self.task.attempt, self.owner) = (State::Running, attempt, owner);
        self.is_outside = false;
        self.task.started_at = Some(at);
        Some(())
    }

    pub(super) fn end(&mut self, outcome: &TaskEnd, at: WallMs) -> Option<()> {
        if self.task.state == State::Running {
            self.close_attempt(outcome.attempt_end(), at);
            if let Some(closed) = self.task.attempts.last_mut() {
                closed.error = AttemptError::of(outcome);
            }
            self.has_last_run = true;
        }
        (self.task.state, self.task.ended_at) = (outcome.state(), Some(at));
        self.task.outcome = Some(outcome.clone());
        Some(())
    }

    /// The task waits for another run: what it had of the last one is history, which is bounded.
    pub(super) fn go_on(&mut self) {
        (self.task.progress, self.abort, self.has_last_run) = (None, None, false);
        self.postponement = None;
        let excess = self.task.attempts.len().saturating_sub(ATTEMPTS_KEPT_MAX as usize - 1);
        self.task.attempts.drain(..excess);
        self.task.attempts_left_out += excess as u32;
    }

    pub(super) fn reopen(&mut self, end: AttemptEnd, kept: Option<Json>) {
        if let Some(last) = self.task.attempts.last_mut().filter(|_| self.has_last_run) {
            last.end = Some(end);
            match &mut last.error {
                Some(error) => error.error = kept.unwrap_or_else(|| error.error.clone()),
                None => last.result = kept,
            }
        }
        (self.failures, self.losses) = (0, 0);
        (self.task.state, self.task.ended_at, self.task.outcome) = (State::Ready, None, None);
        self.go_on();
    }

    pub(super) fn close_attempt(&mut self, end: AttemptEnd, at: WallMs) {
        if let Some(live) = self.task.attempts.last_mut() {
            (live.end, live.ended_at) = (Some(end), Some(at));
        }
    }

    /// The attempts but that of its last run, if it still has one or ended with it.
    pub(super) fn history(&self) -> &[Attempt] {
        let all = &self.task.attempts;
        let has_run = self.has_last_run || self.has_live_run();
        &all[..all.len() - usize::from(has_run)]
    }

    /// Whether it runs, or has halted at a checkpoint of its run.
    pub(super) fn has_live_run(&self) -> bool {
        self.task.state == State::Running || self.task.has_halted()
    }

    /// The task as users see it.
    pub(super) fn record(&self) -> TaskRecord {
        let is_pausing = self.task.state == State::Running && self.wish.is_some();
        let version = self.outside.as_ref().map_or(0, |outside| outside.version);
        let mut task = TaskRecord { is_pausing, version, ..self.task.clone() };
        if task.state != State::Paused || task.has_halted() {
            task.def.options.forget_pause();
        }
        task
    }

    /// Its place in the queue.
    pub(super) fn key(&self) -> QueueKey {
        QueueKey::new(self.task.def.priority, self.task.seq)
    }

    /// As its start needs it; `left` is what may still be read of data.
    pub(super) fn taken(&self, left: &mut Option<usize>) -> ReadyTask {
        let bytes = self.task.def.bytes();
        *left = left.and_then(|left| left.checked_sub(bytes));
        self.waiting()
    }

    pub(super) fn waiting(&self) -> ReadyTask {
        let TaskRecord { seq, id, created_at, attempt, .. } = self.task;
        let (mut def, failures, losses) = (self.task.def.clone(), self.failures, self.losses);
        def.options.forget_pause();
        let logs = self.logs.len() as u32;
        ReadyTask { seq, id, created_at, def, attempt, failures, losses, logs }
    }

    pub(super) fn orphan(&self) -> Option<Orphan> {
        let TaskRecord { seq, id, attempt, .. } = self.task;
        let &Attempt { run, started_at, .. } = self.task.attempts.last()?;
        let NewTask { priority, ref options, .. } = self.task.def;
        let (lane, failures, losses) = (self.lane, self.failures, self.losses);
        let has_dependencies = options.depends_on.is_some();
        let (abort, postponement) = (self.abort.clone(), self.postponement.clone());
        let (wish, is_paused) = (self.wish, self.task.state == State::Paused);
        Some(Orphan {
            seq,
            lane,
            priority,
            id,
            run,
            started_at,
            attempt,
            failures,
            losses,
            on_interrupted: options.on_interrupted,
            lapses: options.lapses(),
            has_dependencies,
            abort,
            postponement,
            retention: options.retention.clone(),
            wish,
            is_paused,
        })
    }

    pub(super) fn brief(&self, is_needed: bool) -> Brief {
        let TaskRecord { id, state, .. } = self.task;
        let (priority, outcome) = (self.task.def.priority, self.task.outcome.clone());
        let live = self.task.attempts.last().filter(|_| self.has_live_run());
        let claim = self.outside.as_ref().and_then(|outside| outside.live);
        let claim = claim.filter(|_| state == State::Claimed);
        let run = live.map(|attempt| attempt.run).or(claim.map(|(run, _)| run));
        let latest_at = self.task.created_at.max(self.task.started_at.unwrap_or_default());
        let (lane, options) = (self.lane, &self.task.def.options);
        let (run_at, queue_timeout) = (options.run_at(), options.queue_timeout);
        let (created_at, has_started) = (self.task.created_at, self.task.started_at.is_some());
        let on_failure = options.depends_on.as_ref().map(|all| all.on_failure);
        let unique = options.unique.clone();
        let (has_delay, is_held) = (options.has_delay(), options.is_held());
        let is_out = state == State::Paused && run.is_none();
        Brief {
            id,
            lane,
            state,
            priority,
            run_at,
            queue_timeout,
            on_failure,
            has_started,
            has_delay,
            is_held,
            lapses: options.lapses(),
            paused_at: options.paused_at.filter(|_| is_out),
            run,
            is_outside: self.has_outside_run(),
            latest_at,
            outcome,
            created_at,
            unique,
            retention: options.retention.clone(),
            is_needed,
        }
    }

    /// Nothing unless its retention is over.
    pub(super) fn expired(&self, now: WallMs, is_needed: bool) -> Option<Expired> {
        let TaskRecord { seq, state, ended_at, id, .. } = self.task;
        let retention = self.task.def.options.retention.as_ref()?;
        let (lane, kept_ms) = (self.lane, retention.ms(state)?);
        let is_over = retention.is_over(state, ended_at?, now);
        let priority = self.task.def.priority;
        is_over.then_some(Expired { seq, lane, state, id, priority, kept_ms, is_needed })
    }

    pub(super) fn found(&self, logs: Option<WithLogs>, budget: &mut ReadBudget) -> Result<Found> {
        budget.take_task(&self.task)?;
        let pick = |level_max| self.logs.iter().filter(move |line| line.level <= level_max);
        let logs: Option<Vec<_>> = logs.map(|with| pick(with.level_max).cloned().collect());
        logs.iter().flatten().try_for_each(|line| budget.take_line(line))?;
        Ok(Found { task: self.record(), logs })
    }
}
