//! Telling what other owners did to those here who listen.
//!
//! # Promises
//! - What is told is committed, and told in the order of commits (I-11).
//! - Each batch is told at most once. Where the journal is trimmed before we came to it, that is
//!   said instead.
//! - Bounded: nothing more is told until the last portion was heard, so an outside that does not
//!   listen does not fill memory.
//!
//! Proof: `proof/tests/engine/shared.rs`, `__test__/process/shared.test.mjs`.

use tasker_core::error::Result;
use tasker_core::id::OwnerId;
use tasker_core::journal::{self, Move, Step};
use tasker_core::store::{Brief, Entry, Store};

use crate::effect::{Effect, Elsewhere, News};
use crate::input::Follow;
use crate::memory::Memory;

/// Batches that are read at once.
const BATCHES_MAX: usize = 256;
/// Steps with which a portion ends, after the batch that they stand in.
const STEPS_MAX: usize = 1_000;

/// Tells the next portion, inside a transaction.
pub(crate) fn follow(
    store: &mut dyn Store,
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    if !memory.feed.is_due(memory.number) {
        return Ok(());
    }
    let position = memory.feed.position;
    let told = effects.len();
    let entries = store.journal(position, BATCHES_MAX)?;
    let missed = entries.first().map_or(0, |oldest| oldest.number - (position + 1));
    if missed > 0 {
        effects.push(Effect::Elsewhere(Elsewhere::Missed(missed)));
    }
    let portion = Portion { follow: memory.feed.follow, owner: memory.owner };
    memory.feed.position = portion.tell(store, &entries, effects)?.max(position);
    if effects.len() > told {
        effects.push(Effect::Elsewhere(Elsewhere::Pause));
        memory.feed.is_under_way = true;
    }
    Ok(())
}

/// What a portion holds.
struct Portion {
    follow: Follow,
    owner: OwnerId,
}

impl Portion {
    /// Tells of these batches until it is enough; the number of the last one.
    fn tell(
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
            for moved in journal::unpack(&entry.moves) {
                effects.extend(self.news(store, moved?)?.map(Effect::Elsewhere));
            }
            if effects.len() - begin >= STEPS_MAX {
                break;
            }
        }
        Ok(last)
    }

    fn news(&self, store: &mut dyn Store, moved: Move) -> Result<Option<Elsewhere>> {
        let is_end = moved.step.state().is_some_and(|state| state.is_final());
        if self.follow == Follow::Ends && !is_end {
            return Ok(None);
        }
        let Some(brief) = store.brief(moved.seq)? else { return Ok(None) };
        let id = brief.id;
        Ok(news_of(moved.step, brief).map(|news| Elsewhere::Task(id, news)))
    }
}

/// What a step is to those who listen; some are none of their business.
fn news_of(step: Step, brief: Brief) -> Option<News> {
    match step {
        Step::Add | Step::AddStart => Some(News::Added { has_started: step == Step::AddStart }),
        Step::Start => Some(News::Run),
        Step::Prioritize => Some(News::Prioritized(brief.priority)),
        Step::Done | Step::Fail | Step::Abort | Step::Withdraw | Step::Reject => {
            brief.outcome.map(News::Ended)
        }
        Step::Postpone | Step::Lost | Step::AskAbort => None,
    }
}
