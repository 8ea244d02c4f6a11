//! Rows of the file as facts of the core.
//!
//! # Promises
//! - A stored text comes back byte for byte.
//! - A row that no version of tasker can have written is `Corrupt`, never a wrong task (F-14).
//! - A row of another database is `Corrupt`: a uuid carries its number under the key of its own
//!   file (F-15).
//!
//! Proof: `tests/read.rs`, `conformance::reader`.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{CachedStatement, Connection, Row};
use tasker_core::circuit::Circuit;
use tasker_core::error::Result;
use tasker_core::hold::{HeldBy, Hold, HoldId, HoldQuery};
use tasker_core::id::{IdKey, LaneId, OperationId, OwnerId, RunId, Seq, TaskId};
use tasker_core::json::is_json;
use tasker_core::key::KeyKind;
use tasker_core::operation::OperationRecord;
use tasker_core::rate::Arrival;
use tasker_core::schedule::ScheduleSpec;
use tasker_core::schedules::{LastTask, Schedule, ScheduleNo, Wanted};
use tasker_core::state::{Counts, State};
use tasker_core::store::{GATES_SWEPT_MAX, GateId, GatesLeft, Head, Offers, Operation, PauseWish};
use tasker_core::stored;
use tasker_core::task::{
    AbortReason, Attempt, AttemptEnd, AttemptError, Cause, Json, Level, LogLine, NewTask,
    Postponement, Priority, Progress, SharedOptions, TaskEnd, TaskRecord, Unsaid,
};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};
use uuid::Uuid;

use crate::error::{self, corrupt};
use crate::sql;

/// A column of a row, as the type that it must have.
pub(crate) fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T> {
    row.get(column).map_err(error::of)
}

/// A statement of the cache.
pub(crate) fn cached<'c>(
    connection: &'c Connection,
    text: &'static str,
) -> Result<CachedStatement<'c>> {
    connection.prepare_cached(text).map_err(error::of)
}

pub(crate) fn seq(row: &Row<'_>, column: usize) -> Result<Seq> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map(Seq).map_err(|_| corrupt("a negative sequence number"))
}

pub(crate) fn lane_id(row: &Row<'_>, column: usize) -> Result<LaneId> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map(LaneId).map_err(|_| corrupt("a negative lane"))
}

pub(crate) fn task_id(row: &Row<'_>, column: usize) -> Result<TaskId> {
    get::<[u8; 16]>(row, column).map(|bytes| TaskId(Uuid::from_bytes(bytes)))
}

/// The number and the uuid of a task, the first two columns, which belong together.
pub(crate) fn name(row: &Row<'_>, id_key: IdKey) -> Result<(Seq, TaskId)> {
    let (seq, id) = (seq(row, 0)?, task_id(row, 1)?);
    if id_key.seq_of(id) == seq {
        return Ok((seq, id));
    }
    Err(corrupt("a uuid of another file; is the log (-wal) beside the file its own?"))
}

pub(crate) fn run_id(row: &Row<'_>, column: usize) -> Result<RunId> {
    get::<[u8; 16]>(row, column).map(|bytes| RunId(Uuid::from_bytes(bytes)))
}

pub(crate) fn state(row: &Row<'_>, column: usize) -> Result<State> {
    State::from_code(get(row, column)?).ok_or_else(|| corrupt("an unknown state"))
}

pub(crate) fn priority(row: &Row<'_>, column: usize) -> Result<Priority> {
    Priority::new(get(row, column)?).map_err(|_| corrupt("a priority that is not a number"))
}

/// Whether a column has a value.
pub(crate) fn is_set(row: &Row<'_>, column: usize) -> Result<bool> {
    row.get_ref(column).map(|value| value != ValueRef::Null).map_err(error::of)
}

/// A timer; its moment stands in the first column.
pub(crate) fn timer(row: &Row<'_>) -> Result<Timer> {
    let kind = TimerKind::from_code(get(row, 1)?).ok_or_else(|| corrupt("an unknown timer"))?;
    Ok(Timer { at: wall(row, 0)?, kind, seq: seq(row, 2)? })
}

pub(crate) fn key_kind(row: &Row<'_>, column: usize) -> Result<KeyKind> {
    KeyKind::from_code(get(row, column)?).ok_or_else(|| corrupt("an unknown kind of key"))
}

