//! Notes of the journal: what a task was before a step that does not say so.
//!
//! Most steps lead from one state only, and name the priority of the task. A step that may come
//! from several states has a note, and so has one that removes a task: whoever watches tasks learns
//! from it which one is gone. Nobody else needs a note, so it stands beside the
//! [transitions](crate::journal) and not among them.
//!
//! The format is one note after the other, in the order of the steps that need one: a byte with the
//! code of the state, and flags that say whether the priority (8 bytes) and the uuid (16 bytes)
//! follow, or the priority is 0. Nothing is written where no
//! step needs a note.
//!
//! # Promises
//! - What was packed comes back in the same order; anything else is `Corrupt`, never a guess.
//! - A batch without such steps has no bytes, so it costs the usual life of a task nothing.
//!
//! Proof: the tests below, `proof/tests/random`.

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::id::TaskId;
use crate::journal::{self, Transition};
use crate::state::State;
use crate::store::{Batch, Note};
use crate::task::Priority;
use crate::totals::Totals;

const STATE: u8 = 0x0f;
const HAS_PRIORITY: u8 = 0x10;
const HAS_ID: u8 = 0x20;
const IS_USUAL: u8 = 0x40;

/// The notes of a batch; nothing if no step of it needs one.
pub fn pack(batch: &Batch) -> Option<Vec<u8>> {
    if batch.notes.is_empty() {
        return None;
    }
    let needed = batch.changes.iter().filter_map(Transition::of);
    let needed = needed.filter(|transition| transition.kind.rule().needs_note()).count();
    // With one too many or too few nobody knows which is whose.
    if needed != batch.notes.len() {
        debug_assert!(false, "{needed} steps need a note, and {} have one", batch.notes.len());
        return None;
    }
    let mut bytes = Vec::with_capacity(batch.notes.len());
    batch.notes.iter().for_each(|note| write(note, &mut bytes));
    Some(bytes)
}

fn write(note: &Note, bytes: &mut Vec<u8>) {
    let Note { state, priority, id } = note;
    let is_usual = *priority == Some(Priority::default());
    let flag = match priority {
        None => 0,
        Some(_) if is_usual => IS_USUAL,
        Some(_) => HAS_PRIORITY,
    };
    bytes.push(state.code() | flag | id.map_or(0, |_| HAS_ID));
    if let Some(priority) = priority.filter(|_| !is_usual) {
        bytes.extend(priority.get().to_bits().to_le_bytes());
    }
    id.iter().for_each(|id| bytes.extend(id.0.as_bytes()));
}

/// What a batch did, each step with its note if it has one.
///
/// # Errors
/// Each item may be [`Code::Corrupt`]; nothing follows it.
pub fn unpack<'b>(
    transitions: &'b [u8],
    notes: Option<&'b [u8]>,
) -> impl Iterator<Item = Result<(Transition, Option<Note>)>> + 'b {
    let mut rest = notes;
    journal::unpack(transitions).map(move |transition| {
        let transition = transition?;
        let note = match &mut rest {
            Some(bytes) if transition.kind.rule().needs_note() => {
                Some(read(bytes).ok_or_else(unreadable)?)
            }
            _ => None,
        };
        Ok((transition, note))
    })
}

/// Adds what a batch brought from one state into another.
///
/// # Errors
/// `Corrupt` for what cannot be read.
pub fn add_moves(totals: &mut Totals, transitions: &[u8], notes: Option<&[u8]>) -> Result<()> {
    let mut rest = notes.unwrap_or_default();
    for group in journal::unpack_groups(transitions) {
        let (first, count) = group?;
        let (operation, rule) = (first.lane.operation(), first.kind.rule());
        if rule.needs_note() {
            for _ in 0..count {
                let from = Some(read(&mut rest).ok_or_else(unreadable)?.state);
                totals.shift(operation, (from, rule.leads_to(from)), 1);
            }
        } else if rule.is_of_task() {
            let from = rule.from.first().copied();
            totals.shift(operation, (from, rule.leads_to(from)), count as i64);
        }
    }
    Ok(())
}

fn read(bytes: &mut &[u8]) -> Option<Note> {
    let (head, rest) = bytes.split_first()?;
    *bytes = rest;
    let state = State::from_code(head & STATE)?;
    let priority = if head & HAS_PRIORITY == 0 {
        (head & IS_USUAL != 0).then(Priority::default)
    } else {
        let (number, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(Priority::new(f64::from_bits(u64::from_le_bytes(*number))).ok()?)
    };
    let id = if head & HAS_ID == 0 {
        None
    } else {
        let (id, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(TaskId(Uuid::from_bytes(*id)))
    };
    Some(Note { state, priority, id })
}

fn unreadable() -> Error {
    Error::new(Code::Corrupt, "the notes of a journal entry cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{LaneId, OwnerId, Seq};
    use crate::state::Counts;
    use crate::store::Change;
    use crate::time::WallMs;

    fn batch(changes: Vec<Change>, notes: Vec<Note>) -> Batch {
        Batch {
            number: 1,
            owner: OwnerId(1),
            at: WallMs(5),
            seq_next: Seq(1),
            lane_next: 1,
            counts: Counts::default(),
            changes,
            notes,
        }
    }

    fn purge(seq: u64) -> Change {
        Change::Purge { seq: Seq(seq), lane: LaneId(1), from: State::Done, at: WallMs(5) }
    }

    fn unblock(seq: u64) -> Change {
        Change::Unblock { seq: Seq(seq), lane: LaneId(1), priority: Priority::default() }
    }

    #[test]
    fn each_step_that_needs_a_note_has_its_own() {
        let priority = Priority::new(-2.5).unwrap();
        let note = |n| Note {
            state: State::Failed,
            priority: Some(priority),
            id: Some(TaskId(Uuid::from_u128(n))),
        };
        let usual = Some(Priority::default());
        let plain = Note { state: State::Done, priority: usual, id: None };
        let changes = vec![purge(1), unblock(2), purge(3), purge(4), purge(5)];
        let unknown = Note { priority: None, ..plain };
        let notes = vec![note(1), plain, note(7), unknown];
        let batch = batch(changes, notes.clone());
        let (steps, packed) = (journal::pack(&batch), pack(&batch).unwrap());
        let all: Vec<_> = unpack(&steps, Some(&packed)).map(Result::unwrap).collect();
        let noted: Vec<_> = all.iter().map(|(step, note)| (step.seq.0, *note)).collect();
        let [one, three, four, five] = [0, 1, 2, 3].map(|at| Some(notes[at]));
        assert_eq!(noted, [(1, one), (2, None), (3, three), (4, four), (5, five)]);
        assert!(unpack(&steps, None).all(|one| one.unwrap().1.is_none()));
        for len in 0..packed.len() {
            let last = unpack(&steps, Some(&packed[..len])).last().unwrap();
            assert_eq!(last.unwrap_err().code(), Code::Corrupt, "cut at {len}");
        }
    }

    #[test]
    fn the_usual_life_of_a_task_has_no_notes() {
        assert_eq!(pack(&batch(vec![unblock(1)], Vec::new())), None);
    }
}
