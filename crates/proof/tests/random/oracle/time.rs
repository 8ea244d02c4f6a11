//! What the wall clock decides: what is delayed, and when it is due; and what it cannot undo.

use tasker_core::state::State;
use tasker_core::task::TaskRecord;
use tasker_core::time::WallMs;

use super::{Oracle, Task};

impl Oracle {
    /// A turn, the first one of a process too, has made ready what is due.
    pub(crate) fn become_due_at(&mut self, wall: WallMs) {
        for task in self.tasks.values_mut().filter(|task| task.is_due(wall)) {
            task.state = State::Ready;
        }
    }

    /// When the first delayed task is due, or the first one has waited too long.
    pub(crate) fn first_due(&self) -> Option<WallMs> {
        self.dues().min()
    }

    /// When the last delayed task is due, or the last one has waited too long.
    pub(crate) fn last_due(&self) -> Option<WallMs> {
        self.dues().max()
    }

    fn dues(&self) -> impl Iterator<Item = WallMs> {
        let delayed = self.tasks.values().filter(|task| task.state == State::Delayed);
        let dues = delayed.filter_map(|task| task.def.options.run_at());
        dues.chain(self.tasks.values().filter_map(Task::expires_at))
    }
}

impl Task {
    /// Whether its start time has come.
    pub(crate) fn is_due(&self, wall: WallMs) -> bool {
        self.state == State::Delayed && self.def.options.run_at().is_some_and(|at| at <= wall)
    }
}

/// Whatever the clocks did, nothing ends before it began (F-19).
pub(super) fn compare_times(task: &TaskRecord) {
    let runs = task.attempts.iter().map(|attempt| (Some(attempt.started_at), attempt.ended_at));
    for (started, ended) in runs.chain([(task.started_at, task.ended_at)]) {
        let began = started.unwrap_or(task.created_at);
        assert!(task.created_at <= began && ended.is_none_or(|ended| began <= ended), "{task:?}");
    }
}
