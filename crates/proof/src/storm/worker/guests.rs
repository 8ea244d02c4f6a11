//! The second client of a worker, which goes from time to time.

use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::operation::OperationOptions;
use tasker_engine::input::{Input, Ticket};
use tasker_engine::thread::Moment;

use super::{Call, Channel, GUESTS, Worker};
use crate::storm::OPERATIONS;

impl Worker {
    /// A guest comes and takes over its operation.
    pub(super) fn welcome(&mut self) -> Result<()> {
        self.guests += 1;
        let sink = Arc::new(Channel(self.guests, self.sender.clone()));
        self.guest = Some(self.handle.connect(sink)?);
        for (operation, limit) in OPERATIONS.into_iter().filter(|(name, _)| *name == GUESTS) {
            let options = limit.map(OperationOptions::at_once);
            self.guest_call(Call::Other, |ticket| Input::Assign(ticket, operation.into(), options));
        }
        Ok(())
    }

    /// The guest goes: its runs may be over at any time, and nothing is owed to it.
    pub(super) fn change_guest(&mut self) -> Result<()> {
        let (gone, slots) = (self.guests, self.runs.keys().copied().collect::<Vec<_>>());
        for slot in slots.into_iter().filter(|(who, _)| *who == gone) {
            self.mark_over(slot);
        }
        self.flush()?;
        self.guest = None;
        self.runs.retain(|(who, _), _| *who != gone);
        for ticket in std::mem::take(&mut self.guest_calls) {
            self.calls.remove(&ticket);
        }
        self.welcome()
    }

    pub(super) fn guest_call(&mut self, call: Call, input: impl FnOnce(Ticket) -> Input) {
        self.tickets += 1;
        self.calls.insert(self.tickets, (call, Moment::now()));
        self.guest_calls.push(self.tickets);
        if let Some(guest) = &self.guest {
            guest.submit([input(self.tickets)]);
        }
    }
}
