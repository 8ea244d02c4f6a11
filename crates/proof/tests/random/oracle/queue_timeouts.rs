//! How long tasks may wait for their first start.

use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::{AfterQueueTimeout, Cause, Priority, QueueTimeout, SharedOptions};
use tasker_core::time::WallMs;

use super::{Oracle, Task};

impl Task {
    /// Its `queueTimeout`, as long as it counts.
    fn queue_timeout(&self) -> Option<QueueTimeout> {
        let waits = matches!(self.state, State::Delayed | State::Ready) && self.starts == 0;
        self.def.options.queue_timeout.filter(|_| waits)
    }

    /// When it has waited too long, if it may only wait so long.
    pub(super) fn expires_at(&self) -> Option<WallMs> {
        self.queue_timeout()?.ends_at
    }

    /// Its `queueTimeout`, if that is over by now.
    pub(super) fn expired_at(&self, wall: WallMs) -> Option<QueueTimeout> {
        self.queue_timeout().filter(|timeout| timeout.ends_at.is_some_and(|at| at <= wall))
    }

    /// It was paused so long.
    pub(super) fn shift_queue_timeout(&mut self, ms: i64) {
        if let Some(QueueTimeout { ends_at: Some(at), .. }) = self.def.options.queue_timeout
            && self.starts == 0
            && let Some(timeout) = &mut self.def.options.queue_timeout
        {
            timeout.ends_at = Some(WallMs(at.0 + ms));
        }
    }

    /// Its `queueTimeout` counts no more.
    pub(super) fn forget_queue_timeout(&mut self) {
        if let Some(timeout) = self.def.options.queue_timeout {
            self.def.options.queue_timeout = Some(QueueTimeout { ends_at: None, ..timeout });
        }
    }

    /// Whether it has these options. When its `queueTimeout` ends and when it might have started
    /// says nothing to a run: that may have changed in the turn of its start.
    pub(super) fn has_options(&self, options: &SharedOptions) -> bool {
        let mut options = options.clone();
        if let (Some(one), Some(other)) = (options.queue_timeout, self.def.options.queue_timeout) {
            let ends_at = other.ends_at;
            options.queue_timeout = Some(QueueTimeout { ends_at, ..one });
        }
        if options.start_time != self.def.options.start_time {
            options.start_time = self.def.options.start_time;
        }
        options == self.def.options
    }

    fn move_to(&mut self, to: Priority) {
        self.forget_queue_timeout();
        self.def.priority = to;
        self.priorities.push(to);
    }
}

impl Oracle {
    /// A task was moved, for it has waited so long.
    pub(super) fn moved(&mut self, id: TaskId, to: Priority) {
        let wall = self.wall;
        let task = self.tasks.get_mut(&id).unwrap();
        let then = task.expired_at(wall).map(|timeout| timeout.then);
        assert_eq!(then, Some(AfterQueueTimeout::Prioritize(to)), "{task:?}");
        task.move_to(to);
    }

    /// The first turn of a process, which tells nobody, has looked at what has waited too long.
    pub(crate) fn expire_at(&mut self, wall: WallMs) {
        let me = self.me;
        // Those that were attached to the process have ended before anything else was looked at.
        let is_left = |task: &&mut Task| task.attached_to != Some(me);
        for task in self.tasks.values_mut().filter(is_left) {
            match task.expired_at(wall).map(|timeout| timeout.then) {
                Some(AfterQueueTimeout::Abort) => {
                    (task.state, task.cause) = (State::Aborted, Some(Cause::QueueTimeout));
                }
                Some(AfterQueueTimeout::Prioritize(to)) => task.move_to(to),
                None => {}
            }
        }
    }
}
