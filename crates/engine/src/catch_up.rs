//! What other owners of the store committed since memory was last brought up to date.
//!
//! # Promises
//! - Memory then mirrors the store as it stands in the open transaction: counters, numbers,
//!   operations and their records, windows, remote runs (I-6, I-7, I-8), what others offer, the
//!   next timer.
//! - Waiters are answered and signals fire also for what another owner did (I-11, I-12).
//! - Where the journal does not reach back far enough or is too long to read, or memory was found
//!   to be wrong, everything is read anew instead.
//! - What could not be read changes nothing, so that it can be read again.
//!
//! # Left to others
//! Telling what others did as events: `forward`. Recovering the dead: `recover`.
//!
//! Proof: `proof/tests/engine/shared.rs`, `proof/tests/random`, the storm.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tasker_core::error::{Code, Error, Result};
use tasker_core::fault::{Fault, is_on};
use tasker_core::hold::Holds;
use tasker_core::id::{LaneId, OperationId, RunId, Seq};
use tasker_core::journal::{self, Transition};
use tasker_core::operation::OperationRecord;
use tasker_core::query::Value;
use tasker_core::queue::QueueKey;
use tasker_core::store::{Entry, Head, LaneHead, Operation, PauseWish, ReadTransaction};
use tasker_core::task::{AbortReason, Postponement, TaskEnd};
use tasker_core::time::{MonoMs, Now};
use tasker_core::transition::{After, QueueEffect, RunEffect, TransitionKind};

use crate::effect::{AbortSignal, Answer, Effect};
use crate::input::RunSlot;
use crate::live::{Run, RunPause};
use crate::memory::{Freshness, Memory};
use crate::runs;
use crate::timers;

/// Batches behind with which it takes less to read everything anew, whatever the journal keeps.
const BATCHES_MAX: u64 = 20_000;
/// How many heads of lanes are read at once.
const HEADS_MAX: usize = 65_536;

/// Brings memory up to date. What may fail comes first: until everything is read, nothing changes
/// but that memory knows that it is behind.
pub(crate) fn catch_up(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    now: Now,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    if transaction.has_news() {
        memory.freshness = memory.freshness.max(Freshness::Behind);
    }
    if memory.freshness == Freshness::Current {
        return Ok(());
    }
    let head = transaction.head()?;
    let is_far = head.number.saturating_sub(memory.number) > BATCHES_MAX;
    if memory.freshness == Freshness::Wrong || is_far {
        reload(transaction, memory, now, effects)?;
    } else if head.number != memory.number {
        let entries = transaction.journal(memory.number, usize::MAX)?;
        if entries.first().is_some_and(|entry| entry.number == memory.number + 1) {
            debug_assert!(
                entries.is_sorted_by(|one, next| one.number + 1 == next.number),
                "a batch is left out of the journal (I-11)"
            );
            debug_assert_eq!(
                entries.last().map(|last| last.number),
                Some(head.number),
                "the journal ends elsewhere than the store stands"
            );
            debug_assert!(head.seq_next >= memory.seq_next, "numbers were given back (I-8)");
            RemoteChanges::of(&entries, memory)?.apply(transaction, memory, now, effects)?;
        } else {
            reload(transaction, memory, now, effects)?;
        }
    }
    let Head { number, seq_next, lane_next, counts } = head;
    (memory.number, memory.seq_next, memory.lane_next) = (number, seq_next, lane_next);
    memory.counts = counts;
    memory.freshness = Freshness::Current;
    memory.assert_balanced();
    Ok(())
}

