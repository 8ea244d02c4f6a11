//! One state of a backend that gives pages, for those who watch tasks.
//!
//! Proof: `proof/tests/random`, `__test__/contract/watching.test.mjs`.

use std::sync::Arc;

use super::load::load_attempts;
use super::pages::{Columns, Snapshot};
use crate::changes::{Changes, Stand, WatchedBatch};
use crate::error::Result;
use crate::id::{OperationId, Seq};
use crate::task::TaskRecord;
use crate::time::WallMs;

/// A snapshot, as long as it is looked at.
pub(super) struct OneState<S>(pub(super) S);

impl<S: Snapshot> Changes for OneState<S> {
    fn stand(&mut self) -> Result<Stand> {
        let number = self.0.head()?.number;
        let last = self.0.batches(number.saturating_sub(1), 1)?;
        Ok(Stand { number, at: last.first().map_or(WallMs(0), |last| last.at) })
    }

    fn batches(&mut self, after: u64, batches_max: usize) -> Result<Vec<WatchedBatch>> {
        self.0.batches(after, batches_max)
    }

    fn operation(&mut self, id: OperationId) -> Result<Option<Arc<str>>> {
        let all = self.0.operations()?.into_iter();
        Ok(all.into_iter().find(|operation| operation.id == id).map(|operation| operation.name))
    }

    fn task(&mut self, seq: Seq) -> Result<Option<TaskRecord>> {
        let Some(mut task) = self.0.task(seq, Columns::Wide)? else { return Ok(None) };
        load_attempts(&mut self.0, &mut task)?;
        Ok(Some(task))
    }
}
