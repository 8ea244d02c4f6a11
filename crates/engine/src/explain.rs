//! Answers to questions about what waits: why it does not run.
//!
//! A question is answered when its turn is over, from a transaction that only reads: memory then
//! mirrors that very transaction, so all facts are of one moment. Nobody waits for it, and a turn
//! without a question pays nothing.
//!
//! # Promises
//! - A task that has no obstacle starts in the next turn of a process that has a runner and a place
//!   for it, and one that has an obstacle does not.
//! - How much is read is bounded, whatever the length of the queue.
//!
//! # Left to others
//! The words and the facts of each obstacle: `core::explanation`. What memory knows of the queue:
//! `core::dispatch`.
//!
//! Proof: `proof/tests/engine/explaining.rs`, `proof/tests/random`.

use std::sync::Arc;

use tasker_core::condition::{Condition, Conditions, Scope};
use tasker_core::dispatch::{Ahead, OperationFacts, Standing};
use tasker_core::error::{Code, Error, Result};
use tasker_core::explanation::{
    AHEAD_MAX, EndFacts, Explanation, Obstacle, StartTimeCause, TASKS_NAMED_MAX, reasons_json,
};
use tasker_core::id::{IdKey, OperationId, OwnerId, Seq, TaskId};
use tasker_core::json::write_string;
use tasker_core::limits::DEPENDENCIES_MAX;
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::{
    Background, Brief, Lane, OutsideRun, PauseWish, QueuePart, ReadTransaction, ReadyTask,
    WindowQuery,
};
use tasker_core::time::{MonoMs, Now, WallMs};

mod gates;
mod gauges;

use crate::effect::Answer;
use crate::holds;
use crate::input::Question;
use crate::memory::{Freshness, Memory};
use crate::runs::{self, Document};
use crate::starts;

/// For how long it is said that the store has refused a commit.
const REFUSED_FOR_MS: u64 = 10_000;

/// How many tasks that conditions hold back are counted for an operation.
const HELD_MAX: usize = 100_000;

/// How many tasks are looked at for holds that stand ahead of one in a lane, and how many at once.
const LOOKED_AT_MAX: usize = 4_096;
const LOOKED_AT_ONCE: usize = 256;

/// What answers are made from.
pub(crate) struct Facts<'a> {
    transaction: &'a mut dyn ReadTransaction,
    memory: &'a mut Memory,
    key: IdKey,
    now: WallMs,
    /// The same moment by the clock of waits.
    mono: MonoMs,
    /// What conditions look at of the live runs, once that was needed.
    runs: Option<Vec<Document>>,
}

impl<'a> Facts<'a> {
    /// Of what `memory` mirrors in this transaction.
    pub(crate) fn new(
        transaction: &'a mut dyn ReadTransaction,
        memory: &'a mut Memory,
        (key, now): (IdKey, Now),
    ) -> Self {
        Self { transaction, memory, key, now: now.wall, mono: now.mono, runs: None }
    }

    /// The answer, which is JSON but for that of figures.
    pub(crate) fn answer(&mut self, question: &Question) -> Result<Answer> {
        Ok(Answer::Json(match question {
            Question::Task(id) => self.task(*id)?.to_json(),
            Question::Operation(name) => self.operation(name)?,
            Question::Holds => self.memory.holds.to_json(self.now),
            Question::Figures => return Ok(Answer::Figures(Box::new(self.figures()?))),
            Question::Metrics { format, operations_max } => {
                self.metrics(*format, *operations_max)?
            }
            Question::Refused => self.refused(),
            Question::Unserved { names, of_all } => self.unserved(names, *of_all)?,
        }))
    }

    /// A code, or null. Whoever has nothing to write learns of no better day: it is forgotten.
    fn refused(&self) -> String {
        let refused = self.memory.refused;
        let recent = refused.filter(|(at, _)| self.mono < at.plus(REFUSED_FOR_MS));
        recent.map_or_else(|| "null".to_owned(), |(_, code)| format!("\"{}\"", code.as_str()))
    }

