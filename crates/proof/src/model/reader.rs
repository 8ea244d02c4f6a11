//! The reading side: every task is looked at.

use std::sync::Arc;

use tasker_core::changes::{Changes, Looking, Stand, WatchedBatch};
use tasker_core::document::{default_order, value};
use tasker_core::error::Result;
use tasker_core::id::{OperationId, Seq, TaskId};
use tasker_core::query::{Fields, Query};
use tasker_core::read::{
    Find, Found, LogsPart, LogsRead, QueryExplanation, ReadBudget, Request, Step, WithLogs,
};
use tasker_core::reader::{Reader, Search};
use tasker_core::schedules::Schedule;
use tasker_core::store::Operation;
use tasker_core::task::{LogLine, TaskRecord};
use tasker_core::time::WallMs;

use super::Disk;
use super::image::Image;
use super::row::Row;

/// The reading side.
#[derive(Debug)]
pub struct ModelReader {
    disk: Disk,
    /// Whether the search under way has had its first step.
    has_begun: bool,
}

impl ModelReader {
    pub(super) fn new(disk: Disk) -> ModelReader {
        ModelReader { disk, has_begun: false }
    }

    fn rows(&self, query: &Query) -> Result<Vec<Arc<Row>>> {
        let rows: Vec<_> = self.disk.lock().saved.tasks.values().cloned().collect();
        let mut matching = Vec::new();
        for row in rows {
            if query.matches(&value(&row.record(), Fields::ALL)?) {
                matching.push(row);
            }
        }
        matching.sort_by(|a, b| default_order(&a.task, &b.task));
        Ok(matching)
    }

    fn found(&self, find: &Find) -> Result<Vec<Found>> {
        let mut rows = self.rows(&find.query)?;
        rows.retain(|row| find.seqs.has(row.task.seq));
        if let Some(sort) = &find.sort {
            let values = rows.iter().map(|row| value(&row.record(), Fields::ALL));
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
}

impl Reader for ModelReader {
    fn another(&self) -> Option<Box<dyn Reader>> {
        Some(Box::new(ModelReader::new(self.disk.clone())))
    }

    fn get(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>> {
        let contents = self.disk.lock();
        let row = contents.saved.rows().find(|row| row.task.id == id);
        row.map(|row| row.found(logs, &mut ReadBudget::new(bytes_max))).transpose()
    }

    fn logs(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>> {
        let contents = self.disk.lock();
        let row = contents.saved.rows().find(|row| row.task.id == id);
        let has = |line: &&LogLine| line.n > part.after && line.level <= part.level_max;
        Ok(row.map(|row| LogsRead {
            lines: row.logs.iter().filter(has).take(part.lines_max).cloned().collect(),
            last: row.logs.last().map_or(0, |line| line.n),
            is_over: row.task.state.is_final(),
        }))
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        let mut operations: Vec<_> = self.disk.lock().saved.operations.values().cloned().collect();
        operations.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(operations)
    }

    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>> {
        let mut all: Vec<_> = self.disk.lock().saved.schedules.values().cloned().collect();
        all.retain(|one| &*one.id >= from);
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all.truncate(max);
        Ok(all)
    }

    /// Two steps: the first one does nothing, so that whoever gives up between steps can.
    fn step(&mut self, search: &mut Search) -> Result<Step> {
        self.has_begun = !self.has_begun;
        if self.has_begun {
            return Ok(Step::More(Vec::new()));
        }
        Ok(match search.request() {
            Request::Find(find) => Step::Found(self.found(find)?),
            Request::Exists(query) => Step::Exists(!self.rows(query)?.is_empty()),
            Request::Count(query) => Step::Count(self.rows(query)?.len() as u64),
            Request::Explain(query) => {
                let matched = self.rows(query)?.len() as u64;
                let all = self.disk.lock().saved.tasks.len() as u64;
                let (by, read, decided, declare) = (None, all, all, Vec::new());
                Step::Explained(Box::new(QueryExplanation { by, read, decided, matched, declare }))
            }
            Request::Matching(query) => {
                let rows = self.rows(query)?;
                let mut seqs: Vec<Seq> = rows.iter().map(|row| row.task.seq).collect();
                seqs.sort();
                Step::Matching(seqs)
            }
        })
    }

    fn changes(&mut self, look: Looking<'_>) -> Result<()> {
        let contents = self.disk.lock();
        look(&mut OneState { image: &contents.saved })
    }

    fn rest(&mut self, search: Option<&mut Search>) {
        // A search that rests may go on.
        self.has_begun &= search.is_some();
    }
}

/// The store at one moment.
struct OneState<'i> {
    image: &'i Image,
}

impl Changes for OneState<'_> {
    fn stand(&mut self) -> Result<Stand> {
        let at = self.image.watched.last().map_or(WallMs(0), |last| last.at);
        Ok(Stand { number: self.image.head.number, at })
    }

    fn batches(&mut self, after: u64, batches_max: usize) -> Result<Vec<WatchedBatch>> {
        let batches = self.image.watched.iter().filter(|batch| batch.number > after);
        Ok(batches.take(batches_max).cloned().collect())
    }

    fn operation(&mut self, id: OperationId) -> Result<Option<Arc<str>>> {
        Ok(self.image.operations.get(&id).map(|operation| operation.name.clone()))
    }

    fn task(&mut self, seq: Seq) -> Result<Option<TaskRecord>> {
        Ok(self.image.task(seq).map(Row::record))
    }
}
