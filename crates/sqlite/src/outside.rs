//! Reads what executors outside have.
//!
//! Proof: `conformance::outside`.

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::executor::Lease;
use tasker_core::id::{IdKey, Seq};
use tasker_core::store::OutsideRun;
use tasker_core::time::WallMs;

use crate::row::{self, cached, get};
use crate::{error, sql};

/// The tasks that executors have, by the end of their leases.
pub(crate) fn leased(connection: &Connection) -> Result<Vec<Seq>> {
    let mut statement = cached(connection, sql::LEASED)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut seqs = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        seqs.push(row::seq(row, 0)?);
    }
    Ok(seqs)
}

/// The live run that an executor has of a task.
pub(crate) fn run(
    connection: &Connection,
    (seq, id_key): (Seq, IdKey),
) -> Result<Option<OutsideRun>> {
    let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
    let mut statement = cached(connection, sql::OUTSIDE_RUN)?;
    let mut rows = statement.query([number]).map_err(error::of)?;
    let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
    let (seq, id) = row::name(row, id_key)?;
    let options = row::options(row, 4)?;
    let executor: Option<String> = get(row, 7)?;
    let lease = Lease {
        run: row::run_id(row, 5)?,
        until: WallMs(get(row, 6)?),
        executor: executor.map(Into::into),
    };
    Ok(Some(OutsideRun {
        seq,
        id,
        lane: row::lane_id(row, 2)?,
        state: row::state(row, 3)?,
        lease,
        started_at: get::<Option<i64>>(row, 8)?.map(WallMs),
        attempt: get(row, 9)?,
        failures: get(row, 10)?,
        logs: get(row, 11)?,
        retry: options.retry.clone(),
        run_timeout_ms: options.run_timeout_ms,
    }))
}
