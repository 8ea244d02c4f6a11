//! A worker watches all tasks, and tells its parent each change.

use tasker_core::error::{Error, Result};
use tasker_core::watch::From;
use tasker_engine::effect::Answer;
use tasker_engine::input::Ticket;
use tasker_engine::thread::Watching;

use super::super::line::Line;
use super::super::watched::{changes, filter};
use super::Worker;

impl Worker {
    /// Begins where the parent has heard the last change. Who only runs what is left does not: the
    /// parent itself hears that.
    pub(super) fn watch(&mut self) -> Result<()> {
        if self.orders.drains {
            return Ok(());
        }
        let from = From::Position(self.orders.watched);
        let begin = Watching::Begin(Box::new(filter()?), from);
        let no = self.next_ticket();
        self.client.watch(no, begin);
        self.wait_for_changes(no);
        Ok(())
    }

    fn wait_for_changes(&mut self, no: Ticket) {
        let ticket = self.next_ticket();
        self.watch = Some((no, ticket));
        self.client.watch(ticket, Watching::Next(no));
    }

    fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// Whether somebody was waiting for this answer of the watch.
    pub(super) fn is_of_watch(&self, ticket: Ticket) -> bool {
        self.watch.is_some_and(|(no, asked)| ticket == no || ticket == asked)
    }

    pub(super) fn hear(&mut self, ticket: Ticket, answer: &Answer) -> Result<()> {
        let Some((no, _)) = self.watch.filter(|(no, _)| *no != ticket) else { return Ok(()) };
        let Answer::Json(text) = answer else {
            return Err(Error::bug(format!("a watch was answered {answer:?}")));
        };
        let (changes, is_gap) = changes(text)?;
        changes.into_iter().for_each(|(place, told)| self.tell(Line::Changed(place, told)));
        if is_gap {
            self.tell(Line::Gap);
        } else {
            self.wait_for_changes(no);
        }
        Ok(())
    }
}
