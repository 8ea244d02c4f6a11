//! The clients of a handle, and who is told what.
//!
//! # Promises
//! - An answer goes to whom it is owed, what concerns a run to the client whose runner it is, what
//!   concerns all (an end without a settlement, the close) to each; in order.
//! - The first client is told which tasks the others have added.
//! - A client that has gone is told nothing that a later turn does.
//! - Each client is told once that the handle is closed; one that comes later, as it comes.
//!
//! Proof: `proof/tests/thread.rs`.

use std::sync::Arc;

use parking_lot::RwLock;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::TaskId;

use crate::client_id::{ClientId, outside};
use crate::effect::{Added, Answer, Effect, RunStart, Sink};

/// The clients of a handle.
pub(crate) struct Clients {
    state: RwLock<State>,
}

struct State {
    /// The one that came last.
    latest: ClientId,
    sinks: Vec<(ClientId, Arc<dyn Sink>)>,
    /// Whether the handle is closed, and by which error.
    closed: Option<Option<Error>>,
}

impl State {
    fn recipients(&self) -> Recipients {
        if let (ClientId::FIRST, [(_, only)]) = (self.latest, self.sinks.as_slice()) {
            return Recipients::Only(Arc::clone(only));
        }
        let parcel = |(client, sink): &(ClientId, Arc<dyn Sink>)| Parcel {
            client: *client,
            sink: Arc::clone(sink),
            effects: Vec::new(),
        };
        Recipients::Each(self.sinks.iter().map(parcel).collect())
    }
}

/// Who is told.
enum Recipients {
    /// The first client, as long as there was no other: its numbers need no change.
    Only(Arc<dyn Sink>),
    Each(Vec<Parcel>),
}

impl Clients {
    /// The first client.
    pub(crate) fn new(first: Arc<dyn Sink>) -> Self {
        let sinks = vec![(ClientId::FIRST, first)];
        Self { state: RwLock::new(State { latest: ClientId::FIRST, sinks, closed: None }) }
    }

    /// One more client. If the handle is closed, it is told so at once.
    ///
    /// # Errors
    /// `Limit` when the numbers of clients are used up.
    pub(crate) fn add(&self, sink: Arc<dyn Sink>) -> Result<ClientId> {
        let mut state = self.state.write();
        let used_up = || Error::at(Code::Limit, "client", "this handle has had too many clients");
        let client = state.latest.next().ok_or_else(used_up)?;
        debug_assert!(
            state.sinks.iter().all(|(other, _)| *other != client),
            "two clients have one number"
        );
        state.latest = client;
        let closed = state.closed.clone().map(|error| (Arc::clone(&sink), error));
        state.sinks.push((client, sink));
        drop(state);
        if let Some((sink, error)) = closed {
            sink.deliver(vec![Effect::Closed(error)]);
        }
        Ok(client)
    }

    /// One that has gone.
    pub(crate) fn remove(&self, client: ClientId) {
        self.state.write().sinks.retain(|(other, _)| *other != client);
    }
}

impl Sink for Clients {
    /// Nobody is told under the lock: a sink may connect a client, or drop one.
    fn deliver(&self, effects: Vec<Effect>) {
        let recipients = match effects.last() {
            Some(Effect::Closed(error)) => {
                let mut state = self.state.write();
                state.closed = Some(error.clone());
                state.recipients()
            }
            _ => self.state.read().recipients(),
        };
        let mut parcels = match recipients {
            Recipients::Only(only) => return only.deliver(effects),
            Recipients::Each(parcels) => parcels,
        };
        for effect in effects {
            sort(effect, &mut parcels);
        }
        for parcel in parcels {
            if !parcel.effects.is_empty() {
                parcel.sink.deliver(parcel.effects);
            }
        }
    }
}

/// What one client is told.
struct Parcel {
    client: ClientId,
    sink: Arc<dyn Sink>,
    effects: Vec<Effect>,
}