/// Why a run is to be aborted, if it is; `columns` are those of the cause and the reason.
pub(crate) fn abort(row: &Row<'_>, columns: (usize, usize)) -> Result<Option<AbortReason>> {
    let Some(code) = get::<Option<u8>>(row, columns.0)? else { return Ok(None) };
    let cause = Cause::from_code(code).ok_or_else(|| corrupt("an unknown cause"))?;
    let reason = json(row, columns.1)?.ok_or_else(|| corrupt("an abort without a reason"))?;
    Ok(Some(AbortReason { cause, reason }))
}

/// Until when a run is to be given back, if it is; `columns`: the moment, the reason.
pub(crate) fn postponement(row: &Row<'_>, columns: (usize, usize)) -> Result<Option<Postponement>> {
    let Some(reason) = json(row, columns.1)? else { return Ok(None) };
    let due_at = get::<Option<i64>>(row, columns.0)?.map(WallMs);
    Ok(Some(Postponement { due_at, reason }))
}

/// What is wanted of a run whose task somebody has paused, if somebody has.
pub(crate) fn pause_wish(row: &Row<'_>, column: usize) -> Result<Option<PauseWish>> {
    let goes_on = get::<Option<bool>>(row, column)?;
    Ok(goes_on.map(|goes_on| if goes_on { PauseWish::GoOn } else { PauseWish::Halt }))
}

/// The run of a task, if it has one.
pub(crate) fn run_id_if(row: &Row<'_>, column: usize) -> Result<Option<RunId>> {
    let bytes = get::<Option<[u8; 16]>>(row, column)?;
    Ok(bytes.map(|bytes| RunId(Uuid::from_bytes(bytes))))
}

/// What few tasks say.
pub(crate) fn options(row: &Row<'_>, column: usize) -> Result<SharedOptions> {
    match text(row, column)? {
        None => Ok(SharedOptions::default()),
        Some(text) => stored::read_options(text).ok_or_else(|| corrupt("options of no task")),
    }
}

/// A TEXT column, borrowed.
fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>> {
    let value = row.get_ref(column).map_err(error::of)?;
    value.as_str_or_null().map_err(|_| corrupt("a value that is not a text"))
}

fn wall(row: &Row<'_>, column: usize) -> Result<WallMs> {
    get(row, column).map(WallMs)
}

fn wall_if(row: &Row<'_>, column: usize) -> Result<Option<WallMs>> {
    get::<Option<i64>>(row, column).map(|ms| ms.map(WallMs))
}

/// JSON text of an ANY or TEXT column; bytes belong to a later version. It is spliced into other
/// texts unread, so damage must not pass here.
fn json(row: &Row<'_>, column: usize) -> Result<Option<Json>> {
    match row.get_ref(column).map_err(error::of)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).ok().filter(|text| is_json(text));
            text.map(|text| Some(Json::trusted(text))).ok_or_else(|| corrupt("broken JSON"))
        }
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(corrupt("a value that is not JSON"))
        }
    }
}

/// How a task in this state ended; `columns` are those of its cause and its payload.
pub(crate) fn outcome(
    row: &Row<'_>,
    state: State,
    columns: (usize, usize),
) -> Result<Option<TaskEnd>> {
    let ended: fn(Cause, Json) -> TaskEnd = match state {
        State::Blocked
        | State::Delayed
        | State::Ready
        | State::Claimed
        | State::Running
        | State::Paused => return Ok(None),
        State::Done => return Ok(Some(TaskEnd::Done(json(row, columns.1)?))),
        State::Failed => TaskEnd::Failed,
        State::Aborted => TaskEnd::Aborted,
    };
    let cause =
        Cause::from_code(get(row, columns.0)?).ok_or_else(|| corrupt("an unknown cause"))?;
    // Without the payload a reader asked for none: it stands for a text that nobody looks at.
    let payload = json(row, columns.1)?.unwrap_or_else(|| Json::trusted("null"));
    Ok(Some(ended(cause, payload)))
}

/// The columns that define a task: its priority, directly after it its options, and its data.
pub(crate) struct Definition {
    pub(crate) first: usize,
    pub(crate) data: usize,
}

