//! Who listens to the logs of which task.
//!
//! A listener reads what is stored, and waits here until there may be more: until a line of its
//! task is stored, or that ends or is removed, whoever did it. What comes while it reads is noted.
//!
//! # Promises
//! - Nothing is lost between two waits: what is committed after a listener was answered answers its
//!   next wait at once.
//!
//! Proof: the tests below, `proof/tests/engine/shared.rs`, `__test__/contract/listening.test.mjs`.

use rustc_hash::FxHashMap;
use tasker_core::id::Seq;

use crate::client_id::ClientId;
use crate::input::Ticket;

/// Those who listen, by task.
#[derive(Debug, Default)]
pub struct LogListeners {
    by_task: FxHashMap<Seq, Vec<Listener>>,
}

#[derive(Debug)]
struct Listener {
    /// The ticket of its first wait.
    number: Ticket,
    has_news: bool,
    waits: Option<Ticket>,
}

impl LogListeners {
    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.by_task.is_empty()
    }

    /// A listener waits for news of a task. Whether it need not: there is some, or it is new, so
    /// that it has not read anything yet.
    pub(crate) fn wait(&mut self, seq: Seq, number: Ticket, ticket: Ticket) -> bool {
        let listeners = self.by_task.entry(seq).or_default();
        let Some(known) = listeners.iter_mut().find(|one| one.number == number) else {
            listeners.push(Listener { number, has_news: false, waits: None });
            return true;
        };
        debug_assert_eq!(known.waits, None, "listener {number} waits twice");
        let has_news = std::mem::take(&mut known.has_news);
        known.waits = (!has_news).then_some(ticket);
        has_news
    }

    /// There is news of a task. Gives the tickets of those who wait.
    pub(crate) fn tell(&mut self, seq: Seq) -> Vec<Ticket> {
        let Some(listeners) = self.by_task.get_mut(&seq) else { return Vec::new() };
        let tickets = listeners.iter_mut().filter_map(|one| {
            let ticket = one.waits.take();
            one.has_news = ticket.is_none();
            ticket
        });
        tickets.collect()
    }

    /// The tasks to which somebody listens.
    pub(crate) fn tasks(&self) -> Vec<Seq> {
        self.by_task.keys().copied().collect()
    }

    /// Whether somebody listens to a task.
    pub(crate) fn has(&self, seq: Seq) -> bool {
        self.by_task.contains_key(&seq)
    }

    /// A listener has gone. Nobody waits for its answer.
    pub(crate) fn remove(&mut self, number: Ticket) {
        self.retain(|one| one.number != number);
    }

    /// A client has gone with all that it listened to.
    pub(crate) fn remove_all(&mut self, client: ClientId) {
        self.retain(|one| ClientId::of(one.number) != client);
    }

    fn retain(&mut self, stays: impl Fn(&Listener) -> bool) {
        self.by_task.retain(|_, listeners| {
            listeners.retain(&stays);
            !listeners.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQ: Seq = Seq(7);

    #[test]
    fn a_new_listener_need_not_wait_and_the_next_wait_is_answered_by_news() {
        let mut listeners = LogListeners::default();
        assert!(listeners.wait(SEQ, 1, 1));
        assert!(!listeners.wait(SEQ, 1, 2));
        assert_eq!(listeners.tell(SEQ), [2]);
        assert!(!listeners.wait(SEQ, 1, 3), "it has heard of that");
    }

    #[test]
    fn news_that_comes_while_nobody_waits_answers_the_next_wait() {
        let mut listeners = LogListeners::default();
        listeners.wait(SEQ, 1, 1);
        assert!(listeners.tell(SEQ).is_empty());
        assert!(listeners.wait(SEQ, 1, 2));
        assert!(!listeners.wait(SEQ, 1, 3));
    }

    #[test]
    fn each_listener_hears_for_itself_until_it_goes() {
        let mut listeners = LogListeners::default();
        for number in [1, 2] {
            listeners.wait(SEQ, number, number);
            listeners.wait(SEQ, number, 10 + number);
        }
        listeners.remove(1);
        assert_eq!(listeners.tell(SEQ), [12]);
        assert!(listeners.tell(Seq(8)).is_empty(), "another task");
        listeners.remove_all(ClientId::of(2));
        assert!(listeners.is_empty());
    }
}
