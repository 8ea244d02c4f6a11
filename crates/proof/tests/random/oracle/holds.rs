//! Holds: what comes up and matches one is held until it is over.

use serde_json::{Value, json};
use tasker_core::hold::{HeldBy, HoldId, HoldQuery, Holds};
use tasker_core::id::TaskId;
use tasker_core::query::Fields;
use tasker_core::state::State;
use tasker_core::time::WallMs;

use super::{Oracle, Task};

/// Who makes holds in a world.
pub(crate) const BY: HeldBy = HeldBy { pid: 7, task: None };

/// A hold that was acknowledged.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) id: HoldId,
    query: HoldQuery,
    since: WallMs,
    until: WallMs,
    is_released: bool,
}

impl Hold {
    fn is_live(&self, wall: WallMs) -> bool {
        !self.is_released && self.until > wall
    }

    pub(super) fn matches(&self, task: &Task) -> bool {
        matches(&self.query, task)
    }
}

/// Whether a hold with this query holds a task that comes up.
pub(super) fn matches(query: &HoldQuery, task: &Task) -> bool {
    query.matches(&task.document(Fields::ALL, query.fields()))
}

impl Oracle {
    /// The numbers of the holds that are not swept yet.
    pub(crate) fn known_holds(&self) -> Vec<HoldId> {
        self.holds.iter().map(|hold| hold.id).collect()
    }

    /// A hold was made.
    pub(super) fn made_hold(&mut self, query: HoldQuery, until: WallMs, id: u64) {
        let (id, since, is_released) = (HoldId(id), self.wall, false);
        let is_new = self.holds.last().is_none_or(|last| last.id < id);
        assert!(is_new, "its number was given before");
        self.holds.push(Hold { id, query, since, until, is_released });
    }

    /// Takes the store's word after a commit whose fate was open.
    pub(crate) fn resolve_holds(&mut self, stored: &Holds) {
        let known = stored.0.iter().map(|hold| Hold {
            id: hold.id,
            query: hold.query.clone(),
            since: hold.since,
            until: hold.until,
            is_released: hold.is_released,
        });
        self.holds = known.collect();
    }

    /// A release was answered.
    pub(super) fn released(&mut self, id: HoldId, flag: bool) {
        let wall = self.wall;
        let hold = self.holds.iter_mut().find(|hold| hold.id == id);
        let hold = hold.filter(|hold| hold.is_live(wall));
        assert_eq!(hold.is_some(), flag, "{id:?}");
        hold.into_iter().for_each(|hold| hold.is_released = true);
    }

    /// A turn begins: it looks after the holds that are over by now.
    pub(super) fn begin_sweep(&mut self) {
        let over = self.holds.iter().filter(|hold| !hold.is_live(self.wall));
        self.sweeping = over.map(|hold| hold.id).collect();
    }

    /// What they held is free, unless it is held no more.
    pub(super) fn sweep(&mut self, wall: WallMs) {
        for id in std::mem::take(&mut self.sweeping) {
            let held = self.held.extract_if(.., |(hold, _)| *hold == id).map(|(_, task)| task);
            for task in held.collect::<Vec<_>>() {
                let Some(task) = self.tasks.get_mut(&task) else { continue };
                if task.state == State::Delayed && task.def.options.is_held() {
                    task.state = State::Ready;
                    task.def.options.wait_until(wall);
                }
            }
            self.holds.retain(|hold| hold.id != id);
        }
    }

    /// The first turn of a process, which tells nobody, has looked after what is over.
    pub(crate) fn sweep_at(&mut self, wall: WallMs) {
        let over = self.holds.iter().filter(|hold| !hold.is_live(wall));
        self.sweeping = over.map(|hold| hold.id).collect();
        self.sweep(wall);
    }

    /// The live holds that match a task.
    fn holds_of<'o>(&'o self, task: &'o Task) -> impl Iterator<Item = &'o Hold> {
        let live = self.holds.iter().filter(|hold| hold.is_live(self.wall));
        live.filter(|hold| hold.matches(task))
    }

    /// The task that comes up next, if a hold matches it, and until when that holds it.
    pub(crate) fn next_held(&self) -> Option<(TaskId, HoldId, WallMs)> {
        let (id, task) = self.eligible()?;
        let last = self.holds_of(task).max_by_key(|hold| (hold.until, hold.id))?;
        Some((*id, last.id, last.until))
    }

    /// Holds what comes up and matches a hold, as long as `may` says so.
    pub(crate) fn hold_back(&mut self, mut may: impl FnMut(TaskId) -> bool) {
        while let Some((id, hold, until)) = self.next_held().filter(|(id, ..)| may(*id)) {
            let task = self.tasks.get_mut(&id).unwrap();
            task.state = State::Delayed;
            task.def.options.hold_until(until);
            self.held.insert((hold, id));
        }
    }

    /// Behind an open fate the store has the word: what it says is held, some hold has held.
    pub(super) fn adopt_hold(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        if task.state != State::Delayed || !task.def.options.is_held() {
            return;
        }
        let until = task.def.options.run_at();
        let those = self.holds.iter().filter(|hold| Some(hold.until) == until);
        let is_known = those.clone().any(|hold| self.held.contains(&(hold.id, id)));
        let last = those.filter(|hold| hold.matches(task)).map(|hold| hold.id).next_back();
        self.held.extend(last.filter(|_| !is_known).map(|hold| (hold, id)));
    }

    /// What an explanation says of the holds that match a task.
    pub(super) fn hold_reasons(&self, task: &Task) -> Vec<Value> {
        let reason = |hold: &Hold| {
            let query: Value = serde_json::from_str(hold.query.text()).unwrap();
            let (since, until) = (hold.since.0, hold.until.0);
            json!({
                "reason": "hold", "id": hold.id.0, "query": query, "since": since, "until": until,
                "by": { "pid": BY.pid },
            })
        };
        self.holds_of(task).map(reason).collect()
    }
}
