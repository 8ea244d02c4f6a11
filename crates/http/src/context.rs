//! What a method works with: the engine, who asks, and what all requests share.
//!
//! # Promises
//! - Who is confined to some operations sees and touches no task of another one.
//!
//! Proof: `__test__/contract/http.test.mjs`.

use std::sync::Arc;

use parking_lot::Mutex;
use tasker_core::definition::{Defaults, Operations};
use tasker_core::id::TaskId;
use tasker_core::read::WithLogs;
use tasker_engine::thread::Read;
use tokio_util::sync::CancellationToken;

use crate::calls::Engine;
use crate::load::Load;
use crate::names::Names;
use crate::refusal::{Reason, Refusal};
use crate::resource;
use crate::task::Task;
use crate::token::Who;

/// What all requests of a server share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) names: Names,
    pub(crate) defaults: Defaults,
    pub(crate) operations: Mutex<Operations>,
    pub(crate) closing: Closing,
}

/// Whether a service closes; one that is mounted may open again.
#[derive(Default)]
pub(crate) struct Closing(Mutex<CancellationToken>);

impl Closing {
    /// Nothing waits from then on.
    pub(crate) fn token(&self) -> CancellationToken {
        self.0.lock().clone()
    }

    pub(crate) fn begin(&self) {
        self.0.lock().cancel();
    }

    pub(crate) fn take_back(&self) {
        let mut token = self.0.lock();
        if token.is_cancelled() {
            *token = CancellationToken::new();
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.lock().is_cancelled()
    }
}

/// One call.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// Who asks.
    pub(crate) who: Who,
    pub(crate) load: Arc<Load>,
}

/// Carries something out for the task with this id. What looks like a uuid of ours and names no
/// task may be the id of a client.
macro_rules! on_task {
    ($context:expr, $id:expr, $task:ident => $call:expr) => {{
        let shared = &$context.shared;
        let $task = shared.names.find($id, &shared.engine).await?;
        match $call {
            Err(refusal) => match shared.names.other($id, &refusal, &shared.engine).await? {
                Some($task) => $call,
                None => Err(refusal),
            },
            done => done,
        }
    }};
}
pub(crate) use on_task;

impl Context {
    /// Whether who asks may know of this operation.
    pub(crate) fn may_see(&self, operation: &str) -> bool {
        self.who.operations.as_ref().is_none_or(|all| all.iter().any(|one| **one == *operation))
    }

    /// Refuses what concerns an operation to which who asks is not confined.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) fn check_operation(&self, operation: &str) -> Result<(), Refusal> {
        if self.may_see(operation) {
            return Ok(());
        }
        let message = format!("who asks may not have the operation {operation:?}");
        Err(Refusal::new(Reason::Forbidden, message))
    }

    /// The document of a task, with its log if that is wished.
    ///
    /// # Errors
    /// `UnknownTask`.
    pub(crate) async fn document(
        &self,
        task: TaskId,
        logs: Option<WithLogs>,
    ) -> Result<String, Refusal> {
        let read = Read::Get(task, logs, Some(Task::fields()?));
        let document = self.shared.engine.read(read).await?;
        if self.who.operations.is_some() && !self.may_see(&Task::read(&document)?.operation) {
            return Err(Refusal::unknown_task());
        }
        Ok(document)
    }

    /// Refuses a task that who asks may not know of; costs nothing if they may know of all.
    ///
    /// # Errors
    /// `UnknownTask`.
    pub(crate) async fn check_task(&self, task: TaskId) -> Result<(), Refusal> {
        if self.who.operations.is_some() {
            self.document(task, None).await?;
        }
        Ok(())
    }

    /// Appends the task of a document to a text; it was perhaps given out under this run just now.
    pub(crate) async fn write(
        &self,
        task: &Task<'_>,
        claim: Option<&str>,
        out: &mut String,
    ) -> Result<(), Refusal> {
        let id = self.public_id(task).await?;
        Ok(resource::write(task, (&id, claim), out)?)
    }

    /// What clients call a task.
    pub(crate) async fn public_id(&self, task: &Task<'_>) -> Result<String, Refusal> {
        let Shared { names, engine, .. } = &*self.shared;
        names.public(task.task_id()?, task.id.map(|raw| raw.get()), engine).await
    }

    /// The task as it is now, as the only member of a result.
    pub(crate) async fn resource(&self, task: TaskId) -> Result<String, Refusal> {
        let document = self.document(task, None).await?;
        let mut out = r#"{"resource":"#.to_owned();
        self.write(&Task::read(&document)?, None, &mut out).await?;
        out.push('}');
        Ok(out)
    }
}
