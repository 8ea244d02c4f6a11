//! What is of no task: operations, offers, holds, schedules, gates.

use tasker_core::id::{OperationId, OwnerId, Seq};
use tasker_core::rate::RateKey;
use tasker_core::store::{
    Change, GATES_SWEPT_MAX, GateChange, HoldChange, Operation, ScheduleChange,
};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::Held;
use crate::ask::{from, to};
use crate::keys;
use crate::overlay::Overlay;
use crate::packed;

impl Overlay {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    pub(super) fn rest(&mut self, change: &Change, owner: OwnerId) -> Held {
        match change {
            Change::Operation(operation) => self.operation(operation),
            Change::Offer(offers) => {
                let value = (!offers.is_empty()).then(|| packed::offers(offers));
                self.put(keys::OFFERS, &keys::owner(owner), value);
                Ok(true)
            }
            Change::Bury(dead) => {
                let has_offered = self.cell(keys::OFFERS, &keys::owner(*dead))?.is_some();
                self.put(keys::OFFERS, &keys::owner(*dead), None);
                Ok(has_offered)
            }
            Change::Hold(change) => self.hold(change),
            Change::Schedule(change) => self.schedule(change),
            Change::Gate(change) => self.gate(change),
            _ => Ok(false),
        }
    }

    fn operation(&mut self, operation: &Operation) -> Held {
        let field = operation.id.0.to_be_bytes();
        let old = self.cell(keys::OPERATIONS, &field)?.map(packed::read_operation).transpose()?;
        let is_taken = self.cell(keys::OPERATION_NAMES, operation.name.as_bytes())?.is_some();
        let version = operation.record.version;
        let is_next = match old {
            Some(old) => old.name == operation.name && old.record.version + 1 == version,
            None => version == 1 && !is_taken,
        };
        if is_next {
            self.put(keys::OPERATIONS, &field, Some(packed::operation(operation)));
            if version == 1 {
                let name = operation.name.as_bytes();
                self.put(keys::OPERATION_NAMES, name, Some(field.to_vec()));
            }
        }
        Ok(is_next)
    }

    fn hold(&mut self, change: &HoldChange) -> Held {
        match change {
            HoldChange::Make(hold) => {
                let field = hold.id.0.to_be_bytes();
                if self.cell(keys::HOLDS, &field)?.is_some() {
                    return Ok(false);
                }
                self.put(keys::HOLDS, &field, Some(packed::hold(hold)));
                let seq = Seq(hold.id.0);
                self.timer(Timer { at: hold.until, kind: TimerKind::Hold, seq });
            }
            HoldChange::Release(id) => {
                let field = id.0.to_be_bytes();
                let hold = self.cell(keys::HOLDS, &field)?.map(packed::read_hold).transpose()?;
                let Some(mut hold) = hold.filter(|hold| !hold.is_released) else {
                    return Ok(false);
                };
                hold.is_released = true;
                self.put(keys::HOLDS, &field, Some(packed::hold(&hold)));
            }
            HoldChange::Sweep(id, last) => {
                let last = last.map_or(u64::MAX, |seq| seq.0);
                let (low, high) = (keys::pair(id.0, 0), keys::pair(id.0, last));
                self.write("ZREMRANGEBYLEX", keys::HELD, vec![from(&low), to(&high)]);
                if last == u64::MAX {
                    self.put(keys::HOLDS, &id.0.to_be_bytes(), None);
                }
            }
        }
        Ok(true)
    }

    fn schedule(&mut self, change: &ScheduleChange) -> Held {
        let (no, schedule) = match change {
            ScheduleChange::Make(one) | ScheduleChange::Change(one) => (one.no, Some(one)),
            ScheduleChange::Remove(no, _) => (*no, None),
        };
        let field = no.0.to_be_bytes();
        let old = self.cell(keys::SCHEDULES, &field)?.map(packed::read_schedule).transpose()?;
        let is_right = match (change, &old) {
            (ScheduleChange::Make(one), None) => {
                self.cell(keys::SCHEDULE_NAMES, one.id.as_bytes())?.is_none()
            }
            (ScheduleChange::Change(one), Some(old)) => {
                old.id == one.id && old.version + 1 == one.version
            }
            (ScheduleChange::Remove(_, version), Some(old)) => old.version == *version,
            (ScheduleChange::Make(_), Some(_))
            | (ScheduleChange::Change(_) | ScheduleChange::Remove(..), None) => false,
        };
        if !is_right {
            return Ok(false);
        }
        self.put(keys::SCHEDULES, &field, schedule.map(|one| packed::schedule(one)));
        if let Some(schedule) = schedule {
            schedule.timer().into_iter().for_each(|timer| self.timer(timer));
        }
        match (old, schedule) {
            (None, Some(new)) => {
                self.put(keys::SCHEDULE_NAMES, new.id.as_bytes(), Some(field.to_vec()));
                self.add_entry(keys::SCHEDULE_ORDER, new.id.as_bytes().to_vec());
            }
            (Some(old), None) => {
                self.put(keys::SCHEDULE_NAMES, old.id.as_bytes(), None);
                self.drop_entry(keys::SCHEDULE_ORDER, old.id.as_bytes().to_vec());
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        Ok(true)
    }

    fn gate(&mut self, change: &GateChange) -> Held {
        match change {
            GateChange::Arrive((operation, key), arrival) => {
                let gate = (1, *operation, key);
                self.put_gate(gate, arrival.at, packed::arrival(*arrival))
            }
            GateChange::Turn((operation, key), circuit, _) => {
                let gate = (2, *operation, key);
                self.put_gate(gate, circuit.rests_at, packed::circuit(circuit))
            }
            GateChange::Sweep(operation, now) => {
                let border = keys::gate_rest(*operation, *now);
                let all = self.entries(keys::GATES_REST, &operation.0.to_be_bytes());
                let resting = all.into_iter().take_while(|entry| entry[..] < border[..]);
                for entry in resting.take(GATES_SWEPT_MAX) {
                    let gate = [&entry[..2], entry.get(10..).unwrap_or_default()].concat();
                    self.put(keys::GATES, &gate, None);
                    self.drop_entry(keys::GATES_REST, entry);
                }
                Ok(true)
            }
        }
    }

    fn put_gate(
        &mut self,
        (kind, operation, key): (u8, OperationId, &RateKey),
        rests_at: WallMs,
        value: Vec<u8>,
    ) -> Held {
        let field = keys::gate(kind, operation, key);
        let rest = |at| [keys::gate_rest(operation, at).as_slice(), &field[2..]].concat();
        if let Some(old) = self.cell(keys::GATES, &field)? {
            let old = packed::read_gate_rest(old)?;
            self.drop_entry(keys::GATES_REST, rest(old));
        }
        self.add_entry(keys::GATES_REST, rest(rests_at));
        self.put(keys::GATES, &field, Some(value));
        Ok(true)
    }
}
