//! The calls that a world makes, of every kind.

use std::sync::Arc;

use tasker_core::argument;
use tasker_core::backoff::{Backoff, BackoffKind, RetryPolicy};
use tasker_core::condition::{Conditions, Template};
use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::operation::{OperationOptions, QueueWait, RunTimeout, WHOLE_STORE};
use tasker_core::patch::{self, Patch};
use tasker_core::retention::Retention;
use tasker_core::rules::Settlement;
use tasker_core::task::{
    AbortReason, AfterQueueTimeout, Cause, Json, Level, NewTask, OnInterrupted, OnStop,
    OnStopWaiting, Priority, Progress, QueueTimeout, StartTime, TaskOptions, Unsaid,
};
use tasker_core::time::WallMs;
use tasker_engine::client_id::ClientId;
use tasker_engine::input::{
    Input, PostponeOptions, Record, RemoteFilter, RetryOptions, RunSlot, StopOptions, Subscription,
    Ticket, Update,
};

use super::{OPERATIONS, TASKS_MAX, World};
use crate::oracle::Task;

const PRIORITIES: [f64; 9] =
    [0.0, -0.0, 1.0, 1.0, 2.0, 5e-324, -1e21, f64::INFINITY, f64::NEG_INFINITY];
const QUEUE_TIMEOUTS: [&str; 3] = [
    "\"queueTimeout\":1",
    "\"queueTimeout\":5000",
    "\"queueTimeout\":{\"after\":100,\"then\":{\"priority\":1}}",
];
const KEYS: usize = 16;
const LAST_STOPS: [OnStopWaiting; 3] =
    [OnStopWaiting::Keep, OnStopWaiting::Keep, OnStopWaiting::Abort];
/// What conditions count. Those on what stands ahead cannot look at the last one.
pub(super) const COUNTED: [&str; 10] = [
    "{}",
    r#"{"operation":"a"}"#,
    r#"{"data":1}"#,
    r#"{"data":2,"operation":"b"}"#,
    r#"{"data":{"$lt":4}}"#,
    r#"{"tags":"red"}"#,
    r#"{"tags":"wet","label":null}"#,
    r#"{"id.order":7}"#,
    r#"{"label":{"$in":["","the first"]}}"#,
    r#"{"priority":{"$gte":1}}"#,
];

/// What templates count: tasks that have what the task has that is added.
const POINTING: [&str; 4] = [
    r#"{"label":{"$task":"label"}}"#,
    r#"{"tags":{"$in":{"$task":"tags"}}}"#,
    r#"{"id.order":{"$task":"id.order.0"},"operation":{"$task":"operation"}}"#,
    r#"{"tags":{"$task":"tags.1"},"$or":[{"label":{"$task":"label"}},{"id":7}]}"#,
];

impl World {
    /// The number of a call of the first client.
    pub(super) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// The client beside the first one; when it has gone, the next one.
    fn other_client(&self) -> ClientId {
        let mut others = std::iter::successors(ClientId::FIRST.next(), |client| client.next());
        others.nth(self.processes[self.me].gone).unwrap()
    }

    /// A call of some client.
    pub(super) fn input(&mut self) -> Input {
        let (ticket, other) = (self.ticket(), self.other_client());
        if self.rng.once_in(40) {
            self.mine().gone += 1;
            return Input::Leave(other);
        }
        let client = if self.rng.once_in(3) { other } else { ClientId::FIRST };
        self.input_of(client.inside(ticket))
    }