/// Lays an effect into the parcel of its client, with that client's own number, or into each.
fn sort(effect: Effect, parcels: &mut [Parcel]) {
    let (inside, effect) = match effect {
        Effect::Answer(ticket, answer) => {
            tell_added(ticket, &answer, parcels);
            (ticket, Effect::Answer(outside(ticket), answer))
        }
        Effect::Refuse(ticket, error) => (ticket, Effect::Refuse(outside(ticket), error)),
        Effect::RunEnded(slot, end) => (slot, Effect::RunEnded(outside(slot), end)),
        Effect::Recorded(slot, logs, progress) => {
            (slot, Effect::Recorded(outside(slot), logs, progress))
        }
        Effect::Start(run) => {
            (run.slot, Effect::Start(RunStart { slot: outside(run.slot), ..run }))
        }
        Effect::Batch(slot, runs) => (slot, Effect::Batch(outside(slot), runs)),
        Effect::Abort(slot, signal) => (slot, Effect::Abort(outside(slot), signal)),
        Effect::Halt(slot) => (slot, Effect::Halt(outside(slot))),
        Effect::GoOn(slot) => (slot, Effect::GoOn(outside(slot))),
        Effect::Remote(client, event) => {
            return lay(Effect::Remote(client, event), client, parcels);
        }
        Effect::Heard(client, id, heard) => {
            return lay(Effect::Heard(client, id, heard), client, parcels);
        }
        Effect::Idle(client) => return lay(Effect::Idle(client), client, parcels),
        Effect::Drained(client) => return lay(Effect::Drained(client), client, parcels),
        Effect::OperationChanged(client, name, versions) => {
            let effect = Effect::OperationChanged(client, name, versions);
            return lay(effect, client, parcels);
        }
        Effect::TaskEnded(id, end) => {
            let copy = || Effect::TaskEnded(id, end.clone());
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
        Effect::Retrying(id, run_at, error) => {
            let copy = || Effect::Retrying(id, run_at, error.clone());
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
        Effect::Prioritized(id, to) => {
            let copy = || Effect::Prioritized(id, to);
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
        Effect::Updated(id) => {
            return parcels.iter_mut().for_each(|one| one.effects.push(Effect::Updated(id)));
        }
        Effect::Added(id) => {
            return parcels.iter_mut().for_each(|one| one.effects.push(Effect::Added(id)));
        }
        Effect::Began(id) => {
            return parcels.iter_mut().for_each(|one| one.effects.push(Effect::Began(id)));
        }
        Effect::TickRefused(id, tick, error) => {
            let copy = || Effect::TickRefused(id.clone(), tick, error.clone());
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
        Effect::Circuit(news) => {
            let copy = || Effect::Circuit(news.clone());
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
        Effect::Closed(error) => {
            let copy = || Effect::Closed(error.clone());
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
    };
    lay(effect, ClientId::of(inside), parcels);
}

/// Tells the first client which tasks another one has added: it is the one that tells events.
#[expect(clippy::wildcard_enum_match_arm, reason = "another answer names no new task")]
fn tell_added(ticket: u64, answer: &Answer, parcels: &mut [Parcel]) {
    if ClientId::of(ticket) == ClientId::FIRST {
        return;
    }
    let mut tell = |id: &TaskId| lay(Effect::Added(*id), ClientId::FIRST, parcels);
    match answer {
        Answer::Task(id) => tell(id),
        Answer::Tasks(all) => all.iter().for_each(tell),
        Answer::Idempotent(all) => all.iter().filter(|one| one.1).for_each(|one| tell(&one.0)),
        Answer::Adds(all) => {
            all.iter().filter(|one| one.1 == Added::New).for_each(|one| tell(&one.0));
        }
        _ => {}
    }
}

fn lay(effect: Effect, client: ClientId, parcels: &mut [Parcel]) {
    // Nobody is there any more to hear what is owed to one that has gone.
    if let Some(parcel) = parcels.iter_mut().find(|parcel| parcel.client == client) {
        parcel.effects.push(effect);
    }
}
