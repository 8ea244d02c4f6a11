//! Carries out a draft in memory after its commit, and says what to tell.
//!
//! # Promises
//! - What a turn of ours did reaches memory only here, and only after its commit (I-11). The queue
//!   has been changed by the plan, and is rolled back without a commit.
//! - Order: answers, records, runs that ended, tasks that ended or are run again, starts, signals.
//!
//! # Left to others
//! What other owners committed is `catch_up`'s, what is never stored is `control`'s.
//!
//! Proof: `proof/tests/engine`.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use tasker_core::dispatch::{Pick, TakerId};
use tasker_core::id::Seq;
use tasker_core::rate::RateKey;
use tasker_core::store::{ReadyTask, Start};
use tasker_core::time::{MonoMs, Now};

use crate::batches::Together;
use crate::client_id::ClientId;
use crate::draft::{Addition, Draft, TaskNews};
use crate::effect::{AbortSignal, Answer, Claim, Effect, Heard, RunStart};
use crate::guarded::Guarded;
use crate::input::{RunSlot, Subscription};
use crate::live::{Deadline, Run, RunPause};
use crate::memory::{Memory, Runner};

/// The tasks that a turn has added, by number, and the circuits of what it starts.
struct NewTasks {
    first: Seq,
    adds: Vec<Option<Addition>>,
    guarded: FxHashMap<Seq, RateKey>,
}

impl NewTasks {
    /// One that starts as it comes.
    fn take(&mut self, seq: Seq) -> Option<ReadyTask> {
        let index = seq.0.checked_sub(self.first.0)?;
        Some(self.adds.get_mut(index as usize)?.take()?.task)
    }
}

impl Memory {
    /// Carries out a draft whose batch was committed.
    pub(crate) fn apply(&mut self, mut draft: Draft, now: Now, effects: &mut Vec<Effect>) {
        debug_assert_eq!(
            draft.adds.len() as u64,
            draft.seq_next.0 - self.seq_next.0,
            "each number that was given is a task's (I-8)"
        );
        debug_assert!(
            draft
                .adds
                .iter()
                .filter_map(|add| add.due_at)
                .min()
                .is_none_or(|due_at| { draft.next_timer.is_some_and(|next| next <= due_at) }),
            "nobody would look when a new task is due"
        );
        let told = effects.len();
        self.counts = draft.counts;
        (self.seq_next, self.lane_next) = (draft.seq_next, draft.lane_next);
        self.next_timer = draft.next_timer;
        if let Some(stopping) = &mut self.stopping {
            stopping.has_begun = true;
            stopping.lapse = draft.lapse.take();
        }
        self.has_attached = draft.attaches || (self.has_attached && !draft.has_detached);
        self.dispatch.commit();
        draft.updated.keys().for_each(|seq| self.dispatch.forget_content(*seq));
        self.next_operation += draft.new_operations;
        self.has_new_offers = false;
        self.apply_offers(&mut draft);
        if let Some(holds) = draft.holds.take() {
            self.holds = holds;
        }
        self.apply_assigned(&mut draft);
        if let Some(gathering) = draft.gathering.take() {
            self.batches.set_gathering(gathering);
        }
        self.gate_looks.extend(std::mem::take(&mut draft.gate_looks));
        for (operation, count) in std::mem::take(&mut draft.skipped) {
            self.meters.skipped(operation, count);
        }
        self.apply_pauses(&mut draft, now, effects);
        self.apply_outside(&mut draft, now, effects);
        effects.append(&mut draft.answers);
        self.tell_log_listeners(&mut draft, effects);
        self.apply_records(&draft, effects);
        self.tell_heard(&draft, effects);
        self.apply_ends(&mut draft, now, effects);
        for (seq, ticket) in draft.waiters.drain(..) {
            self.waiters.add(seq, ticket);
        }
        self.answer_waiters(&mut draft, effects);
        let went_on = std::mem::take(&mut draft.went_on).into_iter();
        effects.extend(went_on.filter(|slot| !draft.has_ended(*slot)).map(Effect::GoOn));
        self.apply_starts(&mut draft, now, effects);
        self.apply_signals(&mut draft, effects);
        debug_assert!(
            effects[told..].is_sorted_by_key(Effect::place),
            "a turn tells in another order than it promises"
        );
        self.assert_balanced();
    }

