//! What conditions look at of live runs.
//!
//! # Promises
//! - It is read only while conditions count runs, and of each run once.
//!
//! Proof: `proof/tests/engine/conditions.rs`, `proof/tests/random`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::condition::{Scope, fields};
use tasker_core::dispatch::Dispatch;
use tasker_core::document::for_conditions;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{OperationId, Seq};
use tasker_core::query::Value;
use tasker_core::store::ReadTransaction;

/// How many bytes of data are read at once.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// A task and what conditions look at of it.
pub(crate) type Document = (Seq, Value);

/// Those of all live runs, of whichever owner.
pub(crate) fn of_all(
    transaction: &mut dyn ReadTransaction,
    dispatch: &Dispatch,
) -> Result<Vec<Document>> {
    let runs = transaction.live_runs()?;
    debug_assert!(runs.is_sorted_by(|one, next| one.seq < next.seq), "a task has two runs (I-4)");
    let runs = runs.into_iter().map(|run| (run.seq, run.lane.operation())).collect();
    let name = |operation| dispatch.operation_name(operation).cloned();
    documents(transaction, name, &runs)
}

/// Those of these tasks, which are there, by number.
pub(crate) fn documents(
    transaction: &mut dyn ReadTransaction,
    name: impl Fn(OperationId) -> Option<Arc<str>>,
    tasks: &BTreeMap<Seq, OperationId>,
) -> Result<Vec<Document>> {
    let name = |operation| {
        let name = name(operation);
        debug_assert!(name.is_some(), "nothing is known of {operation:?}");
        name.unwrap_or_default()
    };
    let asked: Vec<_> = tasks.iter().map(|(seq, operation)| (*seq, name(*operation))).collect();
    let mut documents = Vec::with_capacity(asked.len());
    while documents.len() < asked.len() {
        let found = transaction.contents(&asked[documents.len()..], BYTES_MAX)?;
        debug_assert!(!found.is_empty(), "one task always fits");
        for task in found {
            let task = task.ok_or_else(|| {
                Error::new(Code::Corrupt, "the file is damaged: a run has no task")
            })?;
            let document = for_conditions(&task.def, fields(Scope::Running))?;
            documents.push((task.seq, document));
        }
    }
    Ok(documents)
}
