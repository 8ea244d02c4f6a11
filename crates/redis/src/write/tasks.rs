//! Tasks that enter, and what becomes of those that wait.

use tasker_core::error::Result;
use tasker_core::id::{OwnerId, Seq};
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::QueueTimeout;
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::Held;
use crate::keys;
use crate::overlay::Overlay;
use crate::row::Row;

impl Overlay {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    pub(super) fn add(&mut self, change: &Change, owner: OwnerId) -> Held {
        let (seq, id, lane, def, at) = match change {
            Change::Add { seq, id, lane, def, at, .. }
            | Change::AddDelayed { seq, id, lane, def, at, .. }
            | Change::AddBlocked { seq, id, lane, def, at } => (*seq, *id, *lane, def, *at),
            _ => return Ok(false),
        };
        let mut row = Row::new(id, lane, def, at);
        match change {
            Change::Add { start: Some(start), .. } => row.start(*start, Some(owner)),
            Change::AddDelayed { due_at, .. } => {
                row.state = State::Delayed;
                self.due(seq, *due_at);
            }
            Change::AddBlocked { .. } => row.state = State::Blocked,
            _ => {}
        }
        self.enter(seq, row, def.data.as_ref())
    }

    fn due(&mut self, seq: Seq, at: WallMs) {
        self.timer(Timer { at, kind: TimerKind::Due, seq });
    }

    /// A task waits until then.
    pub(super) fn delay(&mut self, seq: Seq, due_at: WallMs) -> Result<()> {
        if let Some(row) = self.row(seq)? {
            row.state = State::Delayed;
            row.options.wait_until(due_at);
        }
        self.due(seq, due_at);
        Ok(())
    }

    /// What happens to a task that waits.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    pub(super) fn move_waiting(&mut self, change: &Change, owner: OwnerId) -> Held {
        match change {
            Change::Start { seq, start, is_due, .. } => {
                let from = if *is_due { State::Delayed } else { State::Ready };
                let Some(row) = self.in_state(*seq, from)? else { return Ok(false) };
                row.start(*start, Some(owner));
            }
            Change::Due { seq, .. } => {
                let Some(row) = self.in_state(*seq, State::Delayed)? else { return Ok(false) };
                row.state = State::Ready;
            }
            Change::Unblock { seq, .. } => {
                let Some(row) = self.in_state(*seq, State::Blocked)? else { return Ok(false) };
                row.state = State::Ready;
            }
            Change::Delay { seq, due_at, .. } => {
                let waits = self.waiting(*seq)?.is_some_and(|row| row.state != State::Paused);
                if !waits {
                    return Ok(false);
                }
                self.delay(*seq, *due_at)?;
            }
            Change::Free { seq, at, .. } => {
                let Some(row) = self.in_state(*seq, State::Delayed)? else { return Ok(false) };
                row.state = State::Ready;
                row.options.wait_until(*at);
            }
            Change::HoldBack { seq, hold, until, .. } => {
                let Some(row) = self.in_state(*seq, State::Ready)? else { return Ok(false) };
                row.state = State::Delayed;
                row.options.hold_until(*until);
                self.due(*seq, *until);
                self.add_entry(keys::HELD, keys::pair(hold.0, seq.0));
            }
            Change::SetQueueTimeout { seq, ends_at, .. } => {
                return self.set_queue_timeout(*seq, *ends_at);
            }
            Change::Prioritize { seq, to, is_queued, .. } => {
                let Some(row) = self.placed(*seq, *is_queued)? else { return Ok(false) };
                row.priority = *to;
            }
            Change::Update { .. } => return self.update(change),
            Change::Sort { seq, lane, .. } => {
                let Some(row) = self.in_state(*seq, State::Ready)? else { return Ok(false) };
                row.lane = *lane;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A task that waits, with a place in the queue or without one.
    fn placed(&mut self, seq: Seq, is_queued: bool) -> Result<Option<&mut Row>> {
        Ok(self.waiting(seq)?.filter(|row| (row.state == State::Ready) == is_queued))
    }

    fn set_queue_timeout(&mut self, seq: Seq, ends_at: Option<WallMs>) -> Held {
        let Some(row) = self.waiting(seq)? else { return Ok(false) };
        if let Some(timeout) = row.options.queue_timeout {
            row.options.queue_timeout = Some(QueueTimeout { ends_at, ..timeout });
        }
        if let Some(at) = ends_at {
            self.timer(Timer { at, kind: TimerKind::QueueTimeout, seq });
        }
        Ok(true)
    }

    fn update(&mut self, change: &Change) -> Held {
        let Change::Update { seq, lane, to, is_queued, data, options, due_at, .. } = change else {
            return Ok(false);
        };
        let Some(row) = self.placed(*seq, *is_queued)? else { return Ok(false) };
        (row.lane, row.priority, row.options) = (*lane, *to, options.clone());
        self.set_data(*seq, data.as_ref());
        due_at.iter().for_each(|at| self.due(*seq, *at));
        Ok(true)
    }
}
