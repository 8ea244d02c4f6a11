//! What the watches look at of a step: each thing is read once for all of them.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::changes::Changes;
use crate::error::{Code, Error, Result};
use crate::id::{OperationId, Seq};
use crate::query::{Field, Fields, Query, Value};
use crate::task::TaskRecord;

use super::document::{TOLD, at, of_gone};
use super::step::{Standing, Step};

/// Bytes of tasks that are kept while a page is read.
const TASKS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The tasks that have been read in one state of the store, and the names of operations.
pub(super) struct Tasks<'t> {
    pub(super) changes: &'t mut dyn Changes,
    operations: &'t mut FxHashMap<OperationId, Arc<str>>,
    read: FxHashMap<Seq, Option<Arc<TaskRecord>>>,
    bytes: usize,
}

impl<'t> Tasks<'t> {
    pub(super) fn new(
        changes: &'t mut dyn Changes,
        operations: &'t mut FxHashMap<OperationId, Arc<str>>,
    ) -> Self {
        Self { changes, operations, read: FxHashMap::default(), bytes: 0 }
    }

    /// A task as it is now, or nothing if it is gone.
    pub(super) fn task(&mut self, seq: Seq) -> Result<Option<Arc<TaskRecord>>> {
        if let Some(read) = self.read.get(&seq) {
            return Ok(read.clone());
        }
        let task = self.changes.task(seq)?.map(Arc::new);
        self.bytes += task.as_ref().map_or(0, |task| task.bytes()) + size_of::<TaskRecord>();
        if self.bytes > TASKS_BYTES_MAX {
            self.read.clear();
            self.bytes = 0;
        }
        self.read.insert(seq, task.clone());
        Ok(task)
    }

    /// The name of an operation.
    pub(super) fn operation(&mut self, id: OperationId) -> Result<Arc<str>> {
        if let Some(name) = self.operations.get(&id) {
            return Ok(name.clone());
        }
        let name = self.changes.operation(id)?;
        let name = name.ok_or_else(|| {
            let message = format!("the file is damaged: its journal names operation {}", id.0);
            Error::new(Code::Corrupt, message)
        })?;
        self.operations.insert(id, name.clone());
        Ok(name)
    }
}

/// One step, as all watches look at it: what they ask for is read once.
pub(super) struct Look<'l> {
    pub(super) step: &'l Step,
    pub(super) operation: Arc<str>,
    tasks: &'l mut dyn FnMut(Seq) -> Result<Option<Arc<TaskRecord>>>,
    /// What any of them looks at.
    fields: Fields,
    task: Option<Option<Arc<TaskRecord>>>,
    told: [Option<Value>; 2],
    whole: [Option<Value>; 2],
}

impl<'l> Look<'l> {
    pub(super) fn new(
        step: &'l Step,
        operation: Arc<str>,
        fields: Fields,
        tasks: &'l mut dyn FnMut(Seq) -> Result<Option<Arc<TaskRecord>>>,
    ) -> Self {
        let (told, whole) = ([const { None }; 2], [const { None }; 2]);
        Self { step, operation, tasks, fields, task: None, told, whole }
    }

    /// The task as it is now.
    pub(super) fn task(&mut self) -> Result<Option<Arc<TaskRecord>>> {
        if let Some(task) = &self.task {
            return Ok(task.clone());
        }
        let task = (self.tasks)(self.step.seq)?;
        self.task = Some(task.clone());
        Ok(task)
    }

    /// Whether the task matched before the step.
    pub(super) fn matched(&mut self, query: &Query) -> Result<bool> {
        let standing = self.step.before;
        standing.map_or(Ok(false), |standing| self.matches_at(query, 0, &standing))
    }

    /// Whether it matches after it.
    pub(super) fn matches(&mut self, query: &Query) -> Result<bool> {
        let standing = self.step.after;
        standing.map_or(Ok(false), |standing| self.matches_at(query, 1, &standing))
    }

    fn matches_at(&mut self, query: &Query, when: usize, standing: &Standing) -> Result<bool> {
        if query.fields().and(TOLD) == TOLD {
            let Step { seq, id, .. } = *self.step;
            let operation = &self.operation;
            let value = self.told[when]
                .get_or_insert_with(|| of_gone((seq, id), operation, TOLD, standing));
            return Ok(query.matches(value));
        }
        let Some(value) = self.value(when, standing)? else { return Ok(false) };
        Ok(query.matches(value))
    }

    /// The document after the step, with all that any watch looks at; nothing if it is gone.
    pub(super) fn document(&mut self) -> Result<Option<&Value>> {
        match self.step.after {
            Some(standing) => self.value(1, &standing),
            None => Ok(None),
        }
    }

    fn value(&mut self, when: usize, standing: &Standing) -> Result<Option<&Value>> {
        if self.whole[when].is_none() {
            let Some(task) = self.task()? else { return Ok(None) };
            self.whole[when] = Some(at(&task, self.fields.with(Field::Seq), standing)?);
        }
        Ok(self.whole[when].as_ref())
    }
}