impl Definition {
    /// The definition of a task of `operation`.
    pub(crate) fn read(&self, row: &Row<'_>, operation: Arc<str>) -> Result<NewTask> {
        let (priority, options) = (priority(row, self.first)?, options(row, self.first + 1)?);
        let data = json(row, self.data)?;
        Ok(NewTask { operation, data, priority, options, unsaid: Unsaid::NONE, is_attached: false })
    }
}

/// Such a task, of this operation; `attempts` is left empty but for the last one.
pub(crate) fn record(row: &Row<'_>, id_key: IdKey, operation: Arc<str>) -> Result<TaskRecord> {
    let state = state(row, 2)?;
    let outcome = outcome(row, state, (10, 13))?;
    let (seq, id) = name(row, id_key)?;
    let mut task = TaskRecord {
        seq,
        id,
        def: Definition { first: 4, data: 12 }.read(row, operation)?,
        state,
        created_at: wall(row, 7)?,
        started_at: wall_if(row, 8)?,
        ended_at: wall_if(row, 9)?,
        attempt: get(row, 6)?,
        outcome,
        progress: progress(row)?,
        is_pausing: get(row, 15)?,
        attempts: Vec::new(),
        attempts_left_out: 0,
        version: get(row, 16)?,
    };
    if let Some(run) = get::<Option<[u8; 16]>>(row, 14)? {
        task.attempts.push(last_attempt(&task, RunId(Uuid::from_bytes(run)))?);
    }
    task.def.conditions().check()?;
    if state != State::Paused || task.has_halted() {
        task.def.options.forget_pause();
    }
    Ok(task)
}

fn progress(row: &Row<'_>) -> Result<Option<Progress>> {
    let Some(text) = text(row, 11)? else { return Ok(None) };
    stored::read_progress(text).map(Some).ok_or_else(|| corrupt("progress of no run"))
}

/// The attempt whose facts are on the task's own row.
fn last_attempt(task: &TaskRecord, run: RunId) -> Result<Attempt> {
    let end = task.outcome.as_ref().map(TaskEnd::attempt_end);
    let error = task.outcome.as_ref().and_then(AttemptError::of);
    let started_at = task.started_at.ok_or_else(|| corrupt("a run without a start"))?;
    let (attempt, ended_at, result) = (task.attempt, task.ended_at, None);
    Ok(Attempt { attempt, run, started_at, ended_at, end, error, result })
}

/// An attempt of the history, as `attempts.sql` selects it.
pub(crate) fn attempt(row: &Row<'_>) -> Result<Attempt> {
    let end = AttemptEnd::from_code(get(row, 4)?).ok_or_else(|| corrupt("an unknown end"))?;
    let error = attempt_error(row, (5, 6))?;
    let result = if error.is_none() { json(row, 6)? } else { None };
    Ok(Attempt {
        attempt: get(row, 0)?,
        run: run_id(row, 1)?,
        started_at: wall(row, 2)?,
        ended_at: Some(wall(row, 3)?),
        end: Some(end),
        error,
        result,
    })
}

/// What went wrong with an attempt; `columns` are those of its cause and its outcome.
pub(crate) fn attempt_error(
    row: &Row<'_>,
    columns: (usize, usize),
) -> Result<Option<AttemptError>> {
    let Some(code) = get::<Option<u8>>(row, columns.0)? else { return Ok(None) };
    let cause = Cause::from_code(code).ok_or_else(|| corrupt("an unknown cause"))?;
    let error = json(row, columns.1)?.ok_or_else(|| corrupt("a cause without an error"))?;
    Ok(Some(AttemptError { cause, error }))
}

/// A log line, as `logs.sql` selects it.
pub(crate) fn log_line(row: &Row<'_>) -> Result<LogLine> {
    let level = Level::from_code(get(row, 2)?).ok_or_else(|| corrupt("an unknown level"))?;
    Ok(LogLine {
        n: get(row, 0)?,
        attempt: get(row, 1)?,
        level,
        at: wall(row, 3)?,
        message: get(row, 4)?,
        fields: json(row, 5)?,
    })
}

/// The operations after one, by number; every one if there is none before.
pub(crate) fn operations(
    connection: &Connection,
    after: Option<OperationId>,
) -> Result<Vec<Operation>> {
    let mut statement = cached(connection, sql::OPERATIONS)?;
    let mut rows = statement.query([after.map_or(0, |id| id.0)]).map_err(error::of)?;
    let mut operations = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        operations.push(operation(row)?);
    }
    Ok(operations)
}

