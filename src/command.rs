//! The rare calls from JavaScript: commands and reads, one object each.

use serde::Deserialize;
use serde_json::value::RawValue;
use tasker_core::definition::{self, Operations};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::limits;
use tasker_core::query::{Query, Sort};
use tasker_core::store::{Find, WithLogs};
use tasker_core::task::{AbortReason, Cause, Level, OnStop};
use tasker_engine::input::{Input, RemoteFilter, StopOptions, Subscription, Ticket};
use tasker_engine::thread::Read;
use uuid::Uuid;

/// Every member that any command or read may have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CommandFields<'a> {
    r#do: &'a str,
    ticket: Option<Ticket>,
    #[serde(borrow)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    operation: Option<&'a RawValue>,
    #[serde(borrow)]
    concurrency: Option<&'a RawValue>,
    #[serde(borrow)]
    on_stop: Option<&'a RawValue>,
    #[serde(borrow)]
    timeout: Option<&'a RawValue>,
    #[serde(borrow)]
    cause: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    priority: Option<&'a RawValue>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow)]
    sort: Option<&'a RawValue>,
    #[serde(borrow)]
    skip: Option<&'a RawValue>,
    #[serde(borrow)]
    limit: Option<&'a RawValue>,
    #[serde(borrow)]
    logs: Option<&'a RawValue>,
    log: Option<bool>,
    progress: Option<bool>,
    remote: Option<&'a str>,
}

fn read_fields(text: &str) -> Result<CommandFields<'_>> {
    serde_json::from_str(text)
        .map_err(|e| Error::invalid("options", "cannot be read").with_source(e))
}

/// One command.
pub(crate) fn command(ticket: Ticket, text: &str, names: &mut Operations) -> Result<Input> {
    let fields = read_fields(text)?;
    Ok(match fields.r#do {
        "assign" => Input::Assign(ticket, fields.operation(names)?, fields.concurrency()?),
        "unassign" => Input::Unassign(ticket, fields.operation(names)?),
        "start" => Input::Start(ticket),
        "stop" => Input::Stop(ticket, fields.stop()?),
        "close" => Input::Close(ticket, fields.stop()?),
        "abort" => Input::Abort(ticket, fields.uuid()?, fields.abort_reason()?),
        "prioritize" => {
            let priority = required(fields.priority, "priority")?;
            Input::Prioritize(ticket, fields.uuid()?, definition::priority(priority)?)
        }
        "await" => Input::AwaitEnd(ticket, fields.uuid()?),
        "findByKey" => Input::FindByKey(ticket, IdempotencyKey(uuid(fields.key, "key")?)),
        "cancelAwait" => Input::CancelAwait(ticket, fields.ticket.unwrap_or_default()),
        "subscribe" => {
            let logs = fields.log.unwrap_or_default();
            let progress = fields.progress.unwrap_or_default();
            let remote = remote_filter(fields.remote)?;
            Input::Subscribe(ticket, Subscription { logs, progress, remote })
        }
        "ack" => Input::Ack(ticket),
        "ready" => Input::Ready(ticket),
        "isShared" => Input::IsShared(ticket),
        other => return Err(Error::bug(format!("unknown command {other:?}"))),
    })
}

fn remote_filter(word: Option<&str>) -> Result<RemoteFilter> {
    match word {
        None => Ok(RemoteFilter::Nothing),
        Some("ends") => Ok(RemoteFilter::Ends),
        Some("all") => Ok(RemoteFilter::All),
        Some(other) => Err(Error::bug(format!("unknown word {other:?}"))),
    }
}

/// What a read asks for.
pub(crate) enum ReadRequest {
    /// A read.
    Read(Read),
    /// The end of an earlier read.
    Cancel(Ticket),
}

