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
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use tasker_core::error::{Error, Result};
use tasker_core::id::IdKey;
use tasker_core::reader::Reader;
use tokio_util::sync::CancellationToken;

use crate::client_id::ClientId;
use crate::effect::{Answer, Effect, Sink};
use crate::input::Ticket;
use crate::open_read::{OpenRead, Read};
use crate::turns_of_reads::{Answered, TurnsOfReads, read_whole};
use crate::watching::{WatchTurns, Watching};

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(Ticket, Asked)>,
    /// Those that wait or are under way.
    tokens: FxHashMap<Ticket, CancellationToken>,
    /// The last commit that watches have been told of.
    last: u64,
    /// Why nothing is read any more.
    closed: Option<Error>,
}

/// What is asked for with a ticket.
#[derive(Debug)]
enum Asked {
    Read(Read),
    Watch(Watching),
    /// The wait of a watch is given up.
    GiveUp,
    /// A client has gone with its watches; the ticket is none.
    Leave(ClientId),
}

/// The reads that wait.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    state: Mutex<State>,
    notifier: Condvar,
    /// Whether anybody watches tasks, or is about to.
    is_watched: AtomicBool,
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
        state.queue.push_back((ticket, Asked::Read(read)));
        self.notifier.notify_one();
        Ok(())
    }

    /// Asks something of the watches.
    ///
    /// # Errors
    /// Why nothing is read any more.
    pub(crate) fn watch(&self, ticket: Ticket, asked: Watching) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        self.is_watched.store(true, Ordering::Relaxed);
        state.queue.push_back((ticket, Asked::Watch(asked)));
        self.notifier.notify_one();
        Ok(())
    }

    /// Whether anybody watches tasks.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// This is the last commit by now. Costs nothing while nobody watches.
    pub(crate) fn tell(&self, last: u64) {
        if self.is_watched() {
            let mut state = self.state.lock();
            if state.last < last {
                state.last = last;
                self.notifier.notify_one();
            }
        }
    }

    /// Ends a read that waits or is under way.
    pub(crate) fn cancel(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        match state.tokens.get(&ticket) {
            Some(token) => token.cancel(),
            None if self.is_watched() => {
                state.queue.push_back((ticket, Asked::GiveUp));
                self.notifier.notify_one();
            }
            None => {}
        }
    }

    /// Ends all reads of a client that has gone.
    pub(crate) fn cancel_all(&self, client: ClientId) {
        let mut state = self.state.lock();
        for (ticket, token) in &state.tokens {
            if ClientId::of(*ticket) == client {
                token.cancel();
            }
        }
        if self.is_watched() {
            state.queue.push_back((0, Asked::Leave(client)));
            self.notifier.notify_one();
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
        let queued = state.queue.drain(..);
        let refused = queued.filter_map(|(ticket, asked)| match asked {
            Asked::Read(_) | Asked::Watch(_) => Some(ticket),
            Asked::GiveUp | Asked::Leave(_) => None,
        });
        let effects: Vec<_> = refused.map(|ticket| Effect::Refuse(ticket, error.clone())).collect();
        drop(state);
        self.notifier.notify_one();
        if !effects.is_empty() {
            sink.deliver(effects);
        }
    }

    /// What comes next; waits for it, if nothing else is to be done.
    fn next(&self, turns: &TurnsOfReads, watching: &WatchTurns) -> Next {
        let mut state = self.state.lock();
        loop {
            let last = state.last;
            if watching.is_due(last) {
                return Next::Watches(last);
            }
            let read = if turns.takes_new() { state.queue.pop_front() } else { None };
            match read {
                Some((ticket, Asked::Read(read))) => {
                    let token = state.tokens.get(&ticket).cloned().unwrap_or_default();
                    return Next::Read(Box::new(OpenRead::new(ticket, read, token)));
                }
                Some((ticket, Asked::Watch(asked))) => return Next::Asked(ticket, asked),
                Some((ticket, Asked::GiveUp)) => return Next::GiveUp(ticket),
                Some((_, Asked::Leave(client))) => return Next::Leave(client),
                None if watching.has_work(last) && !watching.was_last() => {
                    return Next::Watches(last);
                }
                None if !turns.is_empty() => return Next::GoOn,
                None if watching.has_work(last) => return Next::Watches(last),
                None if state.closed.is_some() => return Next::Over,
                None => {}
            }
            self.is_watched.store(!watching.is_empty(), Ordering::Relaxed);
            self.notifier.wait(&mut state);
        }
    }

    /// Answers reads until it is closed, and until those that go through the whole store have
    /// ended.
    pub(crate) fn run(&self, reader: Box<dyn Reader>, id_key: IdKey, sink: &dyn Sink) {
        std::thread::scope(|scope| {
            let mut turns = TurnsOfReads::new(reader);
            let mut watching = WatchTurns::new(id_key);
            loop {
                let told = match self.next(&turns, &watching) {
                    Next::Read(read) => {
                        watching.note_read();
                        let answered = match read.is_whole().then(|| turns.another()).flatten() {
                            Some(reader) => {
                                scope.spawn(move || self.answer(read_whole(read, reader), sink));
                                continue;
                            }
                            None => turns.begin(read),
                        };
                        answered.into_iter().for_each(|answered| self.answer(answered, sink));
                        continue;
                    }
                    Next::GoOn => {
                        watching.note_read();
                        let answered = turns.go_on().into_iter();
                        answered.for_each(|answered| self.answer(answered, sink));
                        continue;
                    }
                    Next::Watches(last) => turns.lend(|reader| watching.turn(reader, last)),
                    Next::Asked(ticket, asked) => watching.take(ticket, asked),
                    Next::GiveUp(ticket) => watching.give_up(ticket),
                    Next::Leave(client) => watching.leave(client),
                    Next::Over => {
                        let error = self.state.lock().closed.clone();
                        let error = error.unwrap_or_else(|| Error::bug("nobody has closed it"));
                        told_to(watching.close(&error), sink);
                        return;
                    }
                };
                told_to(told, sink);
            }
        });
    }

    fn answer(&self, (ticket, answer): Answered, sink: &dyn Sink) {
        let token = self.state.lock().tokens.remove(&ticket);
        debug_assert!(token.is_some(), "read {ticket} could not have been cancelled");
        sink.deliver(vec![effect((ticket, answer))]);
    }
}

fn told_to(told: Vec<Answered>, sink: &dyn Sink) {
    if !told.is_empty() {
        sink.deliver(told.into_iter().map(effect).collect());
    }
}

fn effect((ticket, answer): Answered) -> Effect {
    match answer {
        Ok(text) => Effect::Answer(ticket, Answer::Json(text)),
        Err(error) => Effect::Refuse(ticket, error),
    }
}

/// What the reader's thread does next.
enum Next {
    Read(Box<OpenRead>),
    /// No read has come: the next one under way goes on.
    GoOn,
    /// The watches go on; this is the last commit that is known.
    Watches(u64),
    /// Something is asked of the watches.
    Asked(Ticket, Watching),
    /// A wait of a watch is given up.
    GiveUp(Ticket),
    /// A client has gone.
    Leave(ClientId),
    /// None will come any more, and all are answered.
    Over,
}
