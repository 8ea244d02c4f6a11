//! Who waits for tasks, to take them to executors outside.
//!
//! # Promises
//! - Each poll is answered once: with tasks in the turn that gives it some, or with none when its
//!   time is over, or when the handle closes.
//! - One whose caller has gone is forgotten at once, and gets no task.
//! - An operation passes for served while somebody waits for its tasks, and for a minute after.
//!
//! # Left to others
//! Who gets which task: `core::dispatch::takers`. What is given back: `outside`.
//!
//! Proof: `proof/tests/engine/executors.rs`, `proof/tests/random`.

use tasker_core::dispatch::TakerId;
use tasker_core::error::{Code, Error, Result};
use tasker_core::time::Now;

use crate::client_id::ClientId;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;
use crate::memory::Memory;
use crate::poll::{POLL_TASKS_MAX, POLLS_MAX, Poll};

impl Memory {
    /// Somebody asks for tasks.
    pub(crate) fn poll(
        &mut self,
        (ticket, poll): (Ticket, Poll),
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        match self.admit(&poll) {
            Ok(true) => {
                let max = poll.max.clamp(1, POLL_TASKS_MAX);
                let taker = self.dispatch.add_taker(poll.operations.as_deref(), max);
                self.polls.insert(taker, (ticket, poll), now);
                self.see_polls(now);
            }
            Ok(false) => effects.push(nothing(ticket)),
            Err(error) => effects.push(Effect::Refuse(ticket, error)),
        }
    }

    /// Whether it may wait. When the handle closes nobody gets anything.
    fn admit(&self, poll: &Poll) -> Result<bool> {
        if self.stopping.as_ref().is_some_and(|stopping| stopping.closes) {
            return Ok(false);
        }
        if self.polls.len() >= POLLS_MAX {
            let text = format!("{POLLS_MAX} polls wait, and this is another one");
            return Err(Error::at(Code::Limit, "polls", text));
        }
        Ok(poll.operations.as_ref().is_none_or(|names| !names.is_empty()))
    }

    /// A poll is taken back: it is not answered.
    pub(crate) fn unpoll(
        &mut self,
        (ticket, poll): (Ticket, Ticket),
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(taker) = self.polls.of_ticket(poll) {
            self.end_poll(taker, now);
        }
        effects.push(Effect::Answer(ticket, Answer::Done));
    }

    /// A client has gone, and with it its polls.
    pub(crate) fn unpoll_all(&mut self, client: ClientId, now: Now) {
        for taker in self.polls.of_client(client) {
            self.end_poll(taker, now);
        }
    }

    /// One has waited long enough, or got something: its ticket.
    pub(crate) fn end_poll(&mut self, taker: TakerId, now: Now) -> Option<Ticket> {
        self.dispatch.remove_taker(taker);
        self.polls.remove(taker, now)
    }

    /// Those that have waited long enough get nothing, and none does when the handle closes.
    pub(crate) fn end_polls(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.stopping.as_ref().is_some_and(|stopping| stopping.closes) {
            return self.end_all_polls(now, effects);
        }
        while let Some(taker) = self.polls.due(now.mono) {
            effects.extend(self.end_poll(taker, now).map(nothing));
        }
    }

    /// Nobody gets anything any more.
    pub(crate) fn end_all_polls(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while let Some(taker) = self.polls.first() {
            effects.extend(self.end_poll(taker, now).map(nothing));
        }
    }

    /// Finds out which operations pass for served, by the polls of the last minute.
    pub(crate) fn see_polls(&mut self, now: Now) {
        let Self { polls, dispatch, .. } = self;
        let Some(served) = polls.visited(now, dispatch.with_executor()) else { return };
        if served == *polls.served() {
            return;
        }
        let before = polls.serve(served.clone());
        for name in before.difference(&served) {
            dispatch.set_polled(name, false);
        }
        for name in served.difference(&before) {
            dispatch.set_polled(name, true);
        }
        self.has_new_offers = true;
    }
}

fn nothing(ticket: Ticket) -> Effect {
    Effect::Answer(ticket, Answer::Claims(Vec::new()))
}