/// One read.
pub(crate) fn read(text: &str) -> Result<ReadRequest> {
    let fields = read_fields(text)?;
    Ok(match fields.r#do {
        "get" => ReadRequest::Read(Read::Get(fields.uuid()?, fields.logs()?)),
        "exists" => ReadRequest::Read(Read::Exists(Box::new(fields.query()?))),
        "count" => ReadRequest::Read(Read::Count(Box::new(fields.query()?))),
        "find" => ReadRequest::Read(Read::Find(Box::new(Find {
            query: fields.query()?,
            sort: fields.sort.map(|sort| Sort::parse(sort.get())).transpose()?,
            skip: whole(fields.skip, "skip")?.unwrap_or(0),
            limit: whole(fields.limit, "limit")?.filter(|limit| *limit > 0),
            logs: fields.logs()?,
            bytes_max: limits::READ_BYTES_MAX,
        }))),
        "cancel" => ReadRequest::Cancel(fields.ticket.unwrap_or_default()),
        other => return Err(Error::bug(format!("unknown read {other:?}"))),
    })
}

impl CommandFields<'_> {
    fn uuid(&self) -> Result<TaskId> {
        uuid(self.uuid, "uuid").map(TaskId)
    }

    fn operation(&self, names: &mut Operations) -> Result<std::sync::Arc<str>> {
        let text = self.operation.and_then(|raw| definition::as_text(raw.get()));
        names.intern(&text.ok_or_else(|| Error::invalid("operation", "must be a string"))?)
    }

    fn concurrency(&self) -> Result<Option<u32>> {
        let count =
            |raw: &RawValue| definition::count(raw.get(), "concurrency", limits::CONCURRENCY_MAX);
        self.concurrency.map(count).transpose()
    }

    fn stop(&self) -> Result<StopOptions> {
        let on_stop = definition::word(self.on_stop.map(RawValue::get), "onStop", OnStop::WORDS)?;
        // Zero is a meaning here: do not wait.
        let timeout_ms = match self.timeout.map(RawValue::get) {
            None => None,
            Some("0") => Some(0),
            Some(text) => Some(definition::duration(text, "timeout")?),
        };
        Ok(StopOptions { on_stop, timeout_ms })
    }

    fn abort_reason(&self) -> Result<AbortReason> {
        let cause = definition::word(self.cause.map(RawValue::get), "cause", Cause::WORDS)?;
        let reason = required(self.reason, "reason")?;
        let reason = definition::payload(reason, "reason", limits::ERROR_BYTES_MAX)?;
        Ok(AbortReason { cause: cause.unwrap_or(Cause::User), reason })
    }

    fn query(&self) -> Result<Query> {
        Query::parse(self.query.map_or("{}", RawValue::get))
    }

    fn logs(&self) -> Result<Option<WithLogs>> {
        let level = definition::word(self.logs.map(RawValue::get), "logsMaxLevel", Level::WORDS)?;
        Ok(level.map(|level_max| WithLogs { level_max }))
    }
}

fn uuid(value: Option<&RawValue>, path: &str) -> Result<Uuid> {
    let text = value.and_then(|raw| definition::as_text(raw.get()));
    let uuid = text.and_then(|text| Uuid::try_parse(&text).ok());
    uuid.ok_or_else(|| Error::invalid(path, "is not a uuid"))
}

fn required<'a>(value: Option<&'a RawValue>, path: &str) -> Result<&'a str> {
    let text = value.map(RawValue::get);
    text.ok_or_else(|| Error::new(Code::Invalid, format!("{path}: is missing")).with_path(path))
}

fn whole(value: Option<&RawValue>, path: &str) -> Result<Option<u64>> {
    let Some(value) = value else { return Ok(None) };
    let number: Option<f64> = serde_json::from_str(value.get()).ok();
    let is_whole = |n: &f64| n.fract() == 0.0 && (0.0..=9_007_199_254_740_991.0).contains(n);
    let number = number.filter(is_whole);
    let number = number.ok_or_else(|| Error::invalid(path, "must be a whole number from 0"))?;
    Ok(Some(number as u64))
}
