//! The one way in which a task changes its state: by a change that the table of `core` allows.
//!
//! # Promises
//! - What a turn has drafted for a task is what its next verb sees, so calls that name one task in
//!   one turn have the effect that they had one after the other.
//! - Counters, waiters and lanes follow from the table: no verb keeps them by hand.
//!
//! Proof: `proof/tests/engine/races.rs`.

use tasker_core::fault::{Fault, is_on};
use tasker_core::id::{LaneId, Seq};
use tasker_core::journal::Transition;
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::{Brief, Change, Note, OutsideChange};
use tasker_core::task::{Priority, QueueTimeout};
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;

use crate::draft::{EndedTask, Planner};

impl Planner<'_> {
    /// Whether the table allows this for a task in this state.
    pub(crate) fn allows(kind: TransitionKind, state: State) -> bool {
        kind.rule().leads_from(Some(state))
    }

    /// Drafts a change of a task that is in the state `from`; nothing for one that enters.
    pub(crate) fn transition(&mut self, from: Option<State>, change: Change) {
        let touched = self.is_touched(&change).filter(|_| from.is_some());
        self.note(from, &change);
        self.draft.changes.push(change);
        touched.into_iter().for_each(|seq| self.touch(seq));
    }

    /// What a task was before a change of it that does not say so, for those who watch tasks.
    /// One that is removed has its note where it is removed.
    fn keep_note(&mut self, Transition { seq, kind, priority, .. }: Transition, state: State) {
        let was_another = matches!(
            kind,
            TransitionKind::PrioritizeUnqueued
                | TransitionKind::Update
                | TransitionKind::UpdateQueued
        );
        if kind != TransitionKind::Purge {
            let priority = priority.filter(|_| !was_another).or_else(|| self.priority_of(seq));
            self.draft.notes.push(Note { state, priority, id: None });
        }
    }

    /// The priority of a task as it is after what is drafted so far, if it is at hand.
    fn priority_of(&self, seq: Seq) -> Option<Priority> {
        let brief = self.facts.briefs.get(&seq).map(|brief| brief.priority);
        let run = || self.memory.live.of_task(seq).map(|run| run.priority);
        let new = || {
            let at = seq.0.checked_sub(self.memory.seq_next.0)?;
            self.draft.adds.get(at as usize).map(|added| added.task.def.priority)
        };
        brief.or_else(run).or_else(new)
    }

    /// What follows from a change that is yet to be written.
    pub(crate) fn note(&mut self, from: Option<State>, change: &Change) {
        let transition = Transition::of(change);
        debug_assert!(transition.is_some(), "no transition of a task: {change:?}");
        if let Some(transition) = transition {
            let Transition { seq, kind, .. } = transition;
            let rule = kind.rule();
            debug_assert!(rule.leads_from(from), "{kind:?} does not lead from {from:?}");
            if rule.needs_note()
                && let Some(state) = from
            {
                self.keep_note(transition, state);
            }
            debug_assert!(
                self.facts.briefs.get(&seq).is_none_or(|brief| Some(brief.state) == from),
                "task {} is not {from:?} as its change says",
                seq.0
            );
            let to = rule.leads_to(from);
            if !is_on(Fault::CountForgetsLeaving) {
                from.inspect(|state| self.draft.counts.leave(*state));
            }
            to.inspect(|state| self.draft.counts.enter(*state));
            self.requeue(from, change);
            self.note_end(seq, change);
            if let (Some(state), Some(known)) = (to, self.facts.states.get_mut(&seq)) {
                known.1 = state;
            }
            match to {
                Some(state) => {
                    if let Some(brief) = self.facts.briefs.get_mut(&seq) {
                        write_through(brief, state, change);
                    }
                }
                None => self.note_removal(seq),
            }
        }
    }

    /// A task takes or leaves its place in the queue. Not for a new one, which is put in before it
    /// is known whether it starts, nor for one that starts, which was taken out when it was picked.
    fn requeue(&mut self, from: Option<State>, change: &Change) {
        match *change {
            Change::End { seq, lane, priority, .. } | Change::Pause { seq, lane, priority, .. }
                if from == Some(State::Ready) =>
            {
                self.dequeue(lane, QueueKey::new(priority, seq));
            }
            Change::Release { seq, lane, priority, due_at: None, .. }
            | Change::Unblock { seq, lane, priority }
            | Change::Free { seq, lane, priority, .. }
            | Change::Reopen { seq, lane, priority, .. }
            | Change::Resume { seq, lane, priority }
            | Change::Outside(OutsideChange::Unclaim { seq, lane, priority, .. })
            | Change::Due { seq, lane, priority } => {
                self.dispatch.enter(lane, QueueKey::new(priority, seq));
            }
            Change::Delay { seq, lane, priority, .. }
            | Change::Block { seq, lane, priority, .. }
                if from == Some(State::Ready) =>
            {
                self.dispatch.leave(lane, QueueKey::new(priority, seq));
            }
            Change::Prioritize { seq, lane, from, to, is_queued: true } => {
                self.put_elsewhere(seq, (lane, from), (lane, to));
            }
            Change::Update { seq, lane, from_lane, from, to, is_queued: true, .. } => {
                self.put_elsewhere(seq, (from_lane, from), (lane, to));
            }
            Change::Sort { seq, lane, from, priority } => {
                self.put_elsewhere(seq, (from, priority), (lane, priority));
            }
            Change::Operation(_)
            | Change::Add { .. }
            | Change::AddDelayed { .. }
            | Change::AddBlocked { .. }
            | Change::DependOn { .. }
            | Change::Met { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. }
            | Change::Timer { .. }
            | Change::Fired(_)
            | Change::Key { .. }
            | Change::Start { .. }
            // It was taken out as it came up.
            | Change::HoldBack { .. }
            | Change::Hold(_)
            | Change::Schedule(_)
            | Change::SetQueueTimeout { .. }
            | Change::Prioritize { is_queued: false, .. }
            | Change::Update { is_queued: false, .. }
            | Change::Release { due_at: Some(_), .. }
            | Change::Delay { .. }
            | Change::End { .. }
            | Change::RequestAbort { .. }
            | Change::RequestPostpone { .. }
            | Change::Pause { .. }
            | Change::Block { .. }
            | Change::RequestPause { .. }
            | Change::PauseRun { .. }
            | Change::ResumeRun { .. }
            | Change::Progress { .. }
            | Change::Log { .. }
            | Change::Purge { .. }
            | Change::SweepKeys(_)
            | Change::Gate(_)
            | Change::Outside(_)
            | Change::Offer(_)
            | Change::Bury(_) => {}
        }
    }

    fn put_elsewhere(&mut self, seq: Seq, from: (LaneId, Priority), to: (LaneId, Priority)) {
        self.dequeue(from.0, QueueKey::new(from.1, seq));
        self.dispatch.enter(to.0, QueueKey::new(to.1, seq));
    }

    fn dequeue(&mut self, lane: LaneId, key: QueueKey) {
        debug_assert!(
            self.dispatch.may_hold(lane, key),
            "task {} leaves a place that it has not (D2)",
            key.seq.0
        );
        self.dispatch.leave(lane, key);
    }

    fn note_end(&mut self, seq: Seq, change: &Change) {
        if let Change::Reopen { .. } = change {
            // Who waits for it waits for its new end.
            self.draft.ended.remove(&seq);
        }
        let Change::End { outcome, lane, run, at, .. } = change else { return };
        self.note_log_news(seq);
        if self.memory.waiters.has(seq) {
            self.draft.awaited_ends.push((seq, outcome.clone()));
        }
        let is_looked_at = self.may_have_dependents() || self.facts.states.contains_key(&seq);
        if is_looked_at && !is_on(Fault::EndForgetsDependents) {
            let task = EndedTask { lane: *lane, state: outcome.state() };
            self.draft.ended.insert(seq, task);
        }
        // With a run, its own facts say how long the task is kept.
        if run.is_none()
            && let Some(brief) = self.facts.briefs.get(&seq)
            && let Some(retention) = brief.retention.clone()
        {
            self.retain(&retention, (seq, *lane), outcome.state(), *at);
        }
    }
}

