//! What executors ask: tasks, and what becomes of them.
//!
//! # Promises
//! - A poll that waits ends with its caller, and with the server; what was claimed for one who has
//!   gone is given back at once.
//! - A poll is never refused for the time being: it brings no task.
//! - An executor that is confined to some operations gets no task of another one.
//!
//! Proof: `__test__/contract/http-executors.test.mjs`, `__test__/systems/aidbox.test.mjs`.

use std::sync::Arc;

use serde_json::value::RawValue;
use tasker_core::id::{RunId, TaskId};
use tasker_core::json::write_string;
use tasker_core::limits::{
    ERROR_BYTES_MAX, LOG_LINE_BYTES_MAX, OPERATION_BYTES_MAX, PROGRESS_UNIT_BYTES_MAX,
    READ_BYTES_MAX, RESULT_BYTES_MAX,
};
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_core::rules::{self, Settlement};
use tasker_core::state::State;
use tasker_core::task::{Json, Level, Progress};
use tasker_core::{argument, time::WallMs};
use tasker_engine::effect::Answer;
use tasker_engine::input::{Input, Poll, Record};
use tasker_engine::thread::Read;
use uuid::Uuid;

use crate::calls::{Claims, unexpected};
use crate::context::{Context, on_task};
use crate::limits::{
    ID_BYTES_MAX, OPERATIONS_PER_CALL_MAX, POLL_BATCH_MAX, POLL_TIMEOUT_MS, POLL_TIMEOUT_MS_MAX,
};
use crate::moment;
use crate::params::Params;
use crate::refusal::{Reason, Refusal};
use crate::resource::{EXECUTOR_ERROR, Object};
use crate::task::Task;

/// No task.
const NONE: &str = r#"{"resources":[]}"#;
/// Bytes of the message of an error.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of an error that an executor gives: what is stored around it has room.
const GIVEN_BYTES_MAX: usize = ERROR_BYTES_MAX - 2 * MESSAGE_BYTES_MAX;

/// `awf.task/poll` and `awf.task/long-poll`
pub(crate) async fn poll(
    context: Context,
    mut params: Params<'_>,
    is_long: bool,
) -> Result<String, Refusal> {
    let limits = (OPERATIONS_PER_CALL_MAX, OPERATION_BYTES_MAX);
    let tasks = params.texts("taskDefinitions", limits);
    let workflows = params.texts("workflowDefinitions", limits);
    let max = params.count("maxBatchSize", 1, POLL_BATCH_MAX.into()).unwrap_or(1);
    let timeout = if is_long { params.count("timeout", 0, POLL_TIMEOUT_MS_MAX) } else { Some(0) };
    params.end()?;
    let wait_ms = timeout.unwrap_or(POLL_TIMEOUT_MS);
    let operations = match (tasks, workflows) {
        // There are no workflows here: nothing of them ever comes.
        (None, Some(_)) => Some(Vec::new()),
        (None, None) => context.who.operations.as_deref().map(<[Arc<str>]>::to_vec),
        (Some(names), _) => Some(interned(&context, &names)?),
    };
    let name = Some(Arc::clone(&context.who.name));
    let poll = Poll { operations, max: max as usize, wait_ms, name };
    let Some(_waiting) = context.load.begin_poll(&context.who.name) else {
        return Err(Refusal::overloaded("too many polls of yours wait"));
    };
    let claims = context.shared.engine.poll(poll, &context.shared.closing.token()).await?;
    let text = resources(&context, &claims).await?;
    claims.keep();
    Ok(text)
}

fn interned(context: &Context, names: &[String]) -> Result<Vec<Arc<str>>, Refusal> {
    let mut known = context.shared.operations.lock();
    let one = |name: &String| {
        context.check_operation(name)?;
        Ok(known.intern(name)?)
    };
    names.iter().map(one).collect()
}

