//! The reading side: a connection of its own that gives tasks page by page.
//!
//! # Promises
//! - A read never stalls a turn, and a snapshot is a read transaction that ends with its value.
//!
//! # Left to others
//! What is looked for, in which order and how much of it is `core::search`'s; what a row means is
//! `row`'s.
//!
//! Proof: `tests/read.rs`, `conformance::reader`.

use rusqlite::{CachedStatement, Connection, Params, Row};
use tasker_core::error::Result;
use tasker_core::id::{IdKey, LaneId, OperationId, Seq};
use tasker_core::read::WithLogs;
use tasker_core::search::{
    Columns, Filter, PageReader, Pages, Place, QueueHead, QueuePart, Range, Snapshot,
};
use tasker_core::store::{Head, Operation};
use tasker_core::task::{Attempt, LogLine, TaskRecord};

use crate::location::DatabaseFile;
use crate::operations::Operations;
use crate::row::{self, cached};
use crate::{error, sql};

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
    _database: DatabaseFile,
}

/// A read transaction.
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
        SqlitePages { reader, id_key, operations: Operations::default(), _database: database }
    }
}

impl Pages for SqlitePages {
    type Snapshot<'p> = SqliteSnapshot<'p>;

    fn id_key(&self) -> IdKey {
        self.id_key
    }

    fn snapshot(&mut self) -> Result<SqliteSnapshot<'_>> {
        let SqlitePages { reader: connection, operations, .. } = self;
        debug_assert!(connection.is_autocommit(), "a snapshot is open already");
        let (attempts, logs) = (cached(connection, sql::ATTEMPTS)?, cached(connection, sql::LOGS)?);
        cached(connection, sql::BEGIN_READ)?.execute([]).map_err(error::of)?;
        Ok(SqliteSnapshot { connection, id_key: self.id_key, operations, attempts, logs })
    }

    fn head(&mut self) -> Result<Head> {
        row::head(&self.reader)
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
        self.read_tasks(sql::READY_EQUAL, equal, &mut tasks)?;
        debug_assert!(tasks.len() <= tasks_max, "more tasks came than were asked for");
        let missing = (tasks_max - tasks.len()) as i64;
        if missing > 0 {
            let below = (is_wide(columns), lane, priority, priority_low.get(), missing);
            self.read_tasks(sql::READY_BELOW, below, &mut tasks)?;
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

    fn ended(
        &mut self,
        seqs: Range<Seq>,
        filter: &Filter,
        columns: Columns,
    ) -> Result<Vec<TaskRecord>> {
        debug_assert!(seqs.low <= seqs.high, "a page of no numbers goes nowhere");
        let mut tasks = Vec::new();
        let operations = match &filter.operations {
            Some(names) => self.operations.named(self.connection, names)?,
            None => Some((OperationId(0), OperationId(u16::MAX))),
        };
        let Some((operation_first, operation_last)) = operations else { return Ok(tasks) };
        let started = filter.started_at;
        let bounds = (
            is_wide(columns),
            number(seqs.low),
            number(seqs.high),
            filter.ended_mask(),
            operation_first.0,
            operation_last.0,
            filter.priority.low.get(),
            filter.priority.high.get(),
            filter.created_at.low.0,
            filter.created_at.high.0,
            started.map(|range| range.low.0),
            started.map(|range| range.high.0),
            filter.ended_at.low.0,
            filter.ended_at.high.0,
        );
        self.read_tasks(sql::ENDED, bounds, &mut tasks)?;
        Ok(tasks)
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

    fn logs(
        &mut self,
        seq: Seq,
        with: WithLogs,
        take: &mut dyn FnMut(LogLine) -> Result<()>,
    ) -> Result<()> {
        let bounds = (number(seq), with.level_max.code());
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
        self.read_tasks(sql::UNQUEUED_EQUAL, equal, &mut tasks)?;
        let missing = (tasks_max - tasks.len()) as i64;
        if missing > 0 {
            let below = (is_wide(columns), priority, priority_low.get(), missing);
            self.read_tasks(sql::UNQUEUED_BELOW, below, &mut tasks)?;
        }
        Ok(tasks)
    }

    fn read_tasks(
        &mut self,
        text: &'static str,
        params: impl Params,
        tasks: &mut Vec<TaskRecord>,
    ) -> Result<()> {
        let mut statement = cached(self.connection, text)?;
        let mut rows = statement.query(params).map_err(error::of)?;
        while let Some(row) = rows.next().map_err(error::of)? {
            tasks.push(self.record(row)?);
        }
        Ok(())
    }

    fn record(&mut self, row: &Row<'_>) -> Result<TaskRecord> {
        let operation = self.operations.of(self.connection, row::lane_id(row, 3)?)?;
        row::record(row, self.id_key, operation)
    }
}

impl Drop for SqliteSnapshot<'_> {
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

fn is_wide(columns: Columns) -> bool {
    columns == Columns::Wide
}

/// A number as SQLite has it; one that no task can have is the greatest.
fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}