/// Reads everything anew that memory mirrors.
fn reload(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    now: Now,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    let operations = transaction.operations()?;
    let heads = heads(transaction)?;
    let remote_runs = transaction.remote_runs()?;
    let used = heads.iter().map(|head| head.lane).chain(remote_runs.iter().map(|(lane, _)| *lane));
    check_operations(&operations, used)?;
    let live: Vec<Seq> = memory.live.in_order().iter().map(|run| run.seq).collect();
    let asked = Asked { aborted: live.clone(), postponed: live.clone(), paused: live };
    let tidings = Tidings::read(transaction, memory, memory.waiters.tasks(), &asked)?;
    let next_timer = timers::next_at(transaction)?;
    let offers = transaction.remote_offers()?;
    let holds = Holds(transaction.holds()?);
    let leased = transaction.leased()?;
    let outside = transaction.outside_runs(&leased)?;

    (memory.next_timer, memory.holds) = (next_timer, holds);
    memory.dispatch.forget();
    memory.learn_offers(offers);
    memory.learn_operations(operations, effects);
    memory.dispatch.load_heads(&heads);
    for (lane, runs) in remote_runs {
        memory.dispatch.begin_remote_runs(lane.operation(), runs);
    }
    memory.dispatch.commit();
    memory.keep_leases(&leased);
    outside.iter().flatten().for_each(|run| memory.learn_lease(run, now));
    tidings.tell(memory, effects);
    // What they have missed they read.
    let listened = memory.log_listeners.tasks();
    listened.into_iter().for_each(|seq| memory.tell_log_listeners_of(seq, effects));
    Ok(())
}

/// The heads of all lanes, in portions.
fn heads(transaction: &mut dyn ReadTransaction) -> Result<Vec<LaneHead>> {
    let mut all: Vec<LaneHead> = Vec::new();
    loop {
        let after = all.last().map_or(LaneId(0), |head| head.lane);
        let heads = transaction.heads(after, HEADS_MAX)?;
        debug_assert!(heads.len() <= HEADS_MAX, "more heads came than were asked for");
        debug_assert!(heads.iter().all(|head| head.lane > after), "a head comes twice");
        let is_last = heads.len() < HEADS_MAX;
        all.extend(heads);
        if is_last {
            return Ok(all);
        }
    }
}

/// Every lane belongs to an operation that the store knows.
fn check_operations(known: &[Operation], used: impl IntoIterator<Item = LaneId>) -> Result<()> {
    let known: FxHashSet<_> = known.iter().map(|operation| operation.id).collect();
    match used.into_iter().find(|lane| !known.contains(&lane.operation())) {
        None => Ok(()),
        Some(lane) => {
            let message = format!("the file is damaged: lane {} has no operation", lane.0);
            Err(Error::new(Code::Corrupt, message))
        }
    }
}

impl Memory {
    /// Makes the operations known that are not yet, and what is said of each.
    fn learn_operations(&mut self, operations: Vec<Operation>, effects: &mut Vec<Effect>) {
        debug_assert!(
            operations.is_sorted_by(|one, next| one.id < next.id),
            "operations come by number, each once"
        );
        for Operation { id, name, record } in operations {
            self.next_operation = self.next_operation.max(usize::from(id.0) + 1);
            self.dispatch.add_operation(id, &name);
            let old = self.dispatch.record(&name);
            if old.version < record.version {
                effects.extend(self.disagreement(&name, &old, &record));
                self.dispatch.set_record(id, record);
            }
        }
    }

    /// Another process has assigned its runner with other options than we ours.
    fn disagreement(
        &self,
        name: &Arc<str>,
        old: &OperationRecord,
        new: &OperationRecord,
    ) -> Option<Effect> {
        let runner = self.runners.get(name)?;
        let (options, ours) = runner.assigned.as_ref()?;
        let is_theirs = old.assigned != new.assigned && *options != new.assigned;
        let versions = (*ours, new.version);
        is_theirs.then(|| Effect::OperationChanged(runner.client(), name.clone(), versions))
    }
}

