//! What users of tasks ask: add one, look, cancel, list.
//!
//! # Promises
//! - What is refused has changed nothing.
//! - A task added here is the same as one of `addTask`: one reader reads both definitions.
//!
//! Proof: `__test__/contract/http.test.mjs`.

use std::fmt::Write;

use tasker_core::definition;
use tasker_core::error::Error;
use tasker_core::id::TaskId;
use tasker_core::json::write_string;
use tasker_core::limits::{LABEL_BYTES_MAX, OPERATION_BYTES_MAX, RETRY_ATTEMPTS_MAX};
use tasker_core::read::WithLogs;
use tasker_core::task::{AbortReason, Cause, Json, Level, NewTask};
use tasker_engine::effect::Answer;
use tasker_engine::input::Input;
use tasker_engine::thread::Read;

use crate::calls::unexpected;
use crate::context::{Context, Shared, on_task};
use crate::limits::ID_BYTES_MAX;
use crate::names;
use crate::params::Params;
use crate::refusal::{Fault, Reason, Refusal};
use crate::resource;
use crate::task::Task;

/// How often a task is tried of which only the delay between is said.
const RETRY_ATTEMPTS: u64 = 2;
/// How long to wait between if only the attempts are said, in milliseconds.
const RETRY_DELAY_MS: u64 = 10_000;

/// Settings of an operation that a single task does not have here.
const OF_OPERATION: [&str; 4] =
    ["requestedToStartTimeout", "inProgressTimeout", "concurrencyLimit", "concurrencyPath"];

/// `awf.task/create-and-execute`
pub(crate) async fn create(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let id = params.text("id", ID_BYTES_MAX);
    let (operation, text) = definition_of(&mut params, id.as_deref());
    params.end()?;
    context.check_operation(&operation)?;
    let Shared { engine, names, defaults, operations, .. } = &*context.shared;
    let task = definition::task(&text, defaults, &mut operations.lock())
        .map_err(|error| renamed(&error))?;
    let added = match &id {
        None => add(&context, task).await?,
        Some(id) => {
            refuse_uuid(&context, id).await?;
            let key = names::key(id);
            let add = |ticket| Input::AddIdempotent(ticket, vec![(key, task)]);
            match engine.call(add).await? {
                Answer::Idempotent(added) => match added.as_slice() {
                    [(added, true)] => {
                        names.learn(id, *added);
                        *added
                    }
                    _ => return Err(taken()),
                },
                other => return Err(unexpected(&other).into()),
            }
        }
    };
    context.resource(added).await
}

async fn add(context: &Context, task: NewTask) -> Result<TaskId, Refusal> {
    match context.shared.engine.call(|ticket| Input::Add(ticket, task)).await? {
        Answer::Task(task) => Ok(task),
        other => Err(unexpected(&other).into()),
    }
}

fn taken() -> Refusal {
    Refusal::new(Reason::IdTaken, "another task has this id; give another one, or none")
}