    fn input_of(&mut self, ticket: Ticket) -> Input {
        let operation: Arc<str> = self.rng.one_of(&OPERATIONS).into();
        match self.rng.below(32) {
            0..7 if self.rng.once_in(16) => Input::Postpone(self.run_no()),
            0..7 => self.settle(),
            7 if self.rng.once_in(2) => Input::Halt(self.run_no()),
            7..9 => self.record(),
            9..11 => {
                let options = self.rng.once_in(2).then(|| self.options());
                Input::Assign(ticket, operation, options)
            }
            11 if self.rng.once_in(8) => {
                let conditions = Some(self.template());
                let options = OperationOptions { conditions, ..OperationOptions::default() };
                Input::Define(ticket, WHOLE_STORE.into(), options)
            }
            11 if self.rng.once_in(2) => Input::Define(ticket, operation, self.options()),
            // Paused less often than resumed.
            11 => Input::PauseOperation(ticket, operation, self.rng.once_in(3)),
            12 => Input::Unassign(ticket, operation),
            // Rare enough to be sought.
            14 if self.oracle.has_attached_halt() || self.oracle.has_attached_abort() => {
                Input::Close(ticket, self.stop_options())
            }
            13..15 => Input::Start(ticket),
            15 if self.rng.once_in(3) => Input::Close(ticket, self.stop_options()),
            15 => Input::Stop(ticket, self.stop_options()),
            16..20 => self.named(ticket),
            20 if self.rng.once_in(3) => Input::AwaitIdle(ticket),
            20 => {
                let watches = self.oracle.watches();
                let watch = if watches.is_empty() { ticket - 1 } else { self.rng.one_of(&watches) };
                Input::CancelAwait(ticket, watch)
            }
            21 if self.rng.once_in(2) => Input::Ack(ticket),
            21 => Input::Subscribe(ticket, self.subscription()),
            22 => {
                let count = self.rng.below(5);
                let def = |earlier| self.perhaps_attached(earlier);
                Input::AddMany(ticket, (0..count).map(def).collect())
            }
            _ if self.oracle.tasks.len() > TASKS_MAX => self.settle(),
            23..25 => {
                let count = self.rng.below(4);
                // With nobody among them, nobody could tell which keys an open commit has.
                let add = |_| (self.key(), self.dependent(0, false));
                Input::AddIdempotent(ticket, (0..count).map(add).collect())
            }
            25 => Input::FindByKey(ticket, self.key()),
            _ => Input::Add(ticket, self.perhaps_attached(0)),
        }
    }

    /// A call about some task, often one that runs.
    fn named(&mut self, ticket: Ticket) -> Input {
        let id = self.some_task();
        match self.rng.below(13) {
            11 | 12 => Input::Update(ticket, id, Box::new(self.update(id))),
            8 | 9 => Input::PostponeTask(ticket, id, self.postpone_options()),
            10 => Input::Remove(ticket, id),
            0 | 1 => self.abort(id),
            2 => Input::AwaitEnd(ticket, id),
            3 | 4 => Input::Retry(ticket, id, self.retry_options()),
            _ => Input::Prioritize(ticket, id, self.priority()),
        }
    }

    /// Some task, often one that runs, or the name of none.
    fn some_task(&mut self) -> TaskId {
        let (tasks, me) = (&self.oracle.tasks, self.oracle.me());
        let ids: Vec<TaskId> = match self.rng.below(12) {
            0 => {
                tasks.iter().filter(|(_, task)| task.is_abort_asked()).map(|(id, _)| *id).collect()
            }
            1..5 => me.runs.values().map(|run| run.task).collect(),
            _ => tasks.keys().copied().collect(),
        };
        let is_nobody = ids.is_empty() || self.rng.once_in(20);
        let nobody = TaskId(uuid::Uuid::from_u64_pair(7, self.rng.throw()));
        if is_nobody { nobody } else { self.rng.one_of(&ids) }
    }

    /// Some calls that pause tasks and resume them.
    pub(super) fn pauses(&mut self) -> Vec<Input> {
        let paused = self.oracle.paused_tasks();
        let count = self.rng.below(5);
        let mut inputs = Vec::new();
        for _ in 0..count {
            let ticket = self.ticket();
            inputs.push(if self.rng.once_in(2) {
                Input::Pause(ticket, self.some_task())
            } else if paused.is_empty() || self.rng.once_in(4) {
                Input::Resume(ticket, self.some_task())
            } else {
                Input::Resume(ticket, self.rng.one_of(&paused))
            });
        }
        inputs
    }