/// How an attempt ended, if there is one.
pub(crate) fn attempt_end_if(row: &Row<'_>, column: usize) -> Result<Option<AttemptEnd>> {
    let code: Option<u8> = get(row, column)?;
    code.map(|code| AttemptEnd::from_code(code).ok_or_else(|| corrupt("an unknown end")))
        .transpose()
}

/// Every hold, by number.
pub(crate) fn holds(connection: &Connection) -> Result<Vec<Hold>> {
    let mut statement = cached(connection, sql::HOLDS)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut holds = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        let query: String = get(row, 1)?;
        let query = HoldQuery::read(&query)
            .map_err(|error| corrupt("the query of a hold cannot be read").with_source(error))?;
        let task = match get::<Option<[u8; 16]>>(row, 5)? {
            Some(_) => Some(task_id(row, 5)?),
            None => None,
        };
        holds.push(Hold {
            id: HoldId(get::<i64>(row, 0)?.max(0) as u64),
            query,
            since: WallMs(get(row, 2)?),
            until: WallMs(get(row, 3)?),
            by: HeldBy { pid: get(row, 4)?, task },
            is_released: get(row, 6)?,
        });
    }
    Ok(holds)
}

/// A schedule, as `schedules.sql` selects it.
pub(crate) fn schedule(row: &Row<'_>) -> Result<Schedule> {
    let (spec, defaults) = (get::<String>(row, 3)?, text(row, 4)?);
    let spec = ScheduleSpec::read(&spec)
        .map_err(|error| corrupt("a schedule cannot be read").with_source(error))?;
    let defaults = match defaults {
        None => SharedOptions::default(),
        Some(text) => stored::read_options(text)
            .ok_or_else(|| corrupt("the defaults of a schedule cannot be read"))?,
    };
    let last = match get::<Option<i64>>(row, 7)?.map(WallMs) {
        Some(at) => Some(LastTask { at, id: task_id(row, 8)? }),
        None => None,
    };
    Ok(Schedule {
        no: ScheduleNo(seq(row, 0)?.0),
        id: get::<String>(row, 1)?.into(),
        version: get(row, 2)?,
        wanted: Wanted { spec, defaults },
        anchor: wall(row, 5)?,
        next_at: get::<Option<i64>>(row, 6)?.map(WallMs),
        last,
        made: get::<i64>(row, 9)?.max(0) as u64,
        paused_at: get::<Option<i64>>(row, 10)?.map(WallMs),
    })
}

/// The first schedules by id, from this one on.
pub(crate) fn schedules(connection: &Connection, from: &str, max: usize) -> Result<Vec<Schedule>> {
    let mut statement = cached(connection, sql::SCHEDULES)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query((from, limit)).map_err(error::of)?;
    let mut schedules = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        schedules.push(schedule(row)?);
    }
    Ok(schedules)
}

/// When all tokens of a gate are back, if that is kept.
pub(crate) fn gate(connection: &Connection, gate: &GateId) -> Result<Option<Arrival>> {
    let (operation, key) = gate;
    let mut statement = cached(connection, sql::GATE)?;
    let mut rows = statement.query((operation.0, &**key)).map_err(error::of)?;
    let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
    let (at, state): (i64, Option<String>) = (get(row, 0)?, get(row, 1)?);
    let state = state.as_deref().unwrap_or("0/1");
    let parts = state
        .split_once('/')
        .and_then(|(part, parts)| Some((part.parse::<u32>().ok()?, parts.parse::<u32>().ok()?)));
    match parts.filter(|(part, parts)| part < parts) {
        Some((part, parts)) => Ok(Some(Arrival { at: WallMs(at), part, parts })),
        None => Err(corrupt("the gate of a rate limit cannot be read")),
    }
}

/// The circuit of a gate, if that is kept.
pub(crate) fn circuit(connection: &Connection, gate: &GateId) -> Result<Option<Circuit>> {
    let (operation, key) = gate;
    let mut statement = cached(connection, sql::CIRCUIT)?;
    let mut rows = statement.query((operation.0, &**key)).map_err(error::of)?;
    let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
    let (rests_at, state): (i64, Option<String>) = (get(row, 0)?, get(row, 1)?);
    let circuit = Circuit::read(state.as_deref().unwrap_or_default(), WallMs(rests_at));
    circuit.map(Some).ok_or_else(|| corrupt("the circuit of an operation cannot be read"))
}