/// An id that is the uuid of a task would name two.
async fn refuse_uuid(context: &Context, id: &str) -> Result<(), Refusal> {
    let Some(task) = names::uuid(id) else { return Ok(()) };
    let read = Read::Get(task, None, Some(Task::fields()?));
    match context.shared.engine.read(read).await.map_err(Refusal::from) {
        Ok(_) => Err(taken()),
        Err(refusal) if refusal.reason == Reason::UnknownTask => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// The name of the operation, and the definition in the words of `addTask`.
fn definition_of(params: &mut Params<'_>, id: Option<&str>) -> (String, String) {
    let operation: String =
        params.required("definition", |params, name| params.text(name, OPERATION_BYTES_MAX));
    let data = params.required("params", Params::object);
    let mut text = String::new();
    let mut object = resource::Object::begin(&mut text);
    object.text("operation", &operation);
    object.json("data", data);
    id.inspect(|id| object.text("id", id));
    if let Some(label) = params.text("label", LABEL_BYTES_MAX) {
        object.text("label", &label);
    }
    if let Some(at) = params.moment("executeAt") {
        object.json("runAt", &at.0.to_string());
    }
    let attempts = params.count("allowedRetryCount", 0, RETRY_ATTEMPTS_MAX.into());
    let delay = params.count("retryDelay", 0, tasker_core::limits::DURATION_MS_MAX);
    if attempts.is_some() || delay.is_some() {
        let attempts = attempts.unwrap_or(RETRY_ATTEMPTS).max(1);
        object.json("retry", &retry(attempts, delay.unwrap_or(RETRY_DELAY_MS)));
    }
    object.end();
    for name in OF_OPERATION {
        if params.json(name).is_some() {
            params.fault(name, "is a setting of the definition; say it with defineOperation");
        }
    }
    (operation, text)
}

fn retry(attempts: u64, delay_ms: u64) -> String {
    match delay_ms {
        0 => format!(r#"{{"attempts":{attempts}}}"#),
        ms => format!(r#"{{"attempts":{attempts},"backoff":{{"type":"fixed","delay":{ms}}}}}"#),
    }
}

/// What is wrong with a definition, in the words of this API.
fn renamed(error: &Error) -> Refusal {
    let path = error.facts().path.clone().unwrap_or_default();
    let ours = match path.split(['.', '[']).next() {
        Some("operation") => path.replacen("operation", "definition", 1),
        Some("data") => path.replacen("data", "params", 1),
        Some("runAt") => path.replacen("runAt", "executeAt", 1),
        _ => path.clone(),
    };
    let message = error.message().strip_prefix(&format!("{path}: ")).unwrap_or(error.message());
    Refusal::invalid(vec![Fault { path: format!("params.{ours}"), message: message.to_owned() }])
}

/// `awf.task/status`
pub(crate) async fn status(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let id: String = params.required("id", |params, name| params.text(name, ID_BYTES_MAX));
    // The page of the API writes them with a question mark, and so does its usual client.
    let with_settings = params.flag("include-settings?") || params.flag("include-settings");
    let with_log = params.flag("include-log?") || params.flag("include-log");
    params.end()?;
    let logs = with_log.then_some(WithLogs { level_max: Level::Debug });
    let document = on_task!(context, &id, task => context.document(task, logs).await)?;
    let task = Task::read(&document)?;
    let id = context.public_id(&task).await?;
    let mut out = r#"{"resource":"#.to_owned();
    resource::write(&task, (&id, None), &mut out)?;
    if with_settings {
        let operations = context.shared.engine.read(Read::Operations).await?;
        out.push_str(r#","settings":"#);
        crate::definitions::write_settings(&operations, &task.operation, &mut out)?;
    }
    if with_log {
        out.push_str(r#","log":"#);
        resource::write_log(&task, &id, &mut out);
    }
    out.push('}');
    Ok(out)
}

/// `awf.task/cancel`
pub(crate) async fn cancel(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let id: String = params.required("id", |params, name| params.text(name, ID_BYTES_MAX));
    params.end()?;
    on_task!(context, &id, task => cancel_task(&context, task).await)
}

async fn cancel_task(context: &Context, task: TaskId) -> Result<String, Refusal> {
    context.check_task(task).await?;
    let message = "the task was canceled with awf.task/cancel";
    let mut reason = r#"{"name":"AbortError","message":"#.to_owned();
    write_string(message, &mut reason);
    let _ = write!(reason, r#","code":"ABORT_ERR"}}"#);
    let reason = AbortReason { cause: Cause::User, reason: Json::trusted(&reason) };
    match context.shared.engine.call(|ticket| Input::Abort(ticket, task, reason)).await? {
        Answer::Flag(true) => context.resource(task).await,
        Answer::Flag(false) => {
            Err(Refusal::new(Reason::WrongState, "the task is done; it cannot be canceled"))
        }
        other => Err(unexpected(&other).into()),
    }
}