/// What is known of a task after a change of it.
fn write_through(brief: &mut Brief, state: State, change: &Change) {
    brief.state = state;
    match change {
        Change::Start { start, .. } => {
            (brief.run, brief.latest_at) = (Some(start.run), start.at);
            brief.has_started = true;
        }
        Change::End { outcome, .. } => (brief.run, brief.outcome) = (None, Some(outcome.clone())),
        Change::Release { due_at, .. } => {
            brief.run = None;
            due_at.iter().for_each(|due_at| wait_until(brief, *due_at));
        }
        Change::Reopen { .. } => brief.outcome = None,
        Change::SetQueueTimeout { ends_at, .. } => end_queue_timeout(brief, *ends_at),
        Change::Delay { due_at: at, .. } | Change::Free { at, .. } => wait_until(brief, *at),
        Change::HoldBack { until, .. } => hold_until(brief, *until),
        Change::Block { run_at, .. } => run_at.iter().for_each(|at| wait_until(brief, *at)),
        Change::Pause { at, .. } => brief.paused_at = Some(*at),
        Change::Resume { .. } => resume(brief),
        Change::Prioritize { to, .. } => brief.priority = *to,
        Change::Update { lane, to, options, .. } => {
            (brief.lane, brief.priority, brief.run_at) = (*lane, *to, options.run_at());
            (brief.has_delay, brief.is_held) = (options.has_delay(), options.is_held());
            brief.queue_timeout = options.queue_timeout;
            brief.on_failure = options.depends_on.as_ref().map(|all| all.on_failure);
            brief.unique.clone_from(&options.unique);
            (brief.retention, brief.lapses) = (options.retention.clone(), options.lapses());
        }
        Change::Sort { lane, .. } => brief.lane = *lane,
        Change::Outside(change) => write_outside(brief, change),
        Change::Operation(_)
        | Change::Add { .. }
        | Change::AddDelayed { .. }
        | Change::AddBlocked { .. }
        | Change::DependOn { .. }
        | Change::Met { .. }
        | Change::Unblock { .. }
        | Change::LetGo { .. }
        | Change::Lapses { .. }
        | Change::Timer { .. }
        | Change::Due { .. }
        | Change::Hold(_)
        | Change::Schedule(_)
        | Change::Fired(_)
        | Change::Key { .. }
        | Change::RequestAbort { .. }
        | Change::RequestPostpone { .. }
        | Change::RequestPause { .. }
        | Change::PauseRun { .. }
        | Change::ResumeRun { .. }
        | Change::Progress { .. }
        | Change::Log { .. }
        | Change::Purge { .. }
        | Change::SweepKeys(_)
        | Change::Gate(_)
        | Change::Offer(_)
        | Change::Bury(_) => {}
    }
    brief.is_outside &= brief.run.is_some();
    debug_assert_eq!(
        brief.state.is_final(),
        brief.outcome.is_some(),
        "a task has ended, and nobody knows how: {brief:?}"
    );
    debug_assert!(
        brief.run.is_none()
            || matches!(brief.state, State::Claimed | State::Running | State::Paused),
        "a run is left: {brief:?}"
    );
}

