//! Changing what the caller names of the definition of a task that waits.
//!
//! # Promises
//! - A task that runs or has ended is left as it is, and so is one that does not match the query of
//!   the call: that is judged in the commit that changes it.
//! - It waits on for what it waits for, except for a start time that the call names.
//! - What its conditions ask for follows its data: the templates of its operation and of the store
//!   are resolved again, as they are now, if something changes that they may look at.
//!
//! Proof: `proof/tests/engine/updates.rs`, `proof/tests/random`, the storm.

use tasker_core::document;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{LaneId, Seq, TaskId};
use tasker_core::patch::Patch;
use tasker_core::query::Query;
use tasker_core::state::State;
use tasker_core::store::{Brief, ReadyTask};
use tasker_core::task::{NewTask, StartTime, TaskRecord};
use tasker_core::time::WallMs;

use crate::draft::{Planner, TaskNews};
use crate::effect::Answer;
use crate::input::{Ticket, Update};

impl Planner<'_> {
    /// Changes the definition of a task that waits; any other is left as it is.
    pub(crate) fn update_task(&mut self, ticket: Ticket, id: TaskId, update: &Update) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let may = Self::may_update(brief.state) && brief.run.is_none();
        let changed = if may { self.amend(seq, &brief, update) } else { Ok(false) };
        if let Ok(true) = changed {
            self.draft.task_news.push(TaskNews::Updated(id));
        }
        self.reply(ticket, changed.map(Answer::Flag));
    }

    fn amend(&mut self, seq: Seq, brief: &Brief, update: &Update) -> Result<bool> {
        let Some(task) = self.stored_definition(seq, brief) else { return Ok(false) };
        if let Some(query) = &update.only_if
            && !matches(query, brief, &task)?
        {
            return Ok(false);
        }
        let (mut def, patch) = (task.def, &update.patch);
        patch.apply(&mut def)?;
        let lane = if patch.may_change_conditions() {
            self.lane_again(brief.lane, &mut def)?
        } else {
            brief.lane
        };
        let due_at = self.times_again((seq, brief), &mut def, patch);
        let waits = matches!(brief.state, State::Delayed | State::Ready) && patch.has_start_time();
        let (of, priority) = ((seq, brief.state), def.priority);
        let due_at = due_at.filter(|_| waits);
        self.redefine_stored(of, (brief.lane, brief.priority), (lane, def), due_at);
        if waits {
            self.wait_anew(of, (lane, priority), due_at);
        }
        Ok(true)
    }

    /// What a task in the store says, as this turn has left it.
    fn stored_definition(&self, seq: Seq, brief: &Brief) -> Option<ReadyTask> {
        let task = self.facts.definitions.get(&seq);
        debug_assert!(task.is_some(), "nothing is known of the definition of task {}", seq.0);
        let mut task = self.as_given_back(task?.clone());
        if let Some(def) = self.draft.updated.get(&seq) {
            task.def = def.clone();
        }
        let def = &mut task.def;
        def.priority = brief.priority;
        if !def.options.is_none() || brief.run_at.is_some() || brief.paused_at.is_some() {
            let start = match (brief.is_held, brief.has_delay) {
                (true, _) => StartTime::Held,
                (false, true) => StartTime::Delayed,
                (false, false) => StartTime::At,
            };
            def.options.start_time = brief.run_at.map(start);
            def.options.queue_timeout = brief.queue_timeout;
            def.options.paused_at = brief.paused_at;
        }
        Some(task)
    }

    /// The lane of a definition that was in another one, or in this.
    fn lane_again(&mut self, before: LaneId, def: &mut NewTask) -> Result<LaneId> {
        if before.attached_to().is_some() {
            if def.conditions().is_none() {
                return Ok(before);
            }
            let message = "is not taken by a task that is attached yet";
            return Err(Error::at(Code::Unsupported, "concurrency", message));
        }
        def.conditions().check()?;
        if let Some(own) = def.options.own_conditions {
            def.options.conditions = def.options.conditions.last(own);
            def.options.own_conditions = None;
        }
        let lane = self.lane(def)?;
        if lane.has_conditions() {
            self.fix_conditions(lane, def);
        }
        Ok(lane)
    }

    /// Fixes the times that a call names: they count from now, or stand still until the task is
    /// resumed. When the task is due, if that lies ahead.
    fn times_again(
        &self,
        (seq, brief): (Seq, &Brief),
        def: &mut NewTask,
        patch: &Patch,
    ) -> Option<WallMs> {
        if !patch.has_start_time() && !patch.has_queue_timeout() {
            return None;
        }
        let since = brief.paused_at.unwrap_or(self.now.wall);
        let run_at = def.options.fix_start_time(since);
        // What a hold keeps has no start time of its own: its `queueTimeout` goes on meanwhile.
        let run_at = run_at.filter(|_| !def.options.is_held());
        let is_blocked = brief.state == State::Blocked || self.facts.blocked.contains(&seq);
        if !brief.has_started && !is_blocked {
            def.options.begin_queue_timeout(run_at.map_or(since, |at| at.max(since)));
        }
        run_at.filter(|at| *at > self.now.wall)
    }
}

/// Whether a task that waits matches.
fn matches(query: &Query, brief: &Brief, task: &ReadyTask) -> Result<bool> {
    let record = TaskRecord {
        seq: task.seq,
        id: brief.id,
        def: task.def.clone(),
        state: brief.state,
        created_at: brief.created_at,
        started_at: None,
        ended_at: None,
        attempt: task.attempt,
        outcome: None,
        progress: None,
        is_pausing: false,
        attempts: Vec::new(),
        attempts_left_out: 0,
        version: 0,
    };
    Ok(query.matches(&document::value(&record, query.fields())?))
}
