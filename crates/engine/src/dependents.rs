//! Those who wait for a task to end.
//!
//! # Promises
//! - What has ended reaches those who wait for it in the same commit, as far as a portion goes; for
//!   the rest a timer stands from that commit on, so that any process carries on (I-12).
//! - A task that has become unblocked keeps its place in the queue (I-7), or waits for its start
//!   time; one whose dependency failed ends as aborted, and reaches those who wait for it in turn.
//! - Where no task is blocked or paused, nobody looks for dependents.
//! - A task that ends and is opened again in one turn has not ended for those who wait for it.
//!
//! # Left to others
//! Whether a dependency is met is decided by [`tasker_core::standing`].
//!
//! Proof: `proof/tests/engine/dependencies.rs`, `conformance::interplay`, `proof/tests/random`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::dependency::{Dependencies, Dependency};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{Seq, TaskId};
use tasker_core::queue::QueueKey;
use tasker_core::standing::{self, Standing};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change, ReadTransaction, Wait};
use tasker_core::task::{NewTask, TaskEnd};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use crate::draft::{Addition, Depends, EndedTask, Planner, TaskNews};

/// How many dependents one turn reaches.
const PORTION: usize = 1_024;
/// How many of one task it reaches at least, however many have ended.
const SHARE_MIN: usize = 16;

/// The ended tasks that are looked at together, by number.
type Ended = BTreeMap<Seq, EndedTask>;

