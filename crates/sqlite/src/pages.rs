//! The reading side: a connection of its own that gives tasks page by page.
//!
//! # Promises
//! - A read never stalls a turn. A snapshot is a read transaction.
//!
//! # Left to others
//! What is looked for, in which order and how much of it is `core::search`'s; what a row means is
//! `row`'s.
//!
//! Proof: `tests/read.rs`, `conformance::reader`.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{CachedStatement, Connection, Params, Row};
use tasker_core::changes::WatchedBatch;
use tasker_core::error::Result;
use tasker_core::id::{IdKey, LaneId, OperationId, Seq};
use tasker_core::index::{IndexPath, Key};
use tasker_core::query::Direction;
use tasker_core::read::{Interrupted, LogsPart, Verified};
use tasker_core::schedules::Schedule;
use tasker_core::search::{
    Columns, EntriesPart, Filter, NumbersPart, Outlines, PageReader, Pages, Place, QueueHead,
    QueuePart, Range, Snapshot,
};
use tasker_core::store::{Head, Operation};
use tasker_core::task::{Attempt, LogLine, TaskRecord};
use tasker_core::time::WallMs;
use tasker_core::totals::Totals;

use crate::audit::{self, Audit};
use crate::location::DatabaseFile;
use crate::operations::Operations;
use crate::row::{self, cached};
use crate::{backup, error, indexes, outlines, settings, sql};

/// Bytes of data and outcomes after which a page ends early.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the journal that are read at once.
const JOURNAL_BYTES: usize = 1024 * 1024;

/// The reading side of a handle on a SQLite file.
pub type SqliteReader = PageReader<SqlitePages>;

/// The connection that reads. The file is released when this and the store are gone, in whatever
/// order.
#[derive(Debug)]
pub struct SqlitePages {
    reader: Connection,
    id_key: IdKey,
    operations: Operations,
    /// Dropped after the connection: the last holder writes the log back.
    database: DatabaseFile,
}

/// A read transaction, as long as it is looked at.
pub struct SqliteSnapshot<'p> {
    connection: &'p Connection,
    id_key: IdKey,
    operations: &'p mut Operations,
    /// Held, because every task that is returned asks them.
    attempts: CachedStatement<'p>,
    logs: CachedStatement<'p>,
}

impl SqlitePages {
    pub(crate) fn new(reader: Connection, id_key: IdKey, database: DatabaseFile) -> SqlitePages {
        SqlitePages { reader, id_key, operations: Operations::default(), database }
    }
}

impl Pages for SqlitePages {
    type Snapshot<'p> = SqliteSnapshot<'p>;

    fn id_key(&self) -> IdKey {
        self.id_key
    }

    /// In memory there is none: the file has no name any more.
    fn another(&self) -> Option<SqlitePages> {
        if self.database.is_memory() {
            return None;
        }
        let opened = settings::connect_reader(&self.database);
        // Opened by its name, which may stand for another file by now.
        match opened.and_then(|reader| self.database.check().map(|()| reader)) {
            Ok(reader) => Some(SqlitePages::new(reader, self.id_key, self.database.clone())),
            Err(error) => {
                tracing::warn!(%error, "there is no further connection to read with");
                None
            }
        }
    }

    fn snapshot(&mut self) -> Result<SqliteSnapshot<'_>> {
        let SqlitePages { reader: connection, operations, .. } = self;
        let (attempts, logs) = (cached(connection, sql::ATTEMPTS)?, cached(connection, sql::LOGS)?);
        if connection.is_autocommit() {
            cached(connection, sql::BEGIN_READ)?.execute([]).map_err(error::of)?;
        }
        Ok(SqliteSnapshot { connection, id_key: self.id_key, operations, attempts, logs })
    }

    fn end(&mut self) {
        if self.reader.is_autocommit() {
            return;
        }
        let ended = self.reader.prepare_cached(sql::ROLLBACK).and_then(|mut s| s.execute([]));
        if let Err(error) = ended {
            tracing::warn!(%error, "a read transaction could not be ended");
        }
    }

    fn head(&mut self) -> Result<Head> {
        debug_assert!(self.reader.is_autocommit(), "a snapshot shows what was, and not what is");
        row::head(&self.reader)
    }

    fn back_up(&mut self, to: &Path, interrupted: Interrupted) -> Result<()> {
        backup::make(&mut self.reader, &self.database, to, &interrupted)
    }

    fn verify(&mut self, interrupted: Interrupted) -> Result<Verified> {
        let checked =
            backup::interruptible(&mut self.reader, &interrupted, |reader| audit::of(reader));
        let Audit { counts, faults, .. } = checked?;
        Ok(Verified { tasks: counts.total(), faults })
    }
}

