//! Who waits for tasks, and who has polled for which operations of late.
//!
//! Proof: `proof/tests/engine/executors.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::dispatch::TakerId;
use tasker_core::time::{MonoMs, Now, WallMs};

use crate::client_id::ClientId;
use crate::input::Ticket;
use crate::poll::{POLL_WAIT_MS_MAX, POLLED_MS, Poll};

/// A poll that waits.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    until: MonoMs,
    operations: Option<Vec<Arc<str>>>,
    name: Option<Arc<str>>,
}

/// Who polls for an operation, or for all if it has no name.
#[derive(Debug, Default)]
struct Visit {
    /// How many wait.
    waiting: usize,
    /// When the last one came or went.
    last: Now,
}

/// Who waits for tasks.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    waiting: BTreeMap<TakerId, Waiting>,
    by_ticket: FxHashMap<Ticket, TakerId>,
    deadlines: BTreeSet<(MonoMs, TakerId)>,
    visits: BTreeMap<Option<Arc<str>>, Visit>,
    /// The operations that pass for served.
    served: BTreeSet<Arc<str>>,
}

impl Polls {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The one with this ticket.
    pub(crate) fn of_ticket(&self, ticket: Ticket) -> Option<TakerId> {
        self.by_ticket.get(&ticket).copied()
    }

    /// Those of a client.
    pub(crate) fn of_client(&self, client: ClientId) -> Vec<TakerId> {
        let own = self.by_ticket.iter().filter(|(it, _)| ClientId::of(**it) == client);
        own.map(|(_, taker)| *taker).collect()
    }

    /// One that has waited long enough.
    pub(crate) fn due(&self, now: MonoMs) -> Option<TakerId> {
        let (until, taker) = *self.deadlines.first()?;
        (until <= now).then_some(taker)
    }

    /// The one that has waited longest.
    pub(crate) fn first(&self) -> Option<TakerId> {
        self.waiting.first_key_value().map(|(taker, _)| *taker)
    }

    /// Of these operations those that were polled a short time ago, if there may be any news.
    pub(crate) fn visited<'o>(
        &mut self,
        now: Now,
        operations: impl Iterator<Item = &'o Arc<str>>,
    ) -> Option<BTreeSet<Arc<str>>> {
        if self.visits.is_empty() && self.served.is_empty() {
            return None;
        }
        let is_over =
            |visit: &Visit| visit.waiting == 0 && visit.last.mono.plus(POLLED_MS) <= now.mono;
        self.visits.retain(|_, visit| !is_over(visit));
        let is_visited = |name: &&Arc<str>| {
            let of = |name| self.visits.contains_key(&name);
            of(None) || of(Some(Arc::clone(name)))
        };
        Some(operations.filter(is_visited).cloned().collect())
    }

    /// These pass for served from now on; those that did before.
    pub(crate) fn serve(&mut self, served: BTreeSet<Arc<str>>) -> BTreeSet<Arc<str>> {
        std::mem::replace(&mut self.served, served)
    }

    /// Who asks for a task, as it calls itself.
    pub(crate) fn name_of(&self, taker: TakerId) -> Option<Arc<str>> {
        self.waiting.get(&taker)?.name.clone()
    }

    /// The operations that pass for served.
    pub(crate) fn served(&self) -> &BTreeSet<Arc<str>> {
        &self.served
    }

    /// When somebody polled last for tasks of an operation, if that was a short time ago.
    pub(crate) fn last_at(&self, operation: &Arc<str>) -> Option<WallMs> {
        let visits = [Some(operation.clone()), None].map(|name| self.visits.get(&name));
        visits.into_iter().flatten().map(|visit| visit.last.wall).max()
    }

    /// When the next one has waited long enough, or an operation passes for served no longer.
    pub(crate) fn next_deadline(&self) -> Option<MonoMs> {
        let over = self.visits.values().filter(|visit| visit.waiting == 0);
        let over = over.map(|visit| visit.last.mono.plus(POLLED_MS)).min();
        let first = self.deadlines.first().map(|(at, _)| *at);
        first.into_iter().chain(over).min()
    }

    /// One more waits.
    pub(crate) fn insert(&mut self, taker: TakerId, (ticket, poll): (Ticket, Poll), now: Now) {
        let until = now.mono.plus(poll.wait_ms.min(POLL_WAIT_MS_MAX));
        for name in visited(poll.operations.as_deref()) {
            let visit = self.visits.entry(name).or_default();
            (visit.waiting, visit.last) = (visit.waiting + 1, now);
        }
        self.deadlines.insert((until, taker));
        let old = self.by_ticket.insert(ticket, taker);
        debug_assert_eq!(old, None, "ticket {ticket} polls twice, and is answered once");
        let Poll { operations, name, .. } = poll;
        self.waiting.insert(taker, Waiting { ticket, until, operations, name });
    }

    /// One does not wait any more: its ticket.
    pub(crate) fn remove(&mut self, taker: TakerId, now: Now) -> Option<Ticket> {
        let waiting = self.waiting.remove(&taker)?;
        for name in visited(waiting.operations.as_deref()) {
            if let Some(visit) = self.visits.get_mut(&name) {
                debug_assert!(visit.waiting > 0, "one poll less waits than none");
                (visit.waiting, visit.last) = (visit.waiting.saturating_sub(1), now);
            }
        }
        self.deadlines.remove(&(waiting.until, taker));
        self.by_ticket.remove(&waiting.ticket);
        Some(waiting.ticket)
    }
}

/// For what a poll visits: each operation once, or all.
fn visited(operations: Option<&[Arc<str>]>) -> BTreeSet<Option<Arc<str>>> {
    match operations {
        Some(names) => names.iter().cloned().map(Some).collect(),
        None => [None].into(),
    }
}
