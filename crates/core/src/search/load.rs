//! What is loaded of a task beside its row.
//!
//! Proof: `conformance::reader`, `conformance::read`.

use super::pages::Snapshot;
use crate::error::Result;
use crate::read::{Found, LogsPart, ReadBudget, WithLogs};
use crate::task::{LogLine, TaskRecord};

/// Puts the attempts of the history before the one that the task's row tells of.
pub(super) fn load_attempts(snapshot: &mut impl Snapshot, task: &mut TaskRecord) -> Result<()> {
    let (history, left_out) = snapshot.attempts(task.seq)?;
    task.attempts.splice(0..0, history);
    task.attempts_left_out = left_out;
    Ok(())
}

/// The task with its logs, if asked for.
pub(super) fn found(
    snapshot: &mut impl Snapshot,
    task: TaskRecord,
    logs: Option<WithLogs>,
    budget: &mut ReadBudget,
) -> Result<Found> {
    budget.take_task(&task)?;
    let logs = logs.map(|with| lines(snapshot, &task, with, budget)).transpose()?;
    Ok(Found { task, logs })
}

fn lines(
    snapshot: &mut impl Snapshot,
    task: &TaskRecord,
    with: WithLogs,
    budget: &mut ReadBudget,
) -> Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    snapshot.logs(task.seq, LogsPart::all(with), &mut |line| {
        budget.take_line(&line)?;
        lines.push(line);
        Ok(())
    })?;
    Ok(lines)
}
