//! Removing ended tasks, and finding those whose retention is over.
//!
//! # Promises
//! - With a task goes all that is of it, but the keys of outbox rows, which stay for a while
//!   (I-20).
//! - What goes is overwritten, in the file and in the log.
//!
//! # Given up
//! - A row of several pages is written anew while its task lives, which leaves its earlier pages
//!   free; they are overwritten when they are used again. To do it at once would write each of
//!   them twice.
//!
//! Proof: `conformance::removal`, `tests/removal.rs`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::key::KEYS_SWEPT_MAX;
use tasker_core::limits::KEYS_KEPT_MS;
use tasker_core::retention::Retention;
use tasker_core::state::State;
use tasker_core::store::Expired;
use tasker_core::time::WallMs;

use crate::row::{self, cached, get};
use crate::{error, sql};

/// Rows changed, or SQLite's error.
type Rows = rusqlite::Result<usize>;

/// From now on what is deleted is overwritten, or no longer: it costs the writing of each page that
/// becomes free.
pub(crate) fn overwrite(connection: &Connection, is_on: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "secure_delete", is_on)
}

/// Removes tasks with numbers in a row that have ended so, at a moment; how many there were.
pub(crate) fn purge(
    connection: &Connection,
    (first, last): (Seq, Seq),
    from: State,
    at: WallMs,
) -> Rows {
    debug_assert!(first <= last, "no tasks are removed");
    let range = (first.0 as i64, last.0 as i64);
    let until = at.plus(KEYS_KEPT_MS).0;
    connection.prepare_cached(sql::KEEP_KEYS)?.execute((until, range.0, range.1))?;
    for text in [
        sql::PURGE_KEYS,
        sql::PURGE_ATTEMPTS,
        sql::PURGE_LOGS,
        sql::PURGE_ABORTS,
        sql::PURGE_POSTPONEMENTS,
        sql::PURGE_OUTSIDE,
    ] {
        connection.prepare_cached(text)?.execute(range)?;
    }
    connection.prepare_cached(sql::PURGE)?.execute((range.0, range.1, from.code()))
}

/// Forgets keys of removed tasks whose time is over by now.
pub(crate) fn sweep_keys(connection: &Connection, now: WallMs) -> rusqlite::Result<()> {
    let row = (now.0, KEYS_SWEPT_MAX as i64);
    connection.prepare_cached(sql::SWEEP_KEYS)?.execute(row).map(drop)
}

/// The ended tasks within these numbers whose retention is over.
pub(crate) fn expired(
    connection: &Connection,
    seqs: &RangeInclusive<Seq>,
    now: WallMs,
) -> Result<Vec<Expired>> {
    let mut statement = cached(connection, sql::EXPIRED)?;
    let range = (seqs.start().0 as i64, seqs.end().0 as i64);
    let mut rows = statement.query(range).map_err(error::of)?;
    let mut expired = Vec::new();
    // Neighbours mostly say the same: it is read once.
    let mut last: (String, Option<Arc<Retention>>) = (String::new(), None);
    while let Some(row) = rows.next().map_err(error::of)? {
        if row.get_ref(4).map_err(error::of)?.as_str().ok() != Some(&last.0) {
            last = (get(row, 4)?, row::options(row, 4)?.retention.clone());
        }
        let (state, ended_at) = (row::state(row, 2)?, WallMs(get(row, 3)?));
        let Some(retention) = &last.1 else { continue };
        let Some(kept_ms) = retention.ms(state) else { continue };
        if retention.is_over(state, ended_at, now) {
            let (seq, lane) = (row::seq(row, 0)?, row::lane_id(row, 1)?);
            let (is_needed, id) = (get(row, 5)?, row::task_id(row, 6)?);
            let priority = row::priority(row, 7)?;
            expired.push(Expired { seq, lane, state, id, priority, kept_ms, is_needed });
        }
    }
    Ok(expired)
}