    /// Carries out a draft that only recovers the runs of dead owners.
    pub(crate) fn apply_recovery(&mut self, mut draft: Draft, now: Now, effects: &mut Vec<Effect>) {
        debug_assert!(draft.adds.is_empty(), "a recovery adds a task");
        debug_assert!(draft.starts.is_empty(), "a recovery starts a task");
        debug_assert!(draft.answers.is_empty(), "a recovery answers a call");
        self.counts = draft.counts;
        self.next_timer = draft.next_timer;
        self.dispatch.commit();
        self.apply_offers(&mut draft);
        self.apply_leases(&mut draft, now);
        self.tell_log_listeners(&mut draft, effects);
        if !draft.recovered.is_empty() {
            let runs = draft.recovered.len();
            tracing::info!(runs, "runs of a process that has died are recovered");
        }
        for (lane, seq) in draft.recovered.drain(..) {
            self.dispatch.end_remote_run(lane.operation(), seq);
        }
        self.apply_ends(&mut draft, now, effects);
        self.answer_waiters(&mut draft, effects);
        self.assert_balanced();
    }

    /// Keeps with which options a runner came, to tell if another process says otherwise.
    fn apply_assigned(&mut self, draft: &mut Draft) {
        for (ticket, operation, assigned) in draft.assigned.drain(..) {
            if assigned.is_none() {
                self.take_back(ticket, &operation);
            } else if let Some(runner) = self.runners.get_mut(&operation)
                && runner.ticket == ticket
            {
                runner.assigned = assigned;
            }
        }
    }

    /// A runner is told that it is to halt before the caller hears that it will.
    fn apply_pauses(&mut self, draft: &mut Draft, now: Now, effects: &mut Vec<Effect>) {
        for (slot, pause) in std::mem::take(&mut draft.pauses) {
            if !draft.has_ended(slot) {
                self.set_pause(slot, pause, now.mono, effects);
            }
        }
    }

    /// Sets what is known of the pause of a run, and tells its client what it has to know.
    pub(crate) fn set_pause(
        &mut self,
        slot: RunSlot,
        pause: Option<RunPause>,
        now: MonoMs,
        effects: &mut Vec<Effect>,
    ) {
        let Some(run) = self.live.get(slot) else { return };
        let was_to_halt = run.pause.is_some_and(|(pause, _)| pause.is_to_halt());
        if !was_to_halt && pause.is_some_and(RunPause::is_to_halt) {
            effects.push(Effect::Halt(slot));
        }
        self.live.set_pause(slot, pause, now);
    }

    fn apply_leases(&mut self, draft: &mut Draft, now: Now) {
        for (seq, run) in draft.leases.drain(..) {
            match run {
                Some(run) => self.learn_lease(&run, now),
                None => self.forget_lease(seq),
            }
        }
    }

    /// Who has got tasks is told which, and the leases are waited for.
    fn apply_outside(&mut self, draft: &mut Draft, now: Now, effects: &mut Vec<Effect>) {
        self.apply_leases(draft, now);
        let mut given: BTreeMap<TakerId, Vec<Claim>> = BTreeMap::new();
        for (taker, claim) in draft.claims.drain(..) {
            given.entry(taker).or_default().push(claim);
        }
        for (taker, claims) in given {
            let ticket = self.end_poll(taker, now);
            debug_assert!(ticket.is_some(), "{taker:?} has got tasks, and is gone");
            let answer = |ticket| Effect::Answer(ticket, Answer::Claims(claims));
            effects.extend(ticket.map(answer));
        }
    }

