//! Forwarding what other owners did to those here who subscribed to it.
//!
//! # Promises
//! - What is forwarded is committed, and comes in the order of commits (I-11).
//! - Each batch is forwarded at most once. Where the journal was trimmed before we came to it, the
//!   number of missed batches is told instead.
//! - Bounded: the next portion waits until the last one was acknowledged, so a slow subscriber does
//!   not fill memory.
//! - Each client has a position of its own: a slow one holds up no other.
//!
//! Proof: `proof/tests/engine/shared.rs`, `__test__/process/shared.test.mjs`.

use rustc_hash::FxHashMap;
use tasker_core::error::Result;
use tasker_core::id::{OwnerId, Seq};
use tasker_core::journal::{self, Transition};
use tasker_core::store::{Brief, Entry, ReadTransaction};
use tasker_core::task::Json;
use tasker_core::transition::{EventKind, TransitionKind};

use crate::effect::{Effect, RemoteEvent, TaskEvent};
use crate::event_feed::EventFeed;
use crate::input::RemoteFilter;
use crate::memory::Memory;

/// Batches that are read at once.
const BATCHES_MAX: usize = 256;
/// Events with which a portion ends, after the batch that they stand in.
const EVENTS_MAX: usize = 1_000;

/// Forwards to each client its next portion.
pub(crate) fn forward(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    for (client, feed) in memory.subscribers.due(memory.number) {
        let events = next_events(transaction, feed, memory.owner)?;
        effects.extend(events.into_iter().map(|event| Effect::Remote(client, event)));
    }
    Ok(())
}

/// The next portion of a feed, which moves on behind it.
fn next_events(
    transaction: &mut dyn ReadTransaction,
    feed: &mut EventFeed,
    owner: OwnerId,
) -> Result<Vec<RemoteEvent>> {
    let entries = transaction.journal(feed.position, BATCHES_MAX)?;
    debug_assert!(entries.len() <= BATCHES_MAX, "more batches came than were asked for");
    debug_assert!(
        entries.iter().all(|entry| entry.number > feed.position),
        "a batch is forwarded twice (I-11)"
    );
    let portion = Portion::of(&entries, feed.filter, owner)?;
    let mut events = portion.events(transaction)?;
    let missed = entries.first().map_or(0, |oldest| oldest.number - (feed.position + 1));
    if missed > 0 {
        events.insert(0, RemoteEvent::Missed(missed));
    }
    feed.position = portion.last.max(feed.position);
    feed.is_unacked = !events.is_empty();
    if feed.is_unacked {
        events.push(RemoteEvent::AwaitAck);
    }
    Ok(events)
}

/// What is forwarded at once.
#[derive(Default)]
struct Portion {
    transitions: Vec<Transition>,
    /// The number of the last batch in it.
    last: u64,
}

impl Portion {
    /// What others did in these batches, until it is enough.
    fn of(entries: &[Entry], filter: RemoteFilter, owner: OwnerId) -> Result<Portion> {
        let mut portion = Portion::default();
        for entry in entries {
            portion.last = entry.number;
            if entry.owner == owner {
                continue;
            }
            for transition in journal::unpack(&entry.transitions) {
                let transition = transition?;
                if is_told(transition.kind, filter) {
                    portion.transitions.push(transition);
                }
            }
            if portion.transitions.len() >= EVENTS_MAX {
                break;
            }
        }
        Ok(portion)
    }

    fn events(&self, transaction: &mut dyn ReadTransaction) -> Result<Vec<RemoteEvent>> {
        let seqs: Vec<Seq> = self.transitions.iter().map(|transition| transition.seq).collect();
        let briefs = transaction.briefs(&seqs)?;
        debug_assert_eq!(briefs.len(), seqs.len(), "a lookup gives one answer for each item");
        let errors = self.errors(transaction)?;
        let event = |(transition, brief): (&Transition, Option<Brief>)| {
            let brief = brief?;
            let id = brief.id;
            let error = errors.get(&transition.seq).cloned();
            event_of(*transition, brief, error).map(|event| RemoteEvent::Task(id, event))
        };
        Ok(self.transitions.iter().zip(briefs).filter_map(event).collect())
    }

    /// The error of the last attempt of each task that is tried again.
    fn errors(&self, transaction: &mut dyn ReadTransaction) -> Result<FxHashMap<Seq, Json>> {
        let is_retry =
            |transition: &&Transition| transition.kind.rule().events.contains(&EventKind::Retrying);
        let seqs: Vec<Seq> = self.transitions.iter().filter(is_retry).map(|it| it.seq).collect();
        let errors = transaction.last_errors(&seqs)?.into_iter();
        Ok(seqs.into_iter().zip(errors).filter_map(|(seq, error)| Some((seq, error?))).collect())
    }
}

fn is_told(kind: TransitionKind, filter: RemoteFilter) -> bool {
    let events = kind.rule().events;
    match filter {
        RemoteFilter::Nothing => false,
        RemoteFilter::Ends => events.contains(&EventKind::Ended),
        RemoteFilter::All => !events.is_empty(),
    }
}

/// The event of a transition; some are told only to the owner that made them.
fn event_of(transition: Transition, brief: Brief, error: Option<Json>) -> Option<TaskEvent> {
    let events = transition.kind.rule().events;
    match events.first()? {
        EventKind::Added => {
            Some(TaskEvent::Added { has_started: events.contains(&EventKind::Run) })
        }
        EventKind::Run => Some(TaskEvent::Run),
        // Without a place in the queue it has but the priority of its row.
        EventKind::Prioritized => {
            Some(TaskEvent::Prioritized(transition.priority.unwrap_or(brief.priority)))
        }
        EventKind::Updated => Some(TaskEvent::Updated),
        EventKind::Retrying => {
            let run_at = brief.run_at.map_or(brief.latest_at, |at| at.max(brief.latest_at));
            Some(TaskEvent::Retrying(run_at, error))
        }
        EventKind::Ended => brief.outcome.map(TaskEvent::Ended),
    }
}
