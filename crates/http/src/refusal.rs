//! Why a request or a call is refused: the status, a word for programs, a sentence for people.
//!
//! # Promises
//! - What a client reads are codes and our own words: no stack, no path of the machine, no token
//!   (A-14).
//!
//! Proof: `__test__/contract/http.test.mjs`,
//! `__test__/contract/http-attacks.test.mjs`.

use std::fmt::Write;

use hyper::StatusCode;
use tasker_core::error::{Code, Error};
use tasker_core::json::write_string;

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request is not one: its head, or its body.
    Unreadable,
    /// No token, or one that nobody knows.
    Unauthorized,
    /// The token may not do this, or the page that sends it may not.
    Forbidden,
    /// There is nothing at this path.
    UnknownPath,
    /// There is no such method.
    UnknownMethod,
    /// This path takes other verbs of HTTP.
    WrongVerb,
    /// The body did not come in time.
    TooSlow,
    /// Another task has this id.
    IdTaken,
    /// The body is too long.
    TooLarge,
    /// The body is of a type, or is encoded in a way, that is not read here.
    WrongType,
    /// The request is meant for another host.
    WrongHost,
    /// The params are wrong.
    InvalidParams,
    /// There is no task with this id, or none that the token may see.
    UnknownTask,
    /// The task is in another state.
    WrongState,
    /// The task is not given out under this `execId`, or not any more.
    WrongExecId,
    /// Too many wrong tokens came from this address.
    TooManyWrongTokens,
    /// The server has as much to do as it takes.
    Overloaded,
    /// The server that mounts this service did not say who asks, or lost the body.
    MountFailed,
    /// The engine refused.
    Engine(Code),
}

impl Reason {
    /// The status of an answer that holds this alone.
    pub fn status(self) -> StatusCode {
        match self {
            Reason::Unreadable => StatusCode::BAD_REQUEST,
            Reason::Unauthorized => StatusCode::UNAUTHORIZED,
            Reason::Forbidden => StatusCode::FORBIDDEN,
            Reason::UnknownPath | Reason::UnknownMethod => StatusCode::NOT_FOUND,
            Reason::WrongVerb => StatusCode::METHOD_NOT_ALLOWED,
            Reason::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Reason::IdTaken => StatusCode::CONFLICT,
            Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Reason::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Reason::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Reason::InvalidParams
            | Reason::UnknownTask
            | Reason::WrongState
            | Reason::WrongExecId => StatusCode::UNPROCESSABLE_ENTITY,
            Reason::TooManyWrongTokens => StatusCode::TOO_MANY_REQUESTS,
            Reason::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Reason::MountFailed => StatusCode::INTERNAL_SERVER_ERROR,
            Reason::Engine(code) => status_of(code),
        }
    }

    /// The word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Unreadable => "unreadable",
            Reason::Unauthorized => "unauthorized",
            Reason::Forbidden => "forbidden",
            Reason::UnknownPath => "unknown-path",
            Reason::UnknownMethod => "unknown-method",
            Reason::WrongVerb => "wrong-verb",
            Reason::TooSlow => "too-slow",
            Reason::IdTaken => "id-taken",
            Reason::TooLarge => "too-large",
            Reason::WrongType => "wrong-type",
            Reason::WrongHost => "wrong-host",
            Reason::InvalidParams => "invalid-params",
            Reason::UnknownTask => "unknown-task",
            Reason::WrongState => "wrong-state",
            Reason::WrongExecId => "wrong-exec-id",
            Reason::TooManyWrongTokens => "too-many-wrong-tokens",
            Reason::Overloaded => "overloaded",
            Reason::MountFailed => "mount-failed",
            Reason::Engine(code) => code.as_str(),
        }
    }
}

/// What a refusal of the engine is to a client that did not ask for anything wrong.
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Invalid
        | Code::InvalidQuery
        | Code::TooLarge
        | Code::NotFound
        | Code::Conflict
        | Code::Duplicate
        | Code::Fenced
        | Code::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        // A full disk, a busy file, a store that closes: the same call may succeed later.
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// One fault of the params, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub path: String,
    /// What to do.
    pub message: String,
}

/// A request or a call that is refused; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// A sentence for people.
    pub message: String,
    /// What is wrong with the params, one by one.
    pub faults: Vec<Fault>,
}

impl Refusal {
    /// A refusal with the sentence that says what to do.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), faults: Vec::new() }
    }

    /// Params that are wrong in these places.
    pub(crate) fn invalid(faults: Vec<Fault>) -> Self {
        debug_assert!(!faults.is_empty(), "params without a fault are refused");
        let message = "the params are wrong; `errors` says where".to_owned();
        Self { reason: Reason::InvalidParams, message, faults }
    }

    /// Params of which one is wrong.
    pub(crate) fn invalid_at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![Fault { path: path.into(), message: message.into() }])
    }

    /// There is no task with this id.
    pub(crate) fn unknown_task() -> Self {
        Self::new(Reason::UnknownTask, "there is no task with this id")
    }

    /// The server has too much to do.
    pub(crate) fn overloaded(message: &str) -> Self {
        Self::new(Reason::Overloaded, format!("{message}; try again later"))
    }

    /// Its JSON text, as the member `error` of an answer.
    pub(crate) fn write(&self, out: &mut String) {
        out.push_str(r#"{"error":{"code":"#);
        write_string(self.reason.code(), out);
        out.push_str(r#","message":"#);
        write_string(&self.message, out);
        for (n, Fault { path, message }) in self.faults.iter().enumerate() {
            out.push_str(if n == 0 { r#","errors":[{"message":"# } else { r#",{"message":"# });
            write_string(message, out);
            out.push_str(r#","path":"#);
            write_string(path, out);
            out.push('}');
        }
        // Writing to a String cannot fail.
        let _ = write!(out, "{}}}}}", if self.faults.is_empty() { "" } else { "]" });
    }
}

impl From<Error> for Refusal {
    /// What the engine says. The error behind it may name files, and stays here.
    fn from(error: Error) -> Self {
        let reason = match error.code() {
            Code::NotFound => return Self::unknown_task(),
            Code::Fenced => Reason::WrongExecId,
            Code::Conflict => Reason::WrongState,
            code @ (Code::Io | Code::Corrupt | Code::Bug | Code::Unknown | Code::Locked) => {
                return Self::new(Reason::Engine(code), code.help());
            }
            code => Reason::Engine(code),
        };
        Self::new(reason, error.message())
    }
}
