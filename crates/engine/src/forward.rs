//! Forwarding what other owners did to those here who subscribed to it.
//!
//! # Promises
//! - What is forwarded is committed, and comes in the order of commits (I-11).
//! - Each batch is forwarded at most once. Where the journal was trimmed before we came to it, the
//!   number of missed batches is told instead.
//! - Bounded: the next portion waits until the last one was acknowledged, so a slow subscriber does
//!   not fill memory.
//!
//! Proof: `proof/tests/engine/shared.rs`, `__test__/process/shared.test.mjs`.

use tasker_core::error::Result;
use tasker_core::id::OwnerId;
use tasker_core::journal::{self, Transition, TransitionKind};
use tasker_core::store::{Brief, Entry, Store};

use crate::effect::{Effect, RemoteEvent, TaskEvent};
use crate::input::RemoteFilter;
use crate::memory::Memory;

/// Batches that are read at once.
const BATCHES_MAX: usize = 256;
/// Events with which a portion ends, after the batch that they stand in.
const EVENTS_MAX: usize = 1_000;

/// Forwards the next portion, inside a transaction.
pub(crate) fn forward(
    store: &mut dyn Store,
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    if !memory.feed.is_due(memory.number) {
        return Ok(());
    }
    let position = memory.feed.position;
    let before = effects.len();
    let entries = store.journal(position, BATCHES_MAX)?;
    let missed = entries.first().map_or(0, |oldest| oldest.number - (position + 1));
    if missed > 0 {
        effects.push(Effect::Remote(RemoteEvent::Missed(missed)));
    }
    let portion = Portion { filter: memory.feed.filter, owner: memory.owner };
    memory.feed.position = portion.read(store, &entries, effects)?.max(position);
    if effects.len() > before {
        effects.push(Effect::Remote(RemoteEvent::AwaitAck));
        memory.feed.is_unacked = true;
    }
    Ok(())
}

/// What a portion holds.
struct Portion {
    filter: RemoteFilter,
    owner: OwnerId,
}

impl Portion {
    /// The events of these batches until it is enough; the number of the last one.
    fn read(
        &self,
        store: &mut dyn Store,
        entries: &[Entry],
        effects: &mut Vec<Effect>,
    ) -> Result<u64> {
        let (begin, mut last) = (effects.len(), 0);
        for entry in entries {
            last = entry.number;
            if entry.owner == self.owner {
                continue;
            }
            for transition in journal::unpack(&entry.transitions) {
                effects.extend(self.event(store, transition?)?.map(Effect::Remote));
            }
            if effects.len() - begin >= EVENTS_MAX {
                break;
            }
        }
        Ok(last)
    }

    fn event(&self, store: &mut dyn Store, transition: Transition) -> Result<Option<RemoteEvent>> {
        let is_end = transition.kind.state().is_some_and(|state| state.is_final());
        if self.filter == RemoteFilter::Ends && !is_end {
            return Ok(None);
        }
        let Some(brief) = store.brief(transition.seq)? else { return Ok(None) };
        let id = brief.id;
        Ok(event_of(transition, brief).map(|event| RemoteEvent::Task(id, event)))
    }
}

/// The event of a transition; some are told only to the owner that made them.
fn event_of(transition: Transition, brief: Brief) -> Option<TaskEvent> {
    match transition.kind {
        TransitionKind::Add => Some(TaskEvent::Added { has_started: false }),
        TransitionKind::AddStart => Some(TaskEvent::Added { has_started: true }),
        TransitionKind::Start => Some(TaskEvent::Run),
        TransitionKind::Prioritize => transition.priority.map(TaskEvent::Prioritized),
        TransitionKind::Done
        | TransitionKind::Fail
        | TransitionKind::Abort
        | TransitionKind::Withdraw => brief.outcome.map(TaskEvent::Ended),
        TransitionKind::Postpone
        | TransitionKind::Lost
        | TransitionKind::RequestAbort
        | TransitionKind::Leave => None,
    }
}
