//! The same for many tasks, in one commit.
//!
//! # Promises
//! - Each task is met as if it had been named alone; one to which nothing can be done is counted
//!   under its reason and holds up no other.
//! - A dry run decides in the same way and changes nothing.
//!
//! # Left to others
//! Which tasks: a read has found them, and what became of them since is seen here. How many at once
//! is the caller's.
//!
//! Proof: `proof/tests/engine/bulk.rs`, `__test__/contract/bulk.test.mjs`.

use tasker_core::id::Seq;
use tasker_core::store::Brief;
use tasker_core::transition::TransitionKind;

use crate::draft::Planner;
use crate::effect::{Answer, BulkOutcome, Effect, Skipped};
use crate::input::{Bulk, BulkVerb, Ticket};

impl Planner<'_> {
    /// Does the same to many tasks.
    pub(crate) fn bulk(&mut self, ticket: Ticket, bulk: &Bulk) {
        let mut outcome = BulkOutcome::default();
        for seq in &bulk.seqs {
            match self.bulk_one(*seq, bulk) {
                Ok(()) => outcome.changed += 1,
                Err(why) => *outcome.skipped.entry(why).or_default() += 1,
            }
        }
        self.answer(Effect::Answer(ticket, Answer::Bulk(outcome)));
    }

    fn bulk_one(&mut self, seq: Seq, Bulk { verb, is_dry, .. }: &Bulk) -> Result<(), Skipped> {
        let brief = self.facts.briefs.get(&seq).cloned().ok_or(Skipped::NotFound)?;
        if !may(verb, &brief) {
            return Err(refusal(verb));
        }
        let has_changed = match verb {
            BulkVerb::Remove if self.is_needed(seq, &brief) => return Err(Skipped::Needed),
            BulkVerb::Retry(_) if brief.lane.attached_to().is_some() => {
                return Err(Skipped::Attached);
            }
            BulkVerb::Retry(_) if self.key_again(seq, &brief).is_err() => {
                return Err(Skipped::Duplicate);
            }
            BulkVerb::Abort(_) | BulkVerb::Retry(_) | BulkVerb::Remove if *is_dry => true,
            BulkVerb::Abort(reason) => self.abort_task(seq, &brief, reason),
            BulkVerb::Retry(options) => {
                let again = self.retry_task(seq, &brief, *options);
                again.map_err(|_| Skipped::Duplicate)?
            }
            BulkVerb::Remove => self.remove_task(seq, &brief),
        };
        if has_changed { Ok(()) } else { Err(refusal(verb)) }
    }
}

/// Whether its state lets it have an effect.
fn may(verb: &BulkVerb, brief: &Brief) -> bool {
    let kind = match verb {
        BulkVerb::Abort(_) if brief.is_outside => return true,
        BulkVerb::Abort(_) if brief.run.is_none() => TransitionKind::Withdraw,
        BulkVerb::Abort(_) => TransitionKind::RequestAbort,
        BulkVerb::Retry(_) => TransitionKind::Reopen,
        BulkVerb::Remove => TransitionKind::Purge,
    };
    Planner::allows(kind, brief.state)
}

/// Why it has none.
fn refusal(verb: &BulkVerb) -> Skipped {
    match verb {
        BulkVerb::Abort(_) => Skipped::Ended,
        BulkVerb::Retry(_) | BulkVerb::Remove => Skipped::NotEnded,
    }
}
