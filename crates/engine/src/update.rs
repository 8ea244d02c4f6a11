//! Giving another definition to a task that waits.
//!
//! # Promises
//! - A task keeps its number and its identity, and so its place among those of its priority (I-7).
//! - What starts from the commit on has the new definition, in every process.
//!
//! Proof: `proof/tests/engine/unique.rs`, `conformance::update`, `proof/tests/random`.

use tasker_core::id::{LaneId, Seq};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::{Brief, Change};
use tasker_core::task::{NewTask, Priority};
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;

use crate::draft::Planner;

impl Planner<'_> {
    /// Whether a task in this state may get another definition.
    pub(crate) fn may_update(state: State) -> bool {
        Self::allows(TransitionKind::UpdateQueued, state)
            || Self::allows(TransitionKind::Update, state)
    }

    /// Makes a definition that of a task which enters this lane now, but for its `queueTimeout`.
    /// When it is due, if it has to wait for that.
    pub(crate) fn prepare(&self, lane: LaneId, def: &mut NewTask) -> Option<WallMs> {
        let run_at = def.options.fix_start_time(self.now.wall);
        if !def.unsaid.is_empty() {
            self.complete(lane, def);
        }
        if lane.has_conditions() {
            self.fix_conditions(lane, def);
        }
        run_at.filter(|at| *at > self.now.wall)
    }

    /// The same for a task that depends on nothing, whose `queueTimeout` begins.
    pub(crate) fn prepare_free(&self, lane: LaneId, def: &mut NewTask) -> Option<WallMs> {
        debug_assert_eq!(def.options.depends_on, None, "what replaces depends on nothing");
        let due_at = self.prepare(lane, def);
        if !def.options.is_none() {
            def.options.begin_queue_timeout(due_at.unwrap_or(self.now.wall));
        }
        due_at
    }

    /// A task that waits in the store gets another definition and the lane that goes with it, and
    /// the state: it waits for no other task any more, nor is it paused.
    pub(crate) fn update(&mut self, seq: Seq, brief: &Brief, (lane, mut def): (LaneId, NewTask)) {
        let Brief { lane: from_lane, priority: from, mut state, .. } = *brief;
        if state == State::Paused {
            let resume = Change::Resume { seq, lane: from_lane, priority: from };
            self.transition(Some(state), resume);
            state = State::Ready;
        }
        let (due_at, priority) = (self.prepare_free(lane, &mut def), def.priority);
        self.redefine_stored((seq, state), (from_lane, from), (lane, def), due_at);
        self.let_go(seq, brief.on_failure.is_some());
        self.wait_anew((seq, state), (lane, priority), due_at);
    }

    /// A task that waits in the store gets another definition and the lane that goes with it;
    /// `due_at` is a start time that lies ahead, and that it had not before.
    pub(crate) fn redefine_stored(
        &mut self,
        (seq, state): (Seq, State),
        (from_lane, from): (LaneId, Priority),
        (lane, def): (LaneId, NewTask),
        due_at: Option<WallMs>,
    ) {
        let (to, is_queued) = (def.priority, Self::allows(TransitionKind::UpdateQueued, state));
        let update = Change::Update {
            seq,
            lane,
            from_lane,
            from,
            to,
            is_queued,
            data: def.data.clone(),
            options: def.options.clone(),
            due_at: due_at.filter(|_| state == State::Delayed),
        };
        let before = self.facts.briefs.get(&seq).and_then(|brief| brief.queue_timeout);
        let lapsed = self.facts.briefs.get(&seq).is_some_and(|brief| brief.lapses);
        self.transition(Some(state), update);
        self.note_lapses((seq, lane.operation()), lapsed, def.lapses());
        let timeout = if def.options.is_none() { None } else { def.options.queue_timeout };
        let ends_at = timeout.and_then(|timeout| timeout.ends_at);
        let is_new = ends_at != before.and_then(|timeout| timeout.ends_at);
        // What is paused gets its timer when it is put back.
        if ends_at.is_some() && is_new && state != State::Paused {
            self.set_queue_timeout((seq, state), lane, ends_at);
        }
        self.draft.updated.insert(seq, def);
        self.wake_at(due_at);
    }

    /// A task waits for its new start time, if that lies ahead, and for nothing else.
    pub(crate) fn wait_anew(
        &mut self,
        (seq, state): (Seq, State),
        (lane, priority): (LaneId, Priority),
        due_at: Option<WallMs>,
    ) {
        let change = match (due_at, state) {
            // Its timer was set with its definition.
            (Some(_), State::Delayed) => return,
            (Some(due_at), _) => Change::Delay { seq, lane, priority, due_at },
            // Written at once, and not with its start: another call may delay it again.
            (None, State::Delayed) => Change::Due { seq, lane, priority },
            (None, State::Blocked) => Change::Unblock { seq, lane, priority },
            (None, _) => return,
        };
        self.transition(Some(state), change);
    }

    /// A task that this turn adds gets another definition.
    pub(crate) fn redefine(
        &mut self,
        index: usize,
        (lane, def): (LaneId, NewTask),
        due_at: Option<WallMs>,
    ) {
        let added = &mut self.draft.adds[index];
        let (old_lane, seq) = (std::mem::replace(&mut added.lane, lane), added.task.seq);
        let (old, was_ready) = (added.task.def.priority, added.is_ready());
        let priority = def.priority;
        (added.task.def, added.due_at, added.depends) = (def, due_at, None);
        if was_ready {
            self.dispatch.leave(old_lane, QueueKey::new(old, seq));
        }
        match due_at {
            None => self.dispatch.enter(lane, QueueKey::new(priority, seq)),
            Some(_) => self.wake_at(due_at),
        }
    }
}
