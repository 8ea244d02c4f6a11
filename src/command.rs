//! The rare calls from JavaScript, all of them: `ts/commands.ts` has the same lists.
//!
//! Each is one object with one member, its word: `{"prioritize":{"uuid":…,"priority":…}}`. What a
//! user gave and `ts/` does not judge is read here, with the path of the argument.
//!
//! Proof: `tidy::both_sides_of_the_bridge_know_the_same_commands`, `__test__/contract`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tasker_core::argument;
use tasker_core::batching::Batching;
use tasker_core::condition::Template;
use tasker_core::definition::{self, Defaults, Operations};
use tasker_core::error::{Error, Result};
use tasker_core::hold::{HeldBy, HoldId, HoldQuery};
use tasker_core::id::{IdempotencyKey, Seq, TaskId};
use tasker_core::limits;
use tasker_core::operation::{OperationOptions, WHOLE_STORE};
use tasker_core::patch::{self, Patch};
use tasker_core::query::{Projection, Query, Sort};
use tasker_core::range::Range;
use tasker_core::read::{EVERY_SEQ, Find, LogsPart, WithLogs};
use tasker_core::schedule::{Overlap, ScheduleSpec};
use tasker_core::schedules::{self, SchedulePatch, Wanted};
use tasker_core::task::{AbortReason, Cause, Level, OnStop};
use tasker_core::watch::{From, Position, WatchFilter};
use tasker_engine::input::{
    Bulk, BulkVerb, Input, NewSchedule, PostponeOptions, Question, RemoteFilter, RetryOptions,
    ScheduleUpdate, StopOptions, Subscription, Ticket, Update,
};
use tasker_engine::metrics::Format;
use tasker_engine::thread::{Read, Watching};
use uuid::Uuid;

/// Tasks of one page of `tasks`, at most.
const PAGE_TASKS: u64 = 1_000;

/// What is asked of the engine.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum Command<'a> {
    Assign {
        operation: String,
        #[serde(borrow)]
        options: Option<&'a RawValue>,
        #[serde(borrow)]
        batch: Option<&'a RawValue>,
    },
    /// The runner that is assigned next has so many threads.
    Threads {
        operation: String,
        #[serde(borrow)]
        threads: &'a RawValue,
    },
    Hold {
        #[serde(borrow)]
        query: &'a RawValue,
        #[serde(borrow)]
        until: &'a RawValue,
        uuid: Option<&'a str>,
    },
    ReleaseHold {
        #[serde(borrow)]
        id: &'a RawValue,
    },
    Unassign {
        operation: String,
    },
    Define {
        operation: String,
        #[serde(borrow)]
        options: &'a RawValue,
    },
    /// What must hold at the start of every new task.
    Conditions {
        #[serde(borrow)]
        conditions: &'a RawValue,
    },
    PauseOperation {
        operation: String,
        pauses: bool,
    },
    /// What a schedule is to say; the id is beside it.
    AddSchedule {
        id: Cow<'a, str>,
        #[serde(borrow)]
        spec: &'a RawValue,
    },
    UpdateSchedule {
        id: Cow<'a, str>,
        #[serde(borrow)]
        patch: &'a RawValue,
    },
    PauseSchedule {
        id: Cow<'a, str>,
        pauses: bool,
    },
    TriggerSchedule {
        id: Cow<'a, str>,
        #[serde(borrow)]
        overlap: Option<&'a RawValue>,
    },
    RemoveSchedule {
        id: Cow<'a, str>,
    },
    Start {},
    Stop {
        #[serde(borrow)]
        on_stop: Option<&'a RawValue>,
        #[serde(borrow)]
        timeout: Option<&'a RawValue>,
    },
    Close {
        #[serde(borrow)]
        on_stop: Option<&'a RawValue>,
        #[serde(borrow)]
        timeout: Option<&'a RawValue>,
    },
    Abort {
        uuid: &'a str,
        cause: AbortedBy,
        #[serde(borrow)]
        reason: &'a RawValue,
    },
    Prioritize {
        uuid: &'a str,
        #[serde(borrow)]
        priority: &'a RawValue,
    },
    Pause {
        uuid: &'a str,
    },
    Resume {
        uuid: &'a str,
    },
    Retry {
        uuid: &'a str,
        #[serde(borrow)]
        delay: Option<&'a RawValue>,
        #[serde(borrow)]
        priority: Option<&'a RawValue>,
    },
    PostponeTask {
        uuid: &'a str,
        #[serde(borrow)]
        delay: Option<&'a RawValue>,
        #[serde(borrow)]
        reason: &'a RawValue,
    },
    UpdateTask {
        uuid: &'a str,
        #[serde(borrow)]
        patch: &'a RawValue,
        #[serde(borrow)]
        only_if: Option<&'a RawValue>,
    },
    Remove {
        uuid: &'a str,
    },
    Bulk {
        ranges: Vec<(u64, u64)>,
        is_dry: bool,
        verb: BulkWord,
        #[serde(borrow)]
        reason: Option<&'a RawValue>,
        #[serde(borrow)]
        delay: Option<&'a RawValue>,
        #[serde(borrow)]
        priority: Option<&'a RawValue>,
    },
    Await {
        uuid: &'a str,
    },
    /// Without a listener it is a new one.
    AwaitLogs {
        uuid: &'a str,
        listener: Option<Ticket>,
    },
    FindByKey {
        key: &'a str,
    },
    CancelAwait {
        ticket: Ticket,
    },
    Subscribe {
        log: bool,
        progress: bool,
        remote: Option<RemoteEvents>,
        idle: bool,
        drained: bool,
    },
    AwaitIdle {},
    Ack {},
    Ready {},
    IsShared {},
    Holds {},
    /// The position behind what is committed.
    Stand {},
    ExplainTask {
        uuid: &'a str,
    },
    ExplainOperation {
        operation: Cow<'a, str>,
    },
    Unserved {
        operations: Vec<Cow<'a, str>>,
        of_all: bool,
    },
    Metrics {
        format: MetricsFormat,
        operations_max: u32,
    },
}

