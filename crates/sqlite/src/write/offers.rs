//! Writes what is said of operations, and which of them owners offer.

use std::collections::BTreeSet;
use std::sync::Arc;

use tasker_core::id::OwnerId;
use tasker_core::operation::OperationRecord;
use tasker_core::store::{Change, Operation};

use super::{Kind, Rows, Writing};
use crate::{row, sql};

impl Writing<'_> {
    /// What is said of no task.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`change` hands over no other")]
    pub(super) fn said(&mut self, change: &Change) -> Rows {
        match change {
            Change::Operation(operation) => self.operation(operation),
            Change::Offer(offers) => self.offer(offers),
            Change::Bury(owner) => self.bury(*owner),
            _ => Ok(0),
        }
    }

    fn operation(&mut self, operation: &Operation) -> Rows {
        debug_assert!(operation.id.0 > 0, "operations count from 1");
        let Operation { id, name, record } = operation;
        let OperationRecord { version, paused_at, .. } = record;
        let (paused_at, settings) = (paused_at.map(|at| at.0), record.settings());
        if *version == 1 {
            let row = (id.0, &**name, version, paused_at, settings);
            return self.statement(Kind::Operation)?.execute(row);
        }
        let row = (version, paused_at, settings, id.0, &**name);
        self.statement(Kind::OperationChange)?.execute(row)
    }

    /// What we offer from now on. Rare, so its statement is looked up each time.
    fn offer(&mut self, offers: &BTreeSet<Arc<str>>) -> Rows {
        let row = (row::offers_text(offers), self.owner);
        self.connection.prepare_cached(sql::OFFER)?.execute(row)
    }

    /// A dead owner offers nothing any more.
    fn bury(&mut self, owner: OwnerId) -> Rows {
        debug_assert_ne!(owner.0 as i64, self.owner, "we bury ourselves");
        self.connection.prepare_cached(sql::BURY)?.execute([owner.0 as i64])
    }
}
