//! One deterministic turn: begin → catch up → gather → plan → commit → apply.
//!
//! # Promises
//! - Nothing is told before the commit that makes it true (I-1, I-11).
//! - A batch that was not committed changes nothing: every waiter is answered, and what runners
//!   returned waits in memory and is written first when the store can write again (F-10).
//! - When another owner overtook a turn, it is planned again, and nobody is told.
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

use tasker_core::dispatch::Mark;
use tasker_core::error::{Code, Error, Result};
use tasker_core::fault::{Fault, is_on};
use tasker_core::id::{IdKey, IdSource};
use tasker_core::state::State;
use tasker_core::store::{Commit, Lookups, ReadTransaction, Store, Whose};
use tasker_core::time::{MonoMs, Now, WallMs};

use crate::await_end::{cancel_await, cancel_awaits};
use crate::catch_up::catch_up;
use crate::control::closed;
use crate::debug::trace_inputs;
use crate::draft::{Draft, Planner};
use crate::effect::{Answer, Effect};
use crate::explain;
use crate::forward::forward;
use crate::gather;
use crate::input::{Input, Inputs, Ticket};
use crate::memory::{Freshness, Memory, Settings};
use crate::refused::{Refusal, refuse};
use crate::starts;

/// How long to wait before what could not be written is tried again.
const RETRY_AFTER_MS: u64 = 100;
/// How often a turn is drafted anew because a task is not as the queue says; then it is damage.
const REREADS_MAX: u32 = 3;

/// What comes after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another turn at once, and without inputs: a flood of them must not keep tasks from starting.
    Again,
    /// Another turn at once, with the inputs that have come: more is due than one turn fires.
    More,
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
    /// What runners reported, until the store can write again.
    backlog: VecDeque<Input>,
    pub(crate) retry_at: Option<MonoMs>,
}

/// What a turn has to do.
struct Work<'i> {
    /// Where the rest of it comes from, until it is taken.
    source: Option<&'i mut dyn Inputs>,
    inputs: Vec<Input>,
    now: Now,
}

impl Work<'_> {
    /// What the turn is going to look up, as far as it can be known.
    fn preview(&self, memory: &Memory, key: IdKey, is_shared: bool) -> Lookups {
        let mut lookups = Lookups::default();
        let names = (key, &memory.dispatch);
        let mut add = |input: &Input| gather::add(&mut lookups, names, input);
        self.inputs.iter().for_each(&mut add);
        if let Some(source) = &self.source {
            source.each(&mut add);
        }
        lookups.windows = starts::expected(&memory.dispatch, is_shared);
        lookups.timers_until = self.due(memory);
        lookups
    }

    /// Now, if a timer is due.
    fn due(&self, memory: &Memory) -> Option<WallMs> {
        memory.is_timer_due(self.now.wall).then_some(self.now.wall)
    }

    /// Takes the inputs, and carries out those that need no store. Once: a turn that is planned
    /// again has the same work.
    fn take(
        &mut self,
        memory: &mut Memory,
        (key, is_shared): (IdKey, bool),
        effects: &mut Vec<Effect>,
    ) {
        let Some(source) = self.source.take() else { return };
        let inputs = source.take(is_shared);
        trace_inputs(&inputs);
        memory.meters.inputs.observe(inputs.len() as u64);
        for input in inputs {
            if let Input::IsShared(ticket) = input {
                effects.push(Effect::Answer(ticket, Answer::Flag(is_shared)));
                continue;
            }
            if let Input::AwaitLogs(ticket, id, listener) = input {
                if memory.log_listeners.wait(key.seq_of(id), listener, ticket) {
                    effects.push(Effect::Answer(ticket, Answer::Done));
                }
                continue;
            }
            if let Input::CancelAwait(_, waiter) = input {
                cancel_await(&mut self.inputs, waiter);
            }
            if let Input::Leave(client) = input {
                cancel_awaits(&mut self.inputs, client);
            }
            self.inputs.extend(memory.control(input, self.now, effects));
        }
    }
}

impl Engine {
    /// Opens the engine on a store and recovers the runs of dead owners.
    ///
    /// # Errors
    /// What the store says; it is closed then.
    pub fn open(
        store: Box<dyn Store>,
        settings: Settings,
        seed: [u8; 32],
        now: Now,
    ) -> Result<(Self, Vec<Effect>)> {
        let ids = IdSource::new(store.id_key(), seed);
        let memory = Memory::new(settings, store.owner(), now.wall);
        let (store, backlog, mut effects) = (Some(store), VecDeque::new(), Vec::new());
        let mut engine = Self { store, memory, ids, backlog, retry_at: None };
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
        let mut work = Work { source: None, inputs: Vec::new(), now };
        loop {
            match self.try_once(&mut work, effects) {
                TurnResult::Applied { .. } => return Ok(()),
                TurnResult::Recovered
                | TurnResult::Stale
                | TurnResult::Overtaken
                | TurnResult::CallRefused => {}
                TurnResult::NotCommitted(error) | TurnResult::Broken(error) => return Err(error),
            }
        }
    }