/// The claimed tasks, as they are now.
async fn resources(context: &Context, claims: &Claims) -> Result<String, Refusal> {
    if claims.is_empty() {
        return Ok(NONE.to_owned());
    }
    let uuids: Vec<String> = claims.iter().map(|(id, _)| format!("\"{}\"", id.0)).collect();
    let query = Query::parse(&format!(r#"{{"uuid":{{"$in":[{}]}}}}"#, uuids.join(",")))?;
    let find =
        Find { fields: Some(Task::fields()?), bytes_max: READ_BYTES_MAX, ..Find::all(query) };
    let documents = context.shared.engine.read(Read::Find(Box::new(find))).await?;
    let tasks = Task::read_all(&documents)?;
    let mut out = r#"{"resources":["#.to_owned();
    let mut has_any = false;
    // In the order in which they were claimed, which is that of the queue. What was taken back
    // meanwhile is left out.
    for (id, run) in claims.iter() {
        let is_it = |task: &&Task<'_>| task.task_id().is_ok_and(|found| found == id);
        let Some(task) = tasks.iter().find(is_it) else { continue };
        if task.state()? == State::Claimed {
            if has_any {
                out.push(',');
            }
            has_any = true;
            let run = run.0.hyphenated().to_string();
            context.write(task, Some(&run), &mut out).await?;
        }
    }
    out.push_str("]}");
    Ok(out)
}

/// Which run a call names.
struct Named {
    id: String,
    run: RunId,
}

impl Named {
    /// Reads `id` and `execId`; a call ends with what else is wrong.
    fn read(params: &mut Params<'_>) -> (String, String) {
        let id = params.required("id", |params, name| params.text(name, ID_BYTES_MAX));
        let exec = params.required("execId", |params, name| params.text(name, ID_BYTES_MAX));
        (id, exec)
    }

    fn checked((id, exec): (String, String)) -> Result<Self, Refusal> {
        let run = Uuid::try_parse(&exec).map(RunId);
        let wrong = "no task is given out under this execId";
        let run = run.map_err(|_| Refusal::new(Reason::WrongExecId, wrong))?;
        Ok(Self { id, run })
    }
}

/// `awf.task/start`
pub(crate) async fn start(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let named = Named::read(&mut params);
    params.end()?;
    let Named { id, run } = Named::checked(named)?;
    on_task!(context, &id, task => begin(&context, task, run).await)
}

async fn begin(context: &Context, task: TaskId, run: RunId) -> Result<String, Refusal> {
    context.check_task(task).await?;
    match context.shared.engine.call(|ticket| Input::Begin(ticket, task, run)).await? {
        Answer::Lease(_) => context.resource(task).await,
        other => Err(unexpected(&other).into()),
    }
}

/// What a notification tells.
#[derive(Clone, Copy)]
enum Notification {
    Heartbeat,
    Progress,
}

const NOTIFICATIONS: &[(&str, Notification)] = &[
    ("heartbeat", Notification::Heartbeat),
    ("progress", Notification::Progress),
    ("awf.task/heartbeat", Notification::Heartbeat),
    ("awf.task/progress", Notification::Progress),
];

/// `awf.task/notify`
pub(crate) async fn notify(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let named = Named::read(&mut params);
    let kind: Option<Notification> =
        params.required("notification", |params, name| params.word(name, NOTIFICATIONS).map(Some));
    let record = match kind {
        Some(Notification::Heartbeat) => {
            params.text("message", LOG_LINE_BYTES_MAX).map(|message| noted(&message))
        }
        Some(Notification::Progress) => Some(Record::Progress(progress(&mut params))),
        None => None,
    };
    params.end()?;
    let Named { id, run } = Named::checked(named)?;
    let until = on_task!(context, &id, task => renew(&context, task, run, record.clone()).await)?;
    let mut out = r#"{"inProgressTimeoutAt":"#.to_owned();
    write_string(&moment::write(until), &mut out);
    out.push('}');
    Ok(out)
}

/// A line of the log of a task.
fn noted(message: &str) -> Record {
    let (message, fields) = rules::log_line(message, None);
    Record::Log { level: Level::Info, at: None, message, fields }
}

fn progress(params: &mut Params<'_>) -> Progress {
    Progress {
        current: params.required("progress-current", Params::number),
        total: params.number("progress-total"),
        unit: params.text("progress-unit", PROGRESS_UNIT_BYTES_MAX).map(Into::into),
    }
}

async fn renew(
    context: &Context,
    task: TaskId,
    run: RunId,
    record: Option<Record>,
) -> Result<WallMs, Refusal> {
    context.check_task(task).await?;
    match context.shared.engine.call(|ticket| Input::Renew(ticket, task, run, record)).await? {
        Answer::Lease(until) => Ok(until),
        other => Err(unexpected(&other).into()),
    }
}

/// `awf.task/success`
pub(crate) async fn success(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let named = Named::read(&mut params);
    let result = payload(&mut params, "result", RESULT_BYTES_MAX);
    params.end()?;
    settle(&context, Named::checked(named)?, Settlement::Returned(result)).await
}

/// `awf.task/fail`
pub(crate) async fn fail(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let named = Named::read(&mut params);
    // The usual client says `result` here, too.
    let name = if params.json("error").is_some() { "error" } else { "result" };
    let given = payload(&mut params, name, GIVEN_BYTES_MAX);
    params.end()?;
    let error = Json::trusted(&stored(given.as_ref()));
    settle(&context, Named::checked(named)?, Settlement::Threw(error)).await
}

/// A payload, null among them.
fn payload(params: &mut Params<'_>, name: &str, bytes_max: usize) -> Option<Json> {
    let text = params.given(name)?;
    match argument::payload(text, name, bytes_max) {
        Ok(json) => Some(json),
        Err(error) => {
            let message = error.message().strip_prefix(name).unwrap_or(error.message());
            params.fault(name, message.trim_start_matches(": "));
            None
        }
    }
}

/// An error as it is stored: one that JavaScript makes an Error of, with what was given in it.
fn stored(given: Option<&Json>) -> String {
    let message = given.and_then(|json| message_of(json.as_str()));
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    object.text("name", EXECUTOR_ERROR);
    object.text("message", message.as_deref().unwrap_or("Failed by executor"));
    given.inspect(|given| object.json("error", given.as_str()));
    object.end();
    out
}

/// What a given error says to people, if it says something.
fn message_of(given: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Said<'a> {
        #[serde(borrow, default)]
        message: Option<&'a RawValue>,
    }
    let text = argument::as_text(given).map(|text| text.into_owned()).or_else(|| {
        let said: Said<'_> = serde_json::from_str(given).ok()?;
        Some(argument::as_text(said.message?.get())?.into_owned())
    });
    let mut text = text.filter(|text| !text.is_empty())?;
    while text.len() > MESSAGE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
    }
    Some(text)
}

async fn settle(
    context: &Context,
    Named { id, run }: Named,
    settlement: Settlement,
) -> Result<String, Refusal> {
    on_task!(context, &id, task => settle_task(context, task, run, settlement.clone()).await)
}

async fn settle_task(
    context: &Context,
    task: TaskId,
    run: RunId,
    settlement: Settlement,
) -> Result<String, Refusal> {
    context.check_task(task).await?;
    let settle = |ticket| Input::SettleOutside(ticket, task, run, settlement);
    match context.shared.engine.call(settle).await? {
        Answer::Done => context.resource(task).await,
        other => Err(unexpected(&other).into()),
    }
}
