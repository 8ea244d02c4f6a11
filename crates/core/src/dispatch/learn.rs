//! Which conditions the tasks of a lane have.
//!
//! The number of a lane does not say it. A lane of this turn is told with them; one that memory
//! does not know is *learned* from its first task, when that comes up.
//!
//! # Promises
//! - Nothing starts behind a lane that is not learned, if its operation may start something (D7).
//!
//! Proof: `tests/dispatch_oracle.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::Dispatch;
use super::content::bytes_of;
use super::family::Place;
use super::lane::{Term, Terms};
use super::slot::{Head, LaneSlot, OperationSlot};
use super::undo::Step;
use crate::condition::{self, Conditions, Scope};
use crate::document;
use crate::error::{Code, Error, Result};
use crate::id::{LaneId, OperationId, Seq};
use crate::limits::{CONDITIONS_ALIKE_MAX, LANES_MAX};
use crate::query::Value;
use crate::queue::QueueKey;
use crate::rate::RateKey;
use crate::store::ReadyTask;
use crate::task::NewTask;

/// How many tasks are asked for at once.
const TASKS_ASKED_MAX: usize = 256;

/// What [`super::Progress::Tasks`] asks of a task.
#[derive(Debug)]
pub struct Known<'d> {
    /// Its definition.
    pub def: &'d NewTask,
    /// All that its start needs, if the store has it.
    pub stored: Option<&'d ReadyTask>,
}

impl Dispatch {
    /// How many lanes with ready tasks there are.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The lane of an operation whose tasks have these conditions, if there is one.
    /// If the rate limit of the operation is by value, they have this one too.
    pub fn lane_of(
        &self,
        operation: OperationId,
        conditions: &Conditions,
        key: Option<&RateKey>,
    ) -> Option<LaneId> {
        if conditions.is_none() && key.is_none() {
            return Some(LaneId::new(operation, 0));
        }
        let slot = self.operations.by_id(operation)?;
        self.lanes.with_conditions(slot, self.lane_hash(slot, conditions, key))
    }

    /// The number of what the tasks of a lane have in common.
    fn lane_hash(
        &self,
        slot: OperationSlot,
        conditions: &Conditions,
        key: Option<&RateKey>,
    ) -> u128 {
        match key {
            None => self.hashes.of(conditions.text()),
            Some(key) => {
                // A value at another path is another one.
                let from = self.operations.get(slot).record.lanes_from;
                self.hashes.of(&format!("{} {from} {key}", conditions.text()))
            }
        }
    }

    /// Whether memory has room for another lane with these conditions.
    ///
    /// # Errors
    /// `Limit` with the path `concurrency`.
    pub fn check_room(&self, conditions: &Conditions) -> Result<()> {
        let full = |message| Err(Error::at(Code::Limit, "concurrency", message));
        if self.lanes() >= LANES_MAX {
            return full(format!(
                "tasks with {LANES_MAX} different lists of conditions wait, and this is another one"
            ));
        }
        if self.crowd(conditions) > CONDITIONS_ALIKE_MAX {
            return full(format!(
                "tasks wait for {CONDITIONS_ALIKE_MAX} different conditions that ask for no value \
                 of their own, such as 'data.book': 'dune', and this is another one"
            ));
        }
        Ok(())
    }

    /// How many conditions at most a task would have to be asked for together, with those of these
    /// that nothing counts yet; none if there is no such.
    fn crowd(&self, conditions: &Conditions) -> usize {
        let mut new: BTreeMap<(Scope, Place), BTreeSet<u128>> = BTreeMap::new();
        for condition in conditions {
            let hash = self.hashes.of(condition.counter_key());
            if self.counters.has(hash) {
                continue;
            }
            let place = match condition.scope {
                Scope::Running => self.counters.place(condition),
                Scope::BeforeQueued => self.queued.place(condition),
            };
            new.entry((condition.scope, place)).or_default().insert(hash);
        }
        let crowds = new.iter().map(|((scope, place), new)| {
            let known = match scope {
                Scope::Running => self.counters.crowd(place),
                Scope::BeforeQueued => self.queued.crowd(place),
            };
            known + new.len()
        });
        crowds.max().unwrap_or(0)
    }

    /// There is a lane from now on that was not there before, with these conditions, and this value
    /// of a rate limit.
    pub fn add_lane(&mut self, id: LaneId, conditions: &Conditions, key: Option<&RateKey>) {
        debug_assert!(self.lanes.slot(id).is_none(), "{id:?} is given twice");
        let Some(slot) = self.lane(id) else { return };
        self.learn(slot, conditions, key);
        self.emptied.push(id);
        self.undo.push(Step::Lane(id));
    }

    /// A lane of this turn is not there any more, and no task has entered it.
    pub(super) fn forget_lane(&mut self, id: LaneId) {
        let slot = self.lanes.slot(id);
        debug_assert!(
            slot.is_none_or(|slot| self.lanes.get(slot).head().is_none()),
            "{id:?} has tasks, and was never there"
        );
        self.forget_if_empty(id);
    }

