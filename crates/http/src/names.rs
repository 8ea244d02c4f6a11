//! What clients call tasks: their own ids, or tasker's uuids.
//!
//! An id that a client gave with `awf.task/create-and-execute` is kept as a key of the store, so no
//! other task gets it, and it finds its task without a search.
//!
//! # Promises
//! - An id names one task, in every process of the store.
//!
//! Proof: `__test__/contract/http.test.mjs`.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_engine::effect::Answer;
use tasker_engine::input::Input;
use uuid::Uuid;

use crate::calls::{Engine, unexpected};
use crate::refusal::{Reason, Refusal};

/// Ids that are remembered.
const NAMES_MAX: usize = 10_000;

/// The key under which a task with this id is added.
pub(crate) fn key(id: &str) -> IdempotencyKey {
    let mut bytes = [0; 16];
    let digest = Sha256::new_with_prefix(b"awf.task\0").chain_update(id).finalize();
    bytes.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
    IdempotencyKey(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Ids of clients that were looked up. They never change.
#[derive(Default)]
pub(crate) struct Names(Mutex<BTreeMap<String, TaskId>>);

impl Names {
    /// Remembers one.
    pub(crate) fn learn(&self, id: &str, task: TaskId) {
        let mut names = self.0.lock();
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(id.to_owned(), task);
    }

    fn known(&self, id: &str) -> Option<TaskId> {
        self.0.lock().get(id).copied()
    }

    /// The task that a client gave this id.
    pub(crate) async fn own(&self, id: &str, engine: &Engine) -> Result<Option<TaskId>, Refusal> {
        if let Some(task) = self.known(id) {
            return Ok(Some(task));
        }
        match engine.call(|ticket| Input::FindByKey(ticket, key(id))).await? {
            Answer::Found(found) => {
                found.inspect(|task| self.learn(id, *task));
                Ok(found)
            }
            other => Err(unexpected(&other).into()),
        }
    }

    /// The task that this id may name: by its own id, else by its uuid.
    ///
    /// # Errors
    /// `UnknownTask` if it can name none.
    pub(crate) async fn find(&self, id: &str, engine: &Engine) -> Result<TaskId, Refusal> {
        match uuid(id) {
            // A client's own uuid is rarely of this kind, and then it is found by the next look.
            Some(task) if self.known(id).is_none() => Ok(task),
            _ => self.own(id, engine).await?.ok_or_else(Refusal::unknown_task),
        }
    }

    /// The other task that this id may name, after it was taken for a uuid and there was none.
    pub(crate) async fn other(
        &self,
        id: &str,
        refusal: &Refusal,
        engine: &Engine,
    ) -> Result<Option<TaskId>, Refusal> {
        let was_uuid = uuid(id).is_some() && self.known(id).is_none();
        if was_uuid && refusal.reason == Reason::UnknownTask {
            return self.own(id, engine).await;
        }
        Ok(None)
    }

    /// What clients call a task that says this id.
    pub(crate) async fn public(
        &self,
        task: TaskId,
        id: Option<&str>,
        engine: &Engine,
    ) -> Result<String, Refusal> {
        let id = id.and_then(|json| serde_json::from_str::<String>(json).ok());
        if let Some(id) = id.filter(|id| !id.is_empty())
            && self.own(&id, engine).await? == Some(task)
        {
            return Ok(id);
        }
        Ok(task.0.hyphenated().to_string())
    }
}

/// A uuid as tasker makes them.
pub(crate) fn uuid(id: &str) -> Option<TaskId> {
    let uuid = Uuid::try_parse(id).ok().filter(|_| id.len() == 36)?;
    (uuid.get_version_num() == 7).then_some(TaskId(uuid))
}