    fn apply_ends(&mut self, draft: &mut Draft, now: Now, effects: &mut Vec<Effect>) {
        for (slot, over) in draft.run_ends.drain(..) {
            let run = self.live.remove(slot);
            debug_assert!(run.is_some(), "run {slot} ends, and was not live (I-4)");
            if let Some(run) = run {
                self.meters.run_over(run.lane.operation(), run.started_at, now.wall);
                effects.push(Effect::RunEnded(slot, over));
            }
        }
        effects.extend(draft.circuit_news.drain(..).map(Effect::Circuit));
        effects.extend(draft.task_news.drain(..).map(|news| match news {
            TaskNews::Ended(id, outcome) => Effect::TaskEnded(id, outcome),
            TaskNews::Added(id) => Effect::Added(id),
            TaskNews::TickRefused(id, tick, error) => Effect::TickRefused(id, tick, error),
            TaskNews::Retrying(id, run_at, error) => Effect::Retrying(id, run_at, error),
            TaskNews::Prioritized(id, to) => Effect::Prioritized(id, to),
            TaskNews::Updated(id) => Effect::Updated(id),
            TaskNews::Began(id) => Effect::Began(id),
        }));
    }

    fn apply_records(&mut self, draft: &Draft, effects: &mut Vec<Effect>) {
        for (slot, (logs, progress)) in &draft.recorded {
            self.live.add_logs(*slot, *logs);
            let wanted = self.subscribers.of(ClientId::of(*slot));
            let logs = if wanted.logs { *logs } else { 0 };
            let progress = if wanted.progress { *progress } else { 0 };
            if logs + progress > 0 {
                effects.push(Effect::Recorded(*slot, logs, progress));
            }
        }
    }

    /// What executors outside have said is told to whoever listens to such.
    fn tell_heard(&self, draft: &Draft, effects: &mut Vec<Effect>) {
        for (id, heard) in &draft.heard {
            let listens = |asked: &Subscription| match heard {
                Heard::Log(_) => asked.logs,
                Heard::Progress(_) => asked.progress,
            };
            let told = |client| Effect::Heard(client, *id, heard.clone());
            effects.extend(self.subscribers.who(listens).map(told));
        }
    }

    fn tell_log_listeners(&mut self, draft: &mut Draft, effects: &mut Vec<Effect>) {
        let news = std::mem::take(&mut draft.log_news);
        news.into_iter().for_each(|seq| self.tell_log_listeners_of(seq, effects));
    }

    /// There is more to read of the logs of a task, or no more will come.
    pub(crate) fn tell_log_listeners_of(&mut self, seq: Seq, effects: &mut Vec<Effect>) {
        let tickets = self.log_listeners.tell(seq).into_iter();
        effects.extend(tickets.map(|ticket| Effect::Answer(ticket, Answer::Done)));
    }

    fn answer_waiters(&mut self, draft: &mut Draft, effects: &mut Vec<Effect>) {
        for (seq, outcome) in draft.awaited_ends.drain(..) {
            for ticket in self.waiters.take(seq) {
                effects.push(Effect::Answer(ticket, Answer::Ended(outcome.clone())));
            }
        }
    }

    fn apply_starts(&mut self, draft: &mut Draft, now: Now, effects: &mut Vec<Effect>) {
        let mut new = NewTasks {
            first: draft.adds.first().map_or(Seq(u64::MAX), |added| added.task.seq),
            adds: draft.adds.drain(..).map(Some).collect(),
            guarded: std::mem::take(&mut draft.guarded),
        };
        let starts = draft.starts.drain(..);
        if self.batches.is_empty() {
            effects.extend(starts.filter_map(|start| self.begin(start, None, (&mut new, now))));
        } else {
            for together in self.in_batches(starts.collect()) {
                let batch = self.begin_batch(&together, effects);
                let starts = together.starts.into_iter();
                effects
                    .extend(starts.filter_map(|start| self.begin(start, batch, (&mut new, now))));
            }
        }
        for added in new.adds.into_iter().flatten().filter(Addition::is_ready) {
            self.dispatch.offer(added.lane, added.task);
        }
    }