fn end_queue_timeout(brief: &mut Brief, ends_at: Option<WallMs>) {
    brief.queue_timeout = brief.queue_timeout.map(|timeout| QueueTimeout { ends_at, ..timeout });
}

fn write_outside(brief: &mut Brief, change: &OutsideChange) {
    match change {
        OutsideChange::Claim { lease, .. } => {
            (brief.run, brief.is_outside) = (Some(lease.run), true);
        }
        OutsideChange::Begin { start, .. } => {
            (brief.latest_at, brief.has_started) = (start.at, true);
        }
        OutsideChange::Unclaim { .. } => brief.run = None,
        OutsideChange::Renew { .. } | OutsideChange::Touch { .. } => {}
    }
}

fn hold_until(brief: &mut Brief, at: WallMs) {
    (brief.run_at, brief.has_delay, brief.is_held) = (Some(at), true, true);
}

/// Nothing is left of a pause, nor of a hold.
fn resume(brief: &mut Brief) {
    brief.paused_at = None;
    if std::mem::take(&mut brief.is_held) {
        (brief.run_at, brief.has_delay) = (None, false);
    }
}

/// Another start time comes of a delay.
fn wait_until(brief: &mut Brief, at: WallMs) {
    brief.has_delay |= brief.run_at != Some(at);
    (brief.run_at, brief.is_held) = (Some(at), false);
}
