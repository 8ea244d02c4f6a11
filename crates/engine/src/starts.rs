//! Which tasks start in a turn.
//!
//! [`tasker_core::dispatch`] picks them, in queue order. Where memory does not reach far enough,
//! the store is asked: for the windows of all the lanes that come next at once, and in the end for
//! the contents of all the picks that memory does not hold.
//!
//! # Promises
//! - What a turn brings into memory is bounded: the tasks whose data does not fit start in the next
//!   one.
//!
//! Proof: `proof/tests/engine`, `proof/tests/random`.

use std::sync::Arc;

use tasker_core::dispatch::{Dispatch, Known, Pick, Picks, Progress};
use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::{Change, Lane, ReadTransaction, ReadyTask, Start, WindowQuery};
use tasker_core::task::{NewTask, Tally};
use tasker_core::time::MonoMs;

use crate::draft::{Draft, GivenBack, Planner};
use crate::memory::Memory;
use crate::runs;

/// How much of a lane is loaded at once, beyond what is needed now. With other owners about, what
/// is not needed at once will mostly be theirs.
const WINDOW_FACTOR: usize = 4;
const WINDOW_TASKS_MIN: usize = 256;
const WINDOWS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many tasks a turn puts into other lanes, when the path of a rate limit is another one.
const SORTED_MAX: usize = 1_024;

