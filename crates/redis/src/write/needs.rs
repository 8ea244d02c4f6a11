//! What a batch has to know of the store before its changes can be applied.

use tasker_core::id::Seq;
use tasker_core::key::KEYS_SWEPT_MAX;
use tasker_core::store::{
    Batch, Change, GATES_SWEPT_MAX, GateChange, HoldChange, OutsideChange, ScheduleChange,
};
use tasker_core::time::WallMs;

use crate::ask::{beginning, beside, from, to};
use crate::bytes::sortable;
use crate::keys;
use crate::overlay::Needs;

/// All that the changes of a batch touch and that it does not bring along.
pub(crate) fn needs(batch: &Batch) -> Needs {
    let mut needs = Needs::default();
    batch.changes.iter().for_each(|change| needs.of(change));
    needs
}

impl Needs {
    fn of(&mut self, change: &Change) {
        match change {
            Change::Add { seq, .. }
            | Change::AddDelayed { seq, .. }
            | Change::AddBlocked { seq, .. }
            | Change::Unblock { seq, .. }
            | Change::Due { seq, .. }
            | Change::Start { seq, .. }
            | Change::End { seq, .. }
            | Change::Release { seq, .. }
            | Change::Delay { seq, .. }
            | Change::HoldBack { seq, .. }
            | Change::Free { seq, .. }
            | Change::SetQueueTimeout { seq, .. }
            | Change::Update { seq, .. }
            | Change::Prioritize { seq, .. }
            | Change::Sort { seq, .. }
            | Change::Pause { seq, .. }
            | Change::Resume { seq, .. }
            | Change::Block { seq, .. }
            | Change::RequestPause { seq, .. }
            | Change::PauseRun { seq, .. }
            | Change::ResumeRun { seq, .. }
            | Change::RequestAbort { seq, .. }
            | Change::RequestPostpone { seq, .. }
            | Change::Progress { seq, .. }
            | Change::Log { seq, .. } => self.row(*seq),
            Change::Reopen { seq, .. } => drop(self.rows.insert(*seq, true)),
            Change::Outside(change) => self.of_outside(change),
            Change::Key { key, seq, .. } => {
                self.row(*seq);
                self.cell(keys::KEYS, key.bytes());
            }
            Change::Purge { seq, .. } => {
                self.row(*seq);
                self.part(keys::KEYS_OF, &seq.0.to_be_bytes());
            }
            Change::LetGo { seq } => self.part(keys::NEEDS, &seq.0.to_be_bytes()),
            Change::Met { dependency, dependents } => {
                let bound = |one: &Seq| keys::pair(dependency.0, one.0);
                let (low, high) = (bound(dependents.start()), bound(dependents.end()));
                self.parts.push((keys::OPEN, from(&low), to(&high), usize::MAX));
            }
            Change::SweepKeys(now) => {
                let high = [&b"["[..], &sortable(*now), &[0xff; 64]].concat();
                self.parts.push((keys::KEYS_UNTIL, b"-".to_vec(), high, KEYS_SWEPT_MAX));
            }
            Change::Operation(operation) => {
                self.cell(keys::OPERATIONS, operation.id.0.to_be_bytes());
                self.cell(keys::OPERATION_NAMES, operation.name.as_bytes());
            }
            Change::Bury(owner) => self.cell(keys::OFFERS, keys::owner(*owner)),
            Change::Hold(change) => self.of_hold(change),
            Change::Schedule(change) => self.of_schedule(change),
            Change::Gate(change) => self.of_gate(change),
            Change::DependOn { .. }
            | Change::Lapses { .. }
            | Change::Timer { .. }
            | Change::Fired(_)
            | Change::Offer(_) => {}
        }
    }

    /// All entries that begin so.
    fn part(&mut self, set: &'static str, with: &[u8]) {
        let (low, high) = beginning(with);
        self.parts.push((set, low, high, usize::MAX));
    }

    fn of_outside(&mut self, change: &OutsideChange) {
        match change {
            OutsideChange::Claim { seq, .. }
            | OutsideChange::Begin { seq, .. }
            | OutsideChange::Unclaim { seq, .. }
            | OutsideChange::Renew { seq, .. }
            | OutsideChange::Touch { seq, .. } => self.row(*seq),
        }
    }

    fn of_hold(&mut self, change: &HoldChange) {
        match change {
            HoldChange::Make(hold) => self.cell(keys::HOLDS, hold.id.0.to_be_bytes()),
            HoldChange::Release(id) => self.cell(keys::HOLDS, id.0.to_be_bytes()),
            HoldChange::Sweep(..) => {}
        }
    }

    fn of_schedule(&mut self, change: &ScheduleChange) {
        match change {
            ScheduleChange::Make(schedule) | ScheduleChange::Change(schedule) => {
                self.cell(keys::SCHEDULES, schedule.no.0.to_be_bytes());
                self.cell(keys::SCHEDULE_NAMES, schedule.id.as_bytes());
            }
            ScheduleChange::Remove(no, _) => self.cell(keys::SCHEDULES, no.0.to_be_bytes()),
        }
    }

    fn of_gate(&mut self, change: &GateChange) {
        match change {
            GateChange::Arrive((operation, key), _) => {
                self.cell(keys::GATES, keys::gate(1, *operation, key));
            }
            GateChange::Turn((operation, key), ..) => {
                self.cell(keys::GATES, keys::gate(2, *operation, key));
            }
            GateChange::Sweep(operation, now) => {
                let low = from(&keys::gate_rest(*operation, WallMs::FIRST));
                let high = beside(&keys::gate_rest(*operation, *now));
                self.parts.push((keys::GATES_REST, low, high, GATES_SWEPT_MAX));
            }
        }
    }
}
