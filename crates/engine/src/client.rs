//! One who calls the engine: JavaScript is one, a Rust program beside it another.
//!
//! # Promises
//! - Tickets and slots are the client's own: others may use the same numbers.
//! - One that is dropped waits for nothing any more; its runners are taken away, and what they had
//!   begun goes back to the queue. What it had added stays.
//!
//! # Left to others
//! Starting, stopping and closing concern the handle, whichever client asks.
//!
//! Proof: `proof/tests/thread.rs`, `proof/tests/engine/clients.rs`.

use std::sync::Arc;

use tasker_core::error::Result;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::client_id::ClientId;
use crate::clients::Clients;
use crate::effect::{Effect, Sink};
use crate::inbox::Inbox;
use crate::input::{Input, Ticket};
use crate::open_read::Read;
use crate::quiet::{AskedQuiet, Travel};
use crate::reads::Reads;
use crate::watching::Watching;

/// What a handle, its clients and its threads share.
pub(crate) struct Shared {
    pub(crate) inbox: Inbox,
    pub(crate) reads: Reads,
    pub(crate) end: CancellationToken,
    /// Notified when another owner may have committed.
    pub(crate) notifier: Arc<Notify>,
    /// Notified when somebody begins to watch tasks: from now on the engine looks at others.
    pub(crate) begun: Notify,
    pub(crate) clients: Clients,
}

/// One who calls the engine.
pub struct Client {
    id: ClientId,
    shared: Arc<Shared>,
}

impl Client {
    /// The client that opens the handle.
    pub(crate) fn first(shared: Arc<Shared>) -> Self {
        Self { id: ClientId::FIRST, shared }
    }

    /// One more, which is told what concerns it through `sink`.
    pub(crate) fn connect(shared: Arc<Shared>, sink: Arc<dyn Sink>) -> Result<Self> {
        let id = shared.clients.add(sink)?;
        Ok(Self { id, shared })
    }

    /// Hands calls to the engine; each with a ticket is answered once.
    pub fn submit(&self, inputs: impl IntoIterator<Item = Input>) {
        let inputs = inputs.into_iter().map(|mut input| {
            input.enter(self.id);
            input
        });
        if let Some((tickets, error)) = self.shared.inbox.push(inputs) {
            let refuse = |ticket| Effect::Refuse(ticket, error.clone());
            self.shared.clients.deliver(tickets.into_iter().map(refuse).collect());
        }
    }

    /// Asks for a read; it is answered once.
    pub fn read(&self, ticket: Ticket, read: Read) {
        let ticket = self.id.inside(ticket);
        if let Err(error) = self.shared.reads.push(ticket, read, &self.shared.end) {
            self.shared.clients.deliver(vec![Effect::Refuse(ticket, error)]);
        }
    }

    /// Asks something of the watches; it is answered once.
    pub fn watch(&self, ticket: Ticket, mut asked: Watching) {
        let ticket = self.id.inside(ticket);
        asked.enter(self.id);
        let begins = matches!(asked, Watching::Begin(..));
        if let Err(error) = self.shared.reads.watch(ticket, asked) {
            self.shared.clients.deliver(vec![Effect::Refuse(ticket, error)]);
        } else if begins {
            self.shared.begun.notify_one();
        }
    }

    /// Asks to hear when the engine has nothing to do until time goes by: what was submitted before
    /// has been carried out and told, other owners have been looked at. Answered once, with a text
    /// (`travel`). With `travel` time goes by meanwhile.
    pub fn await_quiet(&self, ticket: Ticket, travel: Option<Travel>) {
        let ticket = self.id.inside(ticket);
        if let Err(error) = self.shared.inbox.ask_quiet(AskedQuiet { ticket, travel }) {
            self.shared.clients.deliver(vec![Effect::Refuse(ticket, error)]);
        }
    }

    /// Ends a read that waits or is under way; it is answered with `Closed`.
    pub fn cancel_read(&self, ticket: Ticket) {
        self.shared.reads.cancel(self.id.inside(ticket));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.clients.remove(self.id);
        self.shared.reads.cancel_all(self.id);
        // A closed engine has given everything back already.
        let _ = self.shared.inbox.push([Input::Leave(self.id)]);
    }
}
