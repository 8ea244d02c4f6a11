//! New tasks that say a key of their own: an earlier task may have it.
//!
//! # Promises
//! - Of two tasks that say the same key of an operation at most one holds it (I-2): who has it is
//!   known under the write lock, and the change that takes it over is guarded by who had it.
//! - A call is judged whole before anything of it is done: one that is refused changes nothing.
//! - Equal keys in one call have the effect that they had one call after the other.
//!
//! # Left to others
//! How long a task holds its key: [`tasker_core::key`]. Giving a task another definition: `update`.
//!
//! Proof: `proof/tests/engine/unique.rs`, `proof/tests/random`, the storm.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::error::{Code, Error, Result};
use tasker_core::fault::{Fault, is_on};
use tasker_core::id::{LaneId, OperationId, Seq, TaskId};
use tasker_core::key::{Key, KeyKind, OnConflict, Unique};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change, KeyHolder};
use tasker_core::task::NewTask;
use tasker_core::time::WallMs;

use crate::draft::{Addition, Planner, TaskNews};
use crate::effect::{Added, Answer};
use crate::input::Ticket;

/// A new task, and the key of its row if it comes from an outbox.
pub(crate) type Asked<'d> = (Option<Key>, &'d NewTask);

/// What becomes of one of the tasks of a call.
enum Verdict {
    /// It is added.
    New,
    /// It was added before, from the same row of an outbox.
    Known(Earlier),
    /// It is the earlier one.
    Duplicate(Earlier),
    /// Its definition becomes that of the earlier one.
    Replaces(Earlier),
}

/// An earlier task.
#[derive(Clone, Copy)]
enum Earlier {
    /// In the store, or of an earlier call of this turn.
    Held(Seq, TaskId),
    /// The one at this place of the same call.
    At(usize),
}

/// What is known of a call by the tasks that stand before the next one.
#[derive(Default)]
struct Call<'d> {
    rows: FxHashMap<&'d Key, usize>,
    /// Who has a key by then, and whether it may be replaced; nothing if it is free.
    keys: FxHashMap<(&'d str, &'d str), Option<(Earlier, bool)>>,
    /// What they are after the call, for those that depend on them.
    states: Vec<State>,
}

