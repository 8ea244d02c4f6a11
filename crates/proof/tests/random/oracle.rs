//! What must be true, kept by the simplest means: a list of everything, scanned for each question.

mod asked;
mod attached;
pub(crate) mod coverage;
mod dependencies;
mod explaining;
mod figures;
mod found;
pub(crate) mod holds;
mod lapsing;
mod operations;
mod pauses;
mod postponing;
mod process;
mod queue_timeouts;
mod circuits;
mod rates;
mod refusals;
pub(crate) mod removals;
mod retries;
mod rows;
mod said;
mod task;
mod time;
mod unique;
mod updates;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tasker_core::error::Code;
use tasker_core::hold::HoldId;
use tasker_core::id::{IdKey, IdempotencyKey, RunId, Seq, TaskId};
use tasker_core::operation::OperationRecord;
use tasker_core::state::{Counts, State};
use tasker_core::task::{AbortReason, AfterQueueTimeout, Cause, NewTask, TaskEnd};
use tasker_core::time::{Now, WallMs};
use tasker_engine::client_id::ClientId;
use tasker_engine::effect::{
    AbortSignal, Answer, Effect, RemoteEvent, RunEnd, RunStart, TaskEvent,
};
use tasker_engine::input::{Input, RunSlot, Ticket};

pub(crate) use asked::Asked;
use coverage::Coverage;
pub(crate) use process::Process;
use process::{Run, Stopping};
pub(crate) use rates::Gate;
use retries::Reopening;
use said::{Expected, Said, said};
pub(crate) use task::Task;

/// All that is known, and what is owed.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    limit: u32,
    pub(crate) key: Option<IdKey>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    /// Those that were removed, and when by the clock of who did it.
    removed: BTreeMap<TaskId, WallMs>,
    pub(crate) processes: Vec<Process>,
    /// The one that turns.
    me: usize,
    keys: BTreeMap<IdempotencyKey, TaskId>,
    /// Keys whose commit was open, and whether it had happened.
    open_keys: BTreeMap<IdempotencyKey, bool>,
    /// What is said of each operation; the version is none that is stored, and the moment of a
    /// pause none that was.
    operations: BTreeMap<Arc<str>, OperationRecord>,
    /// Calls that opened tasks in this turn.
    reopenings: BTreeMap<TaskId, VecDeque<Reopening>>,
    /// The task that took each unique key last.
    takers: BTreeMap<unique::UniqueKey, TaskId>,
    /// Those whose keys others have taken in this turn.
    dispossessed: Vec<TaskId>,
    /// The definitions that replaced others in this turn, and the states that came with them.
    replaced: BTreeMap<TaskId, (NewTask, State)>,
    /// The tasks on which others depend, or did.
    pub(crate) named: BTreeSet<TaskId>,
    /// Waiting tasks that were aborted in this turn.
    withdrawn: BTreeSet<TaskId>,
    /// How often it is yet to be told that a task got another definition.
    updates_owed: BTreeMap<TaskId, u32>,
    /// What the others offer, as the store says.
    pub(crate) elsewhere: explaining::Elsewhere,
    /// What was said of tasks, in JSON.
    explained: Vec<(TaskId, String)>,
    figures: Vec<String>,
    /// Those that are not swept yet, by number.
    holds: Vec<holds::Hold>,
    /// Those that this turn sweeps.
    sweeping: Vec<HoldId>,
    /// What each has held.
    held: BTreeSet<(HoldId, TaskId)>,
    /// What is known of the tokens of rate limits.
    gates: rates::Gates,
    /// What is known of circuits.
    circuits: circuits::Circuits,
    runs_seen: BTreeSet<RunId>,
    last_seq: Seq,
    /// What the wall clock says, and the latest that any has said.
    wall: WallMs,
    latest: WallMs,
    pub(crate) started: u64,
    /// Which verbs have met which states.
    pub(crate) used: Coverage,
}

impl Oracle {
    pub(crate) fn new(limit: u32, processes: usize) -> Self {
        let processes = (0..processes).map(|_| Process::default()).collect();
        Self { limit, processes, ..Self::default() }
    }

    /// The process of which all that follows is said.
    pub(crate) fn turn_to(&mut self, process: usize) {
        self.me = process;
    }