/// What a sweep of the gates of an operation would leave.
pub(crate) fn gates_left(
    connection: &Connection,
    operation: OperationId,
    now: WallMs,
) -> Result<GatesLeft> {
    let row = (operation.0, now.0, GATES_SWEPT_MAX as i64 + 1);
    let mut statement = cached(connection, sql::GATES_RESTING)?;
    let mut rows = statement.query(row).map_err(error::of)?;
    let mut resting = 0;
    while rows.next().map_err(error::of)?.is_some() {
        resting += 1;
    }
    if resting > GATES_SWEPT_MAX {
        return Ok(GatesLeft::Resting);
    }
    let mut statement = cached(connection, sql::GATES_BUSY)?;
    let busy = statement.query_row((operation.0, now.0), |row| row.get(0));
    let busy: Option<i64> = busy.map_err(error::of)?;
    Ok(busy.map_or(GatesLeft::Nothing, |at| GatesLeft::Busy(WallMs(at).plus(1))))
}

/// What owners other than this one offer, by number.
pub(crate) fn remote_offers(
    connection: &Connection,
    own: OwnerId,
) -> Result<Vec<(OwnerId, Offers)>> {
    let mut statement = cached(connection, sql::REMOTE_OFFERS)?;
    let mut rows = statement.query([own.0 as i64]).map_err(error::of)?;
    let mut offers = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        let names: Vec<String> = text(row, 1)?
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| corrupt("what an owner offers is no list of names"))?;
        let names = names.into_iter().map(Arc::from).collect();
        offers.push((OwnerId(get::<i64>(row, 0)? as u64), Arc::new(names)));
    }
    Ok(offers)
}

/// What an owner offers, as `remote_offers` reads it.
pub(crate) fn offers_text(offers: &BTreeSet<Arc<str>>) -> Option<String> {
    let names: Vec<&str> = offers.iter().map(|name| &**name).collect();
    let text = serde_json::to_string(&names);
    debug_assert!(text.is_ok(), "names have a text");
    text.ok().filter(|_| !names.is_empty())
}

fn operation(row: &Row<'_>) -> Result<Operation> {
    let name: String = get(row, 1)?;
    let paused_at = get::<Option<i64>>(row, 3)?.map(WallMs);
    let bare = OperationRecord { version: get(row, 2)?, paused_at, ..OperationRecord::default() };
    let record = match text(row, 4)? {
        None => bare,
        Some(text) => bare.with_settings(text).map_err(|_| corrupt("settings of no operation"))?,
    };
    Ok(Operation { id: OperationId(get(row, 0)?), name: name.into(), record })
}

/// The number of a lane, or one before all.
pub(crate) fn before_first(lane: Option<LaneId>) -> i64 {
    lane.map_or(-1, |lane| lane.0 as i64)
}

/// Where the store stands.
pub(crate) fn head(connection: &Connection) -> Result<Head> {
    let mut statement = cached(connection, sql::HEAD)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let Some(row) = rows.next().map_err(error::of)? else {
        return Ok(Head { number: 0, seq_next: Seq(1), lane_next: 1, counts: Counts::default() });
    };
    let number: i64 = get(row, 0)?;
    let lane_next: i64 = get(row, 2)?;
    let lane_next = u64::try_from(lane_next).map_err(|_| corrupt("a negative lane"))?;
    let text: String = get(row, 3)?;
    let (number, seq_next, counts) = (number.max(0) as u64, seq(row, 1)?, counts(&text)?);
    Ok(Head { number, seq_next, lane_next, counts })
}

/// The counters of a journal row: an object of figures by state code.
fn counts(text: &str) -> Result<Counts> {
    let figures: std::collections::BTreeMap<u8, u64> =
        serde_json::from_str(text).map_err(|_| corrupt("counters that cannot be read"))?;
    let mut counts = Counts::default();
    for (code, figure) in figures {
        let state = State::from_code(code).ok_or_else(|| corrupt("counters of no state"))?;
        counts.set(state, figure);
    }
    Ok(counts)
}
