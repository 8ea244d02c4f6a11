//! What a turn does, from memory and facts: pure.
//!
//! # Promises
//! - Nothing changes but the draft that is given: one that is not committed is dropped, and that
//!   is all.
//!
//! # Left to others
//! Each verb has a file of its own.
//!
//! Proof: `proof/tests/engine`, `proof/tests/random`.

use tasker_core::id::IdSource;
use tasker_core::time::Now;

use crate::draft::{Draft, Planner};
use crate::gather::Facts;
use crate::input::Input;
use crate::memory::Memory;

/// Plans a turn.
pub(crate) fn plan(
    memory: &Memory,
    ids: &mut IdSource,
    facts: Facts,
    inputs: &[Input],
    now: Now,
) -> Draft {
    let mut planner = Planner::new(memory, ids, facts, now);
    let orphans = std::mem::take(&mut planner.facts.orphans);
    if !orphans.is_empty() {
        // In a batch of its own, so that what was asked for meets tasks that are in order.
        planner.recover(&orphans);
        return planner.into_draft();
    }
    planner.take_in(inputs);
    planner.choose_starts();
    planner.finish()
}

impl Planner<'_> {
    /// Everything that the inputs and the time ask for, except the starts.
    fn take_in(&mut self, inputs: &[Input]) {
        for input in inputs {
            match input {
                Input::Add(ticket, def) => self.add(*ticket, def.clone()),
                Input::AddMany(ticket, defs) => self.add_many(*ticket, defs),
                Input::AddIdempotent(ticket, defs) => self.add_idempotent(*ticket, defs),
                Input::FindByKey(ticket, key) => self.find_by_key(*ticket, *key),
                Input::Settle(slot, settled) => self.settle(*slot, settled.clone()),
                Input::Postpone(slot) => self.postpone_for_close(*slot),
                Input::Record(slot, record) => self.record(*slot, record),
                Input::Abort(ticket, id, reason) => self.abort(*ticket, *id, reason),
                Input::Prioritize(ticket, id, to) => self.prioritize(*ticket, *id, *to),
                // When all that may end it has been drafted: below.
                Input::AwaitEnd(..) => {}
                Input::CancelAwait(..)
                | Input::Assign(..)
                | Input::Unassign(..)
                | Input::Start(_)
                | Input::Stop(..)
                | Input::Close(..)
                | Input::Subscribe(..)
                | Input::Ack(_)
                | Input::Ready(_)
                | Input::IsShared(_) => debug_assert!(false, "control answers {input:?}"),
            }
        }
        self.time_out();
        self.stop();
        for input in inputs {
            if let Input::AwaitEnd(ticket, id) = input {
                self.await_end(*ticket, *id);
            }
        }
        self.sort_arrivals();
    }
}
