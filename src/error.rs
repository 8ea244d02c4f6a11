//! Errors as values: the JSON text that `ts/` makes a `TaskerError` of.

use std::error::Error as _;

use serde::Serialize;
use tasker_core::error::Error;

#[derive(Serialize)]
struct ErrorJson<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    uuids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

/// The JSON text of an error.
pub(crate) fn text(error: &Error) -> String {
    let facts = error.facts();
    let json = ErrorJson {
        code: error.code().as_str(),
        message: error.message(),
        path: facts.path.as_deref(),
        pid: facts.pid,
        uuids: &facts.uuids,
        uuid: facts.uuid.as_deref(),
        cause: error.source().map(ToString::to_string),
    };
    serde_json::to_string(&json).unwrap_or_else(|_| r#"{"code":"TASKER_BUG"}"#.to_owned())
}
