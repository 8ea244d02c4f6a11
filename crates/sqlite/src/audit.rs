//! Whether the books balance.
//!
//! # Promises
//! - Counters equal a recount, no row is left over, each step of a task in the journal is one that
//!   the table of transitions allows, and what the journal says last of each is the state that it
//!   is in (I-13) and its place in the queue (I-7).
//! - The file is not changed.
//!
//! Proof: `tests/audit.rs`; used by `storm`.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use tasker_core::error::Result;
use tasker_core::id::{LaneId, OperationId, Seq};
use tasker_core::journal::{self, Transition};
use tasker_core::search::Outlines;
use tasker_core::state::{Counts, State};
use tasker_core::task::Priority;
use tasker_core::time::WallMs;
use tasker_core::totals::Total;
use tasker_core::transition::After;

use crate::row::{self, cached, get};
use crate::{error, outlines, sql};

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// How many tasks are in each state, recounted.
    pub counts: Counts,
    /// The number of the last batch.
    pub number: u64,
    /// What is wrong, a sentence each; empty in a sound file.
    pub faults: Vec<String>,
}

impl Audit {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Checks a file that no handle needs to have open.
///
/// # Errors
/// Those of reading; what the file says wrongly is in [`Audit::faults`].
pub fn audit(path: &Path) -> Result<Audit> {
    // Writable, because only then can SQLite recover the log of a process that was killed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(error::of)?;
    connection.pragma_update(None, "query_only", true).map_err(error::of)?;
    of(&connection)
}

/// Checks what a connection sees at one moment.
pub(crate) fn of(connection: &Connection) -> Result<Audit> {
    connection.execute_batch(sql::BEGIN_READ).map_err(error::of)?;
    let audit = in_snapshot(connection);
    connection.execute_batch(sql::ROLLBACK).map_err(error::of)?;
    audit
}

fn in_snapshot(connection: &Connection) -> Result<Audit> {
    let head = row::head(connection)?;
    let mut audit = Audit { counts: recount(connection)?, number: head.number, faults: vec![] };
    if audit.counts != head.counts {
        let message = format!("counters {:?} but {:?} counted", head.counts, audit.counts);
        audit.faults.push(message);
    }
    audit.faults.extend(damage(connection)?);
    audit.faults.extend(strays(connection)?);
    audit.faults.extend(journal(connection)?);
    audit.faults.extend(outlined(connection)?);
    audit.faults.extend(totals(connection)?);
    Ok(audit)
}

fn recount(connection: &Connection) -> Result<Counts> {
    let mut statement = cached(connection, sql::AUDIT_COUNTS)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut counts = Counts::default();
    while let Some(row) = rows.next().map_err(error::of)? {
        let count: i64 = get(row, 1)?;
        counts.set(row::state(row, 0)?, count.max(0) as u64);
    }
    Ok(counts)
}

/// What SQLite itself finds.
fn damage(connection: &Connection) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let read = |row: &rusqlite::Row<'_>| {
        faults.push(row.get::<_, String>(0)?);
        Ok(())
    };
    connection.pragma_query(None, "integrity_check", read).map_err(error::of)?;
    faults.retain(|fault| fault != "ok");
    Ok(faults)
}

fn strays(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = cached(connection, sql::AUDIT_STRAYS)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        let (fault, number): (String, i64) = (get(row, 0)?, get(row, 1)?);
        faults.push(format!("{fault}: {number}"));
    }
    Ok(faults)
}

/// Tasks that the outline of their block does not allow.
fn outlined(connection: &Connection) -> Result<Vec<String>> {
    let outlines = match outlines::read(connection) {
        Ok(Some(outlines)) => outlines,
        Ok(None) => return Ok(vec!["batches are missing that no outline knows".into()]),
        Err(error) => return Ok(vec![format!("outlines that cannot be read: {error}")]),
    };
    let mut statement = cached(connection, sql::AUDIT_OUTLINES)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        let (seq, state) = (row::seq(row, 0)?, row::state(row, 1)?);
        let what = (state, row::lane_id(row, 2)?.operation());
        let (created_at, ended_at) = (WallMs(get(row, 3)?), get::<Option<i64>>(row, 4)?);
        let outline = outlines.0.get(&Outlines::block_of(seq));
        if !outline.is_some_and(|one| one.has(what, created_at, ended_at.map(WallMs))) {
            faults.push(format!("the outline of its block does not allow task {}", seq.0));
        }
    }
    Ok(faults)
}