/// What is asked of the reader.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum ReadCommand<'a> {
    Get {
        uuid: &'a str,
        #[serde(borrow)]
        logs: Option<&'a RawValue>,
        #[serde(borrow)]
        fields: Option<&'a RawValue>,
    },
    Find {
        #[serde(borrow)]
        query: &'a RawValue,
        #[serde(borrow)]
        sort: Option<&'a RawValue>,
        skip: Option<u64>,
        limit: Option<u64>,
        #[serde(borrow)]
        logs: Option<&'a RawValue>,
        #[serde(borrow)]
        fields: Option<&'a RawValue>,
    },
    Page {
        #[serde(borrow)]
        query: &'a RawValue,
        is_descending: bool,
        first: u64,
        last: Option<u64>,
        #[serde(borrow)]
        logs: Option<&'a RawValue>,
        #[serde(borrow)]
        fields: Option<&'a RawValue>,
    },
    Exists {
        #[serde(borrow)]
        query: &'a RawValue,
    },
    Count {
        #[serde(borrow)]
        query: &'a RawValue,
    },
    Explain {
        #[serde(borrow)]
        query: &'a RawValue,
    },
    Matching {
        #[serde(borrow)]
        query: &'a RawValue,
    },
    Logs {
        uuid: &'a str,
        after: u32,
        lines: usize,
        #[serde(borrow)]
        level: &'a RawValue,
    },
    Operations {},
    /// The first of the schedules by id, from this one on.
    Schedules {
        from: Cow<'a, str>,
    },
    /// Begins a watch; the ticket is its number.
    Watch {
        #[serde(borrow)]
        query: &'a RawValue,
        #[serde(borrow)]
        fields: Option<&'a RawValue>,
        from: Option<&'a str>,
    },
    /// Waits for what a watch has to tell.
    Changes {
        watch: Ticket,
    },
    /// Ends a watch.
    Unwatch {
        watch: Ticket,
    },
    BackUp {
        path: String,
    },
    Verify {},
    Cancel {
        ticket: Ticket,
    },
}

/// What may abort a task from JavaScript.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AbortedBy {
    User,
    Signal,
}

/// What is done to many tasks.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum BulkWord {
    Abort,
    Retry,
    Remove,
}

/// How metrics are written.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum MetricsFormat {
    Json,
    Prometheus,
    Openmetrics,
}

