//! Putting a task off that the caller names, and giving runs back to the queue.
//!
//! # Promises
//! - A run that is given back is fenced, its attempt is not counted, and its task waits (I-4,
//!   I-14).
//! - An abort that was acknowledged is not undone by giving the run back (I-1).
//! - A wish for a run of another process is stored with it: it reaches the owner of the run and
//!   outlives it.
//!
//! # Left to others
//! What a stop gives back: `stop`.
//!
//! Proof: `proof/tests/engine/postponing.rs`, `proof/tests/random`, `conformance::interplay`.

use tasker_core::id::{RunId, Seq, TaskId};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change};
use tasker_core::task::{AttemptEnd, Json, Postponement, Tally};
use tasker_core::time::WallMs;

use crate::draft::Planner;
use crate::effect::{AbortSignal, Answer, Effect, RunEnd};
use crate::input::{PostponeOptions, Ticket};
use crate::live::Run;

impl Planner<'_> {
    /// Delays a waiting task, and gives a run back; any other is left as it is.
    pub(crate) fn postpone_task(&mut self, ticket: Ticket, id: TaskId, options: &PostponeOptions) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let due_at = options.delay_ms.map(|ms| self.after(ms));
        let may = match (brief.state, brief.run) {
            (State::Delayed | State::Ready, _) => {
                self.put_off(seq, &brief, due_at);
                true
            }
            // What an executor outside has it has until it says otherwise.
            (State::Running, Some(_)) if brief.is_outside => false,
            (State::Running, Some(run)) => {
                let reason = options.reason.clone();
                self.postpone_run(seq, &brief, run, Postponement { due_at, reason })
            }
            (
                State::Running
                | State::Blocked
                | State::Claimed
                | State::Paused
                | State::Done
                | State::Failed
                | State::Aborted,
                _,
            ) => false,
        };
        self.answer(Effect::Answer(ticket, Answer::Flag(may)));
    }

    /// A task that waits does so until then at least. Its `queueTimeout` counts from there.
    fn put_off(&mut self, seq: Seq, brief: &Brief, due_at: Option<WallMs>) {
        let Some(due_at) = due_at else { return };
        // Until when a hold keeps it is no start time: it comes up again, and may be held again.
        let is_delayed = brief.state == State::Delayed && !brief.is_held;
        let before = brief.run_at.filter(|_| is_delayed);
        let due_at = before.map_or(due_at, |before| before.max(due_at));
        let (lane, priority) = (brief.lane, brief.priority);
        self.wake_at(Some(due_at));
        self.transition(Some(brief.state), Change::Delay { seq, lane, priority, due_at });
        if let Some(timeout) = brief.queue_timeout
            && !brief.has_started
            && timeout.ends_at.is_some()
        {
            self.set_queue_timeout((seq, State::Delayed), lane, Some(timeout.end(due_at)));
        }
    }

    fn postpone_run(&mut self, seq: Seq, brief: &Brief, run: RunId, wish: Postponement) -> bool {
        if let Some(live) = self.memory.live.of_task(seq) {
            let is_ending = live.is_abort_asked || self.fired(live).is_some();
            if is_ending || self.live(live.slot).is_none() {
                return false;
            }
            self.postpone(live, wish.due_at, Some(wish.reason));
            return true;
        }
        if self.facts.abort_asked.contains(&seq) {
            return false;
        }
        let lane = brief.lane;
        let request = Change::RequestPostpone { seq, lane, run, postponement: wish };
        self.transition(Some(brief.state), request);
        true
    }

    /// Gives back the runs of which another process asked that.
    pub(crate) fn give_back_asked(&mut self) {
        for (slot, wish) in self.memory.live.postponed() {
            let Some(run) = self.live(*slot) else { continue };
            if self.fired(run).is_none() {
                let due_at = wish.due_at.filter(|at| *at > self.now.wall);
                self.postpone(run, due_at, Some(wish.reason.clone()));
            }
        }
    }

    /// A run is over and its task waits as if it had not started; until then, if that is said.
    pub(crate) fn postpone(&mut self, run: &Run, due_at: Option<WallMs>, reason: Option<Json>) {
        debug_assert!(self.fired(run).is_none(), "an acknowledged abort is undone (I-1)");
        debug_assert!(run.attempt > 0, "an attempt is not counted that never was (I-10)");
        self.free(run, RunEnd::Postponed(reason));
        self.draft.signals.push((run.slot, AbortSignal::Shutdown));
        let (attempt, failures) = (run.attempt - 1, run.failures);
        let tally = Tally { attempt, failures, losses: 0 };
        self.note_given_back(run, tally);
        self.wake_at(due_at);
        let wants_halt = self.forget_pause(run);
        let release = Change::Release {
            seq: run.seq,
            lane: run.lane,
            priority: run.priority,
            run: run.run,
            end: AttemptEnd::Postponed,
            error: None,
            tally,
            due_at,
            at: self.now_or(run.started_at),
        };
        self.release(wants_halt, release);
    }
}