impl Planner<'_> {
    /// Whether somebody may wait for a task.
    pub(crate) fn may_have_dependents(&self) -> bool {
        let counts = &self.draft.counts;
        counts.get(State::Blocked) + counts.get(State::Paused) > 0
            || !self.draft.new_waits.is_empty()
    }

    /// A task that has ended holds its dependencies no more.
    pub(crate) fn let_go(&mut self, seq: Seq, has_dependencies: bool) {
        if has_dependencies {
            self.facts.blocked.remove(&seq);
            self.draft.changes.push(Change::LetGo { seq });
        }
    }

    /// Whether all that a new task depends on is there.
    pub(crate) fn check_dependencies(&self, def: &NewTask) -> Result<()> {
        let Some(all) = &def.options.depends_on else { return Ok(()) };
        let is_there = |id: &TaskId| {
            let known = self.facts.states.get(&self.ids.key().seq_of(*id));
            known.is_some_and(|(known, _)| known == id)
        };
        for (index, one) in all.on.iter().enumerate() {
            if let Dependency::Task(id) = one
                && !is_there(id)
            {
                let path = format!("dependsOn{}", all.path(index));
                let text = format!("there is no task {}, or not any more", id.0);
                return Err(Error::at(Code::NotFound, path, text));
            }
        }
        Ok(())
    }

    /// What a new task depends on, by numbers; its definition names all of them by uuid after that.
    pub(crate) fn depend(
        &mut self,
        seq: Seq,
        def: &mut NewTask,
        earlier: &[TaskId],
    ) -> Option<Depends> {
        let Dependencies { on, on_failure, .. } = &**def.options.depends_on.as_ref()?;
        let on_failure = *on_failure;
        let id = |one: &Dependency| match one {
            Dependency::Task(id) => Some(*id),
            Dependency::Earlier(n) => earlier.get(*n).copied(),
        };
        let ids: Vec<TaskId> = on.iter().filter_map(id).collect();
        debug_assert_eq!(ids.len(), on.len(), "a number names no earlier definition");
        let seqs = ids.iter().map(|id| self.ids.key().seq_of(*id));
        let known: Vec<(Seq, State)> = seqs.map(|seq| (seq, self.state_of(seq))).collect();
        let orphaned = match standing::standing(on_failure, known.iter().map(|one| one.1)) {
            Standing::Met | Standing::Open => None,
            Standing::Orphaned(at) => Some(standing::orphaned(ids[at], known[at].1)),
        };
        let on = ids.into_iter().map(Dependency::Task).collect();
        def.options.depends_on = Some(Arc::new(Dependencies { on, on_failure, is_list: false }));
        let is_met = |state| standing::is_met(state, on_failure) == Some(true);
        let mut on: Vec<_> = known.into_iter().map(|(seq, state)| (seq, is_met(state))).collect();
        on.sort_unstable();
        on.dedup();
        if orphaned.is_none() {
            self.draft.needed.extend(on.iter().map(|(dependency, _)| *dependency));
            for (dependency, _) in on.iter().filter(|(_, is_met)| !is_met) {
                self.draft.new_waits.entry(*dependency).or_default().push(seq);
            }
        }
        Some(Depends { on, on_failure, orphaned })
    }

    /// Whether a new task ends as it comes; `earlier` are the states of those of its call that
    /// stand before it.
    pub(crate) fn is_orphan(&self, def: &NewTask, earlier: &[State]) -> bool {
        let Some(all) = def.options.depends_on.as_deref() else { return false };
        let states = all.on.iter().filter_map(|one| match one {
            Dependency::Earlier(n) => earlier.get(*n).copied(),
            Dependency::Task(id) => {
                let seq = self.ids.key().seq_of(*id);
                // The call of one that is not there is refused.
                let is_known = self.facts.states.contains_key(&seq) || self.addition(seq).is_some();
                is_known.then(|| self.state_of(seq))
            }
        });
        matches!(standing::standing(all.on_failure, states), Standing::Orphaned(_))
    }

    /// The state of a task that another one depends on, as far as this turn is drafted.
    pub(crate) fn state_of(&self, seq: Seq) -> State {
        if let Some(add) = self.addition(seq) {
            return add.state();
        }
        if self.draft.ended.contains_key(&seq) {
            // Whether it stays so is known when the turn has heard all calls.
            return State::Running;
        }
        // One that has the key of an earlier definition is known in brief.
        let in_brief = || self.facts.briefs.get(&seq).map(|brief| brief.state);
        let known = self.facts.states.get(&seq).map(|(_, state)| *state).or_else(in_brief);
        debug_assert!(known.is_some(), "task {} is not there, and was not missed", seq.0);
        known.unwrap_or(State::Aborted)
    }

    pub(crate) fn addition(&self, seq: Seq) -> Option<&Addition> {
        let index = seq.0.checked_sub(self.memory.seq_next.0)?;
        self.draft.adds.get(index as usize)
    }

    /// Writes what the new task at this place depends on, or that it has ended as it came.
    pub(crate) fn write_dependencies(&mut self, at: usize) {
        let Addition { lane, ref task, depends: Some(ref depends), .. } = self.draft.adds[at]
        else {
            return;
        };
        let (seq, id, priority) = (task.seq, task.id, task.def.priority);
        let retention = task.def.options.retention.clone();
        let Some(abort) = depends.orphaned.clone() else {
            let dependencies = depends.on.as_slice().into();
            self.draft.changes.push(Change::DependOn { seq, dependencies });
            return;
        };
        let outcome = TaskEnd::Aborted(abort.cause, abort.reason);
        self.draft.task_news.push(TaskNews::Ended(id, outcome.clone()));
        let at = self.now.wall;
        if let Some(retention) = retention {
            self.retain(&retention, (seq, lane), State::Aborted, at);
        }
        let end = Change::End { seq, lane, priority, run: None, outcome, at };
        self.transition(Some(State::Blocked), end);
    }

    /// A turn before this one has not come to all who wait for this task. If it runs again by now,
    /// they wait for its new end.
    pub(crate) fn go_on_with(&mut self, seq: Seq) {
        let brief = self.facts.briefs.get(&seq).filter(|brief| brief.state.is_final());
        if let Some(&Brief { lane, state, .. }) = brief {
            self.draft.ended.insert(seq, EndedTask { lane, state });
        }
    }

    /// Unblocks or ends those who wait for what has ended in this turn, and those who wait for
    /// these. Stands behind all that may end a task.
    pub(crate) fn reach_dependents(&mut self, transaction: &mut dyn ReadTransaction) -> Result<()> {
        let (mut left, mut met) = (PORTION, FxHashMap::default());
        while !self.draft.ended.is_empty() {
            let mut ended = std::mem::take(&mut self.draft.ended);
            self.reach_new(&ended);
            // What is new has no dependents that are stored.
            ended.retain(|seq, _| *seq < self.memory.seq_next);
            if ended.is_empty() {
                continue;
            }
            let seqs: Vec<Seq> = ended.keys().copied().collect();
            let each_max = (left / seqs.len()).clamp(SHARE_MIN, PORTION);
            let max = left;
            let waits =
                if max == 0 { Vec::new() } else { transaction.dependents(&seqs, each_max, max)? };
            left -= waits.len();
            self.leave_to_others(&ended, &waits, (each_max, max));
            self.reach(transaction, &ended, &waits, &mut met)?;
        }
        Ok(())
    }

    /// A timer stands for each ended task whose dependents this turn has not come to, or not to
    /// all. It is due at once, whatever the clocks of those who find it say.
    fn leave_to_others(&mut self, ended: &Ended, waits: &[Wait], (each_max, max): (usize, usize)) {
        let mut counts: FxHashMap<Seq, usize> = FxHashMap::default();
        waits.iter().for_each(|wait| *counts.entry(wait.dependency).or_default() += 1);
        let last = waits.last().filter(|_| waits.len() == max).map(|wait| wait.dependency);
        for (seq, task) in ended {
            let is_cut = max == 0 || last.is_some_and(|last| *seq >= last);
            if is_cut || counts.get(seq) == Some(&each_max) {
                let timer = Timer { at: WallMs::FIRST, kind: TimerKind::Unblock, seq: *seq };
                self.wake_at(Some(timer.at));
                self.draft.changes.push(Change::Timer { timer, lane: task.lane });
            }
        }
    }

    fn reach(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        ended: &Ended,
        waits: &[Wait],
        met: &mut FxHashMap<Seq, usize>,
    ) -> Result<()> {
        let ids = self.read_dependents(transaction, ended, waits)?;
        let mut asked: Vec<(Seq, usize)> = Vec::new();
        for of_one in waits.chunk_by(|one, next| one.dependency == next.dependency) {
            let (Some(first), Some(last)) = (of_one.first(), of_one.last()) else { continue };
            let dependency = first.dependency;
            let Some(EndedTask { state, .. }) = ended.get(&dependency) else { continue };
            let before = asked.len();
            for Wait { dependent, .. } in of_one {
                let brief = self.facts.briefs.get(dependent).cloned();
                let waits = |brief: &Brief| matches!(brief.state, State::Blocked | State::Paused);
                // It may have ended in this very turn.
                let Some(brief) = brief.filter(waits) else { continue };
                // Or it depends on nothing any more.
                let Some(on_failure) = brief.on_failure else { continue };
                if standing::is_met(*state, on_failure).is_some() {
                    let count = met.entry(*dependent).or_default();
                    *count += 1;
                    asked.push((*dependent, *count));
                } else if let Some(id) = ids.get(&dependency) {
                    self.withdraw(*dependent, &brief, standing::orphaned(*id, *state));
                }
            }
            if asked.len() > before {
                let dependents = first.dependent..=last.dependent;
                self.draft.changes.push(Change::Met { dependency, dependents });
            }
        }
        self.unblock(transaction, asked)
    }

    /// Reads what is not known of those who wait, and the uuids of what did not end as done.
    fn read_dependents(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        ended: &Ended,
        waits: &[Wait],
    ) -> Result<FxHashMap<Seq, TaskId>> {
        let is_new = |seq: &Seq| !self.facts.briefs.contains_key(seq);
        let mut unknown: Vec<Seq> =
            waits.iter().map(|wait| wait.dependent).filter(is_new).collect();
        unknown.sort_unstable();
        unknown.dedup();
        let briefs = transaction.briefs(&unknown)?;
        debug_assert!(briefs.iter().all(Option::is_some), "a wait belongs to no task");
        let known = unknown.into_iter().zip(briefs);
        self.facts.briefs.extend(known.filter_map(|(seq, brief)| Some((seq, brief?))));

        let mut failed: Vec<Seq> = waits.iter().map(|wait| wait.dependency).collect();
        failed.dedup();
        failed.retain(|seq| ended.get(seq).is_some_and(|task| task.state != State::Done));
        let states = transaction.states(&failed)?;
        let ids = failed.into_iter().zip(states);
        Ok(ids.filter_map(|(seq, state)| Some((seq, state?.0))).collect())
    }

    /// Of these, each with how many of its dependencies this turn has met, those that wait for
    /// nothing else are blocked no more.
    fn unblock(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        mut asked: Vec<(Seq, usize)>,
    ) -> Result<()> {
        // The last count of each is that of all.
        asked.sort_unstable();
        asked.reverse();
        asked.dedup_by_key(|(seq, _)| *seq);
        asked.reverse();
        let bounds: Vec<(Seq, usize)> = asked.iter().map(|(seq, met)| (*seq, met + 1)).collect();
        let open = transaction.open_dependencies(&bounds)?;
        debug_assert_eq!(open.len(), bounds.len(), "a lookup gives one answer for each item");
        for ((seq, met), open) in asked.into_iter().zip(open) {
            debug_assert!(open >= met, "more was met than task {} waits for", seq.0);
            let brief = self.facts.briefs.get(&seq).cloned();
            let Some(brief) = brief.filter(|_| open <= met) else { continue };
            if brief.state == State::Paused {
                self.begin_paused_queue_timeout(seq, &brief);
            }
            if brief.state != State::Blocked {
                continue;
            }
            let (lane, priority) = (brief.lane, brief.priority);
            let due_at = brief.run_at.filter(|at| *at > self.now.wall);
            self.wake_at(due_at);
            let change = match due_at {
                None => Change::Unblock { seq, lane, priority },
                Some(due_at) => Change::Delay { seq, lane, priority, due_at },
            };
            self.transition(Some(State::Blocked), change);
            if let Some(timeout) = brief.queue_timeout {
                let since = due_at.unwrap_or(self.now.wall);
                let state = if due_at.is_some() { State::Delayed } else { State::Ready };
                self.set_queue_timeout((seq, state), lane, Some(timeout.end(since)));
            }
        }
        Ok(())
    }

    /// The last dependency of a paused task is met: the time that it may wait is whole when it is
    /// put back, as if it had been met when the pause began.
    fn begin_paused_queue_timeout(&mut self, seq: Seq, brief: &Brief) {
        let Some(timeout) = brief.queue_timeout.filter(|_| !brief.has_started) else { return };
        let Some(paused_at) = brief.paused_at else { return };
        let since = brief.run_at.map_or(paused_at, |run_at| run_at.max(paused_at));
        self.set_queue_timeout((seq, State::Paused), brief.lane, Some(timeout.end(since)));
    }

    /// What this turn adds and what waits for a task that ends in it.
    fn reach_new(&mut self, ended: &Ended) {
        for (dependency, task) in ended {
            for seq in self.draft.new_waits.remove(dependency).unwrap_or_default() {
                self.reach_addition(*dependency, task.state, seq);
            }
        }
    }

    fn reach_addition(&mut self, dependency: Seq, state: State, seq: Seq) {
        let (key, now) = (self.ids.key(), self.now.wall);
        let index = (seq.0 - self.memory.seq_next.0) as usize;
        let Some(Addition { lane, task, due_at, depends: Some(depends), .. }) =
            self.draft.adds.get_mut(index)
        else {
            return;
        };
        if depends.orphaned.is_some() {
            return;
        }
        let lane = *lane;
        if standing::is_met(state, depends.on_failure).is_none() {
            let all = task.def.options.depends_on.as_ref();
            let id = all.and_then(|all| all.tasks().find(|id| key.seq_of(*id) == dependency));
            depends.orphaned = id.map(|id| standing::orphaned(id, state));
            self.draft.ended.insert(seq, EndedTask { lane, state: State::Aborted });
            return;
        }
        let is_it = |one: &&mut (Seq, bool)| one.0 == dependency;
        depends.on.iter_mut().find(is_it).into_iter().for_each(|one| one.1 = true);
        if depends.is_blocked() {
            return;
        }
        *due_at = task.def.options.run_at().filter(|at| *at > now);
        task.def.options.begin_queue_timeout(due_at.unwrap_or(now));
        match *due_at {
            None => self.dispatch.enter(lane, QueueKey::new(task.def.priority, seq)),
            Some(at) => self.wake_at(Some(at)),
        }
    }
}