    fn task(&mut self, id: TaskId) -> Result<Explanation> {
        let seq = self.key.seq_of(id);
        let brief = self.transaction.briefs(&[seq])?.pop().flatten();
        let brief = brief
            .filter(|brief| brief.id == id)
            .ok_or_else(|| Error::new(Code::NotFound, format!("there is no task {}", id.0)))?;
        let background = self.transaction.backgrounds(&[seq], TASKS_NAMED_MAX)?.pop().flatten();
        let background = background.unwrap_or_default();
        let wish = match brief.run {
            Some(run) => self.transaction.pause_wishes(&[(seq, run)])?.pop().flatten(),
            None => None,
        };
        let operation = self.memory.dispatch.operation_name(brief.lane.operation());
        debug_assert!(operation.is_some(), "nothing is known of the operation of {:?}", brief.lane);
        let end = brief.outcome.as_ref().zip(background.ended_at);
        let end = end.map(|(outcome, at)| EndFacts::of(outcome, at));
        Ok(Explanation {
            id,
            operation: operation.cloned().unwrap_or_default(),
            state: brief.state,
            has_run: brief.run.is_some() && brief.state != State::Claimed,
            is_pausing: brief.state == State::Running && wish == Some(PauseWish::Halt),
            obstacles: self.obstacles((seq, &brief), background, wish)?,
            lease: self.lease_of(seq, &brief)?,
            end,
        })
    }

    /// Until when the executor must be heard of that runs a task, and who that is.
    fn lease_of(&mut self, seq: Seq, brief: &Brief) -> Result<Option<(WallMs, Option<Arc<str>>)>> {
        if !brief.is_outside || brief.state != State::Running {
            return Ok(None);
        }
        let run = self.transaction.outside_runs(&[seq])?.pop().flatten();
        Ok(run.map(|run| (run.lease.until, run.lease.executor)))
    }

    /// Who has taken a task and has not begun, and until when it must.
    fn of_claim(&mut self, seq: Seq) -> Result<Vec<Obstacle>> {
        let run = self.transaction.outside_runs(&[seq])?.pop().flatten();
        let claim = run.map(|OutsideRun { lease, .. }| Obstacle::Claimed {
            until: lease.until,
            by: lease.executor,
        });
        Ok(claim.into_iter().collect())
    }

    /// All that hold a task back, in the order of the list of reasons.
    fn obstacles(
        &mut self,
        (seq, brief): (Seq, &Brief),
        background: Background,
        wish: Option<PauseWish>,
    ) -> Result<Vec<Obstacle>> {
        let mut obstacles = match brief.state {
            State::Running | State::Done | State::Failed | State::Aborted => Vec::new(),
            State::Claimed => self.of_claim(seq)?,
            State::Paused if brief.run.is_some() => self.of_halted(seq, wish),
            State::Blocked | State::Delayed | State::Paused | State::Ready => {
                let holds = self.holds_of(seq, brief)?;
                let mut own = self.of_state((seq, brief), background, !holds.is_empty())?;
                own.extend(holds);
                let of = (brief.lane.operation(), brief.lane.attached_to());
                own.extend(self.of_conditions(seq, brief)?);
                own.extend(self.of_operation(of)?);
                own.extend(self.of_gates(seq, brief)?);
                own.extend(self.order(of, QueueKey::new(brief.priority, seq))?);
                own
            }
        };
        obstacles.sort_by_key(Obstacle::reason);
        Ok(obstacles)
    }

    /// What keeps a run that has halted from going on. Of the places of another process nothing is
    /// known here.
    fn of_halted(&self, seq: Seq, wish: Option<PauseWish>) -> Vec<Obstacle> {
        if wish != Some(PauseWish::GoOn) {
            return vec![Obstacle::PausedTask { since: None }];
        }
        let is_ours = self.memory.live.of_task(seq).is_some();
        self.place().filter(|_| is_ours).into_iter().collect()
    }

    /// What the task itself waits for.
    fn of_state(
        &mut self,
        (seq, brief): (Seq, &Brief),
        background: Background,
        is_held: bool,
    ) -> Result<Vec<Obstacle>> {
        let mut obstacles = Vec::new();
        // A hold that matches it still says until when by itself.
        let until = start_time(brief, self.now).filter(|_| !(brief.is_held && is_held));
        if let Some(until) = until {
            let own = StartTimeCause::of(background.last_end);
            let cause = if brief.is_held { StartTimeCause::Hold } else { own };
            obstacles.push(Obstacle::StartTime { until, cause });
        }
        if brief.on_failure.is_some() {
            let asked = [(seq, DEPENDENCIES_MAX)];
            let count = self.transaction.open_dependencies(&asked)?.pop().unwrap_or(0);
            if count > 0 {
                obstacles.push(Obstacle::Dependency { count, open: background.open });
            }
        }
        if brief.state == State::Paused {
            obstacles.push(Obstacle::PausedTask { since: brief.paused_at });
        }
        Ok(obstacles)
    }

