//! Writes which tasks are attached to which owner, and which lapse, beside the tasks themselves.
//!
//! # Promises
//! - A change of a task that is attached to nobody costs a look at its lane.

use tasker_core::id::{OperationId, Seq};
use tasker_core::store::Change;

use super::{Kind, Rows, Writing};

impl Writing<'_> {
    /// A task has ended and holds its dependencies no more.
    pub(super) fn let_go(&mut self, seq: Seq) -> Rows {
        self.statement(Kind::LetGo)?.execute([seq.0 as i64]).map(|_| 1)
    }

    /// A task is among those that lapse, or is not any more.
    pub(super) fn lapses(&mut self, seq: Seq, operation: OperationId, lapses: bool) -> Rows {
        let kind = if lapses { Kind::LapsingPut } else { Kind::LapsingForget };
        self.statement(kind)?.execute((operation.0, seq.0 as i64)).map(|_| 1)
    }

    /// A task that is attached to an owner comes or ends.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others leave it attached, or not")]
    pub(super) fn attachment(&mut self, change: &Change) -> rusqlite::Result<()> {
        let (lane, seq, kind): (_, Seq, _) = match change {
            Change::Add { lane, seq, .. }
            | Change::AddDelayed { lane, seq, .. }
            | Change::AddBlocked { lane, seq, .. } => (lane, *seq, Kind::Attach),
            Change::End { lane, seq, .. } => (lane, *seq, Kind::Detach),
            _ => return Ok(()),
        };
        if let Some(owner) = lane.attached_to() {
            self.statement(kind)?.execute((owner.0 as i64, seq.0 as i64))?;
        }
        Ok(())
    }
}
