//! Whether anything is left to do, for those who wait for that and those who are told of it.
//!
//! A handle is *idle* when none of its runs is live and a turn has started all that may start here.
//! A store is *drained* when all its tasks have ended.
//!
//! # Promises
//! - Each change from work to none is told once; a wait is answered at the first turn that leaves
//!   none, which may be the one in which it is asked.
//!
//! Proof: `proof/tests/engine/rest.rs`, `proof/tests/random`.

use crate::client_id::ClientId;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;
use crate::subscribers::Subscribers;

/// What was told last, and who waits.
#[derive(Debug)]
pub(crate) struct Rest {
    waiters: Vec<Ticket>,
    is_idle: bool,
    is_drained: bool,
}

impl Default for Rest {
    fn default() -> Self {
        Self { waiters: Vec::new(), is_idle: true, is_drained: true }
    }
}

impl Rest {
    /// One more who waits until the handle is idle.
    pub(crate) fn wait(&mut self, ticket: Ticket) {
        self.waiters.push(ticket);
    }

    /// One less.
    pub(crate) fn remove(&mut self, ticket: Ticket) {
        self.waiters.retain(|other| *other != ticket);
    }

    /// A client has gone.
    pub(crate) fn remove_all(&mut self, client: ClientId) {
        self.waiters.retain(|ticket| ClientId::of(*ticket) != client);
    }

    /// A turn is over and no other one must follow at once: what may start here has started.
    pub(crate) fn tell(
        &mut self,
        (is_idle, is_drained): (bool, bool),
        subscribers: &Subscribers,
        effects: &mut Vec<Effect>,
    ) {
        if is_idle {
            let waiters = self.waiters.drain(..);
            effects.extend(waiters.map(|ticket| Effect::Answer(ticket, Answer::Done)));
        }
        let (was_idle, was_drained) = (self.is_idle, self.is_drained);
        (self.is_idle, self.is_drained) = (is_idle, is_drained);
        if is_idle && !was_idle {
            effects.extend(subscribers.who(|one| one.idle).map(Effect::Idle));
        }
        if is_drained && !was_drained {
            effects.extend(subscribers.who(|one| one.drained).map(Effect::Drained));
        }
    }
}