impl Planner<'_> {
    /// Starts what may start.
    pub(crate) fn start_tasks(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        is_shared: bool,
    ) -> Result<()> {
        let picks = if self.memory.batches.is_empty() {
            let mut picks = Picks::up_to(0);
            self.pick_all(transaction, (&mut picks, is_shared))?;
            picks
        } else {
            self.pick_in_batches(transaction, is_shared)?
        };
        let is_known = |pick: &Pick| pick.task.is_some() || pick.key.seq >= self.memory.seq_next;
        debug_assert!(
            self.draft.is_stale || picks.picks.iter().all(is_known),
            "a task starts of which nothing is known"
        );
        for pick in picks.picks {
            if let Some(taker) = pick.taker {
                self.claim(pick, taker);
                continue;
            }
            let known = pick.task.as_ref();
            let attempts = known.map_or(0, |task| task.attempt);
            let at = known.map_or(self.now.wall, |task| self.now_or(task.created_at));
            let start = Start { run: self.new_run(), attempt: 1 + attempts, at };
            self.draft.starts.push((pick, start));
        }
        self.guard_starts()
    }

    /// Picks all that may start, besides what has been picked.
    pub(crate) fn pick_all(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        (picks, is_shared): (&mut Picks, bool),
    ) -> Result<()> {
        if self.has_live_holds() {
            return self.pick_beside_holds(transaction, (picks, is_shared));
        }
        picks.allow_all();
        self.pick_some(transaction, (picks, is_shared))
    }

    /// Picks what may start, as many as are wanted, with all that their start needs.
    pub(crate) fn pick_some(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        (picks, is_shared): (&mut Picks, bool),
    ) -> Result<()> {
        let mut sorted = 0;
        loop {
            let mut drafted = Drafted::of(&self.draft, self.memory.seq_next);
            let picked = pick(self.dispatch, transaction, (picks, is_shared), &mut drafted)?;
            self.draft.is_stale |= drafted.is_stale;
            self.draft.is_starved = picked != Picked::All;
            match picked {
                Picked::Misplaced(lane, key) if sorted < SORTED_MAX => {
                    self.sort(transaction, (lane, key))?;
                    sorted += 1;
                }
                Picked::All | Picked::More | Picked::Misplaced(..) => break,
            }
        }
        self.read_contents(transaction, picks)?;
        self.put_updates(picks);
        Ok(())
    }

    /// Puts a task into a lane of its value, where it waits for a token and holds up no other.
    fn sort(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        (from, key): (LaneId, QueueKey),
    ) -> Result<()> {
        let (seq, priority) = (key.seq, key.priority());
        let drafted = Drafted::of(&self.draft, self.memory.seq_next);
        let known = drafted.definition(seq).cloned();
        let def = match known.or_else(|| self.dispatch.definition(seq)) {
            Some(def) => def,
            None => {
                let asked = [(seq, operation(self.dispatch, from))];
                let Some(task) = transaction.contents(&asked, usize::MAX)?.pop().flatten() else {
                    self.draft.is_stale = true;
                    return Ok(());
                };
                task.def
            }
        };
        let lane = self.lane_of_key(from.operation(), &def)?;
        if let Some(index) = seq.0.checked_sub(self.memory.seq_next.0) {
            self.draft.adds[index as usize].lane = lane;
            self.dispatch.leave(from, key);
            self.dispatch.enter(lane, key);
        } else {
            self.write_due_of(seq);
            self.transition(Some(State::Ready), Change::Sort { seq, lane, from, priority });
        }
        Ok(())
    }

    /// Reads what the picks need and memory does not hold. The picks from the first one on whose
    /// data does not fit are for another turn.
    fn read_contents(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        picks: &mut Picks,
    ) -> Result<()> {
        let mut asked: Vec<(Seq, Arc<str>)> = Vec::new();
        let mut indexes = Vec::new();
        for (index, pick) in picks.picks.iter().enumerate() {
            let is_stored = pick.key.seq < self.memory.seq_next;
            if pick.task.is_none() && is_stored {
                asked.push((pick.key.seq, operation(self.dispatch, pick.lane)));
                indexes.push(index);
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let found = transaction.contents(&asked, picks.bytes_left())?;
        debug_assert!(!found.is_empty(), "one task always fits");
        debug_assert!(found.len() <= asked.len(), "the store answers what nobody asked");
        debug_assert!(
            found
                .iter()
                .zip(&asked)
                .all(|(task, (seq, _))| { task.as_ref().is_none_or(|task| task.seq == *seq) }),
            "the store answers in another order"
        );
        let kept = indexes.get(found.len()).copied().unwrap_or(picks.picks.len());
        for (index, task) in indexes.into_iter().zip(found) {
            // The queue of memory names a task that has ended.
            self.draft.is_stale |= task.is_none();
            picks.set_task(index, task.map(|task| self.as_given_back(task)));
        }
        while picks.picks.len() > kept {
            self.draft.is_starved = true;
            self.dispatch.unpick(picks);
        }
        Ok(())
    }

    /// What starts has the definition that this very turn gave it.
    fn put_updates(&self, picks: &mut Picks) {
        if self.draft.updated.is_empty() {
            return;
        }
        for Pick { key, task, .. } in &mut picks.picks {
            if let (Some(def), Some(task)) = (self.draft.updated.get(&key.seq), task) {
                task.def = def.clone();
            }
        }
    }

    /// The last pick goes back to its place. What this turn did to its task is not kept with it.
    pub(crate) fn unpick(&mut self, picks: &mut Picks) {
        let draft = &self.draft;
        let is_changed = |seq: &Seq| {
            draft.updated.contains_key(seq)
                || draft.given_back.contains_key(seq)
                || draft.reopened.contains(seq)
        };
        let is_moved = |pick: &Pick| {
            pick.task.as_ref().is_some_and(|task| task.def.priority != pick.key.priority())
        };
        if picks.picks.last().is_some_and(|pick| is_moved(pick) || is_changed(&pick.key.seq)) {
            picks.forget_last_task();
        }
        self.dispatch.unpick(picks);
    }

    /// A task of which the store does not know yet that this very turn has given it back, or opened
    /// it again.
    pub(crate) fn as_given_back(&self, task: ReadyTask) -> ReadyTask {
        match self.draft.given_back.get(&task.seq) {
            Some(&GivenBack { tally: Tally { attempt, failures, losses }, logs }) => {
                ReadyTask { attempt, failures, losses, logs, ..task }
            }
            None if self.draft.reopened.contains(&task.seq) => {
                ReadyTask { failures: 0, losses: 0, ..task }
            }
            None => task,
        }
    }
}

/// What a turn has made of tasks so far.
pub(crate) struct Drafted<'d> {
    draft: Option<&'d Draft>,
    first_new: Seq,
    /// Whether memory names a task that the store does not have.
    is_stale: bool,
}

impl<'d> Drafted<'d> {
    /// Nothing: no turn is planned.
    pub(crate) fn nothing(first_new: Seq) -> Self {
        Self { draft: None, first_new, is_stale: false }
    }

    fn of(draft: &'d Draft, first_new: Seq) -> Self {
        Self { draft: Some(draft), first_new, is_stale: false }
    }

