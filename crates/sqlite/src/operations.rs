//! The names of the operations, as far as a reader has had to know.
//!
//! # Promises
//! - What is known is never read again: an operation keeps its number and its name.
//! - A row whose operation is not in the file is `Corrupt` (F-14).
//!
//! Proof: `tests/read.rs`, `conformance::reader`.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::Connection;
use rustc_hash::FxHashMap;
use tasker_core::error::Result;
use tasker_core::id::{LaneId, OperationId};

use crate::error::corrupt;
use crate::row;

/// The operations that are known.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    names: FxHashMap<OperationId, Arc<str>>,
    /// The last one: numbers of operations count up.
    last: Option<OperationId>,
}

impl Operations {
    /// The operation of a lane.
    pub(crate) fn of(&mut self, connection: &Connection, lane: LaneId) -> Result<Arc<str>> {
        let id = lane.operation();
        if let Some(name) = self.names.get(&id) {
            return Ok(name.clone());
        }
        self.refresh(connection)?;
        self.names.get(&id).cloned().ok_or_else(|| corrupt("a task without an operation"))
    }

    /// The first and the last of the operations with these names; nothing if there are none.
    pub(crate) fn named(
        &mut self,
        connection: &Connection,
        names: &BTreeSet<Box<str>>,
    ) -> Result<Option<(OperationId, OperationId)>> {
        let ids = self.ids(connection, names)?;
        Ok(ids.first().copied().zip(ids.last().copied()))
    }

    /// Those of the operations with these names that there are.
    pub(crate) fn ids(
        &mut self,
        connection: &Connection,
        names: &BTreeSet<Box<str>>,
    ) -> Result<BTreeSet<OperationId>> {
        self.refresh(connection)?;
        let chosen = self.names.iter().filter(|(_, name)| names.contains(&***name));
        Ok(chosen.map(|(id, _)| *id).collect())
    }

    /// Reads the operations that are new.
    fn refresh(&mut self, connection: &Connection) -> Result<()> {
        for operation in row::operations(connection, self.last)? {
            self.last = Some(operation.id);
            self.names.insert(operation.id, operation.name);
        }
        Ok(())
    }
}
