//! Tasks that lapse: they end with the last stop of a process that offers their operation.

use std::collections::BTreeSet;
use std::sync::Arc;

use tasker_core::id::TaskId;
use tasker_engine::effect::RunEnd;

use super::process::Process;
use super::{Oracle, Task};

/// What a stop has to end of what waits.
#[derive(Debug)]
pub(crate) struct Lapse {
    /// What the process offered.
    operations: BTreeSet<Arc<str>>,
    /// What it ran when the stop began.
    running: BTreeSet<TaskId>,
    /// What is to end, as the turn left it in which the stop began; unknown before that.
    waiting: Option<BTreeSet<TaskId>>,
    /// Whether a turn has failed meanwhile: it may have seen that there is nothing, or given up.
    is_doubtful: bool,
}

impl Process {
    /// What a stop that begins now has to end; nothing if it offers nothing.
    pub(super) fn lapse(&self) -> Option<Lapse> {
        let operations: BTreeSet<_> =
            self.runners.keys().filter(|_| self.is_started).cloned().collect();
        let running = self.runs.values().map(|run| run.task).collect();
        let (waiting, is_doubtful) = (None, false);
        let lapse = Lapse { operations, running, waiting, is_doubtful };
        (!lapse.operations.is_empty()).then_some(lapse)
    }

    /// A run is over in this way.
    pub(super) fn note_taken(&mut self, task: TaskId, over: &RunEnd) {
        if *over == RunEnd::Fenced {
            self.taken.insert(task);
        }
    }
}

impl Lapse {
    fn is_of(&self, task: &Task) -> bool {
        self.operations.contains(&task.def.operation)
    }

    fn may_end(&self, id: TaskId, task: &Task) -> bool {
        self.is_of(task) && !self.running.contains(&id) && task.def.lapses()
    }
}

impl Oracle {
    fn is_offered_elsewhere(&self, task: &Task) -> bool {
        self.elsewhere.iter().any(|(at, name)| *at != self.me && *name == task.def.operation)
    }

    /// Whether a stop that begins now is the last one for a task that lapses.
    pub(super) fn is_last_stop(&self, task: &Task) -> bool {
        let is_its = self.me().lapse().is_some_and(|lapse| lapse.is_of(task));
        is_its && task.def.lapses() && !self.is_offered_elsewhere(task)
    }

    /// A task was told to have ended because of a stop that it did not meet while it ran.
    pub(super) fn assert_lapsed(&self, id: TaskId) {
        let task = &self.tasks[&id];
        let lapse = self.me().stopping.as_ref().and_then(|stopping| stopping.lapse.as_ref());
        assert!(lapse.is_some_and(|lapse| lapse.may_end(id, task)), "{lapse:?} {task:?}");
        assert!(!self.is_offered_elsewhere(task), "{task:?}");
    }

    /// A turn has failed.
    pub(super) fn doubt_lapse(&mut self) {
        self.mine().taken.clear();
        let stopping = self.mine().stopping.as_mut();
        if let Some(lapse) = stopping.and_then(|stopping| stopping.lapse.as_mut()) {
            lapse.is_doubtful = true;
        }
    }

    /// After a turn that was committed: what lapses has ended, but in the turn in which the stop
    /// begins, which only looks what there is.
    pub(super) fn settle_lapse(&mut self) {
        self.mine().taken.clear();
        let stopping = self.me().stopping.as_ref();
        let Some(lapse) = stopping.and_then(|stopping| stopping.lapse.as_ref()) else { return };
        let waits = |task: &Task| !task.state.is_final() && task.run.is_none();
        if let Some(waiting) = &lapse.waiting {
            for id in waiting {
                let Some(task) = self.tasks.get(id) else { continue };
                let is_kept = !task.def.lapses() || self.is_offered_elsewhere(task);
                let is_kept = is_kept || lapse.is_doubtful;
                assert!(!waits(task) || is_kept, "it waits on: {task:?}");
            }
            self.forget_lapse();
            return;
        }
        let all = self.tasks.iter().filter(|(id, task)| waits(task) && lapse.may_end(**id, task));
        let waiting: BTreeSet<TaskId> = all.map(|(id, _)| *id).collect();
        let stopping = self.mine().stopping.as_mut();
        if let Some(lapse) = stopping.and_then(|stopping| stopping.lapse.as_mut()) {
            lapse.waiting = Some(waiting);
        }
    }

    /// Whether the stop is not over because of what lapses; there may be none.
    pub(super) fn is_lapsing(&self) -> bool {
        let stopping = self.me().stopping.as_ref();
        let Some((stopping, lapse)) =
            stopping.and_then(|stopping| Some((stopping, stopping.lapse.as_ref()?)))
        else {
            return false;
        };
        let is_open = stopping.tickets.iter().any(|ticket| self.me().asked.contains_key(ticket));
        let is_left = lapse.waiting.as_ref().is_none_or(|waiting| !waiting.is_empty());
        let is_right = is_open || !is_left || lapse.is_doubtful;
        assert!(is_right, "it is over, and something is left: {lapse:?}");
        is_open
    }

    fn forget_lapse(&mut self) {
        if let Some(stopping) = &mut self.mine().stopping {
            stopping.lapse = None;
        }
    }
}
