//! Tasks whose start time has come.
//!
//! # Promises
//! - What is due and may start does so in the same turn, and is written once.
//! - A timer for nothing is dropped.
//!
//! # Left to others
//! Which timers fire: `timers`.
//!
//! Proof: `proof/tests/engine/timers.rs`.

use tasker_core::fault::{Fault, is_on};
use tasker_core::id::Seq;
use tasker_core::schedules::ScheduleNo;
use tasker_core::state::State;
use tasker_core::store::{Brief, Change};
use tasker_core::timer::TimerKind;
use tasker_core::transition::TransitionKind;

use crate::draft::{DueTask, Planner};
use crate::timers::Fired;

impl Planner<'_> {
    /// Looks at what is due. Stands behind the verbs of the turn: what one has ended is not due.
    pub(crate) fn fire_timers(&mut self) {
        let Some(fired) = std::mem::take(&mut self.facts.fired) else { return };
        let schedules: Vec<ScheduleNo> = fired.schedules().collect();
        let Fired { timers, expired, swept, gates, .. } = fired;
        for timer in &timers {
            match timer.kind {
                TimerKind::Due => self.become_due(timer.seq),
                TimerKind::QueueTimeout => self.expire(*timer),
                TimerKind::Unblock => self.go_on_with(timer.seq),
                // Below: they were looked up with the timers.
                TimerKind::Purge | TimerKind::Hold | TimerKind::Schedule | TimerKind::Gate => {}
            }
        }
        self.free_held(&swept);
        self.purge(&expired);
        self.draft.changes.extend(timers.last().map(|last| Change::Fired(*last)));
        self.sweep_holds(&swept);
        gates.into_iter().for_each(|(operation, left)| self.sweep_gates(operation, left));
        self.tick(schedules.into_iter());
    }

    /// A delayed task takes its place in the queue. It is written when it is known whether it
    /// starts.
    fn become_due(&mut self, seq: Seq) {
        let brief = self.facts.briefs.get(&seq);
        // One that was removed has left its timer; one that was delayed once more has another one.
        let is_due = |brief: &&Brief| {
            brief.run_at.is_none_or(|at| at <= self.now.wall) || is_on(Fault::DueForgetsToLook)
        };
        let is_delayed = |brief: &&Brief| Self::allows(TransitionKind::Due, brief.state);
        let Some(brief) = brief.filter(is_delayed).filter(is_due) else { return };
        let (lane, priority) = (brief.lane, brief.priority);
        self.note(Some(State::Delayed), &Change::Due { seq, lane, priority });
        let old = self.draft.dues.insert(seq, DueTask { lane, priority });
        debug_assert!(old.is_none(), "task {} becomes due twice in a turn", seq.0);
    }

    /// Writes it now if a task has become due in this turn, for another change of it follows.
    pub(crate) fn write_due_of(&mut self, seq: Seq) {
        if let Some(DueTask { lane, priority }) = self.draft.dues.remove(&seq) {
            self.draft.changes.push(Change::Due { seq, lane, priority });
        }
    }

    /// Writes those that are due and do not start.
    pub(crate) fn write_due(&mut self) {
        let dues = std::mem::take(&mut self.draft.dues).into_iter();
        let dues =
            dues.map(|(seq, DueTask { lane, priority })| Change::Due { seq, lane, priority });
        self.draft.changes.extend(dues);
    }
}