/// Which events of other owners JavaScript listens to.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RemoteEvents {
    Ends,
    All,
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| Error::invalid("options", "cannot be read").with_source(e))
}

/// What the tasks of this process say by default, and the names that it knows.
pub(crate) type With<'a> = (&'a Defaults, &'a mut Operations);

/// Reads one command.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path of the argument.
pub(crate) fn command(ticket: Ticket, text: &str, (defaults, names): With<'_>) -> Result<Input> {
    Ok(match parse(text)? {
        Command::Assign { operation, options, batch } => {
            assign(ticket, names.intern(&operation)?, options, batch)?
        }
        Command::Threads { operation, threads } => threads_of(ticket, &operation, threads, names)?,
        Command::Define { operation, options } => {
            Input::Define(ticket, names.intern(&operation)?, options_of(options)?)
        }
        Command::Conditions { conditions } => of_all_tasks(ticket, conditions)?,
        Command::PauseOperation { operation, pauses } => {
            Input::PauseOperation(ticket, names.intern(&operation)?, pauses)
        }
        Command::Hold { query, until, uuid } => hold(ticket, query, until, uuid)?,
        Command::ReleaseHold { id } => Input::ReleaseHold(ticket, hold_id(id)?),
        Command::AddSchedule { id, spec } => add_schedule(ticket, &id, spec, (defaults, names))?,
        Command::UpdateSchedule { id, patch } => reschedule(ticket, &id, patch, (defaults, names))?,
        Command::PauseSchedule { id, pauses } => Input::PauseSchedule(ticket, id.into(), pauses),
        Command::TriggerSchedule { id, overlap } => trigger_schedule(ticket, &id, overlap)?,
        Command::RemoveSchedule { id } => Input::RemoveSchedule(ticket, id.into()),
        Command::Holds {} => Input::Ask(ticket, Question::Holds),
        Command::Unassign { operation } => Input::Unassign(ticket, names.intern(&operation)?),
        Command::Start {} => Input::Start(ticket),
        Command::Stop { on_stop, timeout } => Input::Stop(ticket, stop(on_stop, timeout)?),
        Command::Close { on_stop, timeout } => Input::Close(ticket, stop(on_stop, timeout)?),
        Command::Abort { uuid, cause, reason } => {
            Input::Abort(ticket, task_id(uuid)?, abort_reason(cause, reason)?)
        }
        Command::Prioritize { uuid, priority } => {
            Input::Prioritize(ticket, task_id(uuid)?, argument::priority(priority.get())?)
        }
        Command::Pause { uuid } => Input::Pause(ticket, task_id(uuid)?),
        Command::Resume { uuid } => Input::Resume(ticket, task_id(uuid)?),
        Command::Retry { uuid, delay, priority } => {
            Input::Retry(ticket, task_id(uuid)?, retry(delay, priority)?)
        }
        Command::PostponeTask { uuid, delay, reason } => {
            Input::PostponeTask(ticket, task_id(uuid)?, postpone(delay, reason)?)
        }
        Command::UpdateTask { uuid, patch, only_if } => {
            Input::Update(ticket, task_id(uuid)?, Box::new(update(patch, only_if)?))
        }
        Command::Remove { uuid } => Input::Remove(ticket, task_id(uuid)?),
        Command::Bulk { ranges, is_dry, verb, reason, delay, priority } => {
            let verb = bulk_verb(verb, reason, (delay, priority))?;
            Input::Bulk(ticket, Bulk { seqs: numbers(&ranges)?, verb, is_dry })
        }
        Command::Await { uuid } => Input::AwaitEnd(ticket, task_id(uuid)?),
        Command::AwaitLogs { uuid, listener } => {
            Input::AwaitLogs(ticket, task_id(uuid)?, listener.unwrap_or(ticket))
        }
        Command::FindByKey { key } => Input::FindByKey(ticket, IdempotencyKey(uuid(key, "key")?)),
        Command::CancelAwait { ticket: other } => Input::CancelAwait(ticket, other),
        Command::Subscribe { log: logs, progress, remote, idle, drained } => {
            let remote = remote.map_or(RemoteFilter::Nothing, filter);
            let subscription = Subscription { logs, progress, remote, idle, drained };
            Input::Subscribe(ticket, subscription)
        }
        Command::AwaitIdle {} => Input::AwaitIdle(ticket),
        Command::Ack {} => Input::Ack(ticket),
        Command::Ready {} => Input::Ready(ticket),
        Command::IsShared {} => Input::IsShared(ticket),
        Command::Stand {} => Input::Stand(ticket),
        Command::ExplainTask { uuid } => Input::Ask(ticket, Question::Task(task_id(uuid)?)),
        Command::ExplainOperation { operation } => explain(ticket, &operation, names)?,
        Command::Unserved { operations, of_all } => unserved(ticket, &operations, of_all, names)?,
        Command::Metrics { format, operations_max } => metrics(ticket, format, operations_max),
    })
}

