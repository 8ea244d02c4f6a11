//! What an explanation asks of the file: no plan needs it.
//!
//! Proof: `conformance::explaining`.

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::id::{IdKey, OperationId, Seq, TaskId};
use tasker_core::store::{Background, QueuePart};
use tasker_core::time::WallMs;

use crate::row::{self, cached, get};
use crate::{error, sql};

/// The background of a task, with the first of those that it waits for.
pub(crate) fn background(
    connection: &Connection,
    (seq, key): (Seq, IdKey),
    open_max: usize,
) -> Result<Option<Background>> {
    let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
    let mut statement = cached(connection, sql::BACKGROUND)?;
    let mut rows = statement.query([number]).map_err(error::of)?;
    let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
    Ok(Some(Background {
        ended_at: get::<Option<i64>>(row, 0)?.map(WallMs),
        last_end: row::attempt_end_if(row, 1)?,
        open: names(connection, sql::BLOCKERS, number, (key, open_max))?,
    }))
}

/// The first tasks of an operation that have a live run.
pub(crate) fn runs_of(
    connection: &Connection,
    (operation, key): (OperationId, IdKey),
    max: usize,
) -> Result<Vec<TaskId>> {
    names(connection, sql::RUNS_OF, i64::from(operation.0), (key, max))
}

/// How many ready tasks a part of a queue has.
pub(crate) fn count_queued(
    connection: &Connection,
    QueuePart { lane, from, to }: &QueuePart,
    max: usize,
) -> Result<usize> {
    debug_assert!(from <= to, "a part ends before it begins");
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let row = (
        lane.0 as i64,
        from.priority().get(),
        from.seq.0 as i64,
        to.priority().get(),
        to.seq.0 as i64,
        limit,
    );
    let count: i64 = cached(connection, sql::COUNT_QUEUED)?
        .query_row(row, |row| row.get(0))
        .map_err(error::of)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The tasks that a statement finds for a number.
fn names(
    connection: &Connection,
    text: &'static str,
    of: i64,
    (key, max): (IdKey, usize),
) -> Result<Vec<TaskId>> {
    let mut statement = cached(connection, text)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query((of, limit)).map_err(error::of)?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        ids.push(row::name(row, key)?.1);
    }
    Ok(ids)
}
