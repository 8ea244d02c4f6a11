//! One deterministic turn: begin → catch up → plan → write → commit → apply.
//!
//! # Promises
//! - Nothing is told before the commit that makes it true (I-1, I-11).
//! - A batch that was not committed changes nothing: every waiter is answered, and what runners
//!   returned is kept and written first when the store can write again (F-10).
//! - When the fate of a commit is open, every waiter gets `Unknown`, nothing is told, and the
//!   handle closes.
//! - A file that was moved or replaced (F-18), or whose index contradicts its tasks (F-14), closes
//!   the handle: no turn goes on for ever.
//!
//! # Left to others
//! When to turn, and what time it is: `thread`.
//!
//! Proof: `proof/tests/engine`, `proof::conformance`, the storm.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdSource, RunId, Seq, TaskId};
use tasker_core::store::{Batch, Change, Commit, Refused, Store, WindowSize};
use tasker_core::time::{MonoMs, Now};

use crate::catch_up::{self, catch_up};
use crate::control::closed;
use crate::draft::{Briefs, Draft, Keys, Planner};
use crate::effect::{AbortSignal, Answer, Effect, Over};
use crate::follow::follow;
use crate::input::{Input, Ticket};
use crate::memory::{Memory, Settings};

/// How long to wait before what could not be written is tried again.
const RETRY_AFTER_MS: u64 = 100;
/// How often a turn is drafted anew because a task is not as the queue says; then it is damage.
const REREADS_MAX: u32 = 3;
/// How much of a lane is loaded at once, beyond what is needed now. With other owners about, what
/// is not needed at once will mostly be theirs.
const WINDOW_FACTOR: usize = 4;
const WINDOW_TASKS_MIN: usize = 256;
const WINDOW_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What comes after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Another turn at once, and without inputs: a flood of them must not keep tasks from starting.
    Again,
    /// A turn when inputs come, or at this time at the latest.
    Wait(Option<MonoMs>),
    /// Nothing: the engine is closed.
    Closed,
}

/// The engine of one handle.
pub struct Engine {
    store: Option<Box<dyn Store>>,
    memory: Memory,
    ids: IdSource,
    /// Whether others may have committed what memory does not know yet.
    is_behind: bool,
    /// What runners said, waiting for a store that can write.
    kept: VecDeque<Input>,
    retry_at: Option<MonoMs>,
}

impl Engine {
    /// Opens the engine on a store and recovers the runs of dead owners.
    ///
    /// # Errors
    /// What the store says; it is closed then.
    pub fn open(
        mut store: Box<dyn Store>,
        settings: Settings,
        seed: [u8; 32],
        now: Now,
    ) -> Result<(Self, Vec<Effect>)> {
        let memory = match mirror(store.as_mut(), settings) {
            Ok(memory) => memory,
            Err(error) => {
                // The first error is the one to tell.
                let _ = store.close();
                return Err(error);
            }
        };
        let ids = IdSource::new(store.id_key(), seed);
        let (store, kept, mut effects) = (Some(store), VecDeque::new(), Vec::new());
        let mut engine = Self { store, memory, ids, is_behind: false, kept, retry_at: None };
        match engine.recover_at_open(now, &mut effects) {
            Ok(()) => Ok((engine, effects)),
            Err(error) => {
                engine.fail(error.clone(), &mut Vec::new());
                Err(error)
            }
        }
    }

    /// What the dead left running is given back before anything else is done.
    fn recover_at_open(&mut self, now: Now, effects: &mut Vec<Effect>) -> Result<()> {
        loop {
            match self.try_once(&[], now, effects) {
                Tried::Applied { .. } => return Ok(()),
                Tried::Recovered | Tried::Stale => {}
                Tried::NotCommitted(error) | Tried::Broken(error) => return Err(error),
            }
        }
    }

    /// How long the engine may be left alone before `look`, if it must not be left alone for ever.
    pub fn look_every_ms(&self) -> Option<u64> {
        self.store.as_ref()?.look_every_ms()
    }

    /// Whether what other owners do concerns this one at once; a producer finds it out in its next
    /// turn.
    pub fn heeds_others(&self) -> bool {
        let Memory { dispatch, live, watches, feed, .. } = &self.memory;
        dispatch.is_started() || !live.is_empty() || !watches.is_empty() || feed.is_on()
    }