    /// The process that turns.
    pub(crate) fn me(&self) -> &Process {
        &self.processes[self.me]
    }

    fn mine(&mut self) -> &mut Process {
        &mut self.processes[self.me]
    }

    /// The tickets of watches that are not answered yet.
    pub(crate) fn watches(&self) -> Vec<Ticket> {
        let watch = |(ticket, asked): (&Ticket, &Asked)| asked.is_wait().then_some(*ticket);
        self.me().asked.iter().filter_map(watch).collect()
    }

    /// What calls change at once, whatever becomes of the turn.
    pub(crate) fn ask(&mut self, inputs: &[Input], now: Now) {
        let mono = now.mono.0;
        (self.wall, self.latest) = (now.wall, self.latest.max(now.wall));
        self.meet_deadlines(mono);
        self.meet_due();
        self.meet_queue_timeouts();
        self.meet_purge();
        self.begin_sweep();
        for input in inputs {
            self.meet_by(input);
            let asked = Asked::of(input);
            self.mine().kept.extend(said(input));
            if let Some(ticket) = input.ticket() {
                assert!(self.mine().asked.insert(ticket, asked).is_none());
            }
            self.mine().control(input, mono);
        }
    }

    /// Hears what a turn told; `hit` if its commit failed.
    pub(crate) fn hear(&mut self, effects: &[Effect], hit: Option<Code>) {
        self.mine().hit = hit;
        self.hear_timeouts(effects);
        if hit.is_some() {
            let is_call = |said: &Said| matches!(said, Said::Abort(..) | Said::PutOff(..));
            self.mine().kept.retain(|said| !is_call(said));
        } else {
            let said = std::mem::take(&mut self.mine().kept);
            self.expect(said);
        }
        let is_start = |effect: &Effect| matches!(effect, Effect::GoOn(_) | Effect::Start(_));
        let starts = effects.iter().position(is_start).unwrap_or(effects.len());
        let (before, after) = effects.split_at(starts);
        before.iter().for_each(|effect| self.effect(effect));
        if hit.is_none() {
            self.reach_dependents(false);
            self.become_due_at(self.wall);
            self.sweep(self.wall);
            let late = self.tasks.values().find(|task| task.expired_at(self.wall).is_some());
            assert!(late.is_none(), "it has waited too long: {late:?}");
        }
        after.iter().for_each(|effect| self.effect(effect));
        self.meet_circuits();
        self.let_go();
    }

    /// Hears what a look told; what was said before still waits for a turn.
    pub(crate) fn hear_look(&mut self, effects: &[Effect], hit: Option<Code>) {
        self.mine().hit = hit;
        for effect in effects {
            self.effect(effect);
        }
    }

    /// The store said this when it was closed.
    pub(crate) fn fail_close(&mut self, code: Code) {
        self.mine().close_fault = Some(code);
    }

    /// How the runs that have settled must end.
    fn expect(&mut self, said: Vec<Said>) {
        let mut fired: BTreeMap<RunSlot, Cause> = BTreeMap::new();
        let wall = self.wall;
        for said in said {
            if let Said::Halt(slot) = said {
                self.reached_checkpoint(slot, fired.contains_key(&slot));
                continue;
            }
            let (tasks, me) = (&mut self.tasks, &mut self.processes[self.me]);
            match said {
                Said::Halt(_) => {}
                Said::Abort(id, cause) => {
                    if let Some((process, slot)) = tasks.get(&id).and_then(|task| task.run)
                        && process == self.me
                    {
                        fired.entry(slot).or_insert(cause);
                    }
                }
                Said::PutOff(id, ms) => {
                    if let Some(task) = tasks.get(&id)
                        && let Some((process, slot)) = task.run
                        && process == self.me
                    {
                        me.put_off(
                            slot,
                            task,
                            fired.contains_key(&slot),
                            ms.map(|ms| wall.plus(ms)),
                        );
                    }
                }
                Said::Line(slot, line) => {
                    if let Some(run) = me.runs.get(&slot)
                        && !me.expected.contains_key(&slot)
                    {
                        tasks.get_mut(&run.task).unwrap().lines.push(line);
                    }
                }
                Said::Settle(slot, _) | Said::Postpone(slot) => {
                    me.expect_end(slot, said, tasks, &fired);
                }
                Said::Leave(client) => {
                    let slots = me.runs.keys().copied().collect::<Vec<_>>();
                    for slot in slots.into_iter().filter(|slot| ClientId::of(*slot) == client) {
                        me.expect_end(slot, Said::Postpone(slot), tasks, &fired);
                    }
                }
            }
        }
        self.processes[self.me].give_back_asked(&self.tasks, &fired);
    }

    fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Answer(ticket, answer) => self.answer(*ticket, answer),
            Effect::Refuse(ticket, error) => self.refused(*ticket, error),
            Effect::RunEnded(slot, over) => self.over(*slot, over),
            Effect::TaskEnded(id, outcome) => self.end(*id, outcome.clone()),
            Effect::Retrying(id, run_at, _) => self.told_again(*id, *run_at),
            Effect::Prioritized(id, to) => self.moved(*id, *to),
            Effect::Updated(id) => self.told_update(*id),
            Effect::Circuit(news) => self.told_circuit(news),
            Effect::Start(started) => self.start(started),
            Effect::Abort(slot, AbortSignal::Abort(abort)) => {
                if let Some(run) = self.mine().runs.get_mut(slot) {
                    run.fired.get_or_insert(abort.cause);
                }
            }
            Effect::Remote(client, event) => self.remote_event(*client, event),
            Effect::OperationChanged(_, name, versions) => self.disagree(name, *versions),
            Effect::Halt(slot) => self.told_to_halt(*slot),
            Effect::GoOn(slot) => self.goes_on(*slot),
            Effect::Abort(..) | Effect::Batch(..) | Effect::Recorded(..) => {}
            // Worlds of their own have schedules and executors.
            Effect::Began(_) | Effect::Heard(..) | Effect::Added(_) | Effect::TickRefused(..) => {
                panic!("{effect:?}")
            }
            Effect::Idle(_) => assert!(self.me().runs.is_empty(), "something runs"),
            Effect::Drained(_) => {
                let open = self.tasks.values().find(|task| !task.state.is_final());
                assert!(open.is_none(), "something is left to do: {open:?}");
            }
            Effect::Closed(_) => self.mine().is_closed = true,
        }
    }

    /// What is told of others is true, and no more of it before it was heard.
    fn remote_event(&mut self, client: ClientId, event: &RemoteEvent) {
        assert!(self.processes.len() > 1 && !self.me().told.contains(&client), "{event:?}");
        match event {
            RemoteEvent::Task(id, news) => {
                let task = self.tasks.get_mut(id).unwrap();
                match news {
                    TaskEvent::Ended(outcome) => task.ended_as(outcome),
                    TaskEvent::Prioritized(to) => assert!(task.priorities.contains(to), "{to:?}"),
                    TaskEvent::Retrying(..) => assert!(task.is_tried_again(), "{task:?}"),
                    TaskEvent::Added { .. } | TaskEvent::Run | TaskEvent::Updated => {}
                }
            }
            RemoteEvent::Missed(batches) => assert_eq!(*batches, 0, "the journal is short"),
            RemoteEvent::AwaitAck => self.mine().told.push(client),
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: &Answer) {
        let asked = self.mine().asked.remove(&ticket).expect("a call is answered once");
        let given_back = self.given_back();
        match (asked, answer) {
            (Asked::Add(defs), Answer::Task(id)) => self.enter(*id, defs[0].clone()),
            (Asked::Add(defs), Answer::Tasks(ids)) => self.enter_all(defs, ids),
            (Asked::Add(defs), Answer::Adds(tasks)) => self.enter_list(defs, tasks),
            (Asked::Once(defs), Answer::Adds(tasks)) => self.enter_rows(defs, tasks),
            (Asked::Once(defs), Answer::Idempotent(tasks)) => {
                assert_eq!(tasks.len(), defs.len());
                for ((key, def), (id, is_new)) in defs.into_iter().zip(tasks) {
                    self.enter_once(key, def, *id, *is_new);
                }
            }
            (Asked::Keyed(key), Answer::Found(id)) => self.see_key(key, *id),
            (Asked::Abort(id, cause), Answer::Flag(true)) => self.aborted(id, cause, &given_back),
            (Asked::Prioritize(id, priority), Answer::Flag(true)) => {
                let is_reopening = self.is_reopening(id);
                let task = self.tasks.get_mut(&id).unwrap();
                let waits = is_reopening || task.run.is_none_or(|run| given_back.contains(&run));
                assert!(waits && !task.state.is_final(), "{task:?}");
                task.def.priority = priority;
                task.priorities.push(priority);
            }
            (Asked::Postpone(id, ms), Answer::Flag(does)) => self.put_off(id, ms, *does),
            (Asked::Retry(id, how), Answer::Flag(does)) => self.asked_again(id, how, *does),
            (Asked::Update(id, patch), Answer::Flag(true)) => self.updated(id, &patch),
            (Asked::Remove(id), Answer::Flag(does)) => self.asked_to_remove(id, *does),
            (Asked::PauseTask(id), Answer::Flag(flag)) => self.paused_task(id, *flag),
            (Asked::ResumeTask(id), Answer::Flag(flag)) => self.resumed_task(id, *flag),
            (Asked::Watch(id), Answer::Ended(outcome)) => {
                let task = self.tasks.get_mut(&id).unwrap();
                // In the turn that ended it, it may have been opened again.
                if task.state.is_final() {
                    task.ended_as(outcome);
                } else {
                    assert!(task.has_ended_as(outcome), "{outcome:?} {task:?}");
                }
            }
            (Asked::Rest, Answer::Done) => assert!(self.me().runs.is_empty(), "something runs"),
            (Asked::Explain(id), Answer::Json(text)) => self.explained.push((id, text.clone())),
            (Asked::Figures, Answer::Json(text)) => self.figures.push(text.clone()),
            (Asked::Hold(query, until), Answer::Number(id)) => self.made_hold(query, until, *id),
            (Asked::ReleaseHold(id), Answer::Flag(flag)) => self.released(id, *flag),
            (Asked::Assign(name, options), Answer::Done) => self.assigned(ticket, name, options),
            (Asked::Define(name, options), answer) => self.defined(name, options, answer),
            (Asked::Pause(name, pauses), Answer::Flag(flag)) => self.paused(name, pauses, *flag),
            (Asked::Abort(..) | Asked::Prioritize(..) | Asked::Update(..), Answer::Flag(false))
            | (Asked::Else, Answer::Done) => {}
            other => panic!("{other:?}"),
        }
    }

    fn aborted(&mut self, id: TaskId, cause: Cause, given_back: &BTreeSet<(usize, RunSlot)>) {
        let is_reopening = self.is_reopening(id);
        let task = self.tasks.get_mut(&id).unwrap();
        assert!(!task.state.is_final(), "I-3: {task:?}");
        let is_live = |run: &(usize, RunSlot)| !is_reopening && !given_back.contains(run);
        if task.run.is_none_or(|run| !is_live(&run)) {
            self.withdrawn.insert(id);
            self.replaced.remove(&id);
        }
        if let Some((process, slot)) = task.run.filter(is_live) {
            task.abort.get_or_insert(cause);
            if process == self.me {
                // Another one hears of it at its next turn or look.
                self.mine().runs.get_mut(&slot).unwrap().fired.get_or_insert(cause);
            }
        }
    }

    /// The runs that this turn has given back, which is told only after the answers: what was asked
    /// for after that met a task that waits.
    fn given_back(&self) -> BTreeSet<(usize, RunSlot)> {
        let ends = self.me().expected.iter();
        let given_back = ends.filter(|(_, (end, _))| end.is_wait());
        given_back.map(|(slot, _)| (self.me, *slot)).collect()
    }

    fn enter_all(&mut self, defs: Vec<NewTask>, ids: &[TaskId]) {
        assert_eq!(ids.len(), defs.len());
        for (id, mut def) in ids.iter().zip(defs) {
            dependencies::name_all(&mut def, ids);
            self.enter(*id, def);
        }
    }

    fn enter(&mut self, id: TaskId, mut def: NewTask) {
        let attached_to = std::mem::take(&mut def.is_attached).then_some(self.me);
        self.mine().has_attached |= attached_to.is_some();
        self.complete(&mut def);
        let run_at = def.options.fix_start_time(self.wall);
        let is_delayed = run_at.is_some_and(|at| at > self.wall);
        dependencies::name_all(&mut def, &[]);
        let waits = self.waits_of(&def);
        if waits.is_none() {
            def.options.begin_queue_timeout(run_at.map_or(self.wall, |at| at.max(self.wall)));
        }
        let seq = self.key.unwrap().seq_of(id);
        assert!(seq > self.last_seq, "I-8");
        self.last_seq = seq;
        let task = Task {
            seq,
            created_at: self.wall,
            def,
            state: match (&waits, is_delayed) {
                (Some(_), _) => State::Blocked,
                (None, true) => State::Delayed,
                (None, false) => State::Ready,
            },
            doomed_by: waits.as_ref().and_then(|waits| self.failed_of(waits)),
            waits: waits.unwrap_or_default(),
            lane: None,
            attached_to,
            priorities: Vec::new(),
            attempt: 0,
            failures: 0,
            losses: 0,
            starts: 0,
            reopened_at: 0,
            earlier: Vec::new(),
            postponed: None,
            later: Vec::new(),
            run: None,
            lines: Vec::new(),
            cause: None,
            abort: None,
            outcome: None,
            image: None,
            wish: None,
            has_halted: false,
            is_paused_somewhen: false,
            is_end_owed: false,
            is_leaving: false,
            is_doubtful: false,
            ended_from: WallMs::FIRST,
        };
        self.named.extend(task.def.options.depends_on.iter().flat_map(|all| all.tasks()));
        assert!(self.tasks.insert(id, task).is_none(), "I-2: twice");
        self.take_key(id);
    }

    /// A stranger added a task to the n-th lane of its operation.
    pub(crate) fn enter_in_lane(&mut self, id: TaskId, def: NewTask, lane: u64) {
        let own = def.conditions().clone();
        self.enter(id, def);
        let task = self.tasks.get_mut(&id).unwrap();
        (task.def.options.conditions, task.def.options.own_conditions) = (own, None);
        task.put_in_lane(lane);
    }

    fn over(&mut self, slot: RunSlot, over: &RunEnd) {
        let run = self.mine().runs.remove(&slot).expect("I-4: a run is over once");
        self.settle_circuit(run.task, over, run.fired);
        let expected = self.mine().expected.remove(&slot);
        self.mine().freed.remove(&slot);
        let wall = self.wall;
        let task = self.tasks.get_mut(&run.task).unwrap();
        let chances = task.chances(task.abort.is_some());
        (task.run, task.abort, task.postponed) = (None, None, None);
        let mut said = None;
        if let Some((expected, outcome)) = expected {
            assert!(expected.is_met_by(over), "the runner's word decides: {expected:?} {over:?}");
            (task.outcome, said) = (outcome, Some(expected));
        }
        match over {
            RunEnd::Done => (task.state, task.ended_from) = (State::Done, wall),
            RunEnd::Failed(cause) => {
                (task.state, task.cause, task.ended_from) = (State::Failed, Some(*cause), wall);
            }
            RunEnd::Aborted(AbortReason { cause, reason }) => {
                (task.state, task.cause) = (State::Aborted, Some(*cause));
                task.ended_from = wall;
                task.outcome = Some(TaskEnd::Aborted(*cause, reason.clone()));
            }
            RunEnd::Postponed(_) => {
                assert!(run.fired.is_none(), "an abort that was acknowledged is not undone");
                (task.state, task.losses) = (State::Ready, 0);
                task.attempt -= 1;
                if let Some(Expected::PutOff(Some(at))) = said
                    && at > wall
                {
                    task.delay(at);
                }
            }
            RunEnd::Retrying(at, _) => {
                let pause = match said {
                    Some(Expected::Retrying(pause)) => Some(pause),
                    // Nobody settled it: its timeout did, perhaps in this very turn.
                    _ => {
                        let is_timeout = |cause| cause == Cause::RunTimeout;
                        let is_over = run.fired.map_or(run.deadline.is_some(), is_timeout);
                        chances.on_timeout.filter(|_| is_over)
                    }
                };
                task.try_again(*at, pause.expect("it is tried again"), wall);
            }
            RunEnd::Snoozed => {
                let Some(Expected::Snoozed(ms)) = said else { panic!("who asked for it?") };
                (task.losses, task.attempt) = (0, task.attempt - 1);
                task.delay(wall.plus(ms));
            }
            // The end follows in the same turn.
            RunEnd::Fenced => {
                let is_retried =
                    run.fired == Some(Cause::RunTimeout) && chances.on_timeout.is_some();
                assert!(!is_retried, "it is to be tried again: {task:?}");
                task.cause = run.fired;
            }
        }
        if *over == RunEnd::Fenced {
            task.wish = None;
        }
        let later = std::mem::take(&mut task.later);
        task.change_later(later, wall);
        task.wait_or_pause(Some(wall));
        self.mine().note_taken(run.task, over);
    }

    fn end(&mut self, id: TaskId, outcome: TaskEnd) {
        let wall = self.wall;
        let task = self.tasks.get_mut(&id).unwrap();
        if std::mem::take(&mut task.is_end_owed) {
            return task.ended_as(&outcome);
        }
        assert!(!task.state.is_final() && task.run.is_none(), "I-3: {task:?}");
        if outcome.cause() == Some(Cause::QueueTimeout) {
            let then = task.expired_at(self.wall).map(|timeout| timeout.then);
            assert_eq!(then, Some(AfterQueueTimeout::Abort), "{task:?}");
        }
        if outcome.cause() == Some(Cause::Dependency) {
            self.assert_orphan(id, &outcome);
        }
        self.assert_gone_with_process(id, outcome.cause());
        let task = self.tasks.get_mut(&id).unwrap();
        if let Some(cause) = task.cause {
            assert_eq!(outcome.cause(), Some(cause));
        }
        task.ended_from = wall;
        (task.state, task.cause, task.outcome) = (outcome.state(), outcome.cause(), Some(outcome));
        task.def.options.forget_pause();
    }

    fn start(&mut self, started: &RunStart) {
        self.hold_back(|_| true);
        let first = self.eligible().map(|(id, _)| *id);
        assert_eq!(first, Some(started.id), "I-7: the first of all that may start");
        self.take_token(started.id);
        self.pass_circuit(started.id);
        assert!(self.runs_seen.insert(started.run), "I-4: a run id is new");
        let task = self.tasks.get_mut(&started.id).unwrap();
        (task.attempt, task.starts) = (task.attempt + 1, task.starts + 1);
        assert_eq!(started.attempt, task.attempt, "I-10");
        assert_eq!((&started.data, started.priority), (&task.def.data, task.def.priority));
        assert!(task.has_options(&started.options), "{started:?} {task:?}");
        (task.state, task.run) = (State::Running, Some((self.me, started.slot)));
        let run = Run::new(started.id);
        assert!(self.mine().runs.insert(started.slot, run).is_none());
        self.mine().slots.insert(started.slot, started.id);
        self.used.insert(("start", State::Ready.as_str()));
        self.started += 1;
    }

    /// The waiting task that must start next, if any may.
    pub(crate) fn eligible(&self) -> Option<(&TaskId, &Task)> {
        let me = self.me();
        if !me.is_started || !self.has_place() {
            return None;
        }
        // I-6: over all processes.
        let live = |operation: &str| {
            let runs = |task: &&Task| task.run.is_some() && *task.def.operation == *operation;
            self.tasks.values().filter(runs).count() as u32
        };
        let may_start = |(_, task): &(&TaskId, &Task)| {
            let (name, said) = (&task.def.operation, self.said(&task.def.operation));
            let limit = said.in_force().concurrency;
            task.state == State::Ready
                && self.may_run(task)
                && me.runners.contains_key(name)
                && said.paused_at.is_none()
                && limit.is_none_or(|limit| live(name) < limit)
                && !self.is_held(task)
                && self.has_token(task)
                && self.is_let_start(task)
        };
        let order = |(_, task): &(&TaskId, &Task)| (-task.def.priority.get(), task.seq);
        let earlier = |a: &(&TaskId, &Task), b: &(&TaskId, &Task)| {
            order(a).partial_cmp(&order(b)).expect("a priority is no NaN")
        };
        self.tasks.iter().filter(may_start).min_by(earlier)
    }

    /// After a turn: what had to happen has happened.
    pub(crate) fn settle(&mut self, mono: u64) {
        self.meet_start();
        if self.me().hit.is_none() {
            self.settle_pauses();
            assert_eq!(self.next_to_go_on(), None, "it may go on and does not");
            self.settle_lapse();
        } else {
            self.doubt_lapse();
        }
        let is_lapsing = self.is_lapsing();
        let tasks = &self.tasks;
        let me = &mut self.processes[self.me];
        if me.hit.is_none() {
            assert!(me.expected.is_empty(), "not over: {:?}", me.expected);
            let are_told = self.reopenings.values().all(VecDeque::is_empty);
            assert!(are_told, "not told: {:?}", self.reopenings);
            me.settle_deadlines(tasks, mono);
            let waits_for_ever = |run: &Run| tasks[&run.task].has_halted && run.fired.is_none();
            assert!(me.stopping.is_none() || !me.runs.values().any(waits_for_ever), "a stop");
            let is_over = |stopping: &Stopping| mono >= stopping.deadline;
            assert!(me.runs.is_empty() || !me.stopping.as_ref().is_some_and(is_over));
            for (ticket, asked) in &me.asked {
                let is_due = match asked {
                    Asked::Watch(id) => tasks.get(id).is_none_or(|task| task.state.is_final()),
                    Asked::Rest => false,
                    _ => me.stopping.is_none(),
                };
                assert!(!is_due, "not answered: {ticket} {asked:?}");
            }
        }
        // It may take another turn to see that nothing is left that is attached to it.
        let is_detaching = me.closes() && !me.is_closed && me.has_attached;
        if me.runs.is_empty()
            && !is_detaching
            && !is_lapsing
            && let Some(stopping) = me.stopping.take()
        {
            assert!(me.is_closed || !stopping.closes);
            let is_open = |ticket: &Ticket| me.asked.contains_key(ticket);
            assert!(!stopping.tickets.iter().any(is_open), "a stop is answered when it is over");
            me.is_started = std::mem::take(&mut me.starts_later);
        }
        for task in self.tasks.values() {
            let runs = task.state == State::Running || task.has_halted;
            assert_eq!(runs, task.run.is_some(), "{task:?}");
            assert!(!task.has_halted || task.state == State::Paused, "{task:?}");
        }
        if self.me().hit.is_none() {
            self.settle_keys();
        }
    }

    /// After a look that nothing went wrong with: every end is known that was watched for.
    pub(crate) fn settle_look(&self) {
        for (ticket, asked) in &self.me().asked {
            let Asked::Watch(id) = asked else { continue };
            let is_open = self.tasks.get(id).is_some_and(|task| !task.state.is_final());
            assert!(is_open, "not answered: {ticket} {asked:?}");
        }
        for run in self.me().runs.values() {
            let asked = self.tasks[&run.task].abort;
            assert!(asked.is_none() || run.fired.is_some(), "I-1: {run:?} is to be aborted");
        }
        self.settle_pauses();
        assert_eq!(self.next_to_go_on(), None, "it may go on and does not");
    }

    /// Nothing more follows by itself: who waits until nothing runs here waits for a run.
    pub(crate) fn settle_rest(&self) {
        let waits = self.me().asked.values().any(|asked| matches!(asked, Asked::Rest));
        assert!(!waits || !self.me().runs.is_empty(), "nothing runs, and that is not told");
    }

    /// How many tasks are in each state.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.tasks.values().for_each(|task| counts.enter(task.state));
        counts
    }

    /// The process died, or closed: what only it knew is gone.
    pub(crate) fn forget_process(&mut self) {
        let watches = self.watches();
        let is_owed = |ticket: &&Ticket| !watches.contains(ticket);
        let me = self.mine();
        let owed: Vec<_> = me.asked.keys().filter(is_owed).collect();
        assert!(!me.is_closed || owed.is_empty(), "not answered at the close: {owed:?}");
        *me = Process::default();
    }
}
