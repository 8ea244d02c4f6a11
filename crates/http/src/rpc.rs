//! The calls of a body: one object, or an array of them.
//!
//! # Promises
//! - Calls of an array are carried out side by side, so that they share a commit; each has its own
//!   answer, in order.
//! - Whoever hangs up ends their calls that have not begun.
//!
//! Proof: `__test__/contract/http.test.mjs`.

use std::fmt::Write;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::executors;
use crate::limits::CALLS_MAX;
use crate::list;
use crate::method::Method;
use crate::params::Params;
use crate::refusal::{Reason, Refusal};
use crate::token::Role;
use crate::users;

/// One call as it is written; what else it says is ignored.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// A call that may be made.
struct Call {
    method: Method,
    /// The JSON text of its params.
    params: Option<Box<RawValue>>,
}

/// What the calls of a body ask for.
pub(crate) struct Calls {
    calls: Vec<Result<Call, Refusal>>,
    is_array: bool,
}

impl Calls {
    /// Reads the calls of a body.
    ///
    /// # Errors
    /// `Unreadable` if it has none, `TooLarge` if it has too many.
    pub(crate) fn read(body: &str, role: Role) -> Result<Self, Refusal> {
        let is_array = body.trim_ascii_start().starts_with('[');
        let one = |raw: &RawValue| Call::read(raw.get(), role);
        if !is_array {
            return Ok(Self { calls: vec![Call::read(body, role)], is_array });
        }
        let items: Vec<&RawValue> = serde_json::from_str(body).map_err(|_| no_call())?;
        if items.len() > CALLS_MAX {
            let message = format!("an array has {CALLS_MAX} calls at most; send several");
            return Err(Refusal::new(Reason::TooLarge, message));
        }
        if items.is_empty() {
            return Err(no_call());
        }
        Ok(Self { calls: items.into_iter().map(one).collect(), is_array })
    }

    /// Whether it does nothing but ask for tasks.
    pub(crate) fn are_polls(&self) -> bool {
        self.calls.iter().all(|call| call.as_ref().is_ok_and(|call| call.method.is_poll()))
    }

    /// Answers each of them with this.
    pub(crate) fn refuse(self, refusal: &Refusal) -> (StatusCode, String) {
        let answer = |call: Result<Call, Refusal>| {
            let call = call?;
            lenient(call.method, Err(refusal.clone()))
        };
        answered(self.calls.into_iter().map(answer).collect(), self.is_array)
    }

    /// Carries them out.
    pub(crate) async fn carry_out(self, context: Context) -> (StatusCode, String) {
        if self.calls.len() == 1 {
            let mut answers = Vec::new();
            for call in self.calls {
                answers.push(made(call, context.clone()).await);
            }
            return answered(answers, self.is_array);
        }
        let mut answers: Vec<_> = (0..self.calls.len()).map(|_| Err(broken())).collect();
        let mut calls = JoinSet::new();
        for (n, call) in self.calls.into_iter().enumerate() {
            let context = context.clone();
            calls.spawn(async move { (n, made(call, context).await) });
        }
        while let Some(joined) = calls.join_next().await {
            if let Ok((n, answer)) = joined
                && let Some(place) = answers.get_mut(n)
            {
                *place = answer;
            }
        }
        answered(answers, self.is_array)
    }
}

fn no_call() -> Refusal {
    Refusal::new(
        Reason::Unreadable,
        "the body must be a call, { method, params }, or a list of them",
    )
}

/// A call that panicked.
fn broken() -> Refusal {
    Refusal::from(tasker_core::error::Error::bug("a call panicked"))
}

impl Call {
    fn read(text: &str, role: Role) -> Result<Self, Refusal> {
        let written: Written<'_> = serde_json::from_str(text).map_err(|_| no_call())?;
        let name: Option<String> =
            written.method.and_then(|method| serde_json::from_str(method.get()).ok());
        let name =
            name.ok_or_else(|| Refusal::new(Reason::Unreadable, "`method` must be a text"))?;
        let method = Method::from_name(&name).ok_or_else(|| {
            let known: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).collect();
            let message = format!("there is no such method; there are {}", known.join(", "));
            Refusal::new(Reason::UnknownMethod, message)
        })?;
        if !role.may(method.role()) {
            let (its, needed) = (role.as_str(), method.role().as_str());
            let message = format!("your role is {its}; {name} asks for {needed}");
            return Err(Refusal::new(Reason::Forbidden, message));
        }
        Ok(Self { method, params: written.params.map(ToOwned::to_owned) })
    }
}

/// What came of a call: the JSON text of its result.
type Answer = Result<String, Refusal>;

async fn made(call: Result<Call, Refusal>, context: Context) -> Answer {
    let Call { method, params } = call?;
    lenient(method, carry_out(method, params.as_deref(), context).await)
}

async fn carry_out(method: Method, params: Option<&RawValue>, context: Context) -> Answer {
    let params = Params::read(params)?;
    match method {
        Method::CreateAndExecute => users::create(context, params).await,
        Method::Status => users::status(context, params).await,
        Method::Cancel => users::cancel(context, params).await,
        Method::List => list::list(context, params).await,
        Method::Poll => executors::poll(context, params, false).await,
        Method::LongPoll => executors::poll(context, params, true).await,
        Method::Start => executors::start(context, params).await,
        Method::Notify => executors::notify(context, params).await,
        Method::Success => executors::success(context, params).await,
        Method::Fail => executors::fail(context, params).await,
    }
}

/// What is refused for the time being brings no task: the usual client ends when a poll fails.
fn lenient(method: Method, answer: Answer) -> Answer {
    match answer {
        Err(refusal)
            if method.is_poll() && refusal.reason.status() == StatusCode::SERVICE_UNAVAILABLE =>
        {
            Ok(r#"{"resources":[]}"#.to_owned())
        }
        answer => answer,
    }
}

/// The status and the JSON text of an answer. That of an array is one of success: each of its
/// members says for itself.
fn answered(answers: Vec<Answer>, is_array: bool) -> (StatusCode, String) {
    let (mut status, mut out) = (StatusCode::OK, String::new());
    for (n, answer) in answers.into_iter().enumerate() {
        if is_array {
            out.push(if n == 0 { '[' } else { ',' });
        }
        match answer {
            Ok(result) => {
                // Writing to a String cannot fail.
                let _ = write!(out, r#"{{"result":{result}}}"#);
            }
            Err(refusal) => {
                status = refusal.reason.status();
                refusal.write(&mut out);
            }
        }
    }
    if is_array {
        out.push(']');
        status = StatusCode::OK;
    }
    (status, out)
}