fn assign(
    ticket: Ticket,
    operation: Arc<str>,
    options: Option<&RawValue>,
    batch: Option<&RawValue>,
) -> Result<Input> {
    let options = options.map(options_of).transpose()?;
    Ok(match batch {
        Some(batch) => {
            Input::AssignBatch(ticket, operation, options, Batching::read(batch.get(), "batch")?)
        }
        None => Input::Assign(ticket, operation, options),
    })
}

fn options_of(raw: &RawValue) -> Result<OperationOptions> {
    OperationOptions::read(raw.get())
}

fn add_schedule(
    ticket: Ticket,
    id: &str,
    spec: &RawValue,
    (defaults, names): With<'_>,
) -> Result<Input> {
    schedules::check_id(id)?;
    schedules::check_length(spec.get())?;
    let (spec, defaults) = (ScheduleSpec::read(spec.get())?, defaults.clone());
    let queues = spec.overlap == Overlap::Queue;
    let task = definition::of_schedule(&spec.task, queues, &defaults, names)?;
    let new = NewSchedule { wanted: Wanted { spec, defaults }, task };
    Ok(Input::AddSchedule(ticket, id.into(), new.into()))
}

fn reschedule(
    ticket: Ticket,
    id: &str,
    patch: &RawValue,
    (defaults, names): With<'_>,
) -> Result<Input> {
    let (patch, defaults) = (SchedulePatch::read(patch.get())?, defaults.clone());
    let task = patch.task().map(|task| definition::of_schedule(task, false, &defaults, names));
    let task = task.transpose()?;
    let update = ScheduleUpdate { patch, defaults, task };
    Ok(Input::UpdateSchedule(ticket, id.into(), update.into()))
}

fn trigger_schedule(ticket: Ticket, id: &str, overlap: Option<&RawValue>) -> Result<Input> {
    let overlap = overlap.map(|raw| argument::word(raw.get(), "overlap", Overlap::WORDS));
    Ok(Input::TriggerSchedule(ticket, id.into(), overlap.transpose()?))
}

