//! Tasks that executors outside take: the claim, the run, and its end.
//!
//! A run of an executor is nobody's: it is in no `live` of any process, and its calls come to
//! whichever process serves it. Each names the run, and is checked against the task as it is after
//! all that the turn has done so far.
//!
//! # Promises
//! - A task is given to one poll, under one run; a call under another run, or in another state, is
//!   refused and changes nothing (I-4). Of two that settle a run in one turn the second is refused.
//! - A claim that is over or given back makes its task ready again, and no attempt is counted. A
//!   run of which nothing was heard in time is a failure.
//! - What is counted of a task grows in the commit in which its executor begins (I-10).
//!
//! # Left to others
//! Who polls: `polls`. When a lease is over: `leases`.
//!
//! Proof: `proof/tests/engine/executors.rs`, `conformance::interplay`, `proof/tests/random`.

use tasker_core::dispatch::{Pick, TakerId};
use tasker_core::error::{Code, Error, Result};
use tasker_core::executor::{Executor, Lease};
use tasker_core::id::{LaneId, RunId, Seq, TaskId};
use tasker_core::journal::Transition;
use tasker_core::retry::{self, AfterRun, Again, Tries};
use tasker_core::rules::{self, Settlement};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change, OutsideChange, OutsideRun, Start};
use tasker_core::task::{AbortReason, AfterQueueTimeout, Cause, LogLine, Tally, TaskEnd};
use tasker_core::time::WallMs;

use crate::draft::{GivenBack, Planner, TaskNews};
use crate::effect::{Answer, Effect, Heard};
use crate::input::{Record, Ticket};
use crate::poll::Claim;
use crate::record::kept;