    /// What the plan knows of the tasks that [`super::Progress::Tasks`] named, the first of them at
    /// least.
    ///
    /// # Errors
    /// `Corrupt` if a stored text cannot be read.
    pub fn tell(&mut self, tasks: &[(LaneId, QueueKey, Known<'_>)]) -> Result<()> {
        debug_assert!(!tasks.is_empty(), "what is asked for is asked for again");
        let stored = || tasks.iter().filter_map(|(.., known)| known.stored);
        self.contents.make_room(stored().count(), stored().map(bytes_of).sum());
        // What has come to wait in this turn is not stored yet as it will be.
        let entered = if stored().next().is_some() { self.undo.entered() } else { BTreeSet::new() };
        for (lane, key, Known { def, stored }) in tasks {
            let slot = self.lanes.slot(*lane);
            if let Some(slot) = slot.filter(|slot| !self.lanes.get(*slot).is_learned()) {
                def.conditions().check()?;
                let key = self.key_of_lane(*lane, def)?;
                self.learn(slot, def.conditions(), key.as_ref());
            }
            match stored.filter(|_| !entered.contains(&key.seq)) {
                Some(task) => self.contents.offer(task.clone()),
                None => {
                    // The turn may have given it another priority.
                    let def = NewTask { priority: key.priority(), ..NewTask::clone(def) };
                    // Of whatever counters look at when it starts.
                    let fields = condition::fields(Scope::Running);
                    self.documents.insert(key.seq, document::for_conditions(&def, fields)?);
                }
            }
        }
        Ok(())
    }

    /// What counters look at of a task, if it is known.
    pub(super) fn document(&mut self, seq: Seq) -> Result<Option<Value>> {
        let parts = self.counters.parts();
        match self.documents.remove(&seq) {
            Some(known) => Ok(Some(parts.of(&known))),
            None => {
                let task = self.contents.get(seq);
                task.map(|task| document::for_parts(&task.def, parts)).transpose()
            }
        }
    }

    /// Whether the head of a lane must be known to say where it needs a token.
    fn is_key_missing(&self, lane: LaneSlot) -> bool {
        let (operation, head) = (self.lanes.get(lane).operation, self.lanes.get(lane).head());
        self.has_keys(operation)
            && self.counter_of(lane).is_none()
            && head.is_some_and(|head| !self.is_told(head.seq))
    }

    fn is_told(&self, seq: Seq) -> bool {
        self.documents.contains_key(&seq) || self.contents.get(seq).is_some()
    }

    /// Of the first tasks of an operation those of which more must be known, in order; the first
    /// one at least. Of those that may not start nothing is asked.
    pub(super) fn tasks_to_tell(&self, operation: OperationSlot) -> Vec<(LaneId, QueueKey)> {
        let mut free = self.room(operation);
        let mut asked = Vec::new();
        for (_, head) in &self.operations.get(operation).heads {
            if asked.len() == TASKS_ASKED_MAX || free == 0 {
                break;
            }
            let Some(slot) = self.lane_at(*head) else { continue };
            let lane = self.lanes.get(slot);
            if !lane.is_learned() || self.is_key_missing(slot) {
                asked.extend(lane.window.first().map(|key| (lane.id, key)));
            } else if self.counters.tracks_runs() && self.closed(slot).is_none() {
                let room = free.min(TASKS_ASKED_MAX - asked.len());
                let first = lane.window.iter().take(room);
                let before = asked.len();
                let unknown = first.filter(|key| !self.is_told(key.seq));
                asked.extend(unknown.map(|key| (lane.id, key)));
                free -= asked.len() - before;
            }
        }
        asked
    }

    /// The lane that stands among the heads, or the first one of the group that does.
    pub(super) fn lane_at(&self, head: Head) -> Option<LaneSlot> {
        match head {
            Head::Lane(lane) => Some(lane),
            Head::Group(group) => Some(self.groups.get(group)?.lanes.first()?.1),
        }
    }

    /// The value of all tasks of a lane, given one of them, if they have one.
    fn key_of_lane(&self, lane: LaneId, def: &NewTask) -> Result<Option<RateKey>> {
        match self.is_of_one_key(lane) {
            true => self.gate_key(lane.operation(), def),
            false => Ok(None),
        }
    }

    fn learn(&mut self, slot: LaneSlot, conditions: &Conditions, key: Option<&RateKey>) {
        let mut all = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            let (scope, limit) = (condition.scope, condition.limit);
            let counter = self.refer(conditions, index, condition);
            all.push(Term { scope, counter, limit });
        }
        let hash = self.lane_hash(self.lanes.get(slot).operation, conditions, key);
        self.lanes.learn(slot, Terms { all: all.into(), hash });
        if let Some(key) = key {
            self.set_lane_key(slot, key);
        }
    }
}