/// What others did to tasks that somebody waits for, and to runs of ours.
struct Tidings {
    ended: Vec<(Seq, TaskEnd)>,
    /// Those that are not there any more.
    removed: Vec<Seq>,
    aborted: Vec<(RunSlot, AbortReason)>,
    postponed: Vec<(RunSlot, Postponement)>,
    /// What is wanted of these runs, where somebody has paused or resumed their tasks.
    wishes: Vec<(RunSlot, Option<PauseWish>)>,
}

impl Tidings {
    /// Of these awaited tasks those that have ended, of the live runs of these tasks those that
    /// are to be aborted and do not know it, and of these those that are to be given back.
    fn read(
        transaction: &mut dyn ReadTransaction,
        memory: &Memory,
        awaited: Vec<Seq>,
        asked: &Asked,
    ) -> Result<Tidings> {
        let briefs = transaction.briefs(&awaited)?;
        debug_assert_eq!(briefs.len(), awaited.len(), "a lookup gives one answer for each item");
        let (mut ended, mut removed) = (Vec::new(), Vec::new());
        for (seq, brief) in awaited.into_iter().zip(briefs) {
            match brief {
                Some(brief) => ended.extend(brief.outcome.map(|end| (seq, end))),
                None => removed.push(seq),
            }
        }

        let runs = asked.aborted.iter().filter_map(|seq| memory.live.of_task(*seq));
        let runs: Vec<&Run> = runs.filter(|run| !run.is_abort_asked).collect();
        let names: Vec<(Seq, RunId)> = runs.iter().map(|run| (run.seq, run.run)).collect();
        let reasons = transaction.abort_requests(&names)?;
        debug_assert_eq!(reasons.len(), names.len(), "a lookup gives one answer for each run");
        let aborted = runs.iter().zip(reasons).filter_map(|(run, why)| Some((run.slot, why?)));
        let aborted = aborted.collect();

        let runs = || asked.postponed.iter().filter_map(|seq| memory.live.of_task(*seq));
        let names: Vec<(Seq, RunId)> = runs().map(|run| (run.seq, run.run)).collect();
        let wishes = transaction.postpone_requests(&names)?;
        debug_assert_eq!(wishes.len(), names.len(), "a lookup gives one answer for each run");
        let postponed = runs().zip(wishes).filter_map(|(run, wish)| Some((run.slot, wish?)));
        let postponed = postponed.collect();

        let runs = || asked.paused.iter().filter_map(|seq| memory.live.of_task(*seq));
        let names: Vec<(Seq, RunId)> = runs().map(|run| (run.seq, run.run)).collect();
        let wishes = transaction.pause_wishes(&names)?;
        debug_assert_eq!(wishes.len(), names.len(), "a lookup gives one answer for each run");
        let wishes = runs().map(|run| run.slot).zip(wishes).collect();
        Ok(Tidings { ended, removed, aborted, postponed, wishes })
    }

    /// Answers those who wait, and fires the signals.
    fn tell(self, memory: &mut Memory, effects: &mut Vec<Effect>) {
        for (seq, end) in self.ended {
            for ticket in memory.waiters.take(seq) {
                effects.push(Effect::Answer(ticket, Answer::Ended(end.clone())));
            }
        }
        for seq in self.removed {
            let error = Error::new(Code::NotFound, "the task has been removed");
            let tickets = memory.waiters.take(seq).into_iter();
            effects.extend(tickets.map(|ticket| Effect::Refuse(ticket, error.clone())));
        }
        for (slot, wish) in self.wishes {
            let pause = memory.live.get(slot).and_then(|run| run.pause);
            let has_halted = pause.is_some_and(|(pause, _)| pause.has_halted);
            debug_assert!(wish.is_some() || !has_halted, "another owner let run {slot} go on");
            let pause = wish.map(|wish| RunPause { wish, has_halted });
            // It neither halts nor goes on by this, so its time does not change.
            memory.set_pause(slot, pause, MonoMs(0), effects);
        }
        for (slot, reason) in self.aborted {
            memory.live.ask_abort(slot);
            // One that has fired before, for a timeout or a stop, does not fire again.
            if memory.live.get(slot).is_some_and(|run| run.fired.is_none()) {
                memory.live.fire(slot, reason.clone());
                memory.live.bound_later(slot);
                effects.push(Effect::Abort(slot, AbortSignal::Abort(reason)));
            }
        }
        // The next turn gives them back, unless they are to be aborted.
        for (slot, wish) in self.postponed {
            memory.live.postpone(slot, wish);
        }
    }
}

