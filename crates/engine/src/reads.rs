//! Reads of users, on a thread and a connection of their own, so that none stalls a turn.
//!
//! # Promises
//! - A read sees what was acknowledged before it was asked (I-16).
//! - Each read is answered once; a cancelled one with `Closed`. What was asked before an orderly
//!   close gets its answer.
//!
//! Proof: `proof/tests/thread.rs`, `conformance::read`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use tasker_core::document;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{Seq, TaskId};
use tasker_core::limits;
use tasker_core::operation;
use tasker_core::query::{Projection, Query};
use tasker_core::read::{Find, Reader, WithLogs, too_much};
use tasker_core::store::Operation;
use tokio_util::sync::CancellationToken;

use crate::client_id::ClientId;
use crate::effect::{Answer, Effect, Sink};
use crate::input::Ticket;

/// What to read.
#[derive(Debug)]
pub enum Read {
    /// One task, as a document.
    Get(TaskId, Option<WithLogs>, Option<Projection>),
    /// The tasks that match, as an array of documents.
    Find(Box<Find>),
    /// Whether any task matches.
    Exists(Box<Query>),
    /// How many match.
    Count(Box<Query>),
    /// The numbers of those that match and were added before: an array of ranges, each an array of
    /// its first and its last number.
    Matching(Box<Query>),
    /// Every operation, as an array of documents.
    Operations,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(Ticket, Read)>,
    /// Those that wait or are under way.
    tokens: FxHashMap<Ticket, CancellationToken>,
    /// Why nothing is read any more.
    closed: Option<Error>,
}

/// The reads that wait.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    state: Mutex<State>,
    notifier: Condvar,
}

impl Reads {
    /// Asks; `parent` ends every read when it is cancelled.
    ///
    /// # Errors
    /// Why nothing is read any more.
    pub(crate) fn push(
        &self,
        ticket: Ticket,
        read: Read,
        parent: &CancellationToken,
    ) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        let old = state.tokens.insert(ticket, parent.child_token());
        debug_assert!(old.is_none(), "ticket {ticket} reads twice, and is answered once");
        state.queue.push_back((ticket, read));
        self.notifier.notify_one();
        Ok(())
    }

    /// Ends a read that waits or is under way.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        if let Some(token) = self.state.lock().tokens.get(&ticket) {
            token.cancel();
        }
    }

    /// Ends all reads of a client that has gone.
    pub(crate) fn cancel_all(&self, client: ClientId) {
        for (ticket, token) in &self.state.lock().tokens {
            if ClientId::of(*ticket) == client {
                token.cancel();
            }
        }
    }

    /// Takes no more reads; those that were asked before are answered.
    pub(crate) fn finish(&self, error: &Error) {
        self.state.lock().closed = Some(error.clone());
        self.notifier.notify_one();
    }

    /// Nothing is read any more; what is queued is refused with `error`.
    pub(crate) fn close(&self, error: &Error, sink: &dyn Sink) {
        let mut state = self.state.lock();
        state.closed = Some(error.clone());
        let refused = state.queue.drain(..).map(|(ticket, _)| ticket);
        let effects: Vec<_> = refused.map(|ticket| Effect::Refuse(ticket, error.clone())).collect();
        drop(state);
        self.notifier.notify_one();
        if !effects.is_empty() {
            sink.deliver(effects);
        }
    }

    fn next(&self) -> Option<(Ticket, Read, CancellationToken)> {
        let mut state = self.state.lock();
        loop {
            if let Some((ticket, read)) = state.queue.pop_front() {
                let token = state.tokens.get(&ticket).cloned().unwrap_or_default();
                return Some((ticket, read, token));
            }
            if state.closed.is_some() {
                return None;
            }
            self.notifier.wait(&mut state);
        }
    }

    /// Answers one read after the other until it is closed.
    pub(crate) fn run(&self, reader: &mut dyn Reader, sink: &dyn Sink) {
        while let Some((ticket, read, token)) = self.next() {
            let caught = catch_unwind(AssertUnwindSafe(|| answer(reader, read, &token)));
            let answer = caught.unwrap_or_else(|_| Err(Error::bug("a read panicked")));
            let token = self.state.lock().tokens.remove(&ticket);
            debug_assert!(token.is_some(), "read {ticket} could not have been cancelled");
            sink.deliver(vec![match answer {
                Ok(text) => Effect::Answer(ticket, Answer::Json(text)),
                Err(error) => Effect::Refuse(ticket, error),
            }]);
        }
    }
}

fn answer(reader: &mut dyn Reader, read: Read, token: &CancellationToken) -> Result<String> {
    let cancelled = || token.is_cancelled();
    if cancelled() {
        return Err(Error::new(Code::Closed, "the read was cancelled"));
    }
    let bytes_max = limits::READ_BYTES_MAX;
    let mut text = String::new();
    match read {
        Read::Get(id, logs, fields) => {
            let found = reader
                .get(id, logs, bytes_max)?
                .ok_or_else(|| Error::new(Code::NotFound, format!("there is no task {}", id.0)))?;
            document::write_json(&found, fields.as_ref(), &mut text, bytes_max)?;
        }
        Read::Exists(query) => text = reader.exists(&query, &cancelled)?.to_string(),
        Read::Count(query) => text = reader.count(&query, &cancelled)?.to_string(),
        Read::Matching(query) => {
            text = ranges(&reader.matching(&query, &cancelled)?);
            if text.len() > bytes_max {
                return Err(too_much(bytes_max));
            }
        }
        Read::Operations => {
            let operations = reader.operations()?;
            let document = |one: &Operation| operation::document(&one.name, &one.record);
            let documents: Vec<String> = operations.iter().map(document).collect();
            text = format!("[{}]", documents.join(","));
        }
        Read::Find(find) => {
            text.push('[');
            for found in reader.find(&find, &cancelled)? {
                if text.len() > 1 {
                    text.push(',');
                }
                document::write_json(&found, find.fields.as_ref(), &mut text, bytes_max)?;
            }
            text.push(']');
        }
    }
    Ok(text)
}

/// Numbers in order, as JSON of ranges.
fn ranges(seqs: &[Seq]) -> String {
    let chunks = seqs.chunk_by(|one, next| one.0 + 1 == next.0);
    let range = |chunk: &[Seq]| Some(format!("[{},{}]", chunk.first()?.0, chunk.last()?.0));
    let ranges: Vec<_> = chunks.filter_map(range).collect();
    format!("[{}]", ranges.join(","))
}
