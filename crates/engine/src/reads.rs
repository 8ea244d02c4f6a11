//! Reads of users, on a thread and a connection of their own, so that none stalls a turn.
//!
//! # Promises
//! - A read sees what was acknowledged before it was asked (I-16).
//! - What goes through the whole store has a thread and a connection of its own, if there can be
//!   another, so that nothing else waits for it.
//! - Each read is answered once; a cancelled one with `Closed`. What was asked before an orderly
//!   close gets its answer.
//!
//! Proof: `proof/tests/thread.rs`, `conformance::read`.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use tasker_core::error::{Error, Result};
use tasker_core::reader::Reader;
use tokio_util::sync::CancellationToken;

use crate::client_id::ClientId;
use crate::effect::{Answer, Effect, Sink};
use crate::input::Ticket;
use crate::open_read::{OpenRead, Read};
use crate::turns_of_reads::{Answered, TurnsOfReads, read_whole};

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

    /// What comes next; waits for it, if it may.
    fn next(&self, may_wait: bool) -> Next {
        let mut state = self.state.lock();
        loop {
            if let Some((ticket, read)) = state.queue.pop_front() {
                let token = state.tokens.get(&ticket).cloned().unwrap_or_default();
                return Next::Read(Box::new(OpenRead::new(ticket, read, token)));
            }
            if !may_wait {
                return Next::Nothing;
            }
            if state.closed.is_some() {
                return Next::Over;
            }
            self.notifier.wait(&mut state);
        }
    }

    /// Answers reads until it is closed, and until those that go through the whole store have
    /// ended.
    pub(crate) fn run(&self, reader: Box<dyn Reader>, sink: &dyn Sink) {
        std::thread::scope(|scope| {
            let mut turns = TurnsOfReads::new(reader);
            loop {
                let may_take = turns.takes_new();
                let next = if may_take { self.next(turns.is_empty()) } else { Next::Nothing };
                let answered = match next {
                    Next::Read(read) if read.is_whole() => match turns.another() {
                        Some(reader) => {
                            scope.spawn(move || self.answer(read_whole(read, reader), sink));
                            continue;
                        }
                        None => turns.begin(read),
                    },
                    Next::Read(read) => turns.begin(read),
                    Next::Nothing => turns.go_on(),
                    Next::Over => return,
                };
                answered.into_iter().for_each(|answered| self.answer(answered, sink));
            }
        });
    }

    fn answer(&self, (ticket, answer): Answered, sink: &dyn Sink) {
        let token = self.state.lock().tokens.remove(&ticket);
        debug_assert!(token.is_some(), "read {ticket} could not have been cancelled");
        sink.deliver(vec![match answer {
            Ok(text) => Effect::Answer(ticket, Answer::Json(text)),
            Err(error) => Effect::Refuse(ticket, error),
        }]);
    }
}

/// What the reader's thread does next.
enum Next {
    Read(Box<OpenRead>),
    /// No read has come.
    Nothing,
    /// None will come any more, and all are answered.
    Over,
}
