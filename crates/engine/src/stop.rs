//! What a stop does with the runs that are live, and with those of a client that has gone.
//!
//! Each follows its own `onStop`, or its operation's, unless the stop says otherwise: waited for,
//! given back, or aborted. When the stop's timeout is over, those still live are given back, or
//! ended if they were being aborted. A run that halts at a checkpoint is not waited for.
//!
//! # Left to others
//! How a run is given back: `postpone`.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::rules;
use tasker_core::task::{Cause, OnStop};

use crate::client_id::ClientId;
use crate::draft::Planner;
use crate::input::RunSlot;
use crate::live::Run;
use crate::memory::Stopping;

impl Planner<'_> {
    /// Deals with the live runs if a stop begins or its timeout is over in this turn.
    pub(crate) fn stop(&mut self) {
        let Some(stopping) = self.memory.stopping else { return };
        let is_over = self.now.mono >= stopping.deadline;
        let has_pauses = self.memory.live.has_pauses() || !self.draft.pauses.is_empty();
        if stopping.has_begun && !is_over && !has_pauses {
            return;
        }
        for run in self.memory.live.in_order() {
            if self.live(run.slot).is_none() {
                continue;
            }
            let (is_fired, has_halted) = (self.fired(run).is_some(), self.has_halted(run));
            if stopping.has_begun && !is_over && !has_halted {
                continue;
            }
            match self.policy(run, stopping) {
                // It would wait for somebody who resumes it.
                OnStop::Wait if has_halted && !is_fired => self.postpone(run, None, None),
                // An abort that was acknowledged is not undone by giving the run back.
                OnStop::Postpone if is_fired => self.reclaim(run),
                _ if is_over && is_fired => self.reclaim(run),
                OnStop::Postpone => self.postpone(run, None, None),
                OnStop::Wait if is_over => self.postpone(run, None, None),
                OnStop::Abort if is_over => self.reclaim(run),
                OnStop::Abort => self.abort_for_stop(run),
                OnStop::Wait => {}
            }
        }
    }

    /// A run cannot go on, for the handle closes or its client has gone: its task waits as if it
    /// had not started. An abort that was acknowledged is not undone by that.
    pub(crate) fn hand_back(&mut self, slot: RunSlot) {
        let Some(run) = self.live(slot) else { return };
        if self.fired(run).is_some() {
            self.reclaim(run);
        } else {
            self.postpone(run, None, None);
        }
    }

    /// A client has gone: what its runners had begun nobody settles any more.
    pub(crate) fn leave(&mut self, client: ClientId) {
        for run in self.memory.live.in_order() {
            if ClientId::of(run.slot) == client {
                self.hand_back(run.slot);
            }
        }
    }

    fn policy(&self, run: &Run, stopping: &Stopping) -> OnStop {
        let said = stopping.options.on_stop.or(run.on_stop);
        let its_operation = || self.dispatch.options(run.lane.operation())?.on_stop;
        said.or_else(its_operation).unwrap_or(self.memory.settings.on_stop)
    }

    fn abort_for_stop(&mut self, run: &Run) {
        if self.fired(run).is_none() {
            let reason = rules::abort_reason(Cause::Stop, "the tasker was stopped");
            self.draft.fired.push((run.slot, reason));
        }
    }
}