    /// The definition of a task that the store does not have, or has in an older form.
    fn definition(&self, seq: Seq) -> Option<&'d NewTask> {
        let draft = self.draft?;
        match seq.0.checked_sub(self.first_new.0) {
            Some(index) => draft.adds.get(index as usize).map(|add| &add.task.def),
            None => draft.updated.get(&seq),
        }
    }

    /// Tells what these tasks are, as many as the turn has room for.
    fn tell(
        &mut self,
        dispatch: &mut Dispatch,
        transaction: &mut dyn ReadTransaction,
        asked: &[(LaneId, QueueKey)],
        bytes_max: usize,
    ) -> Result<()> {
        let mut known: Vec<(LaneId, QueueKey, Known<'_>)> = Vec::with_capacity(asked.len());
        let mut unknown: Vec<(LaneId, QueueKey)> = Vec::new();
        for &(lane, key) in asked {
            match self.definition(key.seq) {
                Some(def) => known.push((lane, key, Known { def, stored: None })),
                None => unknown.push((lane, key)),
            }
        }
        let names = unknown.iter().map(|(lane, key)| (key.seq, operation(dispatch, *lane)));
        let found = transaction.contents(&names.collect::<Vec<_>>(), bytes_max)?;
        for ((lane, key), task) in unknown.into_iter().zip(&found) {
            let Some(task) = task else {
                self.is_stale = true;
                continue;
            };
            known.push((lane, key, Known { def: &task.def, stored: Some(task) }));
        }
        if self.is_stale { Ok(()) } else { dispatch.tell(&known) }
    }

    /// Tells what conditions look at of these tasks, which stand ahead of another one.
    fn tell_queued(
        &mut self,
        dispatch: &mut Dispatch,
        transaction: &mut dyn ReadTransaction,
        asked: &[(LaneId, QueueKey)],
    ) -> Result<()> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            asked.iter().partition(|(_, key)| self.definition(key.seq).is_some());
        let known = known.into_iter();
        let known = known.filter_map(|&(lane, key)| Some((lane, key, self.definition(key.seq)?)));
        let known: Vec<_> = known.collect();
        if !known.is_empty() {
            dispatch.tell_queued(&known)?;
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let names = unknown.iter().map(|(lane, key)| (key.seq, operation(dispatch, *lane)));
        let found = transaction.contents(&names.collect::<Vec<_>>(), WINDOWS_BYTES_MAX)?;
        debug_assert!(!found.is_empty(), "one task always fits");
        self.is_stale |= found.iter().any(Option::is_none);
        let found = unknown.into_iter().zip(&found);
        let found = found.filter_map(|(&(lane, key), task)| Some((lane, key, &task.as_ref()?.def)));
        let found: Vec<_> = found.collect();
        if found.is_empty() { Ok(()) } else { dispatch.tell_queued(&found) }
    }
}

/// How far that came which picks what may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picked {
    /// All of it.
    All,
    /// There may be more, for another turn.
    More,
    /// The task in this position is to be put into another lane first.
    Misplaced(LaneId, QueueKey),
}

/// Picks what may start.
pub(crate) fn pick(
    dispatch: &mut Dispatch,
    transaction: &mut dyn ReadTransaction,
    (picks, is_shared): (&mut Picks, bool),
    drafted: &mut Drafted<'_>,
) -> Result<Picked> {
    loop {
        match dispatch.start(picks) {
            Progress::Done => return Ok(Picked::All),
            Progress::Again => return Ok(Picked::More),
            Progress::Misplaced(lane, key) => return Ok(Picked::Misplaced(lane, key)),
            Progress::Unreadable(error) => return Err(error),
            Progress::Runs => {
                let runs = runs::of_all(transaction, dispatch)?;
                dispatch.load_runs(&runs);
            }
            Progress::Tasks(asked) => {
                let bytes_max = picks.bytes_left().min(WINDOWS_BYTES_MAX);
                drafted.tell(dispatch, transaction, &asked, bytes_max)?;
                if drafted.is_stale {
                    return Ok(Picked::More);
                }
            }
            Progress::Queued(asked) => {
                drafted.tell_queued(dispatch, transaction, &asked)?;
                if drafted.is_stale {
                    return Ok(Picked::More);
                }
            }
            Progress::Examine(lanes, tasks_max) => {
                examine(dispatch, transaction, &lanes, tasks_max)?;
            }
            Progress::Gates(gates) => dispatch.tell_gates(&gates, &transaction.gates(&gates)?),
            Progress::Circuits(gates) => {
                dispatch.tell_circuits(&gates, transaction.circuits(&gates)?);
            }
            Progress::Load(lanes) => {
                let queries = queries(dispatch, &lanes, is_shared);
                let windows = transaction.windows(&queries, WINDOWS_BYTES_MAX)?;
                debug_assert!(!windows.is_empty(), "one window always comes");
                debug_assert!(windows.len() <= lanes.len(), "the store answers what nobody asked");
                let lanes = lanes.into_iter().map(|(lane, _)| lane);
                dispatch.load(lanes.zip(windows).collect());
            }
        }
    }
}

