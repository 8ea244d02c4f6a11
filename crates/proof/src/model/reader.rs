//! The reading side: every task is looked at.

use tasker_core::document::{default_order, value};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{Seq, TaskId};
use tasker_core::query::{Fields, Query};
use tasker_core::read::{Cancelled, Find, Found, ReadBudget, Reader, WithLogs};
use tasker_core::store::Operation;

use super::Disk;
use super::row::Row;

/// The reading side.
#[derive(Debug)]
pub struct ModelReader(pub(super) Disk);

/// Tasks looked at before the caller is asked whether to go on.
const PAGE: usize = 1_000;

impl ModelReader {
    fn rows(&self, query: &Query, cancelled: Cancelled<'_>) -> Result<Vec<Row>> {
        let rows: Vec<_> = self.0.lock().saved.tasks.values().cloned().collect();
        let mut matching = Vec::new();
        for (i, row) in rows.into_iter().enumerate() {
            if (i + 1) % PAGE == 0 && cancelled() {
                return Err(Error::new(Code::Closed, "the read was cancelled"));
            }
            if query.matches(&value(&row.task, Fields::ALL)?) {
                matching.push(row);
            }
        }
        matching.sort_by(|a, b| default_order(&a.task, &b.task));
        Ok(matching)
    }
}

impl Reader for ModelReader {
    fn get(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>> {
        let contents = self.0.lock();
        let row = contents.saved.tasks.values().find(|row| row.task.id == id);
        row.map(|row| row.found(logs, &mut ReadBudget::new(bytes_max))).transpose()
    }

    fn find(&mut self, find: &Find, cancelled: Cancelled<'_>) -> Result<Vec<Found>> {
        let mut rows = self.rows(&find.query, cancelled)?;
        if let Some(sort) = &find.sort {
            let values = rows.iter().map(|row| value(&row.task, Fields::ALL));
            let values = values.collect::<Result<Vec<_>>>()?;
            let mut pairs: Vec<_> = values.into_iter().zip(rows).collect();
            pairs.sort_by(|(a, _), (b, _)| sort.compare(a, b));
            rows = pairs.into_iter().map(|(_, row)| row).collect();
        }
        let skip = usize::try_from(find.skip).unwrap_or(usize::MAX);
        let limit = find.limit.and_then(|limit| usize::try_from(limit).ok());
        let cut = rows.iter().skip(skip).take(limit.unwrap_or(usize::MAX));
        let mut budget = ReadBudget::new(find.bytes_max);
        cut.map(|row| row.found(find.logs, &mut budget)).collect()
    }

    fn exists(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<bool> {
        Ok(!self.rows(query, cancelled)?.is_empty())
    }

    fn count(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<u64> {
        Ok(self.rows(query, cancelled)?.len() as u64)
    }

    fn matching(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<Vec<Seq>> {
        let rows = self.rows(query, cancelled)?;
        let mut seqs: Vec<Seq> = rows.iter().map(|row| row.task.seq).collect();
        seqs.sort();
        Ok(seqs)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        let mut operations: Vec<_> = self.0.lock().saved.operations.values().cloned().collect();
        operations.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(operations)
    }
}
