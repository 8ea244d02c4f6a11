//! The reading side: a connection of its own, short snapshots, the matcher decides.
//!
//! # Promises
//! - A read sees what was committed before the call (I-16), and never stalls a turn.
//! - A read sees one snapshot as long as it is short; a long one goes on in a newer snapshot, so
//!   that the log can be written back (F-16). A task is never returned twice.
//! - Sorting with a limit keeps no more than twice the limit in memory.
//!
//! # Left to others
//! Which rows are looked at is decided by `filter` and `candidates`, what they mean by `row`.
//!
//! Proof: `tests/read.rs`, `conformance::reader`.

use rusqlite::{CachedStatement, Connection};
use rustc_hash::FxHashSet;
use tasker_core::document;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, TaskId};
use tasker_core::query::{Field, Fields, Object, Query, Value};
use tasker_core::state::State;
use tasker_core::store::{Cancelled, Find, Found, ReadBudget, Reader, WithLogs};
use tasker_core::task::{Attempt, LogLine, TaskRecord};

use crate::candidates::{Candidates, Source};
use crate::filter::Filter;
use crate::location::DatabaseFile;
use crate::row::{self, Lanes, cached};
use crate::top_k::TopK;
use crate::{error, sql};

/// Rows after which a read goes on in a newer snapshot: some 100 to 250 ms.
const SNAPSHOT_ROWS: usize = 100_000;
/// Tasks that are completed between two looks at the cancel flag.
const COMPLETED_ROWS: usize = 256;
/// Fields whose text is wide; the rest of a task lies in a few bytes.
const WIDE: &[Field] = &[Field::Data, Field::Result, Field::Error, Field::AbortReason];

/// The reading side of a handle on a SQLite file. The file is released when this and the store are
/// gone, in whatever order.
#[derive(Debug)]
pub struct SqliteReader {
    reader: Connection,
    id_key: IdKey,
    /// Dropped after the connection: the last holder writes the log back.
    _database: DatabaseFile,
}

impl SqliteReader {
    pub(crate) fn new(reader: Connection, id_key: IdKey, database: DatabaseFile) -> SqliteReader {
        SqliteReader { reader, id_key, _database: database }
    }
}