    /// The number of the next run of an operation.
    fn next_slot_of(&self, operation: &str) -> RunSlot {
        let client = self.runners.get(operation).map(Runner::client);
        debug_assert!(client.is_some(), "{operation:?} starts without a runner");
        client.unwrap_or(ClientId::FIRST).inside(self.next_slot)
    }

    /// Tells that the starts that follow are a batch, if they are. Its number.
    fn begin_batch(&self, together: &Together, effects: &mut Vec<Effect>) -> Option<RunSlot> {
        let (pick, _) = together.starts.first().filter(|_| together.is_batch)?;
        let operation = self.dispatch.operation_name(pick.lane.operation())?;
        let first = self.next_slot_of(operation);
        effects.push(Effect::Batch(first, together.starts.len() as u32));
        Some(first)
    }

    fn begin(
        &mut self,
        (pick, start): (Pick, Start),
        batch: Option<RunSlot>,
        (new, now): (&mut NewTasks, Now),
    ) -> Option<Effect> {
        let Pick { lane, key, .. } = pick;
        let task = new.take(key.seq).or(pick.task);
        debug_assert!(task.is_some(), "{key:?} has started, and nobody knows it");
        let task = task?;
        let guarded = guard(&mut new.guarded, task.seq, self.number);
        debug_assert_eq!(task.seq, key.seq, "another task starts than was picked (I-7)");
        debug_assert_eq!(start.attempt, task.attempt + 1, "an attempt is left out (I-10)");
        debug_assert!(start.at >= task.created_at, "a run begins before its task came");
        self.meters.started(lane.operation(), &task, start);
        let slot = self.next_slot_of(&task.def.operation);
        self.next_slot += 1;
        let timeout = task.def.options.run_timeout_ms;
        self.live.insert(Run {
            slot,
            seq: task.seq,
            id: task.id,
            run: start.run,
            operation: task.def.operation.clone(),
            lane,
            priority: key.priority(),
            started_at: start.at,
            attempt: start.attempt,
            failures: task.failures,
            retry: task.def.options.retry.clone(),
            retention: task.def.options.retention.clone(),
            on_stop: task.def.options.on_stop,
            lapses: task.def.lapses(),
            has_dependencies: task.def.options.depends_on.is_some(),
            logs: task.logs,
            batch,
            fired: None,
            is_abort_asked: false,
            deadline: timeout.map(|ms| (now.mono.plus(ms), Deadline::Timeout)),
            guarded,
            pause: None,
        });
        Some(Effect::Start(RunStart {
            slot,
            id: task.id,
            run: start.run,
            operation: task.def.operation,
            attempt: start.attempt,
            priority: key.priority(),
            created_at: task.created_at,
            started_at: start.at,
            data: task.def.data,
            options: task.def.options,
        }))
    }

    fn apply_signals(&mut self, draft: &mut Draft, effects: &mut Vec<Effect>) {
        self.live.have_looked();
        for (slot, at, deadline) in draft.deadlines.drain(..) {
            self.live.set_deadline(slot, at, deadline);
        }
        for slot in draft.abort_asked.drain() {
            self.live.ask_abort(slot);
        }
        for (slot, reason) in draft.fired.drain(..) {
            self.live.fire(slot, reason.clone());
            effects.push(Effect::Abort(slot, AbortSignal::Abort(reason)));
        }
        let signals = draft.signals.drain(..);
        effects.extend(signals.map(|(slot, signal)| Effect::Abort(slot, signal)));
    }
}

/// Where the circuit of a run stands that begins in this batch.
fn guard(keys: &mut FxHashMap<Seq, RateKey>, seq: Seq, began: u64) -> Option<Box<Guarded>> {
    if keys.is_empty() {
        return None;
    }
    let key = keys.remove(&seq)?;
    Some(Box::new(Guarded { key, began }))
}