    /// Looks at what other owners did, and keeps nobody waiting. `Again` if that calls for a turn.
    pub fn look(&mut self, effects: &mut Vec<Effect>) -> After {
        match self.see(effects) {
            Ok(is_due) => self.after(is_due, effects),
            Err(Tried::Broken(error)) => {
                self.fail(error, effects);
                After::Closed
            }
            // A file that is gone is gone for good: a turn answers for it. Anything else may pass.
            Err(Tried::NotCommitted(error)) => self.after(error.code() == Code::Io, effects),
            Err(_) => self.after(false, effects),
        }
    }

    /// Whether a turn would recover or start something.
    fn see(&mut self, effects: &mut Vec<Effect>) -> std::result::Result<bool, Tried> {
        let Some(store) = self.store.as_mut() else { return Err(Tried::Broken(closed())) };
        store.look_around().map_err(give_up)?;
        self.is_behind |= store.look().map_err(give_up)?;
        let seen = self.see_inside(effects);
        self.rollback();
        seen.map_err(give_up)
    }

    fn see_inside(&mut self, effects: &mut Vec<Effect>) -> Result<bool> {
        self.catch_up(effects)?;
        let Some(store) = self.store.as_mut() else { return Err(closed()) };
        if !store.orphans()?.is_empty() {
            return Ok(true);
        }
        let nothing = Draft::default();
        self.load_windows(&nothing)?;
        let starts = self.memory.dispatch.starts(&nothing.turnover);
        Ok(starts.is_starved || !starts.picks.is_empty())
    }

    fn catch_up(&mut self, effects: &mut Vec<Effect>) -> Result<()> {
        let Some(store) = self.store.as_mut() else { return Err(closed()) };
        if self.is_behind {
            catch_up(store.as_mut(), &mut self.memory, effects)?;
            self.is_behind = false;
        }
        follow(store.as_mut(), &mut self.memory, effects)
    }

    /// The engine's memory, to look at.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The store, for housekeeping between turns.
    pub fn store(&mut self) -> Option<&mut dyn Store> {
        match &mut self.store {
            Some(store) => Some(store.as_mut()),
            None => None,
        }
    }

    /// One turn. `effects` receives what to tell, in order.
    pub fn turn(&mut self, inputs: Vec<Input>, now: Now, effects: &mut Vec<Effect>) -> After {
        if self.store.is_none() {
            refuse_all(&inputs, &closed(), effects);
            return After::Closed;
        }
        let mut work: Vec<Input> = self.kept.drain(..).collect();
        let closes = self.memory.stopping.as_ref().is_some_and(|stopping| stopping.closes);
        for input in inputs {
            if closes && enters(&input) {
                refuse_all(&[input], &closed(), effects);
                continue;
            }
            if let Input::Unwatch(_, watch) = input {
                withdraw(&mut work, watch);
            }
            work.extend(self.memory.control(input, now, effects));
        }
        self.retry_at = None;
        let again = match self.work(work, now, effects) {
            Ok(again) => again,
            Err(error) => {
                self.fail(error, effects);
                return After::Closed;
            }
        };
        self.after(again, effects)
    }

    fn after(&mut self, again: bool, effects: &mut Vec<Effect>) -> After {
        let was_stopping = self.memory.stopping.is_some();
        if let Some(tickets) = self.memory.finish_stop(effects) {
            self.close(&tickets, effects);
            return After::Closed;
        }
        // A start that waited for the stop takes effect in a turn of its own.
        if again || (was_stopping && self.memory.dispatch.is_started()) {
            return After::Again;
        }
        if self.retry_at.is_some() {
            // A deadline that could not be kept lies in the past: waiting for it would be no wait.
            return After::Wait(self.retry_at);
        }
        let stop = self.memory.stopping.as_ref().map(|stopping| stopping.deadline);
        let times = [self.memory.live.next_deadline(), stop];
        After::Wait(times.into_iter().flatten().min())
    }