fn unserved(
    ticket: Ticket,
    operations: &[Cow<'_, str>],
    of_all: bool,
    names: &mut Operations,
) -> Result<Input> {
    let names = operations.iter().map(|name| names.intern(name)).collect::<Result<_>>()?;
    Ok(Input::Ask(ticket, Question::Unserved { names, of_all }))
}

fn explain(ticket: Ticket, operation: &str, names: &mut Operations) -> Result<Input> {
    Ok(Input::Ask(ticket, Question::Operation(names.intern(operation)?)))
}

fn metrics(ticket: Ticket, format: MetricsFormat, operations_max: u32) -> Input {
    let format = match format {
        MetricsFormat::Json => Format::Json,
        MetricsFormat::Prometheus => Format::Prometheus,
        MetricsFormat::Openmetrics => Format::OpenMetrics,
    };
    let operations_max = operations_max as usize;
    Input::Ask(ticket, Question::Metrics { format, operations_max })
}

fn bulk_verb(
    word: BulkWord,
    reason: Option<&RawValue>,
    (delay, priority): (Option<&RawValue>, Option<&RawValue>),
) -> Result<BulkVerb> {
    Ok(match word {
        BulkWord::Abort => BulkVerb::Abort(bulk_reason(reason)?),
        BulkWord::Retry => BulkVerb::Retry(retry(delay, priority)?),
        BulkWord::Remove => BulkVerb::Remove,
    })
}

fn update(patch: &RawValue, only_if: Option<&RawValue>) -> Result<Update> {
    let only_if = only_if.map(|query| patch::condition(query.get())).transpose()?;
    Ok(Update { patch: Patch::read(patch.get())?, only_if })
}

/// What a read asks for.
pub(crate) enum ReadRequest {
    /// A read.
    Read(Read),
    /// Something of a watch.
    Watching(Watching),
    /// The end of an earlier read.
    Cancel(Ticket),
}

/// Reads one read.
///
/// # Errors
/// `Invalid`, `InvalidQuery` or `TooLarge` with the path of the argument.
pub(crate) fn read(text: &str) -> Result<ReadRequest> {
    let read = match parse(text)? {
        ReadCommand::Get { uuid, logs, fields } => {
            Read::Get(task_id(uuid)?, with_logs(logs)?, projection(fields)?)
        }
        ReadCommand::Exists { query } => Read::Exists(Box::new(Query::parse(query.get())?)),
        ReadCommand::Matching { query } => Read::Matching(Box::new(Query::parse(query.get())?)),
        ReadCommand::Logs { uuid, after, lines, level } => {
            let level_max = argument::word(level.get(), "logsMaxLevel", Level::WORDS)?;
            Read::Logs(task_id(uuid)?, LogsPart { after, level_max, lines_max: lines })
        }
        ReadCommand::Operations {} => Read::Operations,
        ReadCommand::Schedules { from } => Read::Schedules(from.into()),
        ReadCommand::Watch { query, fields, from } => {
            let (query, fields) = (Query::parse(query.get())?, projection(fields)?);
            let from = match from {
                Some(text) => From::Position(Position::parse(text)?),
                None => From::Snapshot,
            };
            let begin = Watching::Begin(Box::new(WatchFilter { query, fields }), from);
            return Ok(ReadRequest::Watching(begin));
        }
        ReadCommand::Changes { watch } => {
            return Ok(ReadRequest::Watching(Watching::Next(watch)));
        }
        ReadCommand::Unwatch { watch } => {
            return Ok(ReadRequest::Watching(Watching::End(watch)));
        }
        ReadCommand::BackUp { path } => Read::BackUp(path.into()),
        ReadCommand::Verify {} => Read::Verify,
        ReadCommand::Count { query } => Read::Count(Box::new(Query::parse(query.get())?)),
        ReadCommand::Explain { query } => Read::Explain(Box::new(Query::parse(query.get())?)),
        ReadCommand::Find { query, sort, skip, limit, logs, fields } => {
            Read::Find(Box::new(Find {
                query: Query::parse(query.get())?,
                seqs: EVERY_SEQ,
                sort: sort.map(|sort| Sort::parse(sort.get())).transpose()?,
                skip: skip.unwrap_or(0),
                limit: limit.filter(|limit| *limit > 0),
                logs: with_logs(logs)?,
                fields: projection(fields)?,
                bytes_max: limits::READ_BYTES_MAX,
            }))
        }
        ReadCommand::Page { query, is_descending, first, last, logs, fields } => {
            let sort = if is_descending { r#"{"seq":-1}"# } else { r#"{"seq":1}"# };
            Read::Page(Box::new(Find {
                query: Query::parse(query.get())?,
                seqs: Range { low: Seq(first), high: last.map_or(EVERY_SEQ.high, Seq) },
                sort: Some(Sort::parse(sort)?),
                skip: 0,
                limit: Some(PAGE_TASKS),
                logs: with_logs(logs)?,
                fields: projection(fields)?,
                bytes_max: limits::READ_BYTES_MAX,
            }))
        }
        ReadCommand::Cancel { ticket } => return Ok(ReadRequest::Cancel(ticket)),
    };
    Ok(ReadRequest::Read(read))
}

fn task_id(text: &str) -> Result<TaskId> {
    uuid(text, "uuid").map(TaskId)
}

/// How many threads the runner has that the operation is given next.
fn threads_of(
    ticket: Ticket,
    operation: &str,
    threads: &RawValue,
    names: &mut Operations,
) -> Result<Input> {
    let threads = argument::count(threads.get(), "threads", limits::THREADS_MAX)?;
    Ok(Input::Threads(ticket, names.intern(operation)?, threads))
}

fn of_all_tasks(ticket: Ticket, conditions: &RawValue) -> Result<Input> {
    let conditions = Some(Template::read(conditions.get(), "conditions")?);
    let options = OperationOptions { conditions, ..OperationOptions::default() };
    Ok(Input::Define(ticket, WHOLE_STORE.into(), options))
}

/// This process makes a hold, for the runner of a task if one is named.
fn hold(ticket: Ticket, query: &RawValue, until: &RawValue, uuid: Option<&str>) -> Result<Input> {
    let by = HeldBy { pid: std::process::id(), task: uuid.map(task_id).transpose()? };
    let (query, until) = (HoldQuery::read(query.get())?, until.get());
    Ok(Input::Hold(ticket, query, argument::moment(until, "until")?, by))
}

fn hold_id(id: &RawValue) -> Result<HoldId> {
    let wrong = |_| Error::invalid("id", "must be the number that `hold` resolved with");
    id.get().parse().map(HoldId).map_err(wrong)
}

fn uuid(text: &str, path: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::invalid(path, "is not a uuid"))
}

/// The numbers of a chunk.
fn numbers(ranges: &[(u64, u64)]) -> Result<Vec<Seq>> {
    let count = |(first, last): &(u64, u64)| last.saturating_sub(*first).saturating_add(1);
    let total = ranges.iter().map(count).fold(0_u64, u64::saturating_add);
    if total > limits::TASKS_PER_CHUNK_MAX as u64 {
        return Err(Error::invalid("ranges", "have too many numbers"));
    }
    Ok(ranges.iter().flat_map(|(first, last)| *first..=*last).map(Seq).collect())
}

fn stop(on_stop: Option<&RawValue>, timeout: Option<&RawValue>) -> Result<StopOptions> {
    let on_stop = on_stop.map(|raw| argument::word(raw.get(), "onStop", OnStop::WORDS));
    // Zero is a meaning here: do not wait.
    let timeout_ms = match timeout.map(RawValue::get) {
        None => None,
        Some("0") => Some(0),
        Some(text) => Some(argument::duration(text, "timeout")?),
    };
    Ok(StopOptions { on_stop: on_stop.transpose()?, timeout_ms })
}

fn retry(delay: Option<&RawValue>, priority: Option<&RawValue>) -> Result<RetryOptions> {
    let delay = delay.map(|raw| argument::duration(raw.get(), "delay"));
    let priority = priority.map(|raw| argument::priority(raw.get()));
    Ok(RetryOptions { delay_ms: delay.transpose()?, priority: priority.transpose()? })
}

fn postpone(delay: Option<&RawValue>, reason: &RawValue) -> Result<PostponeOptions> {
    let delay = delay.map(|raw| argument::duration(raw.get(), "delay"));
    let reason = argument::payload(reason.get(), "reason", limits::ERROR_BYTES_MAX)?;
    Ok(PostponeOptions { delay_ms: delay.transpose()?, reason })
}

/// Why many tasks are aborted.
fn bulk_reason(reason: Option<&RawValue>) -> Result<AbortReason> {
    let reason = reason.ok_or_else(|| Error::invalid("reason", "is missing"))?;
    abort_reason(AbortedBy::User, reason)
}

fn abort_reason(cause: AbortedBy, reason: &RawValue) -> Result<AbortReason> {
    let reason = argument::payload(reason.get(), "reason", limits::ERROR_BYTES_MAX)?;
    let cause = match cause {
        AbortedBy::User => Cause::User,
        AbortedBy::Signal => Cause::Signal,
    };
    Ok(AbortReason { cause, reason })
}

fn filter(events: RemoteEvents) -> RemoteFilter {
    match events {
        RemoteEvents::Ends => RemoteFilter::Ends,
        RemoteEvents::All => RemoteFilter::All,
    }
}

fn projection(fields: Option<&RawValue>) -> Result<Option<Projection>> {
    fields.map(|fields| Projection::parse(fields.get())).transpose()
}

fn with_logs(level: Option<&RawValue>) -> Result<Option<WithLogs>> {
    let level = level.map(|raw| argument::word(raw.get(), "logsMaxLevel", Level::WORDS));
    Ok(level.transpose()?.map(|level_max| WithLogs { level_max }))
}
