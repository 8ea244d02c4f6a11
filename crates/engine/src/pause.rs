//! Taking a task out and putting it back, before it runs or at a checkpoint of its run.
//!
//! Somebody who pauses a task that runs leaves a *wish*: it is stored, told to the client of its
//! runner, and carried out when the runner comes to a checkpoint. The run has *halted* then. It
//! goes on when somebody resumes the task and its process has a place for it, before anything new
//! starts.
//!
//! # Promises
//! - A wish that was acknowledged is carried out: at the next checkpoint, or when the run is given
//!   back, lost or to be tried again; or its task ends (I-1).
//! - What a task that does not run waits for stands still while it is paused. A moment that the
//!   caller named does not.
//! - A run that has halted counts for its operation, and not for `concurrency`.
//! - Only the owner of a run lets it halt or go on; so a run in memory is as it is stored.
//!
//! Proof: `proof/tests/engine/pauses.rs`, `conformance::pause`, `proof/tests/random`.

use std::cmp::Reverse;

use tasker_core::id::{RunId, Seq, TaskId};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change, PauseWish};
use tasker_core::task::StartTime;
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};
use tasker_core::transition::TransitionKind;

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::{RunSlot, Ticket};
use crate::live::{Run, RunPause};
use crate::memory::Memory;

impl Planner<'_> {
    /// Takes a task out. One that runs here or elsewhere is asked to halt.
    pub(crate) fn pause(&mut self, ticket: Ticket, id: TaskId) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_paused = match brief.run {
            // Nobody can tell an executor outside to halt.
            Some(_) if brief.is_outside => false,
            Some(run) if Self::allows(TransitionKind::RequestPause, brief.state) => {
                self.request_pause(seq, &brief, run)
            }
            None if brief.state == State::Paused => true,
            None if Self::allows(TransitionKind::Pause, brief.state) => {
                let Brief { lane, priority, state, .. } = brief;
                let at = self.now.wall;
                self.transition(Some(state), Change::Pause { seq, lane, priority, at });
                true
            }
            None | Some(_) => false,
        };
        self.answer(Effect::Answer(ticket, Answer::Flag(is_paused)));
    }

    /// Puts a task back. One that has halted goes on when there is a place for it.
    pub(crate) fn resume(&mut self, ticket: Ticket, id: TaskId) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_resumed = match brief.run {
            Some(run) => self.resume_run_of(seq, &brief, run),
            None if Self::allows(TransitionKind::Resume, brief.state) => {
                self.put_back(seq, &brief);
                true
            }
            None => false,
        };
        self.answer(Effect::Answer(ticket, Answer::Flag(is_resumed)));
    }

    /// Whether a run halts at its next checkpoint; not if it is being aborted.
    fn request_pause(&mut self, seq: Seq, brief: &Brief, run: RunId) -> bool {
        if self.facts.abort_asked.contains(&seq) {
            return false;
        }
        if self.facts.wishes.get(&seq) != Some(&PauseWish::Halt) {
            self.wish(seq, brief, run, PauseWish::Halt);
        }
        true
    }

    fn resume_run_of(&mut self, seq: Seq, brief: &Brief, run: RunId) -> bool {
        match (brief.state, self.facts.wishes.get(&seq)) {
            (State::Paused, Some(PauseWish::Halt)) => {
                self.wish(seq, brief, run, PauseWish::GoOn);
                true
            }
            (State::Paused, Some(PauseWish::GoOn)) => true,
            (_, Some(_)) => {
                // It has not come to a checkpoint yet.
                self.facts.wishes.remove(&seq);
                if let Some(live) = self.memory.live.of_task(seq) {
                    self.draft.pauses.insert(live.slot, None);
                }
                let change = Change::ResumeRun { seq, lane: brief.lane, run };
                self.transition(Some(brief.state), change);
                true
            }
            (_, None) => false,
        }
    }

    /// The wish is stored with the run, so that it reaches the owner of the run and outlives it.
    fn wish(&mut self, seq: Seq, brief: &Brief, run: RunId, wish: PauseWish) {
        self.facts.wishes.insert(seq, wish);
        if let Some(live) = self.memory.live.of_task(seq) {
            let pause = RunPause { wish, has_halted: brief.state == State::Paused };
            self.draft.pauses.insert(live.slot, Some(pause));
        }
        let change = Change::RequestPause { seq, lane: brief.lane, run, wish };
        self.transition(Some(brief.state), change);
    }

    /// What it waits for decides where a task goes that was taken out.
    fn put_back(&mut self, seq: Seq, brief: &Brief) {
        let Brief { lane, priority, .. } = *brief;
        self.transition(Some(State::Paused), Change::Resume { seq, lane, priority });
        let ends_at = brief.queue_timeout.and_then(|timeout| timeout.ends_at);
        let ends_at = ends_at.filter(|_| !brief.has_started);
        let ends_at = ends_at.map(|at| self.later(at, Self::stood_still_since(brief)));
        if ends_at.is_some() {
            self.set_queue_timeout((seq, State::Ready), lane, ends_at);
        }
        // One that a hold kept comes up again, and is held again if that is not over.
        let run_at = self.start_after_pause(brief).filter(|_| !brief.is_held);
        if self.facts.blocked.contains(&seq) {
            let block = Change::Block { seq, lane, priority, run_at };
            self.transition(Some(State::Ready), block);
        } else if let Some(due_at) = run_at.filter(|at| *at > self.now.wall) {
            self.wake_at(Some(due_at));
            self.transition(Some(State::Ready), Change::Delay { seq, lane, priority, due_at });
        }
        // Its time was over when it was paused, and nobody had looked.
        if let Some(at) = ends_at.filter(|at| *at <= self.now.wall) {
            self.expire(Timer { at, kind: TimerKind::QueueTimeout, seq });
        }
    }

    /// The start time of a task that was paused until now: what was left of a delay is left still.
    fn start_after_pause(&self, brief: &Brief) -> Option<WallMs> {
        let run_at = brief.run_at?;
        let is_ahead = brief.paused_at.is_some_and(|paused_at| run_at > paused_at);
        let is_shifted = brief.has_delay && is_ahead;
        Some(if is_shifted { self.later(run_at, brief.paused_at) } else { run_at })
    }

    /// Since when the `queueTimeout` of a paused task stands still. Where it counts from a moment
    /// that the caller named, and that came later, it had not begun before.
    fn stood_still_since(brief: &Brief) -> Option<WallMs> {
        let named = brief.run_at.filter(|_| !brief.has_delay);
        brief.paused_at.map(|paused_at| named.map_or(paused_at, |at| at.max(paused_at)))
    }

    /// A moment, later by as long as it is since then. A clock that was set back shifts nothing.
    fn later(&self, at: WallMs, since: Option<WallMs>) -> WallMs {
        let Some(since) = since else { return at };
        let ms = self.now.wall.0.saturating_sub(since.0).max(0);
        StartTime::After(ms as u64).moment(at)
    }

    /// A runner waits at a checkpoint, because it was told of a wish.
    pub(crate) fn halt(&mut self, slot: RunSlot) {
        let Some(run) = self.live(slot) else { return };
        let pause = self.pause_of(run);
        let is_to_halt = pause.is_some_and(RunPause::is_to_halt);
        if self.fired(run).is_some() || pause.is_some_and(|pause| pause.has_halted) {
            // Its signal ends the wait, or it waits already.
        } else if is_to_halt {
            self.transition(
                Some(State::Running),
                Change::PauseRun { seq: run.seq, lane: run.lane, run: run.run },
            );
            if self.leave_place(run) {
                self.dispatch.give_place_up();
            }
            let halted = RunPause { wish: PauseWish::Halt, has_halted: true };
            self.draft.pauses.insert(slot, Some(halted));
        } else if !self.draft.went_on.contains(&slot) {
            self.draft.went_on.push(slot);
        }
    }

    /// Lets runs go on that have halted and may: before anything new starts, as places are free.
    pub(crate) fn go_on(&mut self) {
        if !self.memory.live.has_pauses() && self.draft.pauses.is_empty() {
            return;
        }
        let mut runs = self.memory.live.in_order();
        runs.retain(|run| self.live(run.slot).is_some() && self.may_go_on(run));
        runs.sort_by_key(|run| (Reverse(run.priority), run.seq));
        for run in runs {
            if !self.shares_place(run) {
                if !self.dispatch.has_place() {
                    continue;
                }
                self.dispatch.take_place();
            }
            self.enter_place(run);
            self.forget_pause(run);
            self.draft.went_on.push(run.slot);
        }
    }

    fn may_go_on(&self, run: &Run) -> bool {
        self.pause_of(run).is_some_and(RunPause::may_go_on)
    }

    /// What is known of the pause of a run, after what this turn does.
    pub(crate) fn pause_of(&self, run: &Run) -> Option<RunPause> {
        let drafted = self.draft.pauses.get(&run.slot).copied();
        drafted.unwrap_or_else(|| run.pause.map(|(pause, _)| pause))
    }

    /// Whether a run has halted, after what this turn does.
    pub(crate) fn has_halted(&self, run: &Run) -> bool {
        self.pause_of(run).is_some_and(|pause| pause.has_halted)
    }

    /// A run is over or goes on: in the store it runs, and nobody wants it to halt. Whether
    /// somebody did.
    pub(crate) fn forget_pause(&mut self, run: &Run) -> bool {
        let Some(pause) = self.pause_of(run) else { return false };
        self.draft.pauses.insert(run.slot, None);
        self.facts.wishes.remove(&run.seq);
        let from = if pause.has_halted { State::Paused } else { State::Running };
        let (seq, lane, run) = (run.seq, run.lane, run.run);
        self.transition(Some(from), Change::ResumeRun { seq, lane, run });
        pause.wish == PauseWish::Halt
    }

    /// A task whose run is over waits for another one. If its pause was wished for, it is taken
    /// out.
    pub(crate) fn release(&mut self, wants_halt: bool, change: Change) {
        let Change::Release { seq, lane, priority, due_at, .. } = change else { return };
        self.transition(Some(State::Running), change);
        if wants_halt {
            let from = if due_at.is_some() { State::Delayed } else { State::Ready };
            let at = self.now.wall;
            self.transition(Some(from), Change::Pause { seq, lane, priority, at });
        }
    }
}

impl Memory {
    /// Whether a run that has halted would go on in a turn.
    pub(crate) fn may_go_on(&self) -> bool {
        let has_place = self.dispatch.has_place();
        let shares = |run: &Run| run.batch.is_some_and(|batch| self.live.active_of(batch) > 0);
        let may = |run: &&Run| {
            run.pause.is_some_and(|(pause, _)| pause.may_go_on()) && (has_place || shares(run))
        };
        self.live.has_pauses() && self.live.in_order().iter().any(may)
    }
}
