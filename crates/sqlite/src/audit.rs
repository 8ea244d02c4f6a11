//! Whether the books balance.
//!
//! # Promises
//! - Counters equal a recount, no row is left over, and the last step of each task in the journal
//!   is the state that it is in (I-13).
//! - The file is not changed.
//!
//! Proof: `tests/audit.rs`; used by `storm`.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::journal::{self, Transition, TransitionKind};
use tasker_core::state::{Counts, State};

use crate::row::{self, cached, get};
use crate::{error, sql};

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
    connection.execute_batch(sql::BEGIN_READ).map_err(error::of)?;
    let head = row::head(&connection)?;
    let mut audit = Audit { counts: recount(&connection)?, number: head.number, faults: vec![] };
    if audit.counts != head.counts {
        let message = format!("counters {:?} but {:?} counted", head.counts, audit.counts);
        audit.faults.push(message);
    }
    audit.faults.extend(damage(&connection)?);
    audit.faults.extend(strays(&connection)?);
    audit.faults.extend(journal(&connection)?);
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

/// Compares the last step of each task that the journal still names with its state.
fn journal(connection: &Connection) -> Result<Vec<String>> {
    let mut last = BTreeMap::new();
    let mut faults = Vec::new();
    let mut statement = cached(connection, sql::AUDIT_JOURNAL)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    while let Some(row) = rows.next().map_err(error::of)? {
        let (number, bytes): (i64, Vec<u8>) = (get(row, 0)?, get(row, 1)?);
        for transition in journal::unpack(&bytes) {
            match transition {
                Ok(Transition { seq, kind, .. }) => faults.extend(follow(&mut last, seq, kind)),
                Err(_) => faults.push(format!("batch {number} cannot be read")),
            }
        }
    }
    for (seq, state) in last {
        if state_of(connection, seq)? != Some(state) {
            faults.push(format!("task {} is not {} as its journal says", seq.0, state.as_str()));
        }
    }
    Ok(faults)
}

/// Takes a step; a step out of a final state is a fault (I-3).
fn follow(last: &mut BTreeMap<Seq, State>, seq: Seq, kind: TransitionKind) -> Option<String> {
    let before = match kind.state() {
        Some(state) => last.insert(seq, state),
        None => last.get(&seq).copied(),
    };
    let is_sound = before.is_none_or(|state| !state.is_final());
    (!is_sound).then(|| format!("task {} changed after its end", seq.0))
}

fn state_of(connection: &Connection, seq: Seq) -> Result<Option<State>> {
    let mut statement = cached(connection, sql::AUDIT_STATE)?;
    let mut rows = statement.query([seq.0 as i64]).map_err(error::of)?;
    rows.next().map_err(error::of)?.map(|row| row::state(row, 0)).transpose()
}