/// Operations that do not have as many tasks as their totals say.
fn totals(connection: &Connection) -> Result<Vec<String>> {
    let mut totals = match outlines::read_totals(connection) {
        Ok(totals) => totals.unwrap_or_default(),
        Err(error) => return Ok(vec![format!("totals that cannot be read: {error}")]),
    };
    let mut statement = cached(connection, sql::AUDIT_TOTALS)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        let (operation, counted) = (OperationId(get(row, 0)?), outlines::total(row, 1)?);
        let told = totals.0.remove(&operation).unwrap_or_default();
        if told != counted {
            faults.push(format!("totals {told:?} of operation {operation:?}, but {counted:?}"));
        }
    }
    let left = totals.0.iter().filter(|(_, total)| **total != Total::default());
    faults.extend(left.map(|(id, total)| format!("totals {total:?} of operation {id:?}, no task")));
    Ok(faults)
}

/// What the journal says of a task.
struct Told {
    /// Nothing until a step says it.
    state: Option<State>,
    lane: LaneId,
    priority: Option<Priority>,
    is_removed: bool,
}

/// Compares the steps of each task that the journal still names with the table of transitions, and
/// what it says last of it with its row.
fn journal(connection: &Connection) -> Result<Vec<String>> {
    let mut told = BTreeMap::new();
    let mut faults = Vec::new();
    let mut statement = cached(connection, sql::AUDIT_JOURNAL)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    while let Some(row) = rows.next().map_err(error::of)? {
        let (number, bytes): (i64, Vec<u8>) = (get(row, 0)?, get(row, 1)?);
        for transition in journal::unpack(&bytes) {
            match transition {
                Ok(transition) => faults.extend(follow(&mut told, transition)),
                Err(_) => faults.push(format!("batch {number} cannot be read")),
            }
        }
    }
    for (seq, told) in told {
        faults.extend(compare(connection, seq, &told)?);
    }
    Ok(faults)
}

/// Takes a step; one that the table does not allow is a fault (I-3).
fn follow(told: &mut BTreeMap<Seq, Told>, step: Transition) -> Option<String> {
    let Transition { seq, lane, kind, priority } = step;
    let rule = kind.rule();
    if !rule.is_of_task() {
        return None;
    }
    let before = told.remove(&seq);
    if before.as_ref().is_some_and(|task| task.is_removed) {
        return Some(format!("task {} was removed before its {kind:?}", seq.0));
    }
    let known = before.as_ref().and_then(|task| task.priority);
    let priority = priority.or(known);
    let state = before.and_then(|task| task.state);
    let is_removed = rule.after == After::Removed;
    told.insert(seq, Told { state: rule.leads_to(state), lane, priority, is_removed });
    let before = state.filter(|state| !rule.leads_from(Some(*state)))?;
    Some(format!("task {} was {} before its {kind:?}", seq.0, before.as_str()))
}

/// What is wrong with the row of a task.
fn compare(connection: &Connection, seq: Seq, told: &Told) -> Result<Option<String>> {
    let mut statement = cached(connection, sql::AUDIT_TASK)?;
    let mut rows = statement.query([seq.0 as i64]).map_err(error::of)?;
    let Some(row) = rows.next().map_err(error::of)? else {
        return Ok(
            (!told.is_removed).then(|| format!("task {} is not there, but in the journal", seq.0))
        );
    };
    if told.is_removed {
        return Ok(Some(format!("task {} is there, and was removed", seq.0)));
    }
    let (state, lane) = (row::state(row, 0)?, row::lane_id(row, 1)?);
    let priority = row::priority(row, 2)?;
    if let Some(told) = told.state.filter(|told| *told != state) {
        return Ok(Some(format!("task {} is not {} as its journal says", seq.0, told.as_str())));
    }
    let has_moved = lane != told.lane || told.priority.is_some_and(|told| told != priority);
    let message = "has not the place in the queue that its journal says";
    Ok(has_moved.then(|| format!("task {} {message}", seq.0)))
}