impl Planner<'_> {
    /// How the tasks of a lane are given out.
    fn executor(&self, lane: LaneId) -> Executor {
        self.dispatch.executor(lane.operation()).unwrap_or_default()
    }

    /// A pick goes to one who waits for it.
    pub(crate) fn claim(&mut self, pick: Pick, taker: TakerId) {
        let Pick { lane, key, task, .. } = pick;
        let (seq, priority) = (key.seq, key.priority());
        let new = seq.0.checked_sub(self.memory.seq_next.0).map(|at| at as usize);
        let task = match new {
            Some(at) => self.draft.adds.get(at).map(|add| add.task.clone()),
            None => task,
        };
        debug_assert!(task.is_some(), "{key:?} is taken, and nobody knows it");
        let Some(task) = task else { return };
        let until = self.now.wall.plus(self.executor(lane).claim_ms);
        let executor = self.memory.polls.name_of(taker);
        let lease = Lease { run: self.new_run(), until, executor };
        let claim = Claim {
            id: task.id,
            run: lease.run,
            operation: task.def.operation.clone(),
            attempt: task.attempt,
            priority,
            created_at: task.created_at,
            until,
            data: task.def.data.clone(),
            options: task.def.options.clone(),
        };
        let run = OutsideRun {
            seq,
            id: task.id,
            lane,
            state: State::Claimed,
            lease: lease.clone(),
            started_at: None,
            attempt: task.attempt,
            failures: task.failures,
            logs: task.logs,
            retry: task.def.options.retry.clone(),
            run_timeout_ms: task.def.options.run_timeout_ms,
        };
        self.draft.claims.push((taker, claim));
        self.draft.leases.push((seq, Some(run)));
        let at = self.now.wall;
        let change = Change::Outside(OutsideChange::Claim { seq, lane, priority, lease, at });
        match new {
            // Written behind its add.
            Some(at) => self.draft.adds[at].held = Some(Box::new(change)),
            None => {
                self.write_due_of(seq);
                self.transition(Some(State::Ready), change);
            }
        }
    }

    /// The run or the claim that a call names, if its task is in this state; else the call is
    /// refused.
    fn outside_run(
        &mut self,
        ticket: Ticket,
        (id, run): (TaskId, RunId),
        state: State,
    ) -> Option<(Seq, Brief, OutsideRun)> {
        let (seq, brief) = self.find(ticket, id)?;
        let known = self.facts.outside.get(&seq).cloned();
        let found = check(&brief, run, state).and_then(|()| known.ok_or_else(fenced));
        match found {
            Ok(known) => Some((seq, brief, known)),
            Err(error) => {
                let error = error.with_uuid(id.0.to_string());
                self.answer(Effect::Refuse(ticket, error));
                None
            }
        }
    }

    /// An executor begins with what it has claimed.
    pub(crate) fn begin(&mut self, ticket: Ticket, id: TaskId, run: RunId) {
        let asked = (id, run);
        let Some((seq, brief, mut known)) = self.outside_run(ticket, asked, State::Claimed) else {
            return;
        };
        let (lane, priority) = (brief.lane, brief.priority);
        let until = self.now.wall.plus(self.executor(lane).lease_ms);
        let attempt = known.attempt + 1;
        let start = Start { run, attempt, at: self.now_or(brief.latest_at) };
        (known.state, known.started_at) = (State::Running, Some(start.at));
        (known.attempt, known.lease.until) = (attempt, until);
        self.keep_outside(seq, known);
        self.draft.task_news.push(TaskNews::Began(id));
        let begin = OutsideChange::Begin { seq, lane, priority, start, until };
        self.transition(Some(State::Claimed), Change::Outside(begin));
        self.answer(Effect::Answer(ticket, Answer::Lease(until)));
    }

    /// The executor of a run was heard of, and may have said something.
    pub(crate) fn renew(
        &mut self,
        ticket: Ticket,
        (id, run): (TaskId, RunId),
        said: Option<&Record>,
    ) {
        let asked = (id, run);
        let Some((seq, brief, mut known)) = self.outside_run(ticket, asked, State::Running) else {
            return;
        };
        let lane = brief.lane;
        let until = self.now.wall.plus(self.executor(lane).lease_ms);
        known.lease.until = until;
        let renew = OutsideChange::Renew { seq, run, until };
        self.draft.changes.push(Change::Outside(renew));
        match said.cloned() {
            None => {}
            Some(Record::Progress(progress)) => {
                self.draft.heard.push((id, Heard::Progress(progress.clone())));
                let change = Change::Progress { seq, lane, run, progress };
                self.transition(Some(State::Running), change);
            }
            Some(Record::Log { level, at, message, fields }) => {
                let (n, attempt) = (known.logs + 1, known.attempt);
                let at = at.unwrap_or(self.now.wall);
                let line = LogLine { n, attempt, level, at, message, fields };
                if let Some(line) = kept(line) {
                    known.logs = n;
                    self.draft.heard.push((id, Heard::Log(line.clone())));
                    let change = Change::Log { seq, lane, run, line };
                    self.transition(Some(State::Running), change);
                    self.note_log_news(seq);
                }
            }
        }
        self.keep_outside(seq, known);
        self.answer(Effect::Answer(ticket, Answer::Lease(until)));
    }

    fn keep_outside(&mut self, seq: Seq, run: OutsideRun) {
        self.draft.leases.push((seq, Some(run.clone())));
        self.facts.outside.insert(seq, run);
    }

    /// An executor says how its run has ended.
    pub(crate) fn settle_outside(
        &mut self,
        ticket: Ticket,
        asked: (TaskId, RunId),
        settlement: &Settlement,
    ) {
        let Some((seq, brief, known)) = self.outside_run(ticket, asked, State::Running) else {
            return;
        };
        let retries = self.executor(brief.lane).retry_on_fail;
        let policy = known.retry.clone().filter(|_| retries);
        let tries = Tries { policy: policy.as_deref(), failures: known.failures, run: asked.1 };
        let after = retry::after_run(settlement.clone(), None, tries);
        self.follow(seq, &brief, &known, after);
        self.answer(Effect::Answer(ticket, Answer::Done));
    }

    /// Carries out what follows from a run that is over.
    fn follow(&mut self, seq: Seq, brief: &Brief, run: &OutsideRun, after: AfterRun) {
        match after {
            AfterRun::End(outcome) => self.end_outside(seq, brief, outcome),
            AfterRun::Again(again) => self.try_outside_again(seq, brief, run, again),
        }
    }

    /// A task ends with the run of its executor.
    fn end_outside(&mut self, seq: Seq, brief: &Brief, outcome: TaskEnd) {
        let (lane, priority) = (brief.lane, brief.priority);
        let (at, state) = (self.now_or(brief.latest_at), outcome.state());
        self.draft.task_news.push(TaskNews::Ended(brief.id, outcome.clone()));
        self.forget_outside(seq, lane);
        let end = Change::End { seq, lane, priority, run: brief.run, outcome, at };
        self.transition(Some(State::Running), end);
        self.let_go(seq, brief.on_failure.is_some());
        self.note_lapses((seq, lane.operation()), brief.lapses, false);
        if let Some(retention) = brief.retention.clone() {
            self.retain(&retention, (seq, lane), state, at);
        }
    }

    /// A run of an executor is over, and its task waits for another one.
    fn try_outside_again(&mut self, seq: Seq, brief: &Brief, known: &OutsideRun, again: Again) {
        let Again { end, error, delay_ms } = again;
        let (lane, priority, run) = (brief.lane, brief.priority, known.lease.run);
        let at = self.now_or(brief.latest_at);
        let due_at = (delay_ms > 0).then(|| self.after(delay_ms));
        let failures = known.failures + 1;
        let tally = Tally { attempt: known.attempt, failures, losses: 0 };
        self.draft.given_back.insert(seq, GivenBack { tally, logs: known.logs });
        let told = error.as_ref().map(|error| error.error.clone());
        let news = TaskNews::Retrying(brief.id, due_at.unwrap_or(at), told);
        self.draft.task_news.push(news);
        self.wake_at(due_at);
        self.forget_outside(seq, lane);
        let release = Change::Release { seq, lane, priority, run, end, error, tally, due_at, at };
        self.transition(Some(State::Running), release);
    }

    /// No executor has a task any more.
    fn forget_outside(&mut self, seq: Seq, lane: LaneId) {
        self.dispatch.end_outside_run(lane.operation(), seq);
        self.draft.leases.push((seq, None));
    }

    /// A claim is over, and its task ready again.
    fn unclaim(&mut self, seq: Seq, brief: &Brief, run: RunId) {
        let (lane, priority) = (brief.lane, brief.priority);
        self.forget_outside(seq, lane);
        let change = OutsideChange::Unclaim { seq, lane, priority, run };
        self.transition(Some(State::Claimed), Change::Outside(change));
    }

    /// The same of a claim that nobody has begun with. Meanwhile the time of the task for its first
    /// start may have passed.
    fn put_back_claimed(&mut self, seq: Seq, brief: &Brief, run: RunId) {
        self.unclaim(seq, brief, run);
        let Some(timeout) = brief.queue_timeout.filter(|_| !brief.has_started) else { return };
        match timeout.ends_at {
            None => {}
            // Its timer may have fired for nothing.
            Some(at) if at > self.now.wall => {
                self.set_queue_timeout((seq, State::Ready), brief.lane, Some(at));
            }
            Some(_) => {
                let Some(brief) = self.facts.briefs.get(&seq).cloned() else { return };
                match timeout.then {
                    AfterQueueTimeout::Abort => self.end_expired(seq, &brief),
                    AfterQueueTimeout::Prioritize(to) => self.move_expired(seq, &brief, to),
                }
            }
        }
    }

    /// Claims whose caller is not there any more.
    pub(crate) fn give_back_claims(&mut self, claims: &[(TaskId, RunId)]) {
        for (id, run) in claims {
            let Some((seq, brief)) = self.brief(*id) else { continue };
            if check(&brief, *run, State::Claimed).is_ok() {
                self.put_back_claimed(seq, &brief, *run);
            }
        }
    }

    /// Somebody aborts a task that an executor has: it ends at once, and what the executor says of
    /// it later is refused.
    pub(crate) fn abort_outside(&mut self, seq: Seq, brief: &Brief, abort: AbortReason) {
        if brief.state == State::Running {
            return self.end_outside(seq, brief, TaskEnd::Aborted(abort.cause, abort.reason));
        }
        if let Some(run) = brief.run {
            self.unclaim(seq, brief, run);
        }
        if let Some(brief) = self.facts.briefs.get(&seq).cloned() {
            self.withdraw(seq, &brief, abort);
        }
    }

    /// Looks at leases that may be over. Stands behind the calls of the turn: what one has renewed
    /// is not over.
    pub(crate) fn end_leases(&mut self) {
        for seq in self.memory.leases.due(self.now.mono) {
            let Some(known) = self.memory.leases.get(seq) else { continue };
            let brief = self.facts.briefs.get(&seq).filter(|brief| brief.is_outside).cloned();
            let run = self.facts.outside.get(&seq).cloned();
            let (Some(brief), Some(run)) = (brief, run) else {
                self.draft.leases.push((seq, None));
                continue;
            };
            let is_it = run.lease.run == known.run;
            let is_late = known.timeout.is_some_and(|timeout| timeout <= self.now.mono);
            if is_it && is_late && brief.state == State::Running {
                self.time_out_outside(seq, &brief, &run);
            } else if !is_it || (run.state, run.lease.until) != (known.state, known.until) {
                // It was renewed, here or elsewhere.
                self.draft.leases.push((seq, Some(run)));
            } else if brief.state == State::Claimed {
                self.put_back_claimed(seq, &brief, run.lease.run);
            } else {
                let (policy, failures) = (run.retry.as_deref(), run.failures);
                let after = Tries { policy, failures, run: run.lease.run }.follow_lease();
                self.follow(seq, &brief, &run, after);
            }
        }
    }

    /// The run of an executor takes longer than it may.
    fn time_out_outside(&mut self, seq: Seq, brief: &Brief, run: &OutsideRun) {
        let text = "the task ran longer than its runTimeout";
        let reason = rules::abort_reason(Cause::RunTimeout, text);
        let end = TaskEnd::Aborted(reason.cause, reason.reason);
        let (policy, failures) = (run.retry.as_deref(), run.failures);
        let after = Tries { policy, failures, run: run.lease.run }.follow(end, None);
        self.follow(seq, brief, run, after);
    }

    /// Whether a change is counted with its task, because executors take that.
    pub(crate) fn is_touched(&self, change: &Change) -> Option<Seq> {
        if !self.dispatch.has_executors() && self.memory.leases.is_empty() {
            return None;
        }
        let Transition { seq, lane, .. } = Transition::of(change)?;
        let is_outside = |brief: &Brief| brief.is_outside;
        let is_touched = self.dispatch.executor(lane.operation()).is_some()
            || self.facts.briefs.get(&seq).is_some_and(is_outside);
        (is_touched && seq.0 > 0).then_some(seq)
    }

    /// A task that executors take has changed.
    pub(crate) fn touch(&mut self, seq: Seq) {
        let at: WallMs = self.now.wall;
        self.draft.changes.push(Change::Outside(OutsideChange::Touch { seq, at }));
    }
}

/// Whether a task has this run of an executor, and is in this state.
fn check(brief: &Brief, run: RunId, state: State) -> Result<()> {
    if !brief.is_outside || brief.run != Some(run) {
        return Err(fenced());
    }
    if brief.state != state {
        let has_begun = state == State::Claimed;
        let text =
            if has_begun { "the run has begun already" } else { "the run has not begun yet" };
        return Err(Error::new(Code::Conflict, text));
    }
    Ok(())
}

fn fenced() -> Error {
    Error::new(Code::Fenced, "this run is over, or the task has another one")
}
