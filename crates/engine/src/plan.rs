//! What a turn does, from memory and facts.
//!
//! # Promises
//! - Nothing changes but the draft that is given and the queue, in which the turn plans; that takes
//!   back what is not committed (`tasker_core::dispatch`).
//!
//! # Left to others
//! Each verb has a file of its own; `starts` chooses what starts.
//!
//! Proof: `proof/tests/engine`, `proof/tests/random`.

use tasker_core::error::Result;
use tasker_core::store::ReadTransaction;
use tasker_core::watch::Position;

use crate::draft::{Draft, Planner};
use crate::effect::{Answer, Effect};
use crate::input::{Input, Ticket};

impl Planner<'_> {
    /// Plans a turn. The windows and contents that memory lacks are read meanwhile.
    pub(crate) fn plan(
        mut self,
        inputs: &[Input],
        (transaction, is_shared): (&mut dyn ReadTransaction, bool),
    ) -> Result<Draft> {
        self.bury();
        let orphans = std::mem::take(&mut self.facts.orphans);
        let stranded = std::mem::take(&mut self.facts.stranded);
        if !orphans.is_empty() || !stranded.is_empty() {
            // In a batch of its own, so that what was asked for meets tasks that are in order.
            self.draft.is_recovery = true;
            self.recover(&orphans);
            self.end_stranded(&stranded);
            self.reach_dependents(transaction)?;
            self.turn_circuits(transaction)?;
            self.write_circuits();
            return Ok(self.into_draft());
        }
        self.take_in(inputs);
        self.reach_dependents(transaction)?;
        self.await_ends(inputs);
        self.go_on();
        self.turn_circuits(transaction)?;
        self.start_tasks(transaction, is_shared)?;
        self.offer();
        Ok(self.finish())
    }

    /// Everything that the inputs and the time ask for, except the starts.
    fn take_in(&mut self, inputs: &[Input]) {
        for input in inputs {
            match input {
                Input::Add(ticket, def) => self.add(*ticket, def.clone()),
                Input::AddMany(ticket, defs) => self.add_many(*ticket, defs),
                Input::AddIdempotent(ticket, defs) => self.add_idempotent(*ticket, defs),
                Input::FindByKey(ticket, key) => self.find_by_key(*ticket, *key),
                Input::Settle(slot, settled) => self.settle(*slot, settled.clone()),
                Input::Postpone(slot) => self.hand_back(*slot),
                Input::Leave(client) => self.leave(*client),
                Input::Record(slot, record) => self.record(*slot, record),
                Input::Abort(ticket, id, reason) => self.abort(*ticket, *id, reason),
                Input::Prioritize(ticket, id, to) => self.prioritize(*ticket, *id, *to),
                Input::Define(ticket, name, options) => self.define(*ticket, name, options),
                Input::Assign(ticket, name, Some(options)) => self.assign(*ticket, name, options),
                Input::PauseOperation(ticket, name, pauses) => {
                    self.pause_operation(*ticket, name, *pauses);
                }
                Input::Hold(ticket, query, until, by) => self.hold(*ticket, (query, *until), *by),
                Input::ReleaseHold(ticket, id) => self.release_hold(*ticket, *id),
                Input::AddSchedule(..)
                | Input::UpdateSchedule(..)
                | Input::PauseSchedule(..)
                | Input::TriggerSchedule(..)
                | Input::RemoveSchedule(..) => self.change_schedule(input),
                Input::Pause(ticket, id) => self.pause(*ticket, *id),
                Input::Resume(ticket, id) => self.resume(*ticket, *id),
                Input::Halt(slot) => self.halt(*slot),
                Input::Retry(ticket, id, options) => self.retry(*ticket, *id, *options),
                Input::PostponeTask(ticket, id, options) => {
                    self.postpone_task(*ticket, *id, options);
                }
                Input::Update(ticket, id, update) => self.update_task(*ticket, *id, update),
                Input::Bulk(ticket, bulk) => self.bulk(*ticket, bulk),
                Input::Remove(ticket, id) => self.remove(*ticket, *id),
                Input::Stand(ticket) => self.stand(*ticket),
                Input::GiveBack(_)
                | Input::Begin(..)
                | Input::Renew(..)
                | Input::SettleOutside(..) => self.hear_executor(input),
                // Below.
                Input::AwaitEnd(..) => {}
                Input::AwaitIdle(_)
                | Input::CancelAwait(..)
                | Input::AwaitLogs(..)
                | Input::Assign(_, _, None)
                | Input::Threads(..)
                | Input::AssignBatch(..)
                | Input::Unassign(..)
                | Input::Poll(..)
                | Input::Unpoll(..)
                | Input::Start(_)
                | Input::Stop(..)
                | Input::Close(..)
                | Input::Subscribe(..)
                | Input::Ack(_)
                | Input::Ready(_)
                | Input::IsShared(_)
                | Input::Ask(..) => debug_assert!(false, "control answers {input:?}"),
            }
        }
        self.give_back_asked();
        self.time_out();
        self.stop();
        self.lapse();
        self.detach();
        self.fire_timers();
        self.end_leases();
        self.sweep_what_is_over();
    }

    /// What is asked of a schedule.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`take_in` hands over no other")]
    fn change_schedule(&mut self, input: &Input) {
        match input {
            Input::AddSchedule(ticket, id, new) => self.add_schedule(*ticket, id, new),
            Input::UpdateSchedule(ticket, id, update) => self.update_schedule(*ticket, id, update),
            Input::PauseSchedule(ticket, id, pauses) => self.pause_schedule(*ticket, id, *pauses),
            Input::TriggerSchedule(ticket, id, how) => self.trigger_schedule(*ticket, id, *how),
            Input::RemoveSchedule(ticket, id) => self.remove_schedule(*ticket, id),
            _ => {}
        }
    }

    /// What an executor outside says, or who speaks for it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`take_in` hands over no other")]
    fn hear_executor(&mut self, input: &Input) {
        match input {
            Input::GiveBack(claims) => self.give_back_claims(claims),
            Input::Begin(ticket, id, run) => self.begin(*ticket, *id, *run),
            Input::Renew(ticket, id, run, progress) => {
                self.renew(*ticket, (*id, *run), progress.as_ref());
            }
            Input::SettleOutside(ticket, id, run, how) => {
                self.settle_outside(*ticket, (*id, *run), how);
            }
            _ => {}
        }
    }

    /// Where a watch stands that tells what changes from this turn on.
    fn stand(&mut self, ticket: Ticket) {
        let position = Position::behind(self.memory.number);
        self.answer(Effect::Answer(ticket, Answer::Json(format!("\"{position}\""))));
    }

    /// When all that may end a task has been drafted.
    fn await_ends(&mut self, inputs: &[Input]) {
        for input in inputs {
            if let Input::AwaitEnd(ticket, id) = input {
                self.await_end(*ticket, *id);
            }
        }
    }
}