    /// Drafts and commits until it is settled. An error is one after which the handle must close.
    fn work(&mut self, work: Vec<Input>, now: Now, effects: &mut Vec<Effect>) -> Result<bool> {
        let mut rereads = 0;
        loop {
            let live = self.memory.live.len();
            match self.try_once(&work, now, effects) {
                Tried::Applied { again } => return Ok(again),
                Tried::Recovered => {}
                Tried::Stale if self.memory.live.len() < live => {}
                Tried::Stale if rereads == REREADS_MAX => {
                    let message = "the file is damaged: its queue names a task that does not wait";
                    let error = Error::new(Code::Corrupt, message);
                    refuse_all(&work, &error, effects);
                    return Err(error);
                }
                Tried::Stale => rereads += 1,
                Tried::NotCommitted(error) => {
                    self.keep(work, &error, effects);
                    if self.must_close(now) {
                        return Err(error);
                    }
                    self.retry_at = Some(now.mono.plus(RETRY_AFTER_MS));
                    return Ok(false);
                }
                Tried::Broken(error) => {
                    refuse_all(&work, &error, effects);
                    return Err(error);
                }
            }
        }
    }

    /// Whether a close has run out of patience: it must not wait for a disk that may stay full. Its
    /// runs are recovered by the next owner.
    fn must_close(&self, now: Now) -> bool {
        let stopping = self.memory.stopping.as_ref();
        stopping.is_some_and(|stopping| stopping.closes && now.mono >= stopping.deadline)
    }

    fn try_once(&mut self, work: &[Input], now: Now, effects: &mut Vec<Effect>) -> Tried {
        let Some(store) = self.store.as_mut() else { return Tried::Broken(closed()) };
        match store.begin() {
            Ok(is_news) => self.is_behind |= is_news,
            // The file that was opened is not there any more: no later turn will find it.
            Err(error) if error.code() == Code::Io => return Tried::Broken(error),
            Err(error) => return give_up(error),
        }
        let caught_up = self.catch_up(effects);
        let mut draft = match caught_up.and_then(|()| self.draft(work, now)) {
            Ok(draft) => draft,
            Err(error) => {
                self.rollback();
                return give_up(error);
            }
        };
        let changes = std::mem::take(&mut draft.changes);
        match self.commit(&draft, changes) {
            Ok(()) => {
                if !draft.recovered.is_empty() {
                    self.memory.apply_recovery(draft, effects);
                    return Tried::Recovered;
                }
                let again = draft.is_starved;
                self.memory.apply(draft, now, effects);
                Tried::Applied { again }
            }
            Err(Broke::Refused(refused, change)) => self.refused(refused, change, effects),
            Err(Broke::Commit(Commit::Unknown(error))) => {
                Tried::Broken(error.with_uuids(uuids_of(&draft)))
            }
            Err(Broke::Commit(Commit::NotCommitted(error))) => give_up(error),
            Err(Broke::Commit(Commit::Committed)) => Tried::Stale,
        }
    }

    /// Says what the turn is going to do. Memory does not change, but that windows are loaded.
    fn draft(&mut self, work: &[Input], now: Now) -> Result<Draft> {
        let Some(store) = self.store.as_mut() else { return Err(closed()) };
        let orphans = store.orphans()?;
        if !orphans.is_empty() {
            // In a batch of its own, so that what was asked for meets tasks that are in order.
            let briefs = Briefs::default();
            let mut planner = Planner::new(&self.memory, &mut self.ids, &briefs, now);
            planner.recover(&orphans);
            return Ok(planner.into_draft());
        }
        let briefs = briefs(store.as_mut(), &self.ids, work)?;
        let mut planner = Planner::new(&self.memory, &mut self.ids, &briefs, now);
        planner.draft.keys = keys(store.as_mut(), work)?;
        planner.offer();
        planner.take_in(work);
        let draft = planner.into_draft();
        self.load_windows(&draft)?;
        let mut planner = Planner::new(&self.memory, &mut self.ids, &briefs, now).with(draft);
        planner.choose_starts();
        Ok(planner.finish())
    }

    fn load_windows(&mut self, draft: &Draft) -> Result<()> {
        let Some(store) = self.store.as_mut() else { return Err(closed()) };
        let is_shared = store.look_every_ms().is_some();
        for (id, needed) in self.memory.dispatch.wanted(&draft.turnover) {
            let Some(lane) = self.memory.dispatch.lane(id) else { continue };
            let ahead = needed.saturating_mul(WINDOW_FACTOR).max(WINDOW_TASKS_MIN);
            let tasks_max = if is_shared { needed } else { ahead };
            let size = WindowSize { tasks_max, bytes_max: WINDOW_BYTES_MAX };
            let window = store.window(&lane, size)?;
            self.memory.dispatch.load(id, window);
        }
        Ok(())
    }