impl Snapshot for SqliteSnapshot<'_> {
    fn renew(&mut self) -> Result<()> {
        debug_assert!(!self.connection.is_autocommit(), "there is no snapshot to renew");
        cached(self.connection, sql::ROLLBACK)?.execute([]).map_err(error::of)?;
        cached(self.connection, sql::BEGIN_READ)?.execute([]).map_err(error::of)?;
        Ok(())
    }

    fn head(&mut self) -> Result<Head> {
        row::head(self.connection)
    }

    fn batches(&mut self, after: u64, batches_max: usize) -> Result<Vec<WatchedBatch>> {
        let mut statement = cached(self.connection, sql::WATCHED)?;
        let limit = i64::try_from(batches_max).unwrap_or(i64::MAX);
        let mut rows = statement.query([after as i64, limit]).map_err(error::of)?;
        let (mut batches, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(error::of)? {
            let number = row::get::<i64>(row, 0)?.max(0) as u64;
            let transitions: Box<[u8]> = row::get::<Vec<u8>>(row, 2)?.into();
            let notes = row::get::<Option<Vec<u8>>>(row, 3)?.map(Vec::into_boxed_slice);
            bytes += transitions.len() + notes.as_ref().map_or(0, |notes| notes.len());
            batches.push(WatchedBatch {
                number,
                at: WallMs(row::get(row, 1)?),
                transitions,
                notes,
            });
            if bytes >= JOURNAL_BYTES {
                break;
            }
        }
        Ok(batches)
    }

    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>> {
        row::schedules(self.connection, from, max)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        row::operations(self.connection, None)
    }

    fn task(&mut self, seq: Seq, columns: Columns) -> Result<Option<TaskRecord>> {
        let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
        let mut statement = cached(self.connection, sql::GET)?;
        let mut rows = statement.query((is_wide(columns), number)).map_err(error::of)?;
        rows.next().map_err(error::of)?.map(|row| self.record(row)).transpose()
    }

    fn queue_heads(&mut self, after: Option<LaneId>, lanes_max: usize) -> Result<Vec<QueueHead>> {
        let mut statement = cached(self.connection, sql::QUEUE_HEADS)?;
        let (mut heads, mut after) = (Vec::new(), after);
        while heads.len() < lanes_max {
            let mut rows = statement.query([row::before_first(after)]).map_err(error::of)?;
            let Some(row) = rows.next().map_err(error::of)? else { break };
            let lane = row::lane_id(row, 0)?;
            let operation = self.operations.of(self.connection, lane)?;
            let place = Place { priority: row::priority(row, 1)?, seq: row::seq(row, 2)? };
            heads.push(QueueHead { lane, operation, place });
            after = Some(lane);
        }
        Ok(heads)
    }

    fn queue(&mut self, part: QueuePart, columns: Columns) -> Result<Vec<TaskRecord>> {
        let QueuePart { lane: Some(lane), after, priority_low, tasks_max } = part else {
            return self.unqueued(part, columns);
        };
        let (lane, priority) = (lane.0 as i64, after.priority.get());
        let mut tasks = Vec::new();
        let equal = (is_wide(columns), lane, priority, number(after.seq), tasks_max as i64);
        self.read_tasks(sql::READY_EQUAL, equal, usize::MAX, &mut tasks)?;
        debug_assert!(tasks.len() <= tasks_max, "more tasks came than were asked for");
        let missing = (tasks_max - tasks.len()) as i64;
        if missing > 0 {
            let below = (is_wide(columns), lane, priority, priority_low.get(), missing);
            self.read_tasks(sql::READY_BELOW, below, usize::MAX, &mut tasks)?;
        }
        Ok(tasks)
    }

    fn running(&mut self) -> Result<Vec<Seq>> {
        let mut statement = cached(self.connection, sql::RUNNING)?;
        let mut rows = statement.query([]).map_err(error::of)?;
        let mut seqs = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            seqs.push(row::seq(row, 0)?);
        }
        Ok(seqs)
    }

    fn outlines(&mut self) -> Result<Option<Outlines>> {
        outlines::read(self.connection)
    }

    fn totals(&mut self) -> Result<Option<Totals>> {
        outlines::read_totals(self.connection)
    }

    fn operation_ids(&mut self, names: &BTreeSet<Box<str>>) -> Result<BTreeSet<OperationId>> {
        self.operations.ids(self.connection, names)
    }

    fn next_number(&mut self, seqs: Range<Seq>, direction: Direction) -> Result<Option<Seq>> {
        let text = match direction {
            Direction::Up => sql::NEXT_UP,
            Direction::Down => sql::NEXT_DOWN,
        };
        let mut statement = cached(self.connection, text)?;
        let mut rows = statement.query([number(seqs.low), number(seqs.high)]).map_err(error::of)?;
        rows.next().map_err(error::of)?.map(|row| row::seq(row, 0)).transpose()
    }

    fn numbers(
        &mut self,
        part: NumbersPart,
        filter: &Filter,
        columns: Columns,
    ) -> Result<(Vec<TaskRecord>, bool)> {
        let NumbersPart { seqs, states, direction } = part;
        debug_assert!(seqs.low <= seqs.high, "a page of no numbers goes nowhere");
        let operations = match &filter.operations {
            Some(names) => self.operations.named(self.connection, names)?,
            None => Some((OperationId(0), OperationId(u16::MAX))),
        };
        let Some((operation_first, operation_last)) = operations else {
            return Ok((Vec::new(), true));
        };
        let (started, ended) = (filter.started_at, filter.ended_at);
        let bounds = (
            is_wide(columns),
            number(seqs.low),
            number(seqs.high),
            states,
            operation_first.0,
            operation_last.0,
            filter.priority.low.get(),
            filter.priority.high.get(),
            filter.created_at.low.0,
            filter.created_at.high.0,
            started.map(|range| range.low.0),
            started.map(|range| range.high.0),
            ended.map(|range| range.low.0),
            ended.map(|range| range.high.0),
        );
        let text = match direction {
            Direction::Up => sql::NUMBERS_UP,
            Direction::Down => sql::NUMBERS_DOWN,
        };
        let mut tasks = Vec::new();
        let is_whole = self.read_tasks(text, bounds, PAGE_BYTES, &mut tasks)?;
        Ok((tasks, is_whole))
    }

    fn indexes(&mut self) -> Result<Vec<IndexPath>> {
        let existing = indexes::existing(self.connection)?;
        Ok(existing.into_iter().filter_map(|index| index.path).collect())
    }

    fn entries(&mut self, part: EntriesPart<'_>) -> Result<Option<Vec<(Key, Seq)>>> {
        indexes::entries(self.connection, part)
    }

    fn attempts(&mut self, seq: Seq) -> Result<(Vec<Attempt>, u32)> {
        let mut rows = self.attempts.query([number(seq)]).map_err(error::of)?;
        let (mut history, mut left_out) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(error::of)? {
            if history.is_empty() {
                left_out = row::get::<u32>(row, 7)?.saturating_sub(1);
            }
            history.push(row::attempt(row)?);
        }
        Ok((history, left_out))
    }

    fn last_log(&mut self, seq: Seq) -> Result<u32> {
        let mut statement = cached(self.connection, sql::LAST_LOG)?;
        statement.query_row([number(seq)], |row| row.get(0)).map_err(error::of)
    }

    fn logs(
        &mut self,
        seq: Seq,
        part: LogsPart,
        take: &mut dyn FnMut(LogLine) -> Result<()>,
    ) -> Result<()> {
        let LogsPart { after, level_max, lines_max } = part;
        let lines_max = i64::try_from(lines_max).unwrap_or(i64::MAX);
        let bounds = (number(seq), level_max.code(), after, lines_max);
        let mut rows = self.logs.query(bounds).map_err(error::of)?;
        while let Some(row) = rows.next().map_err(error::of)? {
            take(row::log_line(row)?)?;
        }
        Ok(())
    }
}