    /// Each of the holds that match it.
    fn holds_of(&mut self, seq: Seq, brief: &Brief) -> Result<Vec<Obstacle>> {
        if self.memory.holds.live(self.now).next().is_none() {
            return Ok(Vec::new());
        }
        let Some(task) = self.contents_of(seq, brief)? else { return Ok(Vec::new()) };
        let matching = holds::matching(self.memory.holds.live(self.now), &task.def)?;
        Ok(matching.into_iter().map(|hold| Obstacle::Hold(Box::new(hold.clone()))).collect())
    }

    fn contents_of(&mut self, seq: Seq, brief: &Brief) -> Result<Option<ReadyTask>> {
        let operation = self.memory.dispatch.operation_name(brief.lane.operation());
        let asked = [(seq, operation.cloned().unwrap_or_default())];
        Ok(self.transaction.contents(&asked, usize::MAX)?.pop().flatten())
    }

    /// Each of its conditions that does not hold, in its place.
    fn of_conditions(&mut self, seq: Seq, brief: &Brief) -> Result<Vec<Obstacle>> {
        if !brief.lane.has_conditions() {
            return Ok(Vec::new());
        }
        let Some(task) = self.contents_of(seq, brief)? else { return Ok(Vec::new()) };
        let mut obstacles = Vec::new();
        let conditions = task.def.conditions();
        conditions.check()?;
        let key = QueueKey::new(brief.priority, seq);
        for (index, condition) in conditions.iter().enumerate() {
            let (matching, is_capped) = match condition.scope {
                Scope::Running => (self.matching(condition)?, false),
                Scope::BeforeQueued => {
                    let (ahead, bar) = self.ahead_of(conditions, index, key)?;
                    let is_held = condition.never_holds() || bar.is_some_and(|bar| bar < key);
                    if !is_held {
                        continue;
                    }
                    let is_capped = ahead.len() > AHEAD_MAX;
                    (ahead.into_iter().take(AHEAD_MAX).collect(), is_capped)
                }
            };
            if !is_capped && condition.holds(matching.len() as u64) {
                continue;
            }
            let named = &matching[..matching.len().min(TASKS_NAMED_MAX)];
            let tasks = self.transaction.briefs(named)?;
            // A run began after the task was added.
            let tasks = tasks.into_iter().flatten().map(|task| (task.id, task.latest_at));
            let (condition, count) = (condition.to_string().into(), matching.len());
            let tasks = tasks.collect();
            obstacles.push(Obstacle::Condition { condition, count, is_capped, tasks });
        }
        Ok(obstacles)
    }

    /// The first ready tasks ahead of a position that one of these conditions counts, some more
    /// than are told; and the last position that it allows, if there is one before that one.
    fn ahead_of(
        &mut self,
        conditions: &Conditions,
        index: usize,
        key: QueueKey,
    ) -> Result<(Vec<Seq>, Option<QueueKey>)> {
        let Some(watch) = self.memory.dispatch.watch(conditions, index) else {
            return Ok((Vec::new(), None));
        };
        let mut seen = Ok(true);
        while matches!(seen, Ok(true))
            && let Some(missing) = self.memory.dispatch.look_ahead(&watch, key)
        {
            seen = starts::look(&mut self.memory.dispatch, self.transaction, missing);
        }
        let dispatch = &mut self.memory.dispatch;
        let counted = dispatch.counted_ahead(&watch, key, AHEAD_MAX + 1);
        let bar = dispatch.bar(&watch);
        dispatch.unwatch(&watch);
        if !seen? {
            // The next turn reads it anew.
            self.memory.freshness = Freshness::Wrong;
        }
        Ok((counted, bar))
    }

    /// The live runs that a condition counts, by number, whoever runs them.
    fn matching(&mut self, condition: &Condition) -> Result<Vec<Seq>> {
        let runs = match self.runs.take() {
            Some(runs) => runs,
            None => runs::of_all(self.transaction, &self.memory.dispatch)?,
        };
        let matching = runs.iter().filter(|(_, document)| condition.matches(document));
        let matching = matching.map(|(seq, _)| *seq).collect();
        self.runs = Some(runs);
        Ok(matching)
    }

