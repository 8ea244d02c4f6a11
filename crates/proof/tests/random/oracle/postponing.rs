//! Tasks that are put off, and runs that go back to the queue because a call asked for it.

use std::collections::BTreeMap;

use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::{Cause, QueueTimeout};
use tasker_core::time::WallMs;
use tasker_engine::input::RunSlot;

use super::process::Process;
use super::said::Expected;
use super::updates::Change;
use super::{Oracle, Task};

impl Task {
    /// It waits until then at least; what counts from its start time counts from there.
    pub(super) fn wait_until(&mut self, at: WallMs) {
        let before = self
            .def
            .options
            .run_at()
            .filter(|_| self.state == State::Delayed && !self.def.options.is_held());
        let at = before.map_or(at, |before| before.max(at));
        self.delay(at);
        if self.starts == 0
            && let Some(timeout) = self.def.options.queue_timeout
            && timeout.ends_at.is_some()
        {
            let ends_at = Some(at.plus(timeout.after_ms));
            self.def.options.queue_timeout = Some(QueueTimeout { ends_at, ..timeout });
        }
    }
}

impl Process {
    /// A call puts off the task of a run of ours, unless something was said of the run before.
    pub(super) fn put_off(
        &mut self,
        slot: RunSlot,
        task: &Task,
        is_fired: bool,
        at: Option<WallMs>,
    ) {
        // What was said of it before stands.
        let Some(run) = self.runs.get(&slot).filter(|_| !self.expected.contains_key(&slot)) else {
            return;
        };
        let is_ending = run.fired.is_some() || task.abort.is_some() || is_fired;
        if !is_ending && !task.has_halted {
            self.expected.insert(slot, (Expected::PutOff(at), None));
        }
    }

    /// What another process asked for happens after what was said in this turn.
    pub(super) fn give_back_asked(
        &mut self,
        tasks: &BTreeMap<TaskId, Task>,
        fired: &BTreeMap<RunSlot, Cause>,
    ) {
        for (slot, run) in &self.runs {
            let task = &tasks[&run.task];
            let is_ending = run.fired.is_some() || task.abort.is_some() || fired.contains_key(slot);
            if let Some(at) = task.postponed.filter(|_| !is_ending) {
                self.expected.entry(*slot).or_insert((Expected::PutOff(at), None));
            }
        }
    }
}

impl Oracle {
    /// A call to put a task off was answered.
    pub(super) fn put_off(&mut self, id: TaskId, ms: Option<u64>, does: bool) {
        let at = ms.map(|ms| self.wall.plus(ms));
        let (me, wall) = (self.me, self.wall);
        if !does {
            return;
        }
        let is_reopening = self.is_reopening(id);
        let task = self.tasks.get_mut(&id).unwrap();
        assert!(is_reopening || !task.state.is_final(), "I-3: {task:?}");
        if !is_reopening && task.run.is_some_and(|(process, _)| process != me) {
            task.postponed = Some(at);
        } else if let Some(at) = at {
            self.change(id, Change::PutOff(at), wall);
        }
    }
}