/// What another owner did to the queue.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A task took this position.
    Enter(LaneId, QueueKey),
    /// The task in this position left.
    Leave(LaneId, QueueKey),
    /// A run of a task of this operation began.
    Begin(OperationId, Seq),
    /// A run of a task of this operation is over.
    End(OperationId, Seq),
    /// A circuit of this operation has turned.
    Circuit(OperationId),
}

/// Tasks of our runs of which something was asked.
#[derive(Default)]
struct Asked {
    /// Those that are to be aborted.
    aborted: Vec<Seq>,
    /// Those that are to be given back.
    postponed: Vec<Seq>,
    /// Those that are to halt or may go on.
    paused: Vec<Seq>,
}

/// What concerns us in the batches of others.
#[derive(Default)]
struct RemoteChanges {
    /// Lanes of operations that are not known.
    unknown: Vec<LaneId>,
    /// What happened to the queue and to runs, in order.
    steps: Vec<Step>,
    /// Tasks that ended, or were removed, while somebody here waits for their end.
    ended: Vec<Seq>,
    /// Tasks to whose logs somebody here listens, with new lines or over.
    log_news: Vec<Seq>,
    /// Our runs of which something was asked.
    asked: Asked,
    /// Tasks that executors outside have taken, begun or lost.
    outside: Vec<Seq>,
    /// Whether a timer came or went.
    has_timers: bool,
    /// Whether the record of an operation has changed.
    has_records: bool,
    /// Whether an owner offers something else.
    has_offers: bool,
    /// Whether a hold was made, released or swept.
    has_holds: bool,
}

impl RemoteChanges {
    fn of(entries: &[Entry], memory: &Memory) -> Result<RemoteChanges> {
        let mut changes = RemoteChanges::default();
        for entry in entries {
            for transition in journal::unpack(&entry.transitions) {
                changes.note(transition?, memory);
            }
        }
        Ok(changes)
    }

    fn note(&mut self, transition: Transition, memory: &Memory) {
        let Transition { seq, lane, kind, priority } = transition;
        if kind == TransitionKind::Owners {
            // Of no operation.
            self.has_offers = true;
            return;
        }
        let (operation, rule) = (lane.operation(), kind.rule());
        self.has_timers |= rule.changes_timers;
        // Of no operation, as the timer of a hold.
        self.has_holds |= kind == TransitionKind::Holds;
        if lane == LaneId(0) {
            return;
        }
        if memory.dispatch.operation_name(operation).is_none() {
            self.unknown.push(lane);
        }
        self.has_records |= kind == TransitionKind::Operation;
        if rule.is_of_circuit() {
            self.steps.push(Step::Circuit(operation));
        }
        match rule.runs {
            RunEffect::Begins => self.steps.push(Step::Begin(operation, seq)),
            RunEffect::Ends => self.steps.push(Step::End(operation, seq)),
            RunEffect::Keeps => {}
        }
        let is_outside = matches!(kind, TransitionKind::Claim | TransitionKind::Begin)
            || (rule.runs == RunEffect::Ends && memory.leases.get(seq).is_some());
        if is_outside {
            self.outside.push(seq);
        }
        let key = priority.map(|priority| QueueKey::new(priority, seq));
        debug_assert!(key.is_some() || !rule.changes_queue(), "{transition:?} has no place");
        match (rule.queue, key) {
            (QueueEffect::Enters, Some(key)) => self.steps.push(Step::Enter(lane, key)),
            (QueueEffect::Leaves, Some(key)) => self.steps.push(Step::Leave(lane, key)),
            (QueueEffect::Keeps, _) | (_, None) => {}
        }
        if kind == TransitionKind::RequestAbort && memory.live.of_task(seq).is_some() {
            self.asked.aborted.push(seq);
        }
        if kind == TransitionKind::RequestPostpone && memory.live.of_task(seq).is_some() {
            self.asked.postponed.push(seq);
        }
        let is_wish = matches!(kind, TransitionKind::RequestPause | TransitionKind::ResumeRun);
        if is_wish && memory.live.of_task(seq).is_some() {
            self.asked.paused.push(seq);
        }
        let is_over = rule.is_end() || rule.after == After::Removed;
        if is_over && memory.waiters.has(seq) {
            self.ended.push(seq);
        }
        if (is_over || kind == TransitionKind::Noted) && memory.log_listeners.has(seq) {
            self.log_news.push(seq);
        }
    }

