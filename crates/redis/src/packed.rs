//! Values beside rows: attempts, log lines, keys, holds, schedules, operations, gates, heads.
//!
//! Proof: `conformance`, by what each is of.

use std::collections::BTreeSet;
use std::sync::Arc;

use tasker_core::circuit::Circuit;
use tasker_core::error::Result;
use tasker_core::hold::{HeldBy, Hold, HoldId, HoldQuery};
use tasker_core::id::{OperationId, Seq};
use tasker_core::key::KeyKind;
use tasker_core::operation::OperationRecord;
use tasker_core::rate::Arrival;
use tasker_core::schedule::ScheduleSpec;
use tasker_core::schedules::{LastTask, Schedule, ScheduleNo, Wanted};
use tasker_core::state::{Counts, State};
use tasker_core::store::{Head, KeyHolder, Offers, Operation};
use tasker_core::stored;
use tasker_core::task::{Attempt, AttemptEnd, AttemptError, Level, LogLine};
use tasker_core::time::WallMs;

use crate::bytes::{Packer, Unpacker, corrupt};
use crate::row;

/// An attempt of a history: it has ended.
pub(crate) fn attempt(attempt: &Attempt) -> Vec<u8> {
    let mut to = Packer::new();
    to.number(u64::from(attempt.attempt)).fixed(attempt.run.0.as_bytes());
    to.moment(attempt.started_at).moment(attempt.ended_at.unwrap_or(attempt.started_at));
    to.byte(attempt.end.map_or(0, AttemptEnd::code));
    to.maybe(attempt.error.as_ref(), |to, error| {
        to.byte(error.cause.code()).text(error.error.as_str())
    });
    to.maybe(attempt.result.as_ref(), |to, result| to.text(result.as_str()));
    to.done()
}

pub(crate) fn read_attempt(bytes: &[u8]) -> Result<Attempt> {
    let mut from = Unpacker::new(bytes)?;
    let attempt = Attempt {
        attempt: from.small()?,
        run: from.run()?,
        started_at: from.moment()?,
        ended_at: Some(from.moment()?),
        end: Some(AttemptEnd::from_code(from.byte()?).ok_or_else(|| corrupt("an unknown end"))?),
        error: from
            .maybe(|from| Ok(AttemptError { cause: row::cause(from)?, error: from.json()? }))?,
        result: from.maybe(Unpacker::json)?,
    };
    from.end()?;
    Ok(attempt)
}

pub(crate) fn log_line(line: &LogLine) -> Vec<u8> {
    let mut to = Packer::new();
    to.number(u64::from(line.n)).number(u64::from(line.attempt)).byte(line.level.code());
    to.moment(line.at).text(&line.message);
    to.maybe(line.fields.as_ref(), |to, fields| to.text(fields.as_str()));
    to.done()
}

pub(crate) fn read_log_line(bytes: &[u8]) -> Result<LogLine> {
    let mut from = Unpacker::new(bytes)?;
    let line = LogLine {
        n: from.small()?,
        attempt: from.small()?,
        level: Level::from_code(from.byte()?).ok_or_else(|| corrupt("an unknown level"))?,
        at: from.moment()?,
        message: from.text()?.into(),
        fields: from.maybe(Unpacker::json)?,
    };
    from.end()?;
    Ok(line)
}

pub(crate) fn holder(holder: &KeyHolder) -> Vec<u8> {
    let mut to = Packer::new();
    to.number(holder.seq.0).fixed(holder.id.0.as_bytes()).byte(holder.kind.code());
    to.maybe(holder.until, |to, at| to.moment(at));
    to.done()
}

pub(crate) fn read_holder(bytes: &[u8]) -> Result<KeyHolder> {
    let mut from = Unpacker::new(bytes)?;
    let (seq, id) = (Seq(from.number()?), from.task()?);
    let kind = KeyKind::from_code(from.byte()?).ok_or_else(|| corrupt("an unknown kind of key"))?;
    let until = from.maybe(Unpacker::moment)?;
    from.end()?;
    Ok(KeyHolder { seq, id, kind, until })
}

pub(crate) fn hold(hold: &Hold) -> Vec<u8> {
    let mut to = Packer::new();
    to.number(hold.id.0).text(hold.query.text()).moment(hold.since).moment(hold.until);
    to.number(u64::from(hold.by.pid));
    to.maybe(hold.by.task, |to, task| to.fixed(task.0.as_bytes()));
    to.byte(u8::from(hold.is_released));
    to.done()
}

pub(crate) fn read_hold(bytes: &[u8]) -> Result<Hold> {
    let mut from = Unpacker::new(bytes)?;
    let id = HoldId(from.number()?);
    let query = HoldQuery::read(from.text()?)
        .map_err(|error| corrupt("the query of a hold cannot be read").with_source(error))?;
    let (since, until) = (from.moment()?, from.moment()?);
    let by = HeldBy { pid: from.small()?, task: from.maybe(Unpacker::task)? };
    let is_released = from.byte()? != 0;
    from.end()?;
    Ok(Hold { id, query, since, until, by, is_released })
}