    /// The secret under which sequence numbers are folded into uuids.
    pub fn id_key(&self) -> IdKey {
        self.ids.key()
    }

    /// How often `peek` must be called even if nothing wakes the engine; nothing if never.
    pub fn poll_interval_ms(&self) -> Option<u64> {
        self.store.as_ref()?.poll_interval_ms()
    }

    /// When a timer is due, or before, or a token comes; nothing while the store is not written.
    pub fn next_timer(&self) -> Option<WallMs> {
        let moments = [self.memory.next_timer, self.memory.dispatch.next_token()];
        let is_open = self.store.is_some() && self.retry_at.is_none();
        moments.into_iter().flatten().filter(|_| is_open).min()
    }

    /// Whether something is due, or a clock that was set back has put a token off.
    pub fn is_due(&self, now: WallMs) -> bool {
        self.next_timer().is_some_and(|at| at <= now)
            || (self.retry_at.is_none() && self.memory.dispatch.is_closed_too_long(now))
    }

    /// Whether the store has other owners.
    pub fn is_shared(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.is_shared())
    }

    /// Whether the engine must learn at once of what other owners commit. One that only adds tasks
    /// need not: its next turn catches up.
    pub fn needs_wakeups(&self) -> bool {
        let Memory { dispatch, live, waiters, log_listeners, subscribers, .. } = &self.memory;
        // Where executors are, the end of their leases must be noticed.
        dispatch.is_started()
            || dispatch.has_executors()
            || !live.is_empty()
            || !waiters.is_empty()
            || !log_listeners.is_empty()
            || subscribers.follow_others()
    }

    /// Catches up with other owners in a transaction that only reads, so that nobody waits for it.
    /// `Again` if a turn would recover or start something, `More` if it would look at what is due.
    pub fn peek(&mut self, now: Now, effects: &mut Vec<Effect>) -> Next {
        match self.peek_store(now, effects) {
            Ok(is_due) => self.after(is_due, now, effects),
            Err(TurnResult::Broken(error)) => {
                self.fail(error, effects);
                Next::Closed
            }
            // A file that is gone is gone for good: a turn answers for it. Anything else may pass.
            Err(TurnResult::NotCommitted(error)) => {
                self.after(error.code() == Code::Io, now, effects)
            }
            Err(_) => self.after(false, now, effects),
        }
    }

    fn peek_store(&mut self, now: Now, effects: &mut Vec<Effect>) -> Tried<bool> {
        let Engine { store, memory, .. } = self;
        let Some(store) = store.as_deref_mut() else { return Err(TurnResult::Broken(closed())) };
        store.refresh_owners().map_err(give_up)?;
        let is_shared = store.is_shared();
        let mut transaction = store.begin_read().map_err(give_up)?;
        has_work(transaction.as_mut(), memory, (now, is_shared), effects).map_err(give_up)
    }

    /// From now on it is measured how long turns and commits take, to be told as metrics.
    pub(crate) fn measure_times(&mut self) {
        self.memory.meters.measure_times();
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
    pub fn turn(&mut self, mut inputs: impl Inputs, now: Now, effects: &mut Vec<Effect>) -> Next {
        if self.store.is_none() {
            refuse_all(&inputs.take(false), &closed(), effects);
            return Next::Closed;
        }
        debug_assert_eq!(self.memory.dispatch.mark(), Mark::default(), "a turn was left open");
        let began = self.memory.meters.moment();
        self.retry_at = None;
        self.memory.see_polls(now);
        let backlog = self.backlog.drain(..).collect();
        let work = Work { source: Some(&mut inputs), inputs: backlog, now };
        let worked = self.work(work, effects);
        self.memory.meters.turned(began);
        let answered = worked.and_then(|again| Ok(again | self.answer_questions(now, effects)?));
        match answered {
            Ok(again) => {
                if !again {
                    self.memory.end_polls(now, effects);
                }
                self.after(again, now, effects)
            }
            Err(error) => {
                self.fail(error, effects);
                Next::Closed
            }
        }
    }

    /// Answers what was asked in this turn, from what is committed now. Whether another turn must
    /// follow at once: something could start, or the dead must be buried before the answer.
    fn answer_questions(&mut self, now: Now, effects: &mut Vec<Effect>) -> Result<bool> {
        if self.memory.questions.is_empty() {
            return Ok(false);
        }
        let has_failed = self.retry_at.is_some();
        let read = self.read_answers((now, has_failed), effects);
        let error = match read {
            Ok(again) => return Ok(again),
            Err(TurnResult::Broken(error)) => return Err(error),
            Err(TurnResult::NotCommitted(error)) => error,
            Err(_) => closed(),
        };
        let tickets = self.memory.questions.drain(..).map(|(ticket, _)| ticket);
        effects.extend(tickets.map(|ticket| Effect::Refuse(ticket, error.clone())));
        Ok(false)
    }

    fn read_answers(
        &mut self,
        (now, has_failed): (Now, bool),
        effects: &mut Vec<Effect>,
    ) -> Tried<bool> {
        let Engine { store, memory, ids, .. } = self;
        let Some(store) = store.as_deref_mut() else { return Err(TurnResult::Broken(closed())) };
        store.refresh_owners().map_err(give_up)?;
        let is_shared = store.is_shared();
        let mut transaction = store.begin_read().map_err(give_up)?;
        let transaction = transaction.as_mut();
        let again = has_work(transaction, memory, (now, is_shared), effects);
        let again = again.map_err(give_up)?;
        if again && !has_failed && has_dead(transaction).map_err(give_up)? {
            return Ok(true);
        }
        let questions = std::mem::take(&mut memory.questions);
        let mut facts = explain::Facts::new(transaction, memory, (ids.key(), now));
        for (at, (ticket, question)) in questions.iter().enumerate() {
            effects.push(match facts.answer(question) {
                Ok(answer) => Effect::Answer(*ticket, answer),
                Err(error) if error.code() == Code::NotFound => Effect::Refuse(*ticket, error),
                Err(error) => {
                    memory.questions = questions[at..].to_vec();
                    return Err(give_up(error));
                }
            });
        }
        Ok(again && !has_failed)
    }

    fn after(&mut self, again: bool, now: Now, effects: &mut Vec<Effect>) -> Next {
        if !again && self.retry_at.is_none() && !self.memory.is_timer_due(now.wall) {
            tell_rest(&mut self.memory, effects);
        }
        let was_stopping = self.memory.stopping.is_some();
        if let Some(tickets) = self.memory.finish_stop(effects) {
            self.close(&tickets, effects);
            return Next::Closed;
        }
        // A stop is over when those are ended that lapse or are attached, a portion at a time.
        let is_ending = self.memory.is_detaching() || self.memory.is_lapsing();
        let is_ending = self.retry_at.is_none() && is_ending;
        // A start that waited for the stop takes effect in a turn of its own.
        if again || is_ending || (was_stopping && self.memory.dispatch.is_started()) {
            return Next::Again;
        }
        if self.retry_at.is_some() {
            // A deadline that could not be kept lies in the past: waiting for it would be no wait.
            return Next::Wait(self.retry_at);
        }
        if self.memory.has_new_offers {
            // The options of a runner could not be written, and it was taken away.
            return Next::Again;
        }
        if self.memory.is_timer_due(now.wall) {
            return Next::More;
        }
        let stop = self.memory.stopping.as_ref().map(|stopping| stopping.deadline);
        let Memory { batches, live, polls, leases, .. } = &self.memory;
        let batch = batches.next_start(&self.memory.dispatch);
        let times = [live.next_deadline(), stop, batch, polls.next_deadline()];
        let times = times.into_iter().chain([leases.next_deadline()]);
        Next::Wait(times.into_iter().flatten().min())
    }

    /// Plans and commits until it is settled. An error is one after which the handle must close.
    fn work(&mut self, mut work: Work<'_>, effects: &mut Vec<Effect>) -> Result<bool> {
        let mut rereads = 0;
        loop {
            let live = self.memory.live.len();
            match self.try_once(&mut work, effects) {
                TurnResult::Applied { again } => return Ok(again),
                TurnResult::Recovered | TurnResult::Overtaken | TurnResult::CallRefused => {}
                TurnResult::Stale if self.memory.live.len() < live => {}
                TurnResult::Stale if rereads == REREADS_MAX => {
                    let message = "the file is damaged: its queue names a task that does not wait";
                    let error = Error::new(Code::Corrupt, message);
                    refuse_all(&work.inputs, &error, effects);
                    return Err(error);
                }
                TurnResult::Stale => rereads += 1,
                TurnResult::NotCommitted(error) => {
                    self.memory.refused = Some((work.now.mono, error.code()));
                    self.memory.meters.refused(error.code());
                    self.defer(work.inputs, &error, effects);
                    if self.must_close(work.now) {
                        return Err(error);
                    }
                    self.memory.give_up_lapse(work.now.mono);
                    self.retry_at = Some(work.now.mono.plus(RETRY_AFTER_MS));
                    return Ok(false);
                }
                TurnResult::Broken(error) => {
                    refuse_all(&work.inputs, &error, effects);
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

    fn try_once(&mut self, work: &mut Work<'_>, effects: &mut Vec<Effect>) -> TurnResult {
        let result = self.attempt(work, effects);
        // What is not committed by now has not been.
        self.memory.dispatch.rollback();
        result
    }

    fn attempt(&mut self, work: &mut Work<'_>, effects: &mut Vec<Effect>) -> TurnResult {
        let Engine { store, memory, ids, .. } = self;
        let Some(store) = store.as_deref_mut() else { return TurnResult::Broken(closed()) };
        if memory.is_lapsing() {
            // The dead are no reason to keep what waits.
            if let Err(error) = store.refresh_owners() {
                return give_up(error);
            }
        }
        let is_shared = store.is_shared();
        let begun = store.begin(&|| work.preview(memory, ids.key(), is_shared));
        work.take(memory, (ids.key(), is_shared), effects);
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            // The file that was opened is not there any more: no later turn will find it.
            Err(error) if error.code() == Code::Io => return TurnResult::Broken(error),
            Err(error) => return give_up(error),
        };
        let drafted = draft(transaction.as_mut(), memory, ids, (work, is_shared), effects);
        let mut draft = match drafted {
            Ok(draft) => draft,
            Err(error) => return give_up(error),
        };
        if draft.is_stale {
            memory.freshness = Freshness::Wrong;
            return TurnResult::Stale;
        }
        let Some(batch) = draft.take_batch(memory, work.now) else {
            drop(transaction);
            return applied(memory, draft, work.now, effects);
        };
        let began = memory.meters.moment();
        let committed = transaction.commit(&batch);
        memory.meters.answered(began);
        match committed {
            Commit::Committed => {
                memory.meters.committed(&batch);
                debug_assert_eq!(batch.number, memory.number + 1, "batches count by one (I-11)");
                memory.number = batch.number;
                memory.refused = None;
                applied(memory, draft, work.now, effects)
            }
            Commit::Refused(refused) => {
                let asked = (&mut work.inputs, ids.key());
                match refuse(memory, refused, &batch, asked, effects) {
                    Refusal::Call => TurnResult::CallRefused,
                    Refusal::Memory => TurnResult::Stale,
                }
            }
            Commit::Overtaken => {
                memory.freshness = Freshness::Behind;
                TurnResult::Overtaken
            }
            Commit::NotCommitted(_) if is_on(Fault::TellsWhatIsNotCommitted) => {
                applied(memory, draft, work.now, effects)
            }
            Commit::NotCommitted(error) => {
                memory.see_no_lapse(&draft);
                give_up(error)
            }
            Commit::Unknown(error) => TurnResult::Broken(error.with_uuids(uuids_of(&draft))),
        }
    }

    /// Refuses the calls, and puts what runners reported aside for the next turn.
    fn defer(&mut self, work: Vec<Input>, error: &Error, effects: &mut Vec<Effect>) {
        for input in work {
            if let Input::Assign(ticket, operation, _) = &input {
                self.memory.take_back(*ticket, operation);
            }
            match input.ticket() {
                Some(ticket) => effects.push(Effect::Refuse(ticket, error.clone())),
                None => self.backlog.push_back(input),
            }
        }
    }

    fn close(&mut self, tickets: &[Ticket], effects: &mut Vec<Effect>) {
        debug_assert!(self.memory.live.is_empty(), "the handle closes under its runs (I-14)");
        let Some(store) = self.store.take() else { return };
        let answered = store.close();
        for ticket in tickets {
            effects.push(match &answered {
                Ok(()) => Effect::Answer(*ticket, Answer::Done),
                Err(error) => Effect::Refuse(*ticket, error.clone()),
            });
        }
        let questions = self.memory.questions.drain(..).map(|(ticket, _)| ticket);
        effects.extend(questions.map(|ticket| Effect::Refuse(ticket, closed())));
        effects.push(Effect::Closed(None));
    }

    /// Closes after a fault: everything is told so, nothing is written any more.
    pub fn fail(&mut self, error: Error, effects: &mut Vec<Effect>) {
        let refuse = |ticket| Effect::Refuse(ticket, error.clone());
        self.memory.end_all_polls(Now::default(), effects);
        if let Some(stopping) = self.memory.stopping.take() {
            effects.extend(stopping.tickets.into_iter().map(refuse));
        }
        effects.extend(self.memory.start_after_stop.drain(..).map(refuse));
        let questions = self.memory.questions.drain(..).map(|(ticket, _)| ticket);
        effects.extend(questions.map(refuse));
        effects.push(Effect::Closed(Some(error)));
        if let Some(store) = self.store.take() {
            // The fault that led here is the one to tell.
            let _ = store.close();
        }
    }
}

/// What a read gave, or how the turn ends without it.
type Tried<T> = std::result::Result<T, TurnResult>;

/// How one try of a turn ended.
enum TurnResult {
    Applied {
        again: bool,
    },
    /// Runs of dead owners have been recovered: plan again.
    Recovered,
    /// Memory is wrong: read it again and plan again.
    Stale,
    /// Another owner committed first: catch up and plan again.
    Overtaken,
    /// A call names a run of others that is over: it is refused; plan again without it.
    CallRefused,
    NotCommitted(Error),
    Broken(Error),
}

/// Whether a turn would recover or start something.
fn has_work(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    (now, is_shared): (Now, bool),
    effects: &mut Vec<Effect>,
) -> Result<bool> {
    catch_up(transaction, memory, now, effects)?;
    memory.dispatch.turn_at(now.wall, is_shared);
    forward(transaction, memory, effects)?;
    let has_lease_due = memory.leases.next_deadline().is_some_and(|at| at <= now.mono);
    if has_dead(transaction)? || has_lease_due || memory.live.has_asked() {
        return Ok(true);
    }
    if !transaction.attached(Whose::OfTheDead, 1)?.is_empty() {
        return Ok(true);
    }
    let would_start = starts::would_start(memory, transaction, (now.mono, is_shared));
    memory.dispatch.rollback();
    Ok(would_start? || memory.may_go_on())
}

/// Tells who waits for that, if nothing is left to do.
fn tell_rest(memory: &mut Memory, effects: &mut Vec<Effect>) {
    let Memory { live, counts, subscribers, rest, batches, .. } = memory;
    let open = State::ALL.iter().filter(|state| !state.is_final());
    let is_drained = open.map(|state| counts.get(*state)).sum::<u64>() == 0;
    let is_idle = live.is_empty() && !batches.is_gathering();
    rest.tell((is_idle, is_drained), subscribers, effects);
}

/// Whether an owner is dead whose runs are to be recovered, or whose offers are to be buried.
fn has_dead(transaction: &mut dyn ReadTransaction) -> Result<bool> {
    Ok(!transaction.orphans()?.is_empty() || !transaction.unburied()?.is_empty())
}

/// Brings memory up to date, reads what the plan needs, and plans.
fn draft(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    ids: &mut IdSource,
    (work, is_shared): (&Work<'_>, bool),
    effects: &mut Vec<Effect>,
) -> Result<Draft> {
    let Work { inputs, now, .. } = work;
    catch_up(transaction, memory, *now, effects)?;
    memory.dispatch.turn_at(now.wall, is_shared);
    forward(transaction, memory, effects)?;
    let due = (work.due(memory), memory.leases.due(now.mono));
    let facts = gather::facts(transaction, (ids.key(), memory), inputs, due)?;
    Planner::new(memory, ids, facts, *now).plan(inputs, (transaction, is_shared))
}

/// Carries out what was committed.
fn applied(memory: &mut Memory, draft: Draft, now: Now, effects: &mut Vec<Effect>) -> TurnResult {
    if draft.is_recovery {
        memory.apply_recovery(draft, now, effects);
        return TurnResult::Recovered;
    }
    let again = draft.is_starved;
    memory.apply(draft, now, effects);
    TurnResult::Applied { again }
}

fn uuids_of(draft: &Draft) -> Vec<String> {
    draft.adds.iter().map(|added| added.task.id.0.to_string()).collect()
}

/// A store that is damaged or wrong must not be used again; any other fault may pass.
fn give_up(error: Error) -> TurnResult {
    let is_final = matches!(
        error.code(),
        Code::Corrupt | Code::Unknown | Code::Bug | Code::Fenced | Code::Closed
    );
    if is_final { TurnResult::Broken(error) } else { TurnResult::NotCommitted(error) }
}

fn refuse_all(inputs: &[Input], error: &Error, effects: &mut Vec<Effect>) {
    let tickets = inputs.iter().filter_map(Input::ticket);
    effects.extend(tickets.map(|ticket| Effect::Refuse(ticket, error.clone())));
}