    fn apply(
        self,
        transaction: &mut dyn ReadTransaction,
        memory: &mut Memory,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<()> {
        if is_on(Fault::CatchUpForgetsToWait) {
            memory.freshness = Freshness::Current;
        }
        let has_operations = self.has_records || !self.unknown.is_empty();
        let operations = if has_operations { transaction.operations()? } else { Vec::new() };
        check_operations(&operations, self.unknown)?;
        let name = |id| {
            let new = operations.iter().find(|operation| operation.id == id);
            let new = new.map(|operation| &operation.name);
            new.or_else(|| memory.dispatch.operation_name(id)).cloned()
        };
        let is_asked = memory.dispatch.tracks_runs();
        let begun = if is_asked { begun(&self.steps) } else { BTreeMap::new() };
        let documents = runs::documents(transaction, name, &begun)?;
        let documents: FxHashMap<Seq, Value> = documents.into_iter().collect();
        let tidings = Tidings::read(transaction, memory, self.ended, &self.asked)?;
        let next_timer =
            if self.has_timers { timers::next_at(transaction)? } else { memory.next_timer };
        let offers = self.has_offers.then(|| transaction.remote_offers()).transpose()?;
        let holds = self.has_holds.then(|| transaction.holds()).transpose()?;
        let outside = transaction.outside_runs(&self.outside)?;

        holds.into_iter().for_each(|holds| memory.holds = Holds(holds));
        memory.next_timer = next_timer;
        memory.learn_operations(operations, effects);
        offers.into_iter().for_each(|offers| memory.learn_offers(offers));
        for step in self.steps {
            match step {
                Step::Enter(lane, key) => memory.dispatch.enter(lane, key),
                Step::Leave(lane, key) => memory.dispatch.leave(lane, key),
                Step::Begin(operation, seq) => {
                    memory.dispatch.begin_remote_run(operation, seq, documents.get(&seq));
                }
                Step::End(operation, seq) => memory.dispatch.end_remote_run(operation, seq),
                Step::Circuit(operation) => memory.dispatch.note_circuit_elsewhere(operation),
            }
        }
        memory.dispatch.commit();
        for (seq, run) in self.outside.into_iter().zip(outside) {
            match run {
                Some(run) => memory.learn_lease(&run, now),
                None => memory.forget_lease(seq),
            }
        }
        tidings.tell(memory, effects);
        self.log_news.into_iter().for_each(|seq| memory.tell_log_listeners_of(seq, effects));
        Ok(())
    }
}

/// The tasks whose runs have begun by these steps and are live after them.
fn begun(steps: &[Step]) -> BTreeMap<Seq, OperationId> {
    let mut live = BTreeMap::new();
    for step in steps {
        match step {
            Step::Begin(operation, seq) => live.insert(*seq, *operation),
            Step::End(_, seq) => live.remove(seq),
            Step::Enter(..) | Step::Leave(..) | Step::Circuit(_) => None,
        };
    }
    live
}