impl SqliteSnapshot<'_> {
    /// The waiting tasks outside the lanes behind a place.
    fn unqueued(&mut self, part: QueuePart, columns: Columns) -> Result<Vec<TaskRecord>> {
        let QueuePart { after, priority_low, tasks_max, .. } = part;
        let priority = after.priority.get();
        let mut tasks = Vec::new();
        let equal = (is_wide(columns), priority, number(after.seq), tasks_max as i64);
        self.read_tasks(sql::UNQUEUED_EQUAL, equal, usize::MAX, &mut tasks)?;
        let missing = (tasks_max - tasks.len()) as i64;
        if missing > 0 {
            let below = (is_wide(columns), priority, priority_low.get(), missing);
            self.read_tasks(sql::UNQUEUED_BELOW, below, usize::MAX, &mut tasks)?;
        }
        Ok(tasks)
    }

    /// Reads tasks until so many bytes are passed; false if some are left.
    fn read_tasks(
        &mut self,
        text: &'static str,
        params: impl Params,
        bytes_max: usize,
        tasks: &mut Vec<TaskRecord>,
    ) -> Result<bool> {
        let mut statement = cached(self.connection, text)?;
        let mut rows = statement.query(params).map_err(error::of)?;
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(error::of)? {
            if bytes >= bytes_max {
                return Ok(false);
            }
            let task = self.record(row)?;
            bytes += task.bytes();
            tasks.push(task);
        }
        Ok(true)
    }

    fn record(&mut self, row: &Row<'_>) -> Result<TaskRecord> {
        let operation = self.operations.of(self.connection, row::lane_id(row, 3)?)?;
        row::record(row, self.id_key, operation)
    }
}

fn is_wide(columns: Columns) -> bool {
    columns == Columns::Wide
}

/// A number as SQLite has it; one that no task can have is the greatest.
fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}