    /// The position before which no task of a lane is held back by conditions, of those before this
    /// one; nothing if all of them are.
    fn free_before(&mut self, part: Ahead, key: QueueKey) -> Result<Option<QueueKey>> {
        match part.standing {
            Standing::Free if !part.looks_ahead => return Ok(Some(key)),
            Standing::Held => return Ok(None),
            Standing::Free | Standing::Unknown => {}
        }
        let Some(task) = self.first_of(part)? else { return Ok(Some(key)) };
        let (conditions, first) =
            (task.def.conditions(), QueueKey::new(task.def.priority, task.seq));
        conditions.check()?;
        let mut to = key;
        for (index, condition) in conditions.iter().enumerate() {
            let holds = match condition.scope {
                Scope::Running => condition.holds(self.matching(condition)?.len() as u64),
                Scope::BeforeQueued => {
                    let (_, bar) = self.ahead_of(conditions, index, key)?;
                    to = bar.map_or(to, |bar| to.min(bar.after()));
                    !condition.never_holds() && first < to
                }
            };
            if !holds {
                return Ok(None);
            }
        }
        Ok(Some(to))
    }

    /// What holds all tasks of an operation back.
    fn of_operation(&mut self, of: (OperationId, Option<OwnerId>)) -> Result<Vec<Obstacle>> {
        let Some(facts) = self.facts(of) else { return Ok(Vec::new()) };
        let (id, _) = of;
        let mut obstacles = Vec::new();
        obstacles.extend(facts.paused_at.map(|since| Obstacle::PausedOperation { since }));
        if facts.is_outside && !facts.has_taker {
            let name = self.memory.dispatch.operation_name(id);
            let last_poll_at = name.and_then(|name| self.memory.polls.last_at(name));
            obstacles.push(Obstacle::Executor { last_poll_at });
        }
        if !facts.is_outside && !facts.is_offered_here && !facts.is_offered_elsewhere {
            obstacles.push(Obstacle::NoRunner);
        }
        if let Some(limit) = facts.limit.filter(|_| facts.left() == 0) {
            let runs = self.transaction.runs_of(&[id], TASKS_NAMED_MAX)?.pop();
            let (running, runs) = (facts.running, runs.unwrap_or_default());
            obstacles.push(Obstacle::Limit { limit, running, runs });
        }
        if is_only_ours(&facts) {
            obstacles.extend(self.batch(id));
            obstacles.extend(self.place());
        }
        let threads = facts.threads.filter(|_| is_only_ours(&facts) && facts.threads_left() == 0);
        let running = facts.running_here;
        obstacles.extend(threads.map(|limit| Obstacle::Threads { limit, running }));
        Ok(obstacles)
    }

    /// Its tasks wait for others that join their batch.
    fn batch(&self, id: OperationId) -> Option<Obstacle> {
        let Memory { batches, dispatch, .. } = &*self.memory;
        let batching = batches.of(dispatch.operation_name(id)?)?;
        let (waiting, until) = batches.waiting(id, batching)?;
        let starts_at = self.now.plus(until.0.saturating_sub(self.mono.0));
        Some(Obstacle::Batch { waiting, max: batching.max, starts_at })
    }

    /// What is known of an operation, for tasks that are attached to this owner if one is named:
    /// nobody else starts those.
    fn facts(&self, (id, owner): (OperationId, Option<OwnerId>)) -> Option<OperationFacts> {
        let dispatch = &self.memory.dispatch;
        let facts = dispatch.facts(id)?;
        let Some(owner) = owner else { return Some(facts) };
        if owner == self.memory.owner {
            return Some(OperationFacts { is_offered_elsewhere: false, ..facts });
        }
        let offers = self.memory.remote_offers.get(&owner);
        let name = dispatch.operation_name(id)?;
        let is_offered_elsewhere = offers.is_some_and(|offers| offers.contains(name));
        Some(OperationFacts { is_offered_here: false, is_offered_elsewhere, ..facts })
    }

    fn place(&self) -> Option<Obstacle> {
        let dispatch = &self.memory.dispatch;
        let (limit, running) = (dispatch.limit(), dispatch.running());
        (running >= limit).then_some(Obstacle::Place { limit, running })
    }