pub(crate) fn schedule(schedule: &Schedule) -> Vec<u8> {
    let Schedule { no, id, version, wanted, anchor, next_at, last, made, paused_at } = schedule;
    let mut to = Packer::new();
    to.number(no.0).text(id).number(u64::from(*version)).text(wanted.spec.text());
    to.maybe(stored::options(&wanted.defaults), |to, text| to.text(&text));
    to.moment(*anchor).maybe(*next_at, |to, at| to.moment(at));
    to.maybe(*last, |to, last| to.moment(last.at).fixed(last.id.0.as_bytes()));
    to.number(*made).maybe(*paused_at, |to, at| to.moment(at));
    to.done()
}

pub(crate) fn read_schedule(bytes: &[u8]) -> Result<Schedule> {
    let mut from = Unpacker::new(bytes)?;
    let (no, id, version) = (ScheduleNo(from.number()?), from.text()?.into(), from.small()?);
    let spec = ScheduleSpec::read(from.text()?)
        .map_err(|error| corrupt("a schedule cannot be read").with_source(error))?;
    let defaults = from.maybe(|from| row::options(from.text()?))?.unwrap_or_default();
    let (anchor, next_at) = (from.moment()?, from.maybe(Unpacker::moment)?);
    let last = from.maybe(|from| Ok(LastTask { at: from.moment()?, id: from.task()? }))?;
    let (made, paused_at) = (from.number()?, from.maybe(Unpacker::moment)?);
    from.end()?;
    let wanted = Wanted { spec, defaults };
    Ok(Schedule { no, id, version, wanted, anchor, next_at, last, made, paused_at })
}

pub(crate) fn operation(operation: &Operation) -> Vec<u8> {
    let Operation { id, name, record } = operation;
    let mut to = Packer::new();
    to.number(u64::from(id.0)).text(name).number(u64::from(record.version));
    to.maybe(record.paused_at, |to, at| to.moment(at));
    to.maybe(record.settings(), |to, text| to.text(&text));
    to.done()
}

pub(crate) fn read_operation(bytes: &[u8]) -> Result<Operation> {
    let mut from = Unpacker::new(bytes)?;
    let id = u16::try_from(from.number()?).map_err(|_| corrupt("the number of no operation"))?;
    let name: Arc<str> = from.text()?.into();
    let (version, paused_at) = (from.small()?, from.maybe(Unpacker::moment)?);
    let bare = OperationRecord { version, paused_at, ..OperationRecord::default() };
    let settings = from.maybe(|from| from.text().map(str::to_owned))?;
    let record = match settings {
        None => bare,
        Some(text) => bare.with_settings(&text).map_err(|_| corrupt("settings of no operation"))?,
    };
    from.end()?;
    Ok(Operation { id: OperationId(id), name, record })
}

pub(crate) fn arrival(arrival: Arrival) -> Vec<u8> {
    let mut to = Packer::new();
    to.moment(arrival.at).number(u64::from(arrival.part)).number(u64::from(arrival.parts));
    to.done()
}

pub(crate) fn read_arrival(bytes: &[u8]) -> Result<Arrival> {
    let mut from = Unpacker::new(bytes)?;
    let (at, part, parts) = (from.moment()?, from.small()?, from.small()?);
    from.end()?;
    Ok(Arrival { at, part, parts })
}

pub(crate) fn circuit(circuit: &Circuit) -> Vec<u8> {
    let mut to = Packer::new();
    to.moment(circuit.rests_at).text(&circuit.to_json());
    to.done()
}

pub(crate) fn read_circuit(bytes: &[u8]) -> Result<Circuit> {
    let mut from = Unpacker::new(bytes)?;
    let (rests_at, text) = (from.moment()?, from.text()?);
    from.end()?;
    Circuit::read(text, rests_at)
        .ok_or_else(|| corrupt("the circuit of an operation cannot be read"))
}

/// From when on a gate rests, whichever it is.
pub(crate) fn read_gate_rest(bytes: &[u8]) -> Result<WallMs> {
    Unpacker::new(bytes)?.moment()
}

pub(crate) fn offers(offers: &BTreeSet<Arc<str>>) -> Vec<u8> {
    let mut to = Packer::new();
    to.number(offers.len() as u64);
    for name in offers {
        to.text(name);
    }
    to.done()
}

pub(crate) fn read_offers(bytes: &[u8]) -> Result<Offers> {
    let mut from = Unpacker::new(bytes)?;
    let mut names = BTreeSet::new();
    for _ in 0..from.number()? {
        names.insert(from.text()?.into());
    }
    from.end()?;
    Ok(Arc::new(names))
}

/// The facts of a batch, but for its number.
pub(crate) fn head(head: &Head, at: WallMs) -> Vec<u8> {
    let mut to = Packer::new();
    to.number(head.seq_next.0).number(head.lane_next).moment(at);
    for state in State::ALL {
        to.byte(state.code()).number(head.counts.get(*state));
    }
    to.done()
}

/// Where a store stands, and when its last batch was written.
pub(crate) fn read_head(number: u64, bytes: Option<&[u8]>) -> Result<Head> {
    let Some(bytes) = bytes else {
        return Ok(Head { number, seq_next: Seq(1), lane_next: 1, counts: Counts::default() });
    };
    let mut from = Unpacker::new(bytes)?;
    let (seq_next, lane_next, _) = (Seq(from.number()?), from.number()?, from.moment()?);
    let mut counts = Counts::default();
    for _ in State::ALL {
        let state = State::from_code(from.byte()?).ok_or_else(|| corrupt("an unknown state"))?;
        counts.set(state, from.number()?);
    }
    from.end()?;
    Ok(Head { number, seq_next, lane_next, counts })
}
