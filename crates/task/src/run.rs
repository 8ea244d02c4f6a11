//! One run: the future of a handler on the user's runtime, until it settles.
//!
//! # Promises
//! - It settles once, also if it panics, or if its runtime ends under it.
//! - When its cancellation fires it is polled once more: what it returns then counts. If it does
//!   not return, it is dropped.
//!
//! Proof: `task/tests/context.rs`, `task/tests/execute.rs`.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_core::argument::payload;
use tasker_core::limits::{DURATION_MS_MAX, ERROR_BYTES_MAX, RESULT_BYTES_MAX};
use tasker_core::rules::{self, Settlement};
use tasker_core::task::Json;
use tasker_engine::input::{Input, RunSlot, Ticket};
use tasker_engine::thread::Client;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::duration::ms;
use crate::error::{Again, ErrorKind, TaskError};
use crate::handler::{Handler, Run};
use crate::retry::RetryPolicy;

/// A run that has started.
pub(crate) struct LiveRun {
    pub(crate) slot: RunSlot,
    pub(crate) operation: Arc<str>,
    pub(crate) token: CancellationToken,
    /// Failures of its task before this run, as far as they are known.
    pub(crate) failures: u32,
    /// Whether another attempt would follow a failure.
    pub(crate) has_more: bool,
    /// Whether its task may go back to the queue if the runtime ends.
    pub(crate) is_stored: bool,
    /// What code says of its error.
    pub(crate) policy: Option<RetryPolicy>,
    /// Gone when the run is over.
    pub(crate) _counted: watch::Receiver<()>,
    pub(crate) client: Weak<Client>,
}

/// Carries a run out, and settles it.
pub(crate) async fn carry_out(run: LiveRun, mut future: Run, handler: Handler) {
    let mut settling = Settling { run, is_settled: false };
    let ended = {
        let token = settling.run.token.clone();
        tokio::select! {
            biased;
            ended = guarded(&mut future) => Some(ended),
            () = token.cancelled() => None,
        }
    };
    drop(future);
    let settlement = match ended {
        Some(Ok(value)) => returned(&value),
        Some(Err(error)) => settling.run.failed(error, &handler),
        // It is over already, or ends with the reason of its signal.
        None => Settlement::Threw(text_of(&TaskError::new("the run was cancelled"))),
    };
    settling.settle(settlement);
}

/// The same future; a panic of it is an error.
async fn guarded(future: &mut Run) -> Result<Value, TaskError> {
    poll_fn(|context| {
        // After a panic it is polled no more, and dropped.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(panic) => Poll::Ready(Err(TaskError::new(words(&*panic)))),
        }
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the handler panicked: {}", text.as_deref().unwrap_or("no text"))
}

fn returned(value: &Value) -> Settlement {
    match payload(&value.to_string(), "result", RESULT_BYTES_MAX) {
        Ok(json) => Settlement::Returned(Some(json)),
        Err(error) => Settlement::Unstorable(rules::unstorable(error.code(), error.message())),
    }
}

/// The error as it is stored; a message that is too long is cut.
fn text_of(error: &TaskError) -> Json {
    let text = error.to_json();
    payload(&text, "error", ERROR_BYTES_MAX).unwrap_or_else(|_| {
        let message = error.message();
        // An escape makes six bytes of one.
        let kept = &message[..message.floor_char_boundary(ERROR_BYTES_MAX / 8)];
        Json::trusted(&json!({ "name": "TaskError", "message": kept }).to_string())
    })
}

/// The settlement of a run that cannot begin, for its handler has run.
pub(crate) fn consumed() -> Settlement {
    Settlement::Unrecoverable(text_of(&TaskError::consumed(None)))
}

impl LiveRun {
    fn failed(&self, error: TaskError, handler: &Handler) -> Settlement {
        let error = match &self.policy {
            Some(policy) => policy.judge(self.failures.saturating_add(1), error),
            None => error,
        };
        let is_again = self.has_more && error.how_again() != Again::Never;
        let is_consumed = handler.is_once() && is_again && error.kind() == ErrorKind::Failed;
        let error = if is_consumed { TaskError::consumed(Some(&error)) } else { error };
        let json = text_of(&error);
        match error.how_again() {
            Again::AsPolicy => Settlement::Threw(json),
            Again::Never => Settlement::Unrecoverable(json),
            Again::After(pause) => {
                let pause_ms = ms(pause.max(Duration::from_millis(1))).min(DURATION_MS_MAX);
                Settlement::RetryLater(json, pause_ms)
            }
        }
    }
}

/// Settles a run, at the latest when it is dropped.
struct Settling {
    run: LiveRun,
    is_settled: bool,
}

impl Settling {
    fn settle(&mut self, settlement: Settlement) {
        self.is_settled = true;
        self.submit([Input::Settle(self.run.slot, settlement)]);
    }

    fn submit(&self, inputs: impl IntoIterator<Item = Input>) {
        if let Some(client) = self.run.client.upgrade() {
            client.submit(inputs);
        }
    }
}

/// A ticket of which nobody waits for the answer.
pub(crate) const UNHEARD: Ticket = 0;

impl Drop for Settling {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        // Its runtime has ended, and so will every other run on it.
        let slot = self.run.slot;
        if self.run.is_stored {
            let operation = Arc::clone(&self.run.operation);
            self.submit([Input::Unassign(UNHEARD, operation), Input::Postpone(slot)]);
        } else {
            let error = TaskError::new("the runtime has ended on which the handler ran");
            self.submit([Input::Settle(slot, Settlement::Unrecoverable(text_of(&error)))]);
        }
    }
}