    /// What comes first: as many of its operation as that may start, or as many of all that start
    /// here as this process has places for.
    fn order(
        &mut self,
        of: (OperationId, Option<OwnerId>),
        key: QueueKey,
    ) -> Result<Option<Obstacle>> {
        let (id, _) = of;
        let Some(facts) = self.facts(of) else { return Ok(None) };
        let let_start = self.let_start(id)?;
        let facts = OperationFacts { let_start, ..facts };
        let (left, limit) = (facts.left(), facts.limit);
        let dispatch = &self.memory.dispatch;
        let free = dispatch.limit().saturating_sub(dispatch.running()) as usize;
        let enough = free.max(1);
        // A batch takes one place, and lets in who stands behind its first task.
        let batch = dispatch.batch_max(id) as usize;
        let counted_max = (AHEAD_MAX + 1).max(limit.map_or(0, |_| left));
        let counted_max = counted_max.max(enough.saturating_mul(batch));
        let own = self.ahead(id, key, counted_max)?;
        let by_limit = limit.is_some() && own >= left.max(1);
        let by_threads = is_only_ours(&facts) && own >= facts.threads_left().max(1);
        let (mut first, mut others) = (own.min(facts.may_start()) / batch, 0);
        if is_only_ours(&facts) {
            for rival in self.memory.dispatch.rivals(id, key) {
                if first >= counted_max {
                    break;
                }
                if self.batch(rival).is_some() {
                    continue;
                }
                let let_start = self.let_start(rival)?;
                let facts = self.memory.dispatch.facts(rival);
                let facts = facts.map(|facts| OperationFacts { let_start, ..facts });
                let left = facts.map_or(0, |facts| facts.may_start());
                let more = self.ahead(rival, key, left.min(counted_max - first))?;
                let batch = self.memory.dispatch.batch_max(rival) as usize;
                (first, others) = (first + more.div_ceil(batch), others + more);
            }
        }
        let by_place = is_only_ours(&facts) && first >= enough;
        let ahead = own + others;
        let is_capped = ahead > AHEAD_MAX;
        let order = Obstacle::Order { ahead: ahead.min(AHEAD_MAX), is_capped };
        Ok((by_limit || by_place || by_threads).then_some(order))
    }

    /// How many ready tasks of an operation stand ahead of a position; no more than so many. What
    /// conditions hold back lets others pass, and so does what the gates of its value do.
    fn ahead(&mut self, id: OperationId, key: QueueKey, max: usize) -> Result<usize> {
        if self.memory.dispatch.has_gate_keys(id) {
            let mut count = 0;
            for (value, ahead) in self.ahead_by_value(id, key, max)? {
                count += ahead.min(self.let_start_of(&(id, value))? as usize);
            }
            return Ok(count.min(max));
        }
        let parts: Vec<Ahead> = self.memory.dispatch.ahead(id, key).collect();
        let mut count = 0;
        for part in parts {
            if count >= max {
                break;
            }
            let Some(to) = self.free_before(part, key)? else { continue };
            let part = self.memory.dispatch.of_lane_ahead(part.lane, to);
            if let Some(part) = part {
                count += self.count(part, to, max - count)?;
            }
        }
        Ok(count)
    }

    /// How many tasks of a lane stand ahead of a position; no more than so many.
    fn count(&mut self, part: Ahead, key: QueueKey, max: usize) -> Result<usize> {
        if self.memory.holds.live(self.now).next().is_some() {
            return self.count_unheld(part, key, max);
        }
        let known = part.known.min(max);
        let Some(from) = part.rest.filter(|_| known < max) else { return Ok(known) };
        let part = QueuePart { lane: part.lane, from, to: key };
        let more = self.transaction.count_queued(&[part], max - known)?.pop().unwrap_or(0);
        Ok(known + more)
    }

    /// The same, without those that a hold takes out as they come up. Behind so many that were
    /// looked at all count.
    fn count_unheld(&mut self, part: Ahead, key: QueueKey, max: usize) -> Result<usize> {
        let operation = self.memory.dispatch.operation_name(part.lane.operation()).cloned();
        let lane = Lane { id: part.lane, operation: operation.unwrap_or_default() };
        let (mut from, mut count, mut looked) = (part.first, 0, 0);
        while count < max && looked < LOOKED_AT_MAX {
            let query = WindowQuery { lane: lane.clone(), from, tasks_max: LOOKED_AT_ONCE };
            let Some(window) = self.transaction.windows(&[query], usize::MAX)?.pop() else { break };
            let place = |task: &ReadyTask| QueueKey::new(task.def.priority, task.seq);
            let ahead = window.tasks.iter().take_while(|task| place(task) < key);
            for task in ahead.clone() {
                let holds = self.memory.holds.live(self.now);
                count += usize::from(holds::matching(holds, &task.def)?.is_empty());
            }
            looked += window.tasks.len();
            match window.tasks.last() {
                Some(last) if !window.is_complete && place(last) < key => {
                    from = place(last).after();
                }
                Some(_) | None => return Ok(count.min(max)),
            }
        }
        if count >= max {
            return Ok(max);
        }
        let rest = QueuePart { lane: part.lane, from, to: key };
        let more = self.transaction.count_queued(&[rest], max - count)?.pop().unwrap_or(0);
        Ok(count + more)
    }

