//! The rare calls from JavaScript: commands and reads, one object each.

use serde::Deserialize;
use serde_json::value::RawValue;
use tasker_core::definition::{self, Operations};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{AddKey, TaskId};
use tasker_core::limits;
use tasker_core::query::{Query, Sort};
use tasker_core::store::{Find, WithLogs};
use tasker_core::task::{AbortReason, Cause, Level, OnStop};
use tasker_engine::input::{Follow, Input, Listen, StopOptions, Ticket};
use tasker_engine::thread::Read;
use uuid::Uuid;

/// Every member that any command or read may have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Members<'a> {
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

fn read_members(text: &str) -> Result<Members<'_>> {
    serde_json::from_str(text)
        .map_err(|e| Error::invalid("options", "cannot be read").with_source(e))
}

/// One command.
pub(crate) fn command(ticket: Ticket, text: &str, names: &mut Operations) -> Result<Input> {
    let members = read_members(text)?;
    Ok(match members.r#do {
        "assign" => Input::Assign(ticket, members.operation(names)?, members.concurrency()?),
        "unassign" => Input::Unassign(ticket, members.operation(names)?),
        "start" => Input::Start(ticket),
        "stop" => Input::Stop(ticket, members.stop()?),
        "close" => Input::Close(ticket, members.stop()?),
        "abort" => Input::Abort(ticket, members.uuid()?, members.abort_reason()?),
        "prioritize" => {
            let priority = required(members.priority, "priority")?;
            Input::Prioritize(ticket, members.uuid()?, definition::priority(priority)?)
        }
        "await" => Input::Watch(ticket, members.uuid()?),
        "findByKey" => Input::Keyed(ticket, AddKey(uuid(members.key, "key")?)),
        "cancelAwait" => Input::Unwatch(ticket, members.ticket.unwrap_or_default()),
        "subscribe" => {
            let flag_of = |flag: Option<bool>| flag.unwrap_or_default();
            let (logs, progress) = (flag_of(members.log), flag_of(members.progress));
            let follow = follow(members.remote)?;
            Input::Listen(ticket, Listen { logs, progress, follow })
        }
        "ack" => Input::Heard(ticket),
        "ready" => Input::Ready(ticket),
        other => return Err(Error::bug(format!("unknown command {other:?}"))),
    })
}

fn follow(word: Option<&str>) -> Result<Follow> {
    match word {
        None => Ok(Follow::Nothing),
        Some("ends") => Ok(Follow::Ends),
        Some("all") => Ok(Follow::All),
        Some(other) => Err(Error::bug(format!("unknown word {other:?}"))),
    }
}

/// What a read asks for.
pub(crate) enum Asked {
    /// A read.
    Read(Read),
    /// The end of an earlier read.
    Cancel(Ticket),
}

/// One read.
pub(crate) fn read(text: &str) -> Result<Asked> {
    let members = read_members(text)?;
    Ok(match members.r#do {
        "get" => Asked::Read(Read::Get(members.uuid()?, members.logs()?)),
        "count" => Asked::Read(Read::Count(Box::new(members.query()?))),
        "find" => Asked::Read(Read::Find(Box::new(Find {
            query: members.query()?,
            sort: members.sort.map(|sort| Sort::parse(sort.get())).transpose()?,
            skip: whole(members.skip, "skip")?.unwrap_or(0),
            limit: whole(members.limit, "limit")?.filter(|limit| *limit > 0),
            logs: members.logs()?,
        }))),
        "cancel" => Asked::Cancel(members.ticket.unwrap_or_default()),
        other => return Err(Error::bug(format!("unknown read {other:?}"))),
    })
}

impl Members<'_> {
    fn uuid(&self) -> Result<TaskId> {
        uuid(self.uuid, "uuid").map(TaskId)
    }

    fn operation(&self, names: &mut Operations) -> Result<std::sync::Arc<str>> {
        let text = self.operation.and_then(|raw| definition::as_text(raw.get()));
        names.intern(&text.ok_or_else(|| Error::invalid("operation", "must be a text"))?)
    }

    fn concurrency(&self) -> Result<Option<u32>> {
        let count =
            |raw: &RawValue| definition::count(raw.get(), "concurrency", limits::CONCURRENCY_MAX);
        self.concurrency.map(count).transpose()
    }

    fn stop(&self) -> Result<StopOptions> {
        let on_stop =
            definition::word(self.on_stop.map(RawValue::get), "onStop", OnStop::from_word)?;
        // Zero is a meaning here: do not wait.
        let timeout_ms = match self.timeout.map(RawValue::get) {
            None => None,
            Some("0") => Some(0),
            Some(text) => Some(definition::duration(text, "timeout")?),
        };
        Ok(StopOptions { on_stop, timeout_ms })
    }

    fn abort_reason(&self) -> Result<AbortReason> {
        let cause = definition::word(self.cause.map(RawValue::get), "cause", Cause::from_word)?;
        let reason = required(self.reason, "reason")?;
        let reason = definition::payload(reason, "reason", limits::ERROR_BYTES_MAX)?;
        Ok(AbortReason { cause: cause.unwrap_or(Cause::User), reason })
    }

    fn query(&self) -> Result<Query> {
        Query::parse(self.query.map_or("{}", RawValue::get))
    }

    fn logs(&self) -> Result<Option<WithLogs>> {
        let level =
            definition::word(self.logs.map(RawValue::get), "logsMaxLevel", Level::from_word)?;
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
