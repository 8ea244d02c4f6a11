//! Tasks that are taken out and put back, and runs that halt. Calls for that come in turns of their
//! own, so each is answered by what the one before has left.

use std::cmp::Reverse;

use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::store::PauseWish;
use tasker_core::task::StartTime;
use tasker_core::time::WallMs;
use tasker_engine::input::RunSlot;

use super::{Oracle, Task};

impl Oracle {
    /// A call to pause a task was answered.
    pub(super) fn paused_task(&mut self, id: TaskId, is_paused: bool) {
        let wall = self.wall;
        let task = self.tasks.get_mut(&id).unwrap();
        let is_being_aborted = task.run.is_some() && task.abort.is_some();
        let may = !task.state.is_final() && !is_being_aborted;
        assert_eq!(is_paused, may, "{task:?}");
        if may && task.run.is_some() {
            task.wish = Some(PauseWish::Halt);
        } else if may && task.state != State::Paused {
            task.take_out(Some(wall));
        }
    }

    /// A call to resume a task was answered.
    pub(super) fn resumed_task(&mut self, id: TaskId, is_resumed: bool) {
        let wall = self.wall;
        let task = self.tasks.get_mut(&id).unwrap();
        let is_out = task.run.is_none() && task.state == State::Paused;
        assert_eq!(is_resumed, is_out || task.wish.is_some(), "{task:?}");
        if is_out {
            task.put_back(wall);
        } else if task.wish.is_some() {
            task.wish = task.has_halted.then_some(PauseWish::GoOn);
        }
    }

    /// A runner came to a checkpoint.
    pub(super) fn reached_checkpoint(&mut self, slot: RunSlot, is_fired: bool) {
        let me = &mut self.processes[self.me];
        let Some(run) = me.runs.get(&slot).filter(|_| !me.expected.contains_key(&slot)) else {
            return;
        };
        let task = self.tasks.get_mut(&run.task).unwrap();
        if is_fired || run.fired.is_some() || task.abort.is_some() || task.has_halted {
            return;
        }
        if task.wish == Some(PauseWish::Halt) {
            (task.state, task.has_halted) = (State::Paused, true);
        } else {
            me.freed.insert(slot);
        }
    }

    /// A run goes on: because nobody wants it to halt, or because it has a place again.
    pub(super) fn goes_on(&mut self, slot: RunSlot) {
        if self.mine().freed.remove(&slot) {
            return;
        }
        assert_eq!(Some(slot), self.next_to_go_on(), "it goes on in its turn, if there is a place");
        let id = self.me().runs[&slot].task;
        let task = self.tasks.get_mut(&id).unwrap();
        (task.state, task.has_halted, task.wish) = (State::Running, false, None);
    }

    /// The run that has halted and must go on next, if any may.
    pub(super) fn next_to_go_on(&self) -> Option<RunSlot> {
        let may = |task: &Task| task.has_halted && task.wish == Some(PauseWish::GoOn);
        let runs = self.me().runs.iter().map(|(slot, run)| (*slot, &self.tasks[&run.task]));
        let order = |task: &Task| (Reverse(task.def.priority), task.seq);
        let first = runs.filter(|(_, task)| may(task)).min_by_key(|(_, task)| order(task));
        first.map(|(slot, _)| slot).filter(|_| self.has_place())
    }

    /// Whether the process may have one more run.
    pub(super) fn has_place(&self) -> bool {
        self.running() < self.limit as usize
    }

    /// How many runs of this process have a place.
    pub(crate) fn running(&self) -> usize {
        let runs = self.me().runs.values();
        runs.filter(|run| !self.tasks[&run.task].has_halted).count()
    }

    /// A run was told to halt.
    pub(super) fn told_to_halt(&mut self, slot: RunSlot) {
        let run = self.mine().runs.get_mut(&slot).expect("it lives");
        run.is_told = true;
    }

    /// After a turn or a look that nothing went wrong with.
    pub(super) fn settle_pauses(&self) {
        assert!(self.me().freed.is_empty(), "not told to go on: {:?}", self.me().freed);
        for (slot, run) in &self.me().runs {
            let task = &self.tasks[&run.task];
            let is_to_halt = task.wish == Some(PauseWish::Halt) && !task.has_halted;
            assert!(!is_to_halt || run.is_told, "{slot} was not told to halt");
        }
    }

    /// The runs of this process that are to halt at their next checkpoint.
    pub(crate) fn to_halt(&self) -> Vec<RunSlot> {
        let is_to_halt = |task: &Task| task.wish == Some(PauseWish::Halt) && !task.has_halted;
        let runs = self.me().runs.iter().filter(|(_, run)| is_to_halt(&self.tasks[&run.task]));
        runs.map(|(slot, _)| *slot).collect()
    }

    /// The tasks that are paused, or are to be.
    pub(crate) fn paused_tasks(&self) -> Vec<TaskId> {
        let is_paused = |task: &Task| task.state == State::Paused || task.wish.is_some();
        let tasks = self.tasks.iter().filter(|(_, task)| is_paused(task));
        tasks.map(|(id, _)| *id).collect()
    }
}

impl Task {
    /// It waits outside the queue; since when is not known if another process has done it.
    pub(super) fn take_out(&mut self, at: Option<WallMs>) {
        self.state = State::Paused;
        self.is_paused_somewhen = at.is_none();
        self.def.options.paused_at = at;
    }

    /// It has a run no more: it waits so, or is paused if somebody has wished that.
    pub(super) fn wait_or_pause(&mut self, at: Option<WallMs>) {
        let wish = self.wish.take();
        self.has_halted = false;
        if wish == Some(PauseWish::Halt) && !self.state.is_final() {
            self.take_out(at);
        }
    }

    /// What it waits for has stood still meanwhile, but a moment that was named.
    fn put_back(&mut self, wall: WallMs) {
        assert!(!self.is_paused_somewhen, "nobody knows since when: {self:?}");
        let paused_at = self.def.options.paused_at.take().expect("it was paused once");
        let at = match self.def.options.start_time {
            Some(StartTime::Delayed(at)) if at > paused_at => {
                Some(WallMs(at.0 + (wall.0 - paused_at.0).max(0)))
            }
            Some(StartTime::Delayed(at) | StartTime::At(at)) => Some(at),
            // It comes up again, and is held again if the hold is not over.
            Some(StartTime::Held(_)) => {
                self.def.options.forget_hold();
                None
            }
            Some(StartTime::After(_)) | None => None,
        };
        // It counts from a moment that was named, which may not have come yet.
        let since = match self.def.options.start_time {
            Some(StartTime::At(at)) => at.max(paused_at),
            Some(StartTime::Delayed(_) | StartTime::Held(_) | StartTime::After(_)) | None => {
                paused_at
            }
        };
        self.shift_queue_timeout((wall.0 - since.0).max(0));
        self.state = State::Ready;
        if !self.waits.is_empty() {
            self.state = State::Blocked;
            at.into_iter().for_each(|at| self.def.options.wait_until(at));
        } else if let Some(at) = at.filter(|at| *at > wall) {
            self.state = State::Delayed;
            self.def.options.wait_until(at);
        }
    }
}