    /// The first task of a part of a lane.
    fn first_of(&mut self, part: Ahead) -> Result<Option<ReadyTask>> {
        let operation = self.memory.dispatch.operation_name(part.lane.operation()).cloned();
        let lane = Lane { id: part.lane, operation: operation.unwrap_or_default() };
        let query = WindowQuery { lane, from: part.first, tasks_max: 1 };
        let window = self.transaction.windows(&[query], usize::MAX)?.pop();
        Ok(window.and_then(|window| window.tasks.into_iter().next()))
    }

    /// What holds the ready tasks of an operation back, and how many of them conditions do, and how
    /// many the gates of their value do.
    fn operation(&mut self, name: &Arc<str>) -> Result<String> {
        let id = self.memory.dispatch.operation(name);
        let obstacles = match id {
            Some(id) => self.of_all(id)?,
            None if self.memory.dispatch.is_offered(name) => Vec::new(),
            None => vec![Obstacle::NoRunner],
        };
        let (rated, guarded) = match id {
            Some(id) => self.behind_gates(id)?,
            None => (0, 0),
        };
        let mut held = 0;
        let parts = id.into_iter().flat_map(|id| self.memory.dispatch.ahead(id, QueueKey::LAST));
        for part in parts.collect::<Vec<Ahead>>() {
            if held >= HELD_MAX {
                break;
            }
            let to = self.free_before(part, QueueKey::LAST)?.unwrap_or(QueueKey::FIRST);
            let all = self.count(part, QueueKey::LAST, HELD_MAX - held)?;
            let free = self.memory.dispatch.of_lane_ahead(part.lane, to);
            let free = free.map(|part| self.count(part, to, all)).transpose()?;
            held += all - free.unwrap_or(0);
        }
        let reasons = reasons_json(&obstacles, name);
        let by_value = format!(r#""rated":{rated},"guarded":{guarded}"#);
        Ok(format!(r#"{{"reasons":{reasons},"held":{held},{by_value}}}"#))
    }

    fn unserved(&mut self, names: &[Arc<str>], of_all: bool) -> Result<String> {
        let dispatch = &self.memory.dispatch;
        let is_unserved = |name: &Arc<str>| {
            !dispatch.is_offered(name)
                && dispatch.record(name).paused_at.is_none()
                && dispatch.executor_of(name).is_none()
        };
        let mut found: Vec<Arc<str>> =
            names.iter().filter(|name| is_unserved(name)).cloned().collect();
        let all = dispatch.waiting().filter(|(_, name)| of_all && is_unserved(name));
        let waiting: Vec<_> = all.map(|(id, name)| (id, name.clone())).collect();
        for (id, name) in waiting {
            let parts = self.memory.dispatch.ahead(id, QueueKey::LAST);
            for part in parts.collect::<Vec<Ahead>>() {
                if found.contains(&name) {
                    break;
                }
                if self.count(part, QueueKey::LAST, 1)? > 0 {
                    found.push(name.clone());
                }
            }
        }
        let texts = found.iter().map(|name| {
            let mut text = String::new();
            write_string(name, &mut text);
            text
        });
        Ok(format!("[{}]", texts.collect::<Vec<_>>().join(",")))
    }
}

/// Whether no other process may start its tasks, so that the places here decide.
fn is_only_ours(facts: &OperationFacts) -> bool {
    facts.is_offered_here && !facts.is_offered_elsewhere && !facts.is_outside
}

/// When a task may start at the earliest, if that lies ahead. What is left of a delay stands still
/// while the task is paused.
fn start_time(brief: &Brief, now: WallMs) -> Option<WallMs> {
    // What has become ready stays so, also if the clock is set back.
    let is_out = brief.state == State::Paused;
    let at = brief.run_at.filter(|_| brief.state != State::Ready && !(is_out && brief.is_held))?;
    match brief.paused_at.filter(|_| brief.has_delay) {
        Some(paused_at) => {
            let left = at.ms_since(paused_at);
            (left > 0).then(|| now.plus(left))
        }
        None => (at > now).then_some(at),
    }
}
