//! Who offers what: which owner starts tasks of which operations.
//!
//! An owner offers the operations that it has runners for while it is started. The store knows what
//! each owner offers, so that every process knows whether anybody will run a task.
//!
//! # Promises
//! - What we offer is written when it changes and at no other time: a turn that assigns no runner,
//!   starts nothing and stops nothing pays for none of this.
//! - What a dead owner offered counts until it is buried: whoever finds it dead first does so, and
//!   the others learn of it from the journal.
//!
//! # Left to others
//! Knowing who is dead is the store's work (`ReadTransaction::unburied`).
//!
//! Proof: `proof/tests/engine/offers.rs`, `proof/tests/random`, the storm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::id::OwnerId;
use tasker_core::store::{Change, Offers};

use crate::draft::{Draft, Planner};
use crate::memory::Memory;

impl Memory {
    /// Other owners offer this from now on.
    pub(crate) fn learn_offers(&mut self, remote: Vec<(OwnerId, Offers)>) {
        debug_assert!(
            remote.iter().all(|(owner, _)| *owner != self.owner),
            "what we offer ourselves is not remote"
        );
        let old = std::mem::replace(&mut self.remote_offers, remote.into_iter().collect());
        let (old, new) = (all(&old), all(&self.remote_offers));
        for name in old.difference(&new) {
            self.dispatch.set_offered(name, false);
        }
        for name in new.difference(&old) {
            self.dispatch.set_offered(name, true);
        }
    }

    /// The store says this of us and of the dead from now on.
    pub(crate) fn apply_offers(&mut self, draft: &mut Draft) {
        if let Some(offers) = draft.offers.take() {
            self.offers = offers;
        }
        for dead in draft.buried.drain(..) {
            let offers = self.remote_offers.remove(&dead);
            debug_assert!(offers.is_some(), "owner {} is buried, and offered nothing", dead.0);
        }
    }
}

impl Planner<'_> {
    /// The dead offer nothing any more.
    pub(crate) fn bury(&mut self) {
        let dead = std::mem::take(&mut self.facts.unburied);
        if dead.is_empty() {
            return;
        }
        let left = self.memory.remote_offers.iter().filter(|(owner, _)| !dead.contains(owner));
        let left: BTreeMap<OwnerId, Offers> =
            left.map(|(owner, offers)| (*owner, offers.clone())).collect();
        for name in all(self.memory.remote_offers).difference(&all(&left)) {
            self.dispatch.set_offered(name, false);
        }
        self.draft.changes.extend(dead.iter().copied().map(Change::Bury));
        self.draft.buried = dead;
    }

    /// Writes what we offer, if that has changed.
    pub(crate) fn offer(&mut self) {
        if let Some(offers) = self.memory.new_offers.take() {
            self.draft.changes.push(Change::Offer(offers.clone()));
            self.draft.offers = Some(offers);
        }
    }
}

/// What these owners offer, together.
fn all(offers: &BTreeMap<OwnerId, Offers>) -> BTreeSet<Arc<str>> {
    offers.values().flat_map(|names| names.iter().cloned()).collect()
}
