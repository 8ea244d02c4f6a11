//! A task as the engine gives it: the document, read as far as an answer needs it.
//!
//! Proof: `__test__/contract/http.test.mjs`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::TaskId;
use tasker_core::query::Projection;
use tasker_core::state::State;
use uuid::Uuid;

/// The fields of a document that an answer needs.
const FIELDS: &str = r#"["uuid","operation","data","id","label","state","status","cause",
    "createdAt","startedAt","endedAt","runAt","attempt","attempts","attemptsLeftOut","result",
    "version","error","abortReason"]"#;

/// A task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task<'a> {
    uuid: &'a str,
    #[serde(borrow)]
    pub(crate) operation: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) label: Option<&'a RawValue>,
    state: &'a str,
    pub(crate) status: &'a str,
    pub(crate) cause: Option<&'a str>,
    pub(crate) created_at: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) run_at: Option<i64>,
    pub(crate) attempt: u32,
    #[serde(borrow, default)]
    pub(crate) attempts: Vec<Attempt<'a>>,
    #[serde(default)]
    pub(crate) attempts_left_out: u32,
    #[serde(default)]
    pub(crate) version: u32,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) abort_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) logs: Vec<Line<'a>>,
}

/// One attempt of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) outcome: Option<&'a str>,
    pub(crate) cause: Option<&'a str>,
}

/// A line of its log.
#[derive(Deserialize)]
pub(crate) struct Line<'a> {
    pub(crate) level: &'a str,
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
    pub(crate) at: i64,
    #[serde(borrow, default)]
    pub(crate) fields: Option<&'a RawValue>,
}

/// A member that is there, also if it is `null`: a result may be.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl<'a> Task<'a> {
    /// Reads a document.
    ///
    /// # Errors
    /// `Bug` if it is none.
    pub(crate) fn read(document: &'a str) -> Result<Self> {
        serde_json::from_str(document).map_err(|error| unreadable(&error))
    }

    /// Reads several.
    ///
    /// # Errors
    /// `Bug` if they are none.
    pub(crate) fn read_all(documents: &'a str) -> Result<Vec<Self>> {
        serde_json::from_str(documents).map_err(|error| unreadable(&error))
    }

    /// What to read of a document.
    ///
    /// # Errors
    /// None that can be.
    pub(crate) fn fields() -> Result<Projection> {
        Projection::parse(FIELDS)
    }

    /// Its uuid.
    ///
    /// # Errors
    /// `Bug` if it is none.
    pub(crate) fn task_id(&self) -> Result<TaskId> {
        let uuid = Uuid::try_parse(self.uuid).map(TaskId);
        uuid.map_err(|error| Error::bug("a document has no uuid").with_source(error))
    }

    /// The run that is live, or the last one.
    pub(crate) fn last_run(&self) -> Option<&'a str> {
        self.attempts.last().map(|attempt| attempt.run_id)
    }

    /// Its state.
    ///
    /// # Errors
    /// `Bug` if there is none of this word.
    pub(crate) fn state(&self) -> Result<State> {
        let found = State::ALL.iter().copied().find(|state| state.as_str() == self.state);
        found.ok_or_else(|| Error::new(Code::Bug, "a document has a state that nobody knows"))
    }
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::bug(format!("a document of a task cannot be read: {error}"))
}
