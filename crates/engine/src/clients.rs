//! The clients of a handle, and who is told what.
//!
//! # Promises
//! - An answer goes to whom it is owed, what concerns a run to the client whose runner it is, what
//!   concerns all (an end without a settlement, the close) to each; in order.
//! - A client that has gone is told nothing that a later turn does.
//!
//! Proof: `proof/tests/thread.rs`.

use std::sync::Arc;

use parking_lot::RwLock;
use tasker_core::error::{Code, Error, Result};

use crate::client_id::{ClientId, outside};
use crate::effect::{Effect, RunStart, Sink};

/// The clients of a handle.
pub(crate) struct Clients {
    state: RwLock<State>,
}

struct State {
    /// The one that came last.
    latest: ClientId,
    sinks: Vec<(ClientId, Arc<dyn Sink>)>,
}

impl Clients {
    /// The first client.
    pub(crate) fn new(first: Arc<dyn Sink>) -> Self {
        let state = State { latest: ClientId::FIRST, sinks: vec![(ClientId::FIRST, first)] };
        Self { state: RwLock::new(state) }
    }

    /// One more client.
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
        state.sinks.push((client, sink));
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
        let state = self.state.read();
        if let (ClientId::FIRST, [(_, only)]) = (state.latest, state.sinks.as_slice()) {
            let only = Arc::clone(only);
            drop(state);
            return only.deliver(effects);
        }
        let parcel = |(client, sink): &(ClientId, Arc<dyn Sink>)| Parcel {
            client: *client,
            sink: Arc::clone(sink),
            effects: Vec::new(),
        };
        let mut parcels: Vec<Parcel> = state.sinks.iter().map(parcel).collect();
        drop(state);
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
        Effect::Answer(ticket, answer) => (ticket, Effect::Answer(outside(ticket), answer)),
        Effect::Refuse(ticket, error) => (ticket, Effect::Refuse(outside(ticket), error)),
        Effect::RunEnded(slot, end) => (slot, Effect::RunEnded(outside(slot), end)),
        Effect::Recorded(slot, logs, progress) => {
            (slot, Effect::Recorded(outside(slot), logs, progress))
        }
        Effect::Start(run) => {
            (run.slot, Effect::Start(RunStart { slot: outside(run.slot), ..run }))
        }
        Effect::Abort(slot, signal) => (slot, Effect::Abort(outside(slot), signal)),
        Effect::Remote(client, event) => {
            return lay(Effect::Remote(client, event), client, parcels);
        }
        Effect::TaskEnded(id, end) => {
            let copy = || Effect::TaskEnded(id, end.clone());
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
        Effect::Closed(error) => {
            let copy = || Effect::Closed(error.clone());
            return parcels.iter_mut().for_each(|parcel| parcel.effects.push(copy()));
        }
    };
    lay(effect, ClientId::of(inside), parcels);
}

fn lay(effect: Effect, client: ClientId, parcels: &mut [Parcel]) {
    // Nobody is there any more to hear what is owed to one that has gone.
    if let Some(parcel) = parcels.iter_mut().find(|parcel| parcel.client == client) {
        parcel.effects.push(effect);
    }
}
