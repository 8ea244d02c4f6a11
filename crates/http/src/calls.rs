//! What the server asks of the engine: a ticket for each call, and a future of its answer.
//!
//! # Promises
//! - A call that nobody waits for any more is forgotten; a read is ended, a poll taken back, and
//!   what it has got given back.
//! - When the engine closes, every call is answered.
//!
//! Proof: `__test__/contract/http.test.mjs`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{RunId, TaskId};
use tasker_engine::effect::{Answer, Claim, Effect};
use tasker_engine::input::{Input, Poll, Ticket};
use tasker_engine::thread::{Client, Handle, Read, Sink};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

type Answered = oneshot::Sender<Result<Answer>>;

/// The calls that are not answered.
#[derive(Default)]
struct Waits {
    open: Mutex<Open>,
    /// Who gives back what comes for one who has gone.
    client: OnceLock<Weak<Client>>,
}

#[derive(Default)]
struct Open {
    last: Ticket,
    calls: BTreeMap<Ticket, Answered>,
    /// Why the engine answers no more.
    closed: Option<Error>,
}

impl Waits {
    /// A ticket whose answer nobody waits for.
    fn next(&self) -> Ticket {
        let mut open = self.open.lock();
        open.last += 1;
        open.last
    }

    fn take(&self, ticket: Ticket) -> Option<Answered> {
        self.open.lock().calls.remove(&ticket)
    }

    fn answer(&self, ticket: Ticket, answer: Result<Answer>) {
        if let Some(Err(Ok(answer))) = self.take(ticket).map(|call| call.send(answer)) {
            self.give_back(&answer);
        }
    }

    /// Whoever asked has gone: what they were given is free again.
    fn give_back(&self, answer: &Answer) {
        let client = self.client.get().and_then(Weak::upgrade);
        if let (Answer::Claims(claims), Some(client)) = (answer, client)
            && !claims.is_empty()
        {
            client.submit([Input::GiveBack(named(claims))]);
        }
    }

    fn close(&self, error: &Error) {
        let calls = {
            let mut open = self.open.lock();
            open.closed = Some(error.clone());
            std::mem::take(&mut open.calls)
        };
        for call in calls.into_values() {
            let _ = call.send(Err(error.clone()));
        }
    }
}

fn named(claims: &[Claim]) -> Vec<(TaskId, RunId)> {
    claims.iter().map(|claim| (claim.id, claim.run)).collect()
}

impl Sink for Waits {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what has no ticket was not asked for")]
    fn deliver(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer(ticket, answer) => self.answer(ticket, Ok(answer)),
                Effect::Refuse(ticket, error) => self.answer(ticket, Err(error)),
                Effect::Closed(error) => self.close(&error.unwrap_or_else(closed)),
                _ => {}
            }
        }
    }
}

fn closed() -> Error {
    Error::new(Code::Closed, "the tasker is closed")
}

/// The engine, as the server sees it.
pub(crate) struct Engine {
    client: Arc<Client>,
    waits: Arc<Waits>,
}

impl Engine {
    /// One more client of an open engine.
    pub(crate) fn connect(handle: &Handle) -> Result<Self> {
        let waits = Arc::new(Waits::default());
        let client = Arc::new(handle.connect(Arc::clone(&waits) as Arc<dyn Sink>)?);
        // It is new, so nobody has set it.
        let _ = waits.client.set(Arc::downgrade(&client));
        Ok(Self { client, waits })
    }

    fn open(&self) -> Result<(Ticket, Wait<'_>)> {
        let (sender, receiver) = oneshot::channel();
        let mut open = self.waits.open.lock();
        if let Some(error) = &open.closed {
            return Err(error.clone());
        }
        open.last += 1;
        let ticket = open.last;
        open.calls.insert(ticket, sender);
        Ok((ticket, Wait { engine: self, ticket, receiver, kind: Kind::Call }))
    }

    /// Carries out one call.
    pub(crate) async fn call(&self, make: impl FnOnce(Ticket) -> Input) -> Result<Answer> {
        let (ticket, mut wait) = self.open()?;
        self.client.submit([make(ticket)]);
        wait.answer().await
    }

    /// Waits for tasks; for none any more from `closing` on.
    pub(crate) async fn poll(&self, poll: Poll, closing: &CancellationToken) -> Result<Claims> {
        let (ticket, mut wait) = self.open()?;
        wait.kind = Kind::Poll;
        self.client.submit([Input::Poll(ticket, poll)]);
        let answer = tokio::select! {
            answer = wait.answer() => answer?,
            () = closing.cancelled() => Answer::Claims(Vec::new()),
        };
        match answer {
            Answer::Claims(claims) => {
                Ok(Claims { client: Arc::clone(&self.client), claims: named(&claims) })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Reads; the answer is a text of JSON.
    pub(crate) async fn read(&self, read: Read) -> Result<String> {
        let (ticket, mut wait) = self.open()?;
        wait.kind = Kind::Read;
        self.client.read(ticket, read);
        match wait.answer().await? {
            Answer::Json(text) => Ok(text),
            other => Err(unexpected(&other)),
        }
    }
}

/// An answer that does not belong to its call.
pub(crate) fn unexpected(answer: &Answer) -> Error {
    Error::bug(format!("an answer that nobody asked for: {answer:?}"))
}

/// A call that waits.
struct Wait<'e> {
    engine: &'e Engine,
    ticket: Ticket,
    receiver: oneshot::Receiver<Result<Answer>>,
    kind: Kind,
}

/// What to do when nobody waits for a call any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    Read,
    Poll,
}

impl Wait<'_> {
    async fn answer(&mut self) -> Result<Answer> {
        (&mut self.receiver).await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let Engine { waits, client } = self.engine;
        let is_open = waits.take(self.ticket).is_some();
        match self.kind {
            Kind::Read if is_open => client.cancel_read(self.ticket),
            Kind::Poll if is_open => {
                let ticket = waits.next();
                client.submit([Input::Unpoll(ticket, self.ticket)]);
            }
            Kind::Poll => {
                // It was answered, and nobody has looked.
                if let Ok(Ok(answer)) = self.receiver.try_recv() {
                    waits.give_back(&answer);
                }
            }
            Kind::Call | Kind::Read => {}
        }
    }
}

/// Tasks that a poll has got. They are given back unless they are kept.
pub(crate) struct Claims {
    client: Arc<Client>,
    claims: Vec<(TaskId, RunId)>,
}

impl Claims {
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskId, RunId)> {
        self.claims.iter().copied()
    }

    /// Their executor hears of them.
    pub(crate) fn keep(mut self) {
        self.claims.clear();
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        if !self.claims.is_empty() {
            self.client.submit([Input::GiveBack(std::mem::take(&mut self.claims))]);
        }
    }
}