impl Reader for SqliteReader {
    fn get(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>> {
        let mut snapshot = Snapshot::take(self)?;
        match snapshot.source(true).get(self.id_key.seq_of(id))? {
            Some(mut task) if task.id == id => {
                snapshot.load_attempts(&mut task)?;
                snapshot.complete(task, logs, &mut ReadBudget::new(bytes_max)).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn find(&mut self, find: &Find, cancelled: Cancelled<'_>) -> Result<Vec<Found>> {
        let fields = match &find.sort {
            Some(sort) => find.query.fields().and(sort.fields()),
            None => find.query.fields(),
        };
        let is_wide = find.limit.is_none() || WIDE.iter().any(|field| fields.has(*field));
        let mut search = Search::begin(self, Wanted { query: &find.query, fields, is_wide })?;
        let mut top = TopK::new(find);
        // All that matches is returned: what is too much need not be read to its end.
        let returns_all = is_wide && find.limit.is_none() && find.skip == 0;
        let mut budget = ReadBudget::new(find.bytes_max);
        while !top.is_complete()
            && let Some(matches) = search.page(cancelled)?
        {
            if returns_all {
                matches.tasks.iter().try_for_each(|(task, _)| budget.take_task(task))?;
            }
            top.take(matches.tasks, matches.is_ordered);
        }
        search.complete(top.finish(), find, cancelled)
    }

    fn exists(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<bool> {
        let fields = query.fields();
        if fields.iter().all(|field| matches!(field, Field::Status | Field::State)) {
            return count_by_state(&self.reader, query).map(|count| count > 0);
        }
        let is_wide = WIDE.iter().any(|field| fields.has(*field));
        let mut search = Search::begin(self, Wanted { query, fields, is_wide })?;
        while let Some(matches) = search.page(cancelled)? {
            if !matches.tasks.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<u64> {
        let fields = query.fields();
        if fields.iter().all(|field| matches!(field, Field::Status | Field::State)) {
            return count_by_state(&self.reader, query);
        }
        let is_wide = WIDE.iter().any(|field| fields.has(*field));
        let mut search = Search::begin(self, Wanted { query, fields, is_wide })?;
        let mut count = 0;
        while let Some(matches) = search.page(cancelled)? {
            count += matches.tasks.len() as u64;
        }
        Ok(count)
    }
}

/// A query about states alone is answered by the counters, whatever its form.
fn count_by_state(reader: &Connection, query: &Query) -> Result<u64> {
    let counts = row::head(reader)?.counts;
    let matches = |state: &&State| {
        query.matches(&Value::Object(Object::new(vec![
            (Field::Status.as_str().into(), Value::text(state.status().as_str())),
            (Field::State.as_str().into(), Value::text(state.as_str())),
        ])))
    };
    Ok(State::ALL.iter().filter(matches).map(|state| counts.get(*state)).sum())
}

/// A read transaction.
struct Snapshot<'c> {
    connection: &'c Connection,
    /// Held, because every task that is returned asks them.
    attempts: CachedStatement<'c>,
    logs: CachedStatement<'c>,
    lanes: Lanes,
    rows: usize,
}

impl<'c> Snapshot<'c> {
    fn take(from: &'c SqliteReader) -> Result<Snapshot<'c>> {
        let connection = &from.reader;
        let (attempts, logs) = (cached(connection, sql::ATTEMPTS)?, cached(connection, sql::LOGS)?);
        cached(connection, sql::BEGIN_READ)?.execute([]).map_err(error::of)?;
        let lanes = Lanes::none(from.id_key);
        let mut snapshot = Snapshot { connection, attempts, logs, lanes, rows: 0 };
        snapshot.lanes = Lanes::load(connection, from.id_key)?;
        Ok(snapshot)
    }

    fn source(&self, with_payload: bool) -> Source<'_> {
        Source { connection: self.connection, lanes: &self.lanes, with_payload }
    }

    /// The task with its logs, if asked for.
    fn complete(
        &mut self,
        task: TaskRecord,
        logs: Option<WithLogs>,
        budget: &mut ReadBudget,
    ) -> Result<Found> {
        budget.take_task(&task)?;
        let logs = logs.map(|logs| self.logs(&task, logs, budget)).transpose()?;
        Ok(Found { task, logs })
    }

    /// Puts the attempts of the history before the one that the task's row tells of.
    fn load_attempts(&mut self, task: &mut TaskRecord) -> Result<()> {
        let mut rows = self.attempts.query([task.seq.0 as i64]).map_err(error::of)?;
        let mut history: Vec<Attempt> = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            history.push(row::attempt(row)?);
        }
        task.attempts.splice(0..0, history);
        Ok(())
    }

    fn logs(
        &mut self,
        task: &TaskRecord,
        with: WithLogs,
        budget: &mut ReadBudget,
    ) -> Result<Vec<LogLine>> {
        let bounds = (task.seq.0 as i64, with.level_max.code());
        let mut rows = self.logs.query(bounds).map_err(error::of)?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            let line = row::log_line(row)?;
            budget.take_line(&line)?;
            lines.push(line);
        }
        Ok(lines)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if self.connection.is_autocommit() {
            return;
        }
        let ended = self.connection.prepare_cached(sql::ROLLBACK).and_then(|mut s| s.execute([]));
        if let Err(error) = ended {
            tracing::warn!(%error, "a read transaction could not be ended");
        }
    }
}

/// What a search looks for and looks at.
#[derive(Clone, Copy)]
struct Wanted<'q> {
    query: &'q Query,
    /// The fields that the query and the sort look at.
    fields: Fields,
    /// Whether wide columns are read while searching, or only for what is returned.
    is_wide: bool,
}

/// A search under way.
struct Search<'c, 'q> {
    connection: &'c Connection,
    wanted: Wanted<'q>,
    id_key: IdKey,
    snapshot: Snapshot<'c>,
    is_renewed: bool,
    candidates: Candidates,
    /// Matches among the waiting and the running: in a newer snapshot they may have ended.
    unfinished: FxHashSet<u64>,
}

/// The tasks of a page that match, each with its document as far as it was asked for.
struct Matches {
    tasks: Vec<(TaskRecord, Value)>,
    is_ordered: bool,
}

impl<'c, 'q> Search<'c, 'q> {
    fn begin(reader: &'c SqliteReader, wanted: Wanted<'q>) -> Result<Search<'c, 'q>> {
        let connection = &reader.reader;
        let snapshot = Snapshot::take(reader)?;
        let seq_next = row::head(connection)?.seq_next;
        let id_key = reader.id_key;
        let filter = Filter::of(wanted.query, id_key);
        let candidates = Candidates::new(filter, seq_next, wanted.is_wide);
        let unfinished = FxHashSet::default();
        let is_renewed = false;
        Ok(Search { connection, wanted, id_key, snapshot, is_renewed, candidates, unfinished })
    }

    /// The matches of the next page; nothing when all are read.
    fn page(&mut self, cancelled: Cancelled<'_>) -> Result<Option<Matches>> {
        self.check(cancelled)?;
        let page = self.candidates.page(self.connection, &self.snapshot.lanes)?;
        let Some(page) = page else { return Ok(None) };
        self.snapshot.rows += page.rows;
        let mut tasks = Vec::new();
        for mut task in page.tasks {
            if let Some(document) = self.matching(&mut task)?
                && self.is_first(&task, page.is_ordered)?
            {
                tasks.push((task, document));
            }
        }
        Ok(Some(Matches { tasks, is_ordered: page.is_ordered }))
    }

    /// Between pages: ends a cancelled read, and renews a snapshot that is old.
    fn check(&mut self, cancelled: Cancelled<'_>) -> Result<()> {
        if cancelled() {
            return Err(Error::new(Code::Closed, "the read was cancelled"));
        }
        if self.snapshot.rows >= SNAPSHOT_ROWS {
            self.renew()?;
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<()> {
        self.is_renewed = true;
        cached(self.connection, sql::ROLLBACK)?.execute([]).map_err(error::of)?;
        cached(self.connection, sql::BEGIN_READ)?.execute([]).map_err(error::of)?;
        self.snapshot.lanes = Lanes::load(self.connection, self.id_key)?;
        self.snapshot.rows = 0;
        Ok(())
    }

    /// The document of a task that matches; nothing if it does not.
    fn matching(&mut self, task: &mut TaskRecord) -> Result<Option<Value>> {
        let Wanted { query, fields, .. } = self.wanted;
        if fields == Fields::default() {
            return Ok(query.matches(&Value::Null).then_some(Value::Null));
        }
        if fields.has(Field::Attempts) {
            self.snapshot.load_attempts(task)?;
        }
        let document = document::value(task, fields)?;
        Ok(query.matches(&document).then_some(document))
    }

    /// Whether the task was not found before, in an older snapshot and another state. Within one
    /// snapshot a task has one place: a second one is damage (F-14).
    fn is_first(&mut self, task: &TaskRecord, is_ordered: bool) -> Result<bool> {
        let is_first = if is_ordered {
            self.unfinished.insert(task.seq.0)
        } else {
            !self.unfinished.contains(&task.seq.0)
        };
        let is_misplaced = is_ordered && task.state.is_final();
        if self.is_renewed || (is_first && !is_misplaced) {
            return Ok(is_first);
        }
        let message = format!("task {} stands in a queue and among the ended ones", task.seq.0);
        Err(Error::new(Code::Corrupt, message))
    }

    /// Loads what was not read while searching.
    fn complete(
        &mut self,
        chosen: Vec<TaskRecord>,
        find: &Find,
        cancelled: Cancelled<'_>,
    ) -> Result<Vec<Found>> {
        let mut budget = ReadBudget::new(find.bytes_max);
        let mut found = Vec::new();
        for (index, task) in chosen.into_iter().enumerate() {
            if index % COMPLETED_ROWS == 0 {
                self.check(cancelled)?;
            }
            self.snapshot.rows += 1;
            if let Some(task) = self.whole(task)? {
                found.push(self.snapshot.complete(task, find.logs, &mut budget)?);
            }
        }
        Ok(found)
    }

    /// The task with its wide columns and its history, unless it has changed and matches no more.
    fn whole(&mut self, task: TaskRecord) -> Result<Option<TaskRecord>> {
        let mut task = task;
        if !self.wanted.is_wide {
            let Some(reloaded) = self.snapshot.source(true).get(task.seq)? else {
                return Ok(None);
            };
            task = reloaded;
            if self.matching(&mut task)?.is_none() {
                return Ok(None);
            }
        }
        if !self.wanted.fields.has(Field::Attempts) {
            self.snapshot.load_attempts(&mut task)?;
        }
        Ok(Some(task))
    }
}