impl Planner<'_> {
    /// Adds tasks of which some say a key of their own; nothing of a call that is refused. `path`
    /// is where the task at a place of the call stands.
    pub(crate) fn add_unique(
        &mut self,
        ticket: Ticket,
        asked: &[Asked<'_>],
        path: fn(usize) -> Option<String>,
    ) {
        let adds = self.admit_unique(asked, path);
        self.reply(ticket, adds.map(Answer::Adds));
    }

    /// The same without a call that hears of it.
    pub(crate) fn admit_unique(
        &mut self,
        asked: &[Asked<'_>],
        path: fn(usize) -> Option<String>,
    ) -> Result<Vec<(TaskId, Added)>> {
        let judged = self.judge(asked);
        let verdicts = judged.map_err(|(place, error)| at_place(error, path(place)))?;
        let defines = |(_, verdict): &(usize, &Verdict)| {
            matches!(verdict, Verdict::New | Verdict::Replaces(_))
        };
        let defining = verdicts.iter().enumerate().filter(defines);
        let defining = defining.map(|(place, _)| (place, asked[place].1));
        let lanes = self.lanes(defining, path)?;
        Ok(self.carry_out(asked, verdicts, lanes))
    }

    /// What becomes of each task of a call; the place of the first that refuses it.
    fn judge(&self, asked: &[Asked<'_>]) -> std::result::Result<Vec<Verdict>, (usize, Error)> {
        let mut call = Call::default();
        let mut verdicts = Vec::with_capacity(asked.len());
        for (place, (row, def)) in asked.iter().enumerate() {
            let verdict = self.judge_one(&mut call, place, (row.as_ref(), def));
            let verdict = verdict.map_err(|error| (place, error))?;
            let state = match verdict {
                Verdict::New if self.is_orphan(def, &call.states) => State::Aborted,
                // No task of a call with rows depends on another one by its place.
                Verdict::New | Verdict::Known(_) => State::Ready,
                Verdict::Duplicate(earlier) | Verdict::Replaces(earlier) => match earlier {
                    Earlier::Held(seq, _) => self.state_of(seq),
                    Earlier::At(place) => call.states[place],
                },
            };
            if let (Verdict::New, Some(unique)) = (&verdict, &def.options.unique)
                && KeyKind::Unique(unique.hold).is_held(state, false)
            {
                let may_replace = !state.is_final() && !def.is_attached;
                let holder = Some((Earlier::At(place), may_replace));
                call.keys.insert((&def.operation, &unique.key), holder);
            }
            call.states.push(state);
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    fn judge_one<'d>(
        &self,
        call: &mut Call<'d>,
        place: usize,
        (row, def): (Option<&'d Key>, &'d NewTask),
    ) -> Result<Verdict> {
        if let Some(row) = row {
            if let Some(holder) = self.known(row) {
                return Ok(Verdict::Known(Earlier::Held(holder.seq, holder.id)));
            }
            if let Some(earlier) = call.rows.get(row) {
                return Ok(Verdict::Known(Earlier::At(*earlier)));
            }
            call.rows.insert(row, place);
        }
        let Some(unique) = &def.options.unique else { return Ok(Verdict::New) };
        debug_assert!(
            unique.on_conflict != OnConflict::Replace || def.options.depends_on.is_none(),
            "what replaces another task depends on nothing: no definition says both"
        );
        let name = (&*def.operation, &*unique.key);
        let holder = match call.keys.get(&name) {
            Some(earlier) => *earlier,
            None => self.holder(def, unique),
        };
        let Some((earlier, may_replace)) = holder else { return Ok(Verdict::New) };
        let verdict = conflict(unique, earlier, may_replace)?;
        if let Verdict::Replaces(_) = verdict {
            // Its time counts from its add, so with the new definition it may be over.
            let until = unique.until(self.added_at(earlier));
            let is_over = until.is_some_and(|until| until <= self.now.wall);
            call.keys.insert(name, (!is_over).then_some((earlier, true)));
        }
        Ok(verdict)
    }

    fn carry_out(
        &mut self,
        asked: &[Asked<'_>],
        verdicts: Vec<Verdict>,
        lanes: Vec<LaneId>,
    ) -> Vec<(TaskId, Added)> {
        let mut lanes = lanes.into_iter();
        let mut done: Vec<(Seq, Added)> = Vec::with_capacity(asked.len());
        let mut ids: Vec<TaskId> = Vec::with_capacity(asked.len());
        for ((row, def), verdict) in asked.iter().zip(verdicts) {
            let named = |earlier| match earlier {
                Earlier::Held(seq, id) => (seq, id),
                Earlier::At(place) => (done[place].0, ids[place]),
            };
            let (seq, id, added) = match verdict {
                Verdict::New => {
                    let Some(lane) = lanes.next() else { break };
                    let (seq, id) = (self.draft.seq_next, self.enter(lane, (*def).clone(), &ids));
                    (seq, id, Added::New)
                }
                Verdict::Known(earlier) => {
                    let (seq, id) = named(earlier);
                    (seq, id, Added::Known)
                }
                Verdict::Duplicate(earlier) => {
                    let (seq, id) = named(earlier);
                    if let Some(operation) = self.dispatch.operation(&def.operation) {
                        *self.draft.skipped.entry(operation).or_default() += 1;
                    }
                    (seq, id, Added::Duplicate)
                }
                Verdict::Replaces(earlier) => {
                    let Some(lane) = lanes.next() else { break };
                    let (seq, id) = named(earlier);
                    self.replace(seq, id, (lane, (*def).clone()));
                    (seq, id, Added::Replaced)
                }
            };
            if let Some(row) = row.clone().filter(|_| added != Added::Known) {
                self.give_key(row, KeyHolder { seq, id, kind: KeyKind::Idempotency, until: None });
            }
            done.push((seq, added));
            ids.push(id);
        }
        debug_assert_eq!(done.len(), asked.len(), "a task of a call is left out");
        ids.into_iter().zip(done).map(|(id, (_, added))| (id, added)).collect()
    }

    /// The task that was added from this row of an outbox, if that is still known: as long as its
    /// key is there, whatever the clocks of those who ask say.
    pub(crate) fn known(&self, row: &Key) -> Option<KeyHolder> {
        self.facts.keys.get(row).copied()
    }

    /// The task that holds the key of this definition, and whether it may be replaced.
    fn holder(&self, def: &NewTask, unique: &Unique) -> Option<(Earlier, bool)> {
        let operation = self.dispatch.operation(&def.operation)?;
        let KeyHolder { seq, id, .. } = self.holder_of(operation, unique)?;
        Some((Earlier::Held(seq, id), self.may_replace(seq)))
    }

    fn added_at(&self, earlier: Earlier) -> WallMs {
        let brief = match earlier {
            Earlier::Held(seq, _) => self.facts.briefs.get(&seq),
            Earlier::At(_) => None,
        };
        brief.map_or(self.now.wall, |brief| brief.created_at)
    }

    fn holder_of(&self, operation: OperationId, unique: &Unique) -> Option<KeyHolder> {
        let key = Key::Unique(operation, unique.key.clone());
        self.facts.keys.get(&key).copied().filter(|holder| self.holds(holder))
    }

    fn is_over(&self, holder: &KeyHolder) -> bool {
        let is_over = |until| until <= self.now.wall && !is_on(Fault::KeyForgetsItsEnd);
        holder.until.is_some_and(is_over)
    }

    /// Whether a task holds the key that it had last. One of this very turn has not started.
    fn holds(&self, holder: &KeyHolder) -> bool {
        let is_held = |brief: &Brief| {
            holder.kind.is_held(brief.state, brief.has_started) || is_on(Fault::KeyForgetsStates)
        };
        let is_new = |add: &Addition| holder.kind.is_held(add.state(), false);
        !self.is_over(holder)
            && (self.addition(holder.seq).is_some_and(is_new)
                || self.facts.briefs.get(&holder.seq).is_some_and(is_held))
    }

    /// Whether a task has never started, and may still. One that is attached to a process keeps
    /// what it was given there.
    fn may_replace(&self, seq: Seq) -> bool {
        let brief = self.facts.briefs.get(&seq);
        let add = self.addition(seq);
        let lane = add.map(|add| add.lane).or(brief.map(|brief| brief.lane));
        let is_attached = lane.is_some_and(|lane| lane.attached_to().is_some());
        let may = add.is_some_and(|add| !add.state().is_final())
            || brief.is_some_and(|brief| !brief.has_started && Self::may_update(brief.state));
        may && !is_attached
    }

    /// A task that has never started gets another definition, whole.
    fn replace(&mut self, seq: Seq, id: TaskId, (lane, mut def): (LaneId, NewTask)) {
        let unique = def.options.unique.clone();
        let (operation, created_at) = match self.facts.briefs.get(&seq).cloned() {
            Some(brief) => {
                self.update(seq, &brief, (lane, def));
                (brief.lane.operation(), brief.created_at)
            }
            None => {
                let index = (seq.0 - self.memory.seq_next.0) as usize;
                let due_at = self.prepare_free(lane, &mut def);
                self.redefine(index, (lane, def), due_at);
                (lane.operation(), self.now.wall)
            }
        };
        self.draft.task_news.push(TaskNews::Updated(id));
        if let Some(unique) = unique {
            self.take_key(operation, &unique, (seq, id, created_at));
        }
    }

    /// A task has the key that it says from now on.
    pub(crate) fn take_key(
        &mut self,
        operation: OperationId,
        unique: &Unique,
        (seq, id, created_at): (Seq, TaskId, WallMs),
    ) {
        let kind = KeyKind::Unique(unique.hold);
        let holder = KeyHolder { seq, id, kind, until: unique.until(created_at) };
        self.give_key(Key::Unique(operation, unique.key.clone()), holder);
    }

    /// A key is a task's from now on; nothing is written if it is so already.
    pub(crate) fn give_key(&mut self, key: Key, holder: KeyHolder) {
        let before = self.facts.keys.insert(key.clone(), holder);
        if before == Some(holder) {
            return;
        }
        let KeyHolder { seq, kind, until, .. } = holder;
        let had_by = before.map(|before| before.seq);
        self.draft.new_keys.push(Change::Key { key, seq, kind, until, had_by });
    }

    /// An ended task that is to run again takes the key that it says, if it holds it then.
    ///
    /// # Errors
    /// `Duplicate` if another task holds it.
    pub(crate) fn take_key_again(&mut self, seq: Seq, brief: &Brief) -> Result<()> {
        if let Some(unique) = self.key_again(seq, brief)? {
            let operation = brief.lane.operation();
            self.take_key(operation, &unique, (seq, brief.id, brief.created_at));
        }
        Ok(())
    }

    /// The key that an ended task takes when it is to run again, if it holds one then.
    ///
    /// # Errors
    /// `Duplicate` if another task holds it.
    pub(crate) fn key_again(&self, seq: Seq, brief: &Brief) -> Result<Option<Arc<Unique>>> {
        let Some(unique) = brief.unique.clone() else { return Ok(None) };
        let kind = KeyKind::Unique(unique.hold);
        let until = unique.until(brief.created_at);
        let is_held = kind.is_held(State::Ready, brief.has_started);
        if !is_held || self.is_over(&KeyHolder { seq, id: brief.id, kind, until }) {
            return Ok(None);
        }
        match self.holder_of(brief.lane.operation(), &unique) {
            Some(holder) if holder.seq != seq => Err(duplicate(&unique, Some(holder.id))),
            Some(_) | None => Ok(Some(unique)),
        }
    }
}

/// What becomes of a task whose key an earlier one holds.
fn conflict(unique: &Unique, earlier: Earlier, may_replace: bool) -> Result<Verdict> {
    match unique.on_conflict {
        OnConflict::Replace if may_replace => Ok(Verdict::Replaces(earlier)),
        OnConflict::Return | OnConflict::Replace => Ok(Verdict::Duplicate(earlier)),
        OnConflict::Reject => Err(match earlier {
            Earlier::Held(_, id) => duplicate(unique, Some(id)),
            Earlier::At(_) => duplicate(unique, None),
        }),
    }
}

fn duplicate(unique: &Unique, id: Option<TaskId>) -> Error {
    let key = &unique.key;
    match id {
        Some(TaskId(uuid)) => {
            let text = format!("task {uuid} has the key {key:?}");
            Error::at(Code::Duplicate, "unique.key", text).with_uuid(uuid.to_string())
        }
        None => {
            let text = format!("an earlier task of the same call has the key {key:?}");
            Error::at(Code::Duplicate, "unique.key", text)
        }
    }
}

/// The error of a task that stands there; on its own if it is the only one.
pub(crate) fn at_place(error: Error, path: Option<String>) -> Error {
    match path {
        Some(path) => error.within(&path),
        None => error,
    }
}
