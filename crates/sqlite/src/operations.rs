//! Which lane belongs to which operation, as far as a reader has had to know.
//!
//! # Promises
//! - What is known is never read again: a lane keeps its number and its operation.
//! - A row whose lane is not in the file is `Corrupt` (F-14).
//!
//! Proof: `tests/read.rs`, `conformance::reader`.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::Connection;
use rustc_hash::FxHashMap;
use tasker_core::error::Result;
use tasker_core::id::LaneId;

use crate::error::corrupt;
use crate::row;

/// The operations of the lanes that are known.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    by_lane: FxHashMap<LaneId, Arc<str>>,
    /// The last lane that is known: numbers of lanes count up.
    last: Option<LaneId>,
}

impl Operations {
    /// The operation of a lane.
    pub(crate) fn of(&mut self, connection: &Connection, lane: LaneId) -> Result<Arc<str>> {
        if let Some(operation) = self.by_lane.get(&lane) {
            return Ok(operation.clone());
        }
        self.refresh(connection)?;
        self.by_lane.get(&lane).cloned().ok_or_else(|| corrupt("a task without a lane"))
    }

    /// The first and the last of the lanes of these operations; nothing if they have none.
    pub(crate) fn lanes(
        &mut self,
        connection: &Connection,
        names: &BTreeSet<Box<str>>,
    ) -> Result<Option<(LaneId, LaneId)>> {
        self.refresh(connection)?;
        let chosen = self.by_lane.iter().filter(|(_, operation)| names.contains(&***operation));
        Ok(chosen.fold(None, |bounds, (lane, _)| {
            let (first, last) = bounds.unwrap_or((*lane, *lane));
            Some((first.min(*lane), last.max(*lane)))
        }))
    }

    /// Reads the lanes that are new.
    fn refresh(&mut self, connection: &Connection) -> Result<()> {
        for lane in row::lanes(connection, self.last)? {
            self.last = Some(lane.id);
            self.by_lane.insert(lane.id, lane.operation);
        }
        Ok(())
    }
}
