//! One deterministic turn: begin → catch up → plan → write → commit → apply.
//!
//! # Promises
//! - Nothing is told before the commit that makes it true (I-1, I-11).
//! - A batch that was not committed changes nothing: every waiter is answered, and what runners
//!   returned waits in memory and is written first when the store can write again (F-10).
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
use crate::draft::{Briefs, Draft, KnownKeys, Planner};
use crate::effect::{AbortSignal, Answer, Effect, RunEnd};
use crate::forward::forward;
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
pub enum Next {
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
    /// What runners reported, until the store can write again.
    backlog: VecDeque<Input>,
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
        let (store, backlog, mut effects) = (Some(store), VecDeque::new(), Vec::new());
        let mut engine = Self { store, memory, ids, is_behind: false, backlog, retry_at: None };
        match engine.recover_at_open(now, &mut effects) {
            Ok(()) => Ok((engine, effects)),
            Err(error) => {
                engine.fail(error.clone(), &mut Vec::new());
                Err(error)
            }
        }
    }

    /// Runs of dead owners are recovered before anything else is done.
    fn recover_at_open(&mut self, now: Now, effects: &mut Vec<Effect>) -> Result<()> {
        loop {
            match self.try_once(&[], now, effects) {
                TurnResult::Applied { .. } => return Ok(()),
                TurnResult::Recovered | TurnResult::Stale => {}
                TurnResult::NotCommitted(error) | TurnResult::Broken(error) => return Err(error),
            }
        }
    }

    /// How often `peek` must be called even if nothing wakes the engine; nothing if never.
    pub fn poll_interval_ms(&self) -> Option<u64> {
        self.store.as_ref()?.poll_interval_ms()
    }

    /// Whether the store has other owners.
    pub fn is_shared(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.is_shared())
    }

    /// Whether the engine must learn at once of what other owners commit. One that only adds tasks
    /// need not: its next turn catches up.
    pub fn needs_wakeups(&self) -> bool {
        let Memory { dispatch, live, waiters, feed, .. } = &self.memory;
        dispatch.is_started() || !live.is_empty() || !waiters.is_empty() || feed.is_on()
    }

    /// Catches up with other owners in a transaction that only reads, so that nobody waits for it.
    /// `Again` if a turn would recover or start something.
    pub fn peek(&mut self, effects: &mut Vec<Effect>) -> Next {
        match self.peek_store(effects) {
            Ok(is_due) => self.after(is_due, effects),
            Err(TurnResult::Broken(error)) => {
                self.fail(error, effects);
                Next::Closed
            }
            // A file that is gone is gone for good: a turn answers for it. Anything else may pass.
            Err(TurnResult::NotCommitted(error)) => self.after(error.code() == Code::Io, effects),
            Err(_) => self.after(false, effects),
        }
    }

    fn peek_store(&mut self, effects: &mut Vec<Effect>) -> std::result::Result<bool, TurnResult> {
        let Some(store) = self.store.as_mut() else { return Err(TurnResult::Broken(closed())) };
        store.refresh_owners().map_err(give_up)?;
        self.is_behind |= store.begin_read().map_err(give_up)?;
        let peeked = self.has_work(effects);
        self.rollback();
        peeked.map_err(give_up)
    }

    /// Whether a turn would recover or start something.
    fn has_work(&mut self, effects: &mut Vec<Effect>) -> Result<bool> {
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
        forward(store.as_mut(), &mut self.memory, effects)
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
    pub fn turn(&mut self, inputs: Vec<Input>, now: Now, effects: &mut Vec<Effect>) -> Next {
        if self.store.is_none() {
            refuse_all(&inputs, &closed(), effects);
            return Next::Closed;
        }
        let mut work: Vec<Input> = self.backlog.drain(..).collect();
        for input in inputs {
            if let Input::IsShared(ticket) = input {
                effects.push(Effect::Answer(ticket, Answer::Flag(self.is_shared())));
                continue;
            }
            if let Input::CancelAwait(_, waiter) = input {
                cancel_await(&mut work, waiter);
            }
            work.extend(self.memory.control(input, now, effects));
        }
        self.retry_at = None;
        let again = match self.work(work, now, effects) {
            Ok(again) => again,
            Err(error) => {
                self.fail(error, effects);
                return Next::Closed;
            }
        };
        self.after(again, effects)
    }

    fn after(&mut self, again: bool, effects: &mut Vec<Effect>) -> Next {
        let was_stopping = self.memory.stopping.is_some();
        if let Some(tickets) = self.memory.finish_stop(effects) {
            self.close(&tickets, effects);
            return Next::Closed;
        }
        // A start that waited for the stop takes effect in a turn of its own.
        if again || (was_stopping && self.memory.dispatch.is_started()) {
            return Next::Again;
        }
        if self.retry_at.is_some() {
            // A deadline that could not be kept lies in the past: waiting for it would be no wait.
            return Next::Wait(self.retry_at);
        }
        let stop = self.memory.stopping.as_ref().map(|stopping| stopping.deadline);
        let times = [self.memory.live.next_deadline(), stop];
        Next::Wait(times.into_iter().flatten().min())
    }

    /// Drafts and commits until it is settled. An error is one after which the handle must close.
    fn work(&mut self, work: Vec<Input>, now: Now, effects: &mut Vec<Effect>) -> Result<bool> {
        let mut rereads = 0;
        loop {
            let live = self.memory.live.len();
            match self.try_once(&work, now, effects) {
                TurnResult::Applied { again } => return Ok(again),
                TurnResult::Recovered => {}
                TurnResult::Stale if self.memory.live.len() < live => {}
                TurnResult::Stale if rereads == REREADS_MAX => {
                    let message = "the file is damaged: its queue names a task that does not wait";
                    let error = Error::new(Code::Corrupt, message);
                    refuse_all(&work, &error, effects);
                    return Err(error);
                }
                TurnResult::Stale => rereads += 1,
                TurnResult::NotCommitted(error) => {
                    self.defer(work, &error, effects);
                    if self.must_close(now) {
                        return Err(error);
                    }
                    self.retry_at = Some(now.mono.plus(RETRY_AFTER_MS));
                    return Ok(false);
                }
                TurnResult::Broken(error) => {
                    refuse_all(&work, &error, effects);
                    return Err(error);
                }
            }
        }
    }

    /// Whether a close has run timed out: it must not wait for a disk that may stay full. Its
    /// runs are recovered by the next owner.
    fn must_close(&self, now: Now) -> bool {
        let stopping = self.memory.stopping.as_ref();
        stopping.is_some_and(|stopping| stopping.closes && now.mono >= stopping.deadline)
    }

    fn try_once(&mut self, work: &[Input], now: Now, effects: &mut Vec<Effect>) -> TurnResult {
        let Some(store) = self.store.as_mut() else { return TurnResult::Broken(closed()) };
        match store.begin() {
            Ok(is_behind) => self.is_behind |= is_behind,
            // The file that was opened is not there any more: no later turn will find it.
            Err(error) if error.code() == Code::Io => return TurnResult::Broken(error),
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
        match self.commit(&draft, changes, now) {
            Ok(()) => {
                if !draft.recovered.is_empty() {
                    self.memory.apply_recovery(draft, effects);
                    return TurnResult::Recovered;
                }
                let again = draft.is_starved;
                self.memory.apply(draft, now, effects);
                TurnResult::Applied { again }
            }
            Err(CommitError::Refused(refused, change)) => self.refused(refused, change, effects),
            Err(CommitError::NotCommitted(error)) => give_up(error),
            Err(CommitError::Unknown(error)) => {
                TurnResult::Broken(error.with_uuids(uuids_of(&draft)))
            }
        }
    }

    /// Plans the turn. Nothing in memory changes, except that windows are loaded.
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
        planner.take_in(work);
        let draft = planner.into_draft();
        self.load_windows(&draft)?;
        let mut planner = Planner::new(&self.memory, &mut self.ids, &briefs, now).with(draft);
        planner.choose_starts();
        Ok(planner.finish())
    }

    fn load_windows(&mut self, draft: &Draft) -> Result<()> {
        let Some(store) = self.store.as_mut() else { return Err(closed()) };
        let is_shared = store.is_shared();
        for (id, needed) in self.memory.dispatch.lanes_to_load(&draft.turnover) {
            let Some(lane) = self.memory.dispatch.lane(id) else { continue };
            let ahead = needed.saturating_mul(WINDOW_FACTOR).max(WINDOW_TASKS_MIN);
            let tasks_max = if is_shared { needed } else { ahead };
            let bytes_max = WINDOW_BYTES_MAX.min(self.memory.dispatch.window_bytes_max());
            let size = WindowSize { tasks_max, bytes_max };
            let window = store.window(&lane, size)?;
            self.memory.dispatch.load(id, window);
        }
        Ok(())
    }

    fn commit(
        &mut self,
        draft: &Draft,
        changes: Vec<Change>,
        now: Now,
    ) -> std::result::Result<(), CommitError> {
        let Some(store) = self.store.as_mut() else {
            return Err(CommitError::NotCommitted(closed()));
        };
        if changes.is_empty() {
            store.rollback();
            return Ok(());
        }
        let batch = Batch {
            number: self.memory.number + 1,
            owner: self.memory.owner,
            at: now.wall,
            seq_next: draft.seq_next,
            counts: draft.counts,
            changes,
        };
        if let Err(refused) = store.write(&batch) {
            store.rollback();
            let change = refused.change.and_then(|at| batch.changes.get(at));
            let change = change.cloned().map(Box::new);
            return Err(CommitError::Refused(refused, change));
        }
        match store.commit() {
            Commit::Committed => {
                self.memory.number = batch.number;
                Ok(())
            }
            Commit::NotCommitted(error) => Err(CommitError::NotCommitted(error)),
            Commit::Unknown(error) => Err(CommitError::Unknown(error)),
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
    ) -> TurnResult {
        let Some(change) = change else { return give_up(refused.error) };
        if let Some(run) = run_of(&change) {
            let Some(slot) = self.memory.live.slot_of(run) else {
                return TurnResult::Broken(refused.error);
            };
            if let Some(live) = self.memory.live.remove(slot) {
                self.memory.dispatch.release(&live.operation);
            }
            effects.push(Effect::RunEnded(slot, RunEnd::Fenced));
            effects.push(Effect::Abort(slot, AbortSignal::Fenced));
        }
        match self.reread(effects) {
            Ok(()) => TurnResult::Stale,
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

    /// Refuses the calls, and puts what runners reported aside for the next turn.
    fn defer(&mut self, work: Vec<Input>, error: &Error, effects: &mut Vec<Effect>) {
        for input in work {
            match input.ticket() {
                Some(ticket) => effects.push(Effect::Refuse(ticket, error.clone())),
                None => self.backlog.push_back(input),
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

/// How one try of a turn ended.
enum TurnResult {
    Applied {
        again: bool,
    },
    /// Runs of dead owners have been recovered: draft again.
    Recovered,
    /// Memory has been put right: draft again.
    Stale,
    NotCommitted(Error),
    Broken(Error),
}

enum CommitError {
    /// A guard did not hold, or the batch could not be written.
    Refused(Refused, Option<Box<Change>>),
    /// The store is as before.
    NotCommitted(Error),
    /// Nobody knows whether the batch is on disk.
    Unknown(Error),
}

impl Planner<'_> {
    /// Everything that the inputs and the time ask for, except the starts.
    fn take_in(&mut self, work: &[Input]) {
        // Waiters come first: a task may end in this very turn.
        for input in work {
            if let Input::AwaitEnd(ticket, id) = input {
                self.await_end(*ticket, *id);
            }
        }
        for input in work {
            match input {
                Input::Add(ticket, def) => self.add(*ticket, def.clone()),
                Input::AddMany(ticket, defs) => self.add_many(*ticket, defs),
                Input::AddIdempotent(ticket, defs) => self.add_idempotent(*ticket, defs),
                Input::FindByKey(ticket, key) => self.find_by_key(*ticket, *key),
                Input::Settle(slot, settled) => self.settle(*slot, settled.clone()),
                Input::Postpone(slot) => self.postpone_for_close(*slot),
                Input::Record(slot, record) => self.record(*slot, record),
                Input::Abort(ticket, id, reason) => self.abort(*ticket, *id, reason),
                Input::Prioritize(ticket, id, to) => self.prioritize(*ticket, *id, *to),
                _ => {}
            }
        }
        self.time_out();
        self.stop();
        self.sort_arrivals();
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

/// Looks up the keys that the inputs name. Under the write lock, so that no other owner's task with
/// the same key can come between this and the commit.
fn keys(store: &mut dyn Store, work: &[Input]) -> Result<KnownKeys> {
    let mut keys = KnownKeys::default();
    let mut look_up = |key| -> Result<()> {
        keys.extend(store.find_by_key(key)?.map(|id| (key, id)));
        Ok(())
    };
    for input in work {
        match input {
            Input::AddIdempotent(_, defs) => defs.iter().try_for_each(|(key, _)| look_up(*key))?,
            Input::FindByKey(_, key) => look_up(*key)?,
            _ => {}
        }
    }
    Ok(keys)
}

fn named(input: &Input) -> Option<TaskId> {
    match input {
        Input::Abort(_, id, _) | Input::Prioritize(_, id, _) | Input::AwaitEnd(_, id) => Some(*id),
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
fn give_up(error: Error) -> TurnResult {
    match error.code() {
        Code::Corrupt | Code::Unknown | Code::Bug | Code::Fenced | Code::Closed => {
            TurnResult::Broken(error)
        }
        _ => TurnResult::NotCommitted(error),
    }
}

fn refuse_all(inputs: &[Input], error: &Error, effects: &mut Vec<Effect>) {
    let tickets = inputs.iter().filter_map(Input::ticket);
    effects.extend(tickets.map(|ticket| Effect::Refuse(ticket, error.clone())));
}

/// Takes back a wait that is cancelled in the turn in which it was asked for.
fn cancel_await(work: &mut Vec<Input>, waiter: Ticket) {
    let is_it = |input: &Input| matches!(input, Input::AwaitEnd(ticket, _) if *ticket == waiter);
    if let Some(at) = work.iter().rposition(is_it) {
        work.remove(at);
    }
}