    fn commit(&mut self, draft: &Draft, changes: Vec<Change>) -> std::result::Result<(), Broke> {
        let Some(store) = self.store.as_mut() else {
            return Err(Broke::Commit(Commit::NotCommitted(closed())));
        };
        if changes.is_empty() {
            store.rollback();
            return Ok(());
        }
        let batch = Batch {
            number: self.memory.number + 1,
            owner: self.memory.owner,
            seq_next: draft.seq_next,
            counts: draft.counts,
            changes,
        };
        if let Err(refused) = store.write(&batch) {
            store.rollback();
            let change = refused.change.and_then(|at| batch.changes.get(at));
            let change = change.cloned().map(Box::new);
            return Err(Broke::Refused(refused, change));
        }
        match store.commit() {
            Commit::Committed => {
                self.memory.number = batch.number;
                Ok(())
            }
            other => Err(Broke::Commit(other)),
        }
    }

    fn rollback(&mut self) {
        if let Some(store) = self.store.as_mut() {
            store.rollback();
        }
    }

    /// A guard did not hold: somebody else changed the file. The run is fenced, or the window is
    /// read again, and the turn is drafted anew.
    fn refused(
        &mut self,
        refused: Refused,
        change: Option<Box<Change>>,
        effects: &mut Vec<Effect>,
    ) -> Tried {
        let Some(change) = change else { return give_up(refused.error) };
        if let Some(run) = run_of(&change) {
            let Some(no) = self.memory.live.no_of(run) else { return Tried::Broken(refused.error) };
            if let Some(live) = self.memory.live.remove(no) {
                live.token.cancel();
                self.memory.dispatch.vacate(&live.operation);
            }
            effects.push(Effect::Over(no, Over::Fenced));
            effects.push(Effect::Abort(no, AbortSignal::Fenced));
        }
        match self.reread(effects) {
            Ok(()) => Tried::Stale,
            Err(error) => give_up(error),
        }
    }

    /// Takes the store's word for what memory mirrors.
    fn reread(&mut self, effects: &mut Vec<Effect>) -> Result<()> {
        let Some(store) = self.store.as_mut() else { return Err(closed()) };
        store.begin()?;
        let reloaded = catch_up::reload(store.as_mut(), &mut self.memory, effects);
        store.rollback();
        reloaded
    }

    /// Refuses the calls and keeps what runners said.
    fn keep(&mut self, work: Vec<Input>, error: &Error, effects: &mut Vec<Effect>) {
        for input in work {
            match input.ticket() {
                Some(ticket) => effects.push(Effect::Refuse(ticket, error.clone())),
                None => self.kept.push_back(input),
            }
        }
    }

    fn close(&mut self, tickets: &[Ticket], effects: &mut Vec<Effect>) {
        let Some(store) = self.store.take() else { return };
        let closed = store.close();
        for ticket in tickets {
            effects.push(match &closed {
                Ok(()) => Effect::Answer(*ticket, Answer::Done),
                Err(error) => Effect::Refuse(*ticket, error.clone()),
            });
        }
        effects.push(Effect::Closed(None));
    }

    /// Closes after a fault: everything is told so, nothing is written any more.
    pub fn fail(&mut self, error: Error, effects: &mut Vec<Effect>) {
        let refuse = |ticket| Effect::Refuse(ticket, error.clone());
        if let Some(stopping) = self.memory.stopping.take() {
            effects.extend(stopping.tickets.into_iter().map(refuse));
        }
        effects.extend(self.memory.start_after_stop.drain(..).map(refuse));
        effects.push(Effect::Closed(Some(error)));
        if let Some(store) = self.store.take() {
            // The fault that led here is the one to tell.
            let _ = store.close();
        }
    }
}

/// What became of one try.
enum Tried {
    Applied {
        again: bool,
    },
    /// The runs of the dead have been given back: draft again.
    Recovered,
    /// Memory has been put right: draft again.
    Stale,
    NotCommitted(Error),
    Broken(Error),
}

enum Broke {
    Refused(Refused, Option<Box<Change>>),
    Commit(Commit),
}