/// Whether a turn would start something, now.
pub(crate) fn would_start(
    memory: &mut Memory,
    transaction: &mut dyn ReadTransaction,
    (now, is_shared): (MonoMs, bool),
) -> Result<bool> {
    if !memory.batches.is_empty() {
        return memory.would_start_in_batches(transaction, (now, is_shared));
    }
    let mut first = Picks::up_to(1);
    let mut drafted = Drafted::nothing(memory.seq_next);
    let picked = pick(&mut memory.dispatch, transaction, (&mut first, is_shared), &mut drafted)?;
    Ok(picked != Picked::All || !first.picks.is_empty())
}

/// Reads what stands in these lanes, so that conditions can count it.
pub(crate) fn examine(
    dispatch: &mut Dispatch,
    transaction: &mut dyn ReadTransaction,
    lanes: &[(LaneId, QueueKey)],
    tasks_max: usize,
) -> Result<()> {
    let queries: Vec<_> = lanes.iter().map(|one| window_query(dispatch, one, tasks_max)).collect();
    let windows = transaction.windows(&queries, WINDOWS_BYTES_MAX)?;
    debug_assert!(!windows.is_empty(), "one window always comes");
    dispatch.examine(lanes.iter().map(|(lane, _)| *lane).zip(windows).collect())
}

/// Reads what a condition has to know of the queue, which nobody changes meanwhile. Whether that
/// was there as memory says.
pub(crate) fn look(
    dispatch: &mut Dispatch,
    transaction: &mut dyn ReadTransaction,
    missing: Progress,
) -> Result<bool> {
    let mut drafted = Drafted::nothing(Seq(u64::MAX));
    match missing {
        Progress::Queued(asked) => drafted.tell_queued(dispatch, transaction, &asked)?,
        Progress::Examine(lanes, tasks_max) => examine(dispatch, transaction, &lanes, tasks_max)?,
        Progress::Done
        | Progress::Again
        | Progress::Runs
        | Progress::Load(_)
        | Progress::Tasks(_)
        | Progress::Gates(_)
        | Progress::Circuits(_)
        | Progress::Misplaced(..)
        | Progress::Unreadable(_) => debug_assert!(false, "nobody looks ahead with {missing:?}"),
    }
    Ok(!drafted.is_stale)
}

/// The windows that a turn will ask for first, as far as it is known before it begins.
pub(crate) fn expected(dispatch: &Dispatch, is_shared: bool) -> Vec<WindowQuery> {
    queries(dispatch, &dispatch.next_load(), is_shared)
}

fn queries(dispatch: &Dispatch, lanes: &[(LaneId, QueueKey)], is_shared: bool) -> Vec<WindowQuery> {
    let needed = dispatch.wanted();
    let ahead = needed.saturating_mul(WINDOW_FACTOR).max(WINDOW_TASKS_MIN);
    let tasks = if is_shared { needed } else { ahead };
    let tasks_max = (tasks / lanes.len().max(1)).clamp(1, dispatch.window_share());
    lanes.iter().map(|one| window_query(dispatch, one, tasks_max)).collect()
}

fn window_query(
    dispatch: &Dispatch,
    (id, from): &(LaneId, QueueKey),
    tasks_max: usize,
) -> WindowQuery {
    let lane = Lane { id: *id, operation: operation(dispatch, *id) };
    WindowQuery { lane, from: *from, tasks_max }
}

fn operation(dispatch: &Dispatch, lane: LaneId) -> Arc<str> {
    let name = dispatch.operation_name(lane.operation());
    debug_assert!(name.is_some(), "nothing is known of the operation of {lane:?}");
    name.cloned().unwrap_or_default()
}