    fn postpone_options(&mut self) -> PostponeOptions {
        let delay_ms = self.rng.one_of(&[None, Some(1), Some(5_000)]);
        PostponeOptions { delay_ms, reason: Json::trusted("{}") }
    }

    /// Changes what a start may depend on.
    fn update(&mut self, id: TaskId) -> Update {
        let priority = argument::priority_text(self.priority());
        let mut all = vec![
            format!("\"priority\":{priority}"),
            format!("\"data\":{{\"n\":{}}}", self.rng.below(3)),
            format!("\"concurrency\":{}", self.conditions().text()),
            "\"label\":\"updated\"".to_owned(),
            self.start_text(),
        ];
        // As in `dependent`.
        let depends = |task: &Task| task.def.options.depends_on.is_some();
        if !self.oracle.tasks.get(&id).is_some_and(depends) {
            all.push(self.rng.one_of(&QUEUE_TIMEOUTS).to_owned());
        }
        let one = self.rng.below(all.len());
        let some = all.iter().enumerate().filter(|(at, _)| *at == one || self.rng.once_in(4));
        let text = some.map(|(_, member)| &**member).collect::<Vec<_>>().join(",");
        let only_if = self.rng.once_in(3).then_some(r#"{"label":{"$ne":"updated"},"attempt":0}"#);
        Update {
            patch: Patch::read(&format!("{{{text}}}")).unwrap(),
            only_if: only_if.map(|query| patch::condition(query).unwrap()),
        }
    }

    /// When a task may start, as an update says it.
    fn start_text(&mut self) -> String {
        let delay = self.rng.one_of(&[1, 100, 5_000]);
        if self.rng.once_in(2) {
            return format!("\"delay\":{delay}");
        }
        let at = self.now().wall;
        let at = if self.rng.once_in(2) { at.plus(delay) } else { at };
        format!("\"runAt\":{}", at.0)
    }

    fn retry_options(&mut self) -> RetryOptions {
        let priority = self.rng.once_in(4).then(|| self.priority());
        RetryOptions { delay_ms: self.rng.one_of(&[None, None, Some(1), Some(5_000)]), priority }
    }

    pub(super) fn abort(&mut self, id: TaskId) -> Input {
        let reason = AbortReason { cause: Cause::User, reason: Json::trusted("{}") };
        Input::Abort(self.ticket(), id, reason)
    }

    fn subscription(&mut self) -> Subscription {
        let remote = self.rng.one_of(&[
            RemoteFilter::Nothing,
            RemoteFilter::Ends,
            RemoteFilter::All,
            RemoteFilter::All,
        ]);
        let (idle, drained) = (self.rng.once_in(2), self.rng.once_in(2));
        Subscription { logs: self.rng.once_in(2), progress: true, remote, idle, drained }
    }

    fn priority(&mut self) -> Priority {
        Priority::new(self.rng.one_of(&PRIORITIES)).unwrap()
    }

    /// One of a few: most of them have been used.
    fn key(&mut self) -> IdempotencyKey {
        IdempotencyKey(uuid::Uuid::from_u128(self.rng.below(KEYS) as u128))
    }

    pub(super) fn def(&mut self) -> NewTask {
        let wide = self.wide.clone().filter(|_| self.rng.once_in(2));
        let choices =
            [OnInterrupted::Retry, OnInterrupted::Retry, OnInterrupted::Abort, OnInterrupted::Fail];
        let stops = [None, None, Some(OnStop::Wait), Some(OnStop::Postpone), Some(OnStop::Abort)];
        NewTask {
            operation: self.rng.one_of(&OPERATIONS).into(),
            data: wide.or_else(|| Some(Json::trusted(&self.rng.below(9).to_string()))),
            priority: self.priority(),
            options: TaskOptions {
                start_time: self.start_time(),
                run_timeout_ms: self.rng.one_of(&[None, None, Some(1), Some(100), Some(5_000)]),
                queue_timeout: self.rng.once_in(3).then(|| self.queue_timeout()),
                retry: self.retry_policy(),
                retention: self.retention().and_then(Retention::shared),
                on_interrupted: self.rng.one_of(&choices),
                on_stop: self.rng.one_of(&stops),
                on_stop_waiting: self.rng.one_of(&LAST_STOPS),
                unique: self.unique(),
                conditions: self.conditions(),
                ..self.labels()
            }
            .into(),
            unsaid: self.rng.one_of(&[Unsaid::NONE, Unsaid::PRIORITY, Unsaid::ALL]),
            is_attached: false,
        }
    }

    /// A definition that often depends on others, of which so many stand before it in its call.
    fn dependent(&mut self, earlier: usize, may_be_nobody: bool) -> NewTask {
        let mut def = self.def();
        let known: Vec<TaskId> = self.oracle.tasks.keys().copied().collect();
        let nobody = TaskId(uuid::Uuid::from_u64_pair(7, self.rng.throw()));
        let mut on = Vec::new();
        while self.rng.once_in(2) {
            let is_nobody = may_be_nobody && self.rng.once_in(30);
            on.push(match earlier {
                1.. if self.rng.once_in(2) => Dependency::Earlier(self.rng.below(earlier)),
                _ if is_nobody => Dependency::Task(nobody),
                _ if known.is_empty() => break,
                _ => Dependency::Task(self.rng.one_of(&known)),
            });
        }
        let on_failure = self.rng.one_of(OnFailure::ALL);
        let all = Dependencies { on, on_failure, is_list: self.rng.once_in(2) };
        let replaces = |unique: &Unique| unique.on_conflict == OnConflict::Replace;
        // What may replace another task depends on nothing.
        if !all.on.is_empty() && !def.options.unique.as_deref().is_some_and(replaces) {
            // The process that finds the last end decides when it begins: the engine's tests look.
            (def.options.queue_timeout, def.unsaid) = (None, Unsaid::NONE);
            def.options.depends_on = Some(all.into());
        }
        def
    }

    /// Few tasks have conditions; all of these can hold.
    pub(super) fn conditions(&mut self) -> Conditions {
        let count = if self.rng.once_in(3) { 1 + self.rng.below(3) } else { 0 };
        let condition = |_| {
            let (scope, query) = self.counted();
            let limit = self.rng.below(3);
            format!(r#"{{"scope":"{scope}","query":{query},"limit":{limit}}}"#)
        };
        let all: Vec<String> = (0..count).map(condition).collect();
        Conditions::read(&format!("[{}]", all.join(",")), "concurrency").unwrap()
    }

    fn scope(&mut self) -> &'static str {
        self.rng.one_of(&["running", "before-queued"])
    }

    /// What a condition counts: its scope and its query.
    fn counted(&mut self) -> (&'static str, &'static str) {
        let scope = self.scope();
        let queries = if scope == "running" { &COUNTED[..] } else { &COUNTED[..COUNTED.len() - 1] };
        (scope, self.rng.one_of(queries))
    }

    /// Conditions of an operation, or of all; often none.
    fn template(&mut self) -> Template {
        let count = self.rng.below(3);
        let condition = |_| {
            let (scope, query) = match self.rng.below(2) {
                0 => self.counted(),
                _ => (self.scope(), self.rng.one_of(&POINTING)),
            };
            let limit = 1 + self.rng.below(2);
            format!(r#"{{"scope":"{scope}","query":{query},"limit":{limit}}}"#)
        };
        let all: Vec<String> = (0..count).map(condition).collect();
        Template::read(&format!("[{}]", all.join(",")), "conditions").unwrap()
    }

    /// Some tasks are attached to their process; no definition says both that and to replace.
    fn perhaps_attached(&mut self, earlier: usize) -> NewTask {
        let def = self.dependent(earlier, true);
        let replaces = |unique: &Unique| unique.on_conflict == OnConflict::Replace;
        let may = !def.options.unique.as_deref().is_some_and(replaces);
        let has_conditions = !def.conditions().is_none();
        // Not taken with a rate limit or a circuit breaker by value.
        let may = may && !has_conditions && !self.has_rates && !self.has_keyed_circuits;
        NewTask { is_attached: may && self.rng.once_in(4), ..def }
    }

    /// Some tasks say one of a few keys.
    fn unique(&mut self) -> Option<Arc<Unique>> {
        if !self.rng.once_in(3) {
            return None;
        }
        let holds = [
            UniqueWhile::New,
            UniqueWhile::Unfinished,
            UniqueWhile::Unfinished,
            UniqueWhile::Always,
        ];
        let conflicts =
            [OnConflict::Return, OnConflict::Replace, OnConflict::Replace, OnConflict::Reject];
        let unique = Unique {
            key: self.rng.one_of(&["x", "y"]).into(),
            hold: self.rng.one_of(&holds),
            ttl_ms: self.rng.one_of(&[None, None, None, Some(1), Some(5_000)]),
            on_conflict: self.rng.one_of(&conflicts),
        };
        Some(unique.into())
    }

    /// Half of the tasks say nothing of the kind.
    fn labels(&mut self) -> TaskOptions {
        let mut said = |texts: [&str; 2]| match self.rng.below(6) {
            at @ 0..2 => Some(Json::trusted(texts[at])),
            _ => None,
        };
        TaskOptions {
            id: said(["7", "{\"order\":[7]}"]),
            label: said(["\"\"", "\"the first\""]),
            tags: said(["[\"red\"]", "[\"red\",\"wet\",\"red\"]"]),
            ..TaskOptions::default()
        }
    }

    /// What is said of an operation.
    fn options(&mut self) -> OperationOptions {
        let timeouts = [None, None, Some(RunTimeout::Off), Some(RunTimeout::Ms(100))];
        OperationOptions {
            concurrency: self.rng.one_of(&[None, Some(1), Some(2)]),
            rate_limit: self.rate_limit(),
            circuit_breaker: self.circuit_breaker(),
            executor: None,
            conditions: if self.rng.once_in(4) { Some(self.template()) } else { None },
            priority: self.rng.once_in(3).then(|| self.priority()),
            run_timeout: self.rng.one_of(&timeouts),
            queue_timeout: self.queue_wait(),
            retry: self.retry_policy().filter(|_| self.rng.once_in(3)),
            retention: self.retention(),
            on_interrupted: self.rng.one_of(&[None, None, Some(OnInterrupted::Fail)]),
            on_stop: self.rng.one_of(&[None, Some(OnStop::Postpone), Some(OnStop::Abort)]),
            on_stop_waiting: self.rng.one_of(&[None, None, Some(OnStopWaiting::Abort)]),
        }
    }

    fn queue_wait(&mut self) -> Option<QueueWait> {
        match self.rng.below(6) {
            0 => Some(QueueWait::Off),
            1 => Some(QueueWait::AtMost(self.queue_timeout())),
            _ => None,
        }
    }

    fn queue_timeout(&mut self) -> QueueTimeout {
        let then = match self.rng.below(3) {
            0 => AfterQueueTimeout::Prioritize(self.priority()),
            _ => AfterQueueTimeout::Abort,
        };
        QueueTimeout { after_ms: self.rng.one_of(&[1, 100, 5_000]), then, ends_at: None }
    }

    /// Few are not kept for ever: what is gone is met by nothing.
    fn retention(&mut self) -> Option<Retention> {
        let texts = ["false", "1", "100", "5000", r#"{"done":1000,"aborted":7}"#];
        let text = self.rng.one_of(&texts);
        self.rng.once_in(4).then(|| Retention::read(text, "retention").unwrap())
    }

    fn retry_policy(&mut self) -> Option<Arc<RetryPolicy>> {
        let kinds = [
            BackoffKind::Fixed,
            BackoffKind::Linear,
            BackoffKind::Exponential,
            BackoffKind::Fibonacci,
        ];
        let backoff = Backoff {
            kind: self.rng.one_of(&kinds),
            delay_ms: self.rng.one_of(&[1, 100, 5_000]),
            factor: None,
            max_ms: self.rng.one_of(&[None, Some(150)]),
            jitter: self.rng.one_of(&[0.0, 0.5]),
        };
        let (on_error, on_timeout) = self.rng.one_of(&[(true, false), (true, true), (false, true)]);
        let (attempts, has_backoff) = (1 + self.rng.below(4) as u32, !self.rng.once_in(3));
        let backoff = has_backoff.then_some(backoff);
        let policy = RetryPolicy { attempts, backoff, on_error, on_timeout };
        self.rng.once_in(2).then(|| policy.into())
    }

    fn start_time(&mut self) -> Option<StartTime> {
        let ms = self.rng.one_of(&[1, 10, 1_000, 5_000, 3_600_000]);
        match self.rng.below(6) {
            0 => Some(StartTime::After(ms)),
            1 => Some(StartTime::At(WallMs(self.now().wall.0 + ms as i64 - 1_000))),
            _ => None,
        }
    }

    /// The number of a live run, or of one that is over or never was.
    fn run_no(&mut self) -> RunSlot {
        let me = self.oracle.me();
        let is_asked = |task: &TaskId| self.oracle.tasks[task].is_abort_asked();
        let known: Vec<RunSlot> = match self.rng.below(10) {
            0 => me.slots.keys().copied().collect(),
            1..4 => me.runs.keys().copied().collect(),
            // A runner takes its time to hear of an abort.
            _ => {
                let runs = me.runs.iter().filter(|(_, run)| !is_asked(&run.task));
                runs.map(|(slot, _)| *slot).collect()
            }
        };
        if known.is_empty() { self.rng.below(99) as RunSlot } else { self.rng.one_of(&known) }
    }

    fn settle(&mut self) -> Input {
        let slot = self.run_no();
        Input::Settle(
            slot,
            match self.rng.below(12) {
                0..4 => Settlement::Threw(Json::trusted("{}")),
                4 | 5 => Settlement::Unstorable(Json::trusted("{}")),
                6 => Settlement::Unrecoverable(Json::trusted("{}")),
                7 => Settlement::RetryLater(Json::trusted("{}"), 70),
                8 | 9 => Settlement::Snoozed(self.rng.one_of(&[1, 70, 5_000])),
                10 => Settlement::Returned(None),
                _ => Settlement::Returned(Some(Json::trusted("7"))),
            },
        )
    }

    fn record(&mut self) -> Input {
        let slot = self.run_no();
        if self.rng.once_in(2) {
            let progress = Progress { current: 1.0, total: None, unit: None };
            return Input::Record(slot, Record::Progress(progress));
        }
        self.lines += 1;
        let message = self.lines.to_string().into();
        Input::Record(slot, Record::Log { level: Level::Info, at: None, message, fields: None })
    }

    fn stop_options(&mut self) -> StopOptions {
        let stops = [None, None, Some(OnStop::Wait), Some(OnStop::Postpone), Some(OnStop::Abort)];
        let timeouts = [None, Some(0), Some(1), Some(1_000)];
        StopOptions { on_stop: self.rng.one_of(&stops), timeout_ms: self.rng.one_of(&timeouts) }
    }
}

/// Whether it adds a row of an outbox that may lead to a task that was there before.
pub(super) fn is_unique_row(input: &Input) -> bool {
    let Input::AddIdempotent(_, defs) = input else { return false };
    defs.iter().any(|(_, def)| def.options.unique.is_some())
}
