//! The outlines of blocks and the totals of operations in the file: brought up to date from the
//! journal now and then, and read.
//!
//! # Promises
//! - No commit pays for them: housekeeping takes many batches at once, before they are trimmed.
//! - What is read is complete: batches that housekeeping has not taken yet are added.
//!
//! # Left to others
//! What an outline says is `core::search`'s, what a total `core::totals`.
//!
//! Proof: `tests/audit.rs`, `conformance::numbers`.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, params_from_iter};
use tasker_core::error::Result;
use tasker_core::id::OperationId;
use tasker_core::journal_notes::add_moves;
use tasker_core::search::{Outline, Outlines, Range};
use tasker_core::state::State;
use tasker_core::time::WallMs;
use tasker_core::totals::{Total, Totals};

use crate::row::{cached, get};
use crate::{error, sql};

/// Batches that are taken at once.
pub(crate) const BATCHES_MAX: u64 = 1_000;

/// Up to which batch the stored outlines and totals are complete.
pub(crate) fn outlined(connection: &Connection) -> Result<u64> {
    let mut statement = cached(connection, sql::OUTLINED)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let row = rows.next().map_err(error::of)?;
    row.map_or(Ok(0), |row| Ok(get::<i64>(row, 0)?.max(0) as u64))
}

/// Takes batches that the stored outlines and totals do not know yet, in the open transaction.
/// Gives how many there were.
pub(crate) fn take_batches(connection: &Connection) -> Result<u64> {
    debug_assert!(!connection.is_autocommit(), "outlines and their batch belong together");
    let before = outlined(connection)?;
    let (mut changed, mut added) = (Outlines::default(), Totals::default());
    let last = read_batches(connection, before, BATCHES_MAX, &mut |batch| {
        changed.take_batch(&batch.transitions, batch.times)?;
        add_moves(&mut added, &batch.transitions, batch.notes.as_deref())
    })?
    .ok_or_else(|| error::corrupt("batches that no outline knows are missing"))?;
    put_totals(connection, &added)?;
    for (block, change) in &changed.0 {
        let mut stored = Outlines::default();
        let mut statement = cached(connection, sql::OUTLINE)?;
        let mut rows = statement.query([*block as i64]).map_err(error::of)?;
        if let Some(row) = rows.next().map_err(error::of)? {
            let (_, outline) = outline(row)?;
            stored.take(*block, &outline);
        }
        let known = stored.0.get(block).cloned();
        stored.take(*block, change);
        let Some(outline) = stored.0.remove(block) else { continue };
        if known.as_ref() != Some(&outline) {
            put(connection, *block, &outline)?;
        }
    }
    if last > before {
        cached(connection, sql::OUTLINED_PUT)?.execute([last as i64]).map_err(error::of)?;
    }
    Ok(last - before)
}

/// The outlines of all blocks as they are now; nothing if batches are missing.
pub(crate) fn read(connection: &Connection) -> Result<Option<Outlines>> {
    let mut outlines = Outlines::default();
    let mut statement = cached(connection, sql::OUTLINES)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    while let Some(row) = rows.next().map_err(error::of)? {
        let (block, outline) = outline(row)?;
        outlines.take(block, &outline);
    }
    let read = read_batches(connection, outlined(connection)?, u64::MAX, &mut |batch| {
        outlines.take_batch(&batch.transitions, batch.times)
    })?;
    Ok(read.map(|_| outlines))
}

/// How many tasks each operation has now; nothing if batches are missing.
pub(crate) fn read_totals(connection: &Connection) -> Result<Option<Totals>> {
    let mut totals = Totals::default();
    let mut statement = cached(connection, sql::TOTALS)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    while let Some(row) = rows.next().map_err(error::of)? {
        totals.0.insert(OperationId(get(row, 0)?), total(row, 1)?);
    }
    let read = read_batches(connection, outlined(connection)?, u64::MAX, &mut |batch| {
        add_moves(&mut totals, &batch.transitions, batch.notes.as_deref())
    })?;
    Ok(read.map(|_| totals))
}

/// The figures of a row, by state.
pub(crate) fn total(row: &Row<'_>, first: usize) -> Result<Total> {
    let mut total = Total::default();
    for (at, state) in State::ALL.iter().enumerate() {
        total.add(*state, get(row, first + at)?);
    }
    Ok(total)
}

fn put_totals(connection: &Connection, added: &Totals) -> Result<()> {
    for (operation, total) in &added.0 {
        let figures = State::ALL.iter().map(|state| total.of(*state));
        let values = std::iter::once(i64::from(operation.0)).chain(figures);
        cached(connection, sql::TOTAL_PUT)?.execute(params_from_iter(values)).map_err(error::of)?;
    }
    Ok(())
}

/// What a batch did.
struct Done {
    times: Option<Range<WallMs>>,
    notes: Option<Vec<u8>>,
    transitions: Vec<u8>,
}

/// Tells what batches behind a number did; gives the number of the last one, or nothing if some are
/// missing.
fn read_batches(
    connection: &Connection,
    after: u64,
    batches_max: u64,
    take: &mut dyn FnMut(Done) -> Result<()>,
) -> Result<Option<u64>> {
    let mut statement = cached(connection, sql::OUTLINE_BATCHES)?;
    let limit = i64::try_from(batches_max).unwrap_or(i64::MAX);
    let mut rows = statement.query([after as i64, limit]).map_err(error::of)?;
    let mut last = after;
    while let Some(row) = rows.next().map_err(error::of)? {
        let number = get::<i64>(row, 0)?.max(0) as u64;
        if number != last + 1 {
            return Ok(None);
        }
        let (notes, transitions) = (get(row, 3)?, get(row, 4)?);
        take(Done { times: range(row, 1)?, notes, transitions })?;
        last = number;
    }
    Ok(Some(last))
}

fn outline(row: &Row<'_>) -> Result<(u64, Outline)> {
    let block = get::<i64>(row, 0)?.max(0) as u64;
    let bytes: Vec<u8> = get(row, 6)?;
    let (pairs, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(error::corrupt("an outline whose operations cannot be read"));
    }
    let operations = pairs.iter().map(|pair| OperationId(u16::from_le_bytes(*pair)));
    let outline = Outline {
        states: get(row, 1)?,
        operations: operations.collect::<BTreeSet<_>>(),
        created_at: range(row, 2)?,
        ended_at: range(row, 4)?,
    };
    Ok((block, outline))
}

fn range(row: &Row<'_>, first: usize) -> Result<Option<Range<WallMs>>> {
    let (low, high): (Option<i64>, Option<i64>) = (get(row, first)?, get(row, first + 1)?);
    Ok(low.zip(high).map(|(low, high)| Range { low: WallMs(low), high: WallMs(high) }))
}

fn put(connection: &Connection, block: u64, outline: &Outline) -> Result<()> {
    let Outline { states, operations, created_at: created, ended_at: ended } = outline;
    let operations: Vec<u8> = operations.iter().flat_map(|id| id.0.to_le_bytes()).collect();
    let values = (
        block as i64,
        states,
        created.map(|range| range.low.0),
        created.map(|range| range.high.0),
        ended.map(|range| range.low.0),
        ended.map(|range| range.high.0),
        operations,
    );
    cached(connection, sql::OUTLINE_PUT)?.execute(values).map_err(error::of)?;
    Ok(())
}