impl Planner<'_> {
    /// Tells the store which operations have a runner here, if that has changed.
    fn offer(&mut self) {
        if self.memory.has_new_runners {
            let offered = self.memory.dispatch.offered();
            self.draft.changes.push(Change::Offer(offered));
        }
    }

    /// All that the inputs and the time ask for, but for what starts.
    fn take_in(&mut self, work: &[Input]) {
        // Watches come first: a task may end in this very turn.
        for input in work {
            if let Input::Watch(ticket, id) = input {
                self.watch(*ticket, *id);
            }
        }
        for input in work {
            match input {
                Input::Add(ticket, def) => self.add(*ticket, def.clone()),
                Input::AddMany(ticket, defs) => self.add_many(*ticket, defs),
                Input::AddOnce(ticket, defs) => self.add_once(*ticket, defs),
                Input::Keyed(ticket, key) => self.keyed(*ticket, *key),
                Input::Settle(no, settled) => self.settle(*no, settled.clone()),
                Input::Record(no, record) => self.record(*no, record),
                Input::Abort(ticket, id, reason) => self.abort(*ticket, *id, reason),
                Input::Prioritize(ticket, id, to) => self.prioritize(*ticket, *id, *to),
                _ => {}
            }
        }
        self.time_out();
        self.stop();
        self.sort_joined();
    }
}

/// A memory that mirrors the store.
fn mirror(store: &mut dyn Store, settings: Settings) -> Result<Memory> {
    store.begin()?;
    let mirrored = store.head().and_then(|head| {
        let mut memory = Memory::new(settings, store.owner(), head);
        catch_up::reload(store, &mut memory, &mut Vec::new())?;
        Ok(memory)
    });
    store.rollback();
    mirrored
}

/// Looks up the tasks that the inputs name.
fn briefs(store: &mut dyn Store, ids: &IdSource, work: &[Input]) -> Result<Briefs> {
    let mut briefs: FxHashMap<Seq, _> = FxHashMap::default();
    for id in work.iter().filter_map(named) {
        let seq = ids.key().seq_of(id);
        if let Entry::Vacant(entry) = briefs.entry(seq) {
            entry.insert(store.brief(seq)?);
        }
    }
    Ok(briefs)
}

/// Looks up the keys that the inputs name. Under the write lock, so that no other writer's task of
/// the same key can come between this look and the commit.
fn keys(store: &mut dyn Store, work: &[Input]) -> Result<Keys> {
    let mut keys = Keys::default();
    let mut look = |key| -> Result<()> {
        keys.extend(store.keyed(key)?.map(|id| (key, id)));
        Ok(())
    };
    for input in work {
        match input {
            Input::AddOnce(_, defs) => defs.iter().try_for_each(|(key, _)| look(*key))?,
            Input::Keyed(_, key) => look(*key)?,
            _ => {}
        }
    }
    Ok(keys)
}

/// Whether a closing handle refuses it.
fn enters(input: &Input) -> bool {
    matches!(input, Input::Add(..) | Input::AddMany(..) | Input::AddOnce(..) | Input::Start(_))
}

fn named(input: &Input) -> Option<TaskId> {
    match input {
        Input::Abort(_, id, _) | Input::Prioritize(_, id, _) | Input::Watch(_, id) => Some(*id),
        _ => None,
    }
}

fn run_of(change: &Change) -> Option<RunId> {
    match change {
        Change::End { run, .. } => *run,
        Change::Release { run, .. } | Change::Progress { run, .. } | Change::Log { run, .. } => {
            Some(*run)
        }
        _ => None,
    }
}

fn uuids_of(draft: &Draft) -> Vec<String> {
    draft.adds.iter().map(|added| added.task.id.0.to_string()).collect()
}

/// A store that is damaged or wrong must not be used again; any other fault may pass.
fn give_up(error: Error) -> Tried {
    match error.code() {
        Code::Corrupt | Code::Unknown | Code::Bug | Code::Fenced | Code::Closed => {
            Tried::Broken(error)
        }
        _ => Tried::NotCommitted(error),
    }
}

fn refuse_all(inputs: &[Input], error: &Error, effects: &mut Vec<Effect>) {
    let tickets = inputs.iter().filter_map(Input::ticket);
    effects.extend(tickets.map(|ticket| Effect::Refuse(ticket, error.clone())));
}

/// Takes back a watch that is withdrawn in the turn in which it was asked for.
fn withdraw(work: &mut Vec<Input>, watch: Ticket) {
    let is_it = |input: &Input| matches!(input, Input::Watch(ticket, _) if *ticket == watch);
    if let Some(at) = work.iter().rposition(is_it) {
        work.remove(at);
    }
}
