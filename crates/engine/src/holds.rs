//! Holds: no task starts that matches one, until it is over.
//!
//! A task that comes up and matches is delayed until then, one write for each, and stands among
//! those that its hold has held. When the hold is released or over, a turn looks at up to
//! 1,024 of these and frees those that are still held; a timer says that there are more,
//! so whoever comes after a crash goes on.
//!
//! # Promises
//! - A hold is in force for what the very turn starts that makes it.
//! - What starts beside holds is what would start if the held tasks were not there (I-7).
//! - A program without a hold pays a look at an empty list in a turn, and nothing for a task.
//!
//! # Left to others
//! What a hold looks at: [`tasker_core::hold`].
//!
//! Proof: `proof/tests/engine/holds.rs`, `conformance::holds`, `proof/tests/random`.

use std::borrow::Cow;

use tasker_core::dispatch::{Pick, Picks};
use tasker_core::document;
use tasker_core::error::{Code, Error, Result};
use tasker_core::fault::{Fault, is_on};
use tasker_core::hold::{HOLDS_PER_BATCH, HeldBy, Hold, HoldId, HoldQuery, Holds};
use tasker_core::id::{LaneId, Seq};
use tasker_core::limits::{HOLD_MS_MAX, HOLDS_MAX};
use tasker_core::query::Fields;
use tasker_core::state::State;
use tasker_core::store::{Change, HoldChange, ReadTransaction};
use tasker_core::task::NewTask;
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;
use crate::timers::Swept;

/// How many tasks one turn holds back.
const HELD_MAX: usize = 1_024;

impl Planner<'_> {
    /// All holds, after what this turn does.
    fn all_holds(&self) -> &Holds {
        self.draft.holds.as_ref().unwrap_or(self.memory.holds)
    }

    fn change_holds(&mut self, change: HoldChange) -> &mut Holds {
        self.draft.changes.push(Change::Hold(change));
        let memory = self.memory.holds;
        self.draft.holds.get_or_insert_with(|| memory.clone())
    }

    /// Makes a hold.
    pub(crate) fn hold(
        &mut self,
        ticket: Ticket,
        (query, until): (&HoldQuery, WallMs),
        by: HeldBy,
    ) {
        let made = self.make_hold(query, until, by);
        self.reply(ticket, made.map(|id| Answer::Number(id.0)));
    }

    fn make_hold(&mut self, query: &HoldQuery, until: WallMs, by: HeldBy) -> Result<HoldId> {
        let now = self.now.wall;
        if until > now.plus(HOLD_MS_MAX) {
            let text = "lies more than 30 days ahead; hold again when they are over";
            return Err(Error::invalid("until", text));
        }
        if self.all_holds().live(now).count() >= HOLDS_MAX
            || self.draft.holds_made >= HOLDS_PER_BATCH
        {
            let text = format!(
                "there are {HOLDS_MAX} holds already; release one with `releaseHold`, or let one \
                 hold match what several do"
            );
            return Err(Error::at(Code::Limit, "query", text));
        }
        let id = HoldId::new(self.memory.number + 1, self.draft.holds_made);
        self.draft.holds_made += 1;
        let query = query.clone();
        let hold = Hold { id, query, since: now, until, by, is_released: false };
        self.change_holds(HoldChange::Make(Box::new(hold.clone()))).0.push(hold);
        if until > now {
            self.wake_at(Some(until));
        } else {
            self.draft.holds_over.push(id);
        }
        Ok(id)
    }

    /// Ends a hold before its time. The answer says whether it was live.
    pub(crate) fn release_hold(&mut self, ticket: Ticket, id: HoldId) {
        let is_live = self.all_holds().live(self.now.wall).any(|hold| hold.id == id);
        if is_live {
            if let Some(hold) = self.change_holds(HoldChange::Release(id)).get_mut(id) {
                hold.is_released = true;
            }
            self.draft.holds_over.push(id);
        }
        self.answer(Effect::Answer(ticket, Answer::Flag(is_live)));
    }

    /// The next turn looks after the holds that are over with this one. Stands behind the change
    /// that forgets the timers that have fired: theirs come before all of these.
    pub(crate) fn sweep_what_is_over(&mut self) {
        for hold in std::mem::take(&mut self.draft.holds_over) {
            self.sweep_later(hold);
        }
    }

    /// The next turn looks at what a hold has held, whatever the clock of who takes it says.
    fn sweep_later(&mut self, hold: HoldId) {
        let timer = Timer { at: WallMs::FIRST, kind: TimerKind::Hold, seq: Seq(hold.0) };
        self.draft.changes.push(Change::Timer { timer, lane: LaneId(0) });
        self.wake_at(Some(timer.at));
    }

    /// Frees those of these tasks that are still held. Stands behind what has become due.
    pub(crate) fn free_held(&mut self, swept: &[Swept]) {
        for seq in swept.iter().flat_map(|one| &one.seqs) {
            let Some(brief) = self.facts.briefs.get(seq) else { continue };
            let is_held = brief.is_held && !is_on(Fault::ReleaseForgetsHeld);
            if is_held && brief.state == State::Delayed {
                let (seq, lane, priority) = (*seq, brief.lane, brief.priority);
                let at = self.now.wall;
                let free = Change::Free { seq, lane, priority, at };
                self.transition(Some(State::Delayed), free);
            }
        }
    }

    /// Forgets what has been looked at, and the holds of which nothing is left. Stands behind the
    /// change that forgets their timers.
    pub(crate) fn sweep_holds(&mut self, swept: &[Swept]) {
        for Swept { hold, seqs, is_last } in swept {
            if *is_last {
                let holds = self.change_holds(HoldChange::Sweep(*hold, None));
                holds.0.retain(|one| one.id != *hold);
            } else {
                self.change_holds(HoldChange::Sweep(*hold, seqs.last().copied()));
                self.sweep_later(*hold);
            }
        }
    }

    /// Whether there may be a hold that a task matches which comes up.
    pub(crate) fn has_live_holds(&self) -> bool {
        !self.all_holds().is_empty() && self.all_holds().live(self.now.wall).next().is_some()
    }

    /// Picks what may start, and holds back what a hold matches. What is picked behind a held task
    /// is picked anew, so that nothing is in the place of what that seemed to hold up: a portion
    /// grows only as long as none is held.
    pub(crate) fn pick_beside_holds(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        (picks, is_shared): (&mut Picks, bool),
    ) -> Result<()> {
        let (mut portion, mut held) = (1, 0);
        loop {
            let before = picks.picks.len();
            picks.allow(portion);
            self.pick_some(transaction, (picks, is_shared))?;
            if self.draft.is_stale {
                return Ok(());
            }
            let is_held = |pick: &Pick| Ok(self.hold_of(pick)?.map(|hold| (hold.id, hold.until)));
            let mut found = picks.picks[before..].iter().map(is_held).enumerate();
            let first = found.find_map(|(at, hold)| Some((at, hold.transpose()?)));
            match first {
                Some((at, hold)) => {
                    let (id, until) = hold?;
                    while picks.picks.len() > before + at + 1 {
                        self.unpick(picks);
                    }
                    self.hold_back(picks, (id, until));
                    (portion, held) = (1, held + 1);
                    if held == HELD_MAX {
                        self.draft.is_starved = true;
                        return Ok(());
                    }
                }
                None if picks.picks.len() < before + portion => return Ok(()),
                None => portion *= 2,
            }
        }
    }

    /// Of the holds that match a task the one that is over last.
    fn hold_of(&self, pick: &Pick) -> Result<Option<&Hold>> {
        let index = pick.key.seq.0.checked_sub(self.memory.seq_next.0);
        let new = index.and_then(|at| self.draft.adds.get(at as usize)).map(|add| &add.task.def);
        let def = new.or(pick.task.as_ref().map(|task| &task.def));
        debug_assert!(def.is_some(), "nothing is known of {:?}", pick.key);
        let Some(def) = def else { return Ok(None) };
        // The store does not know the priority that this very turn gave it; its place does.
        let priority = pick.key.priority();
        let def = match def.priority == priority {
            true => Cow::Borrowed(def),
            false => Cow::Owned(NewTask { priority, ..def.clone() }),
        };
        let matching = matching(self.all_holds().live(self.now.wall), &def)?;
        Ok(matching.into_iter().max_by_key(|hold| (hold.until, hold.id)))
    }

    /// The last pick does not start, but waits until a hold is over.
    fn hold_back(&mut self, picks: &mut Picks, (hold, until): (HoldId, WallMs)) {
        let Some(&Pick { lane, key, .. }) = picks.picks.last() else { return };
        self.unpick(picks);
        self.dispatch.leave(lane, key);
        self.wake_at(Some(until));
        let (seq, priority) = (key.seq, key.priority());
        let change = Change::HoldBack { seq, lane, priority, hold, until };
        if let Some(index) = seq.0.checked_sub(self.memory.seq_next.0) {
            // Written behind its add.
            self.draft.adds[index as usize].held = Some(Box::new(change));
        } else {
            self.write_due_of(seq);
            self.transition(Some(State::Ready), change);
        }
    }
}

/// Those of the holds that match a task.
pub(crate) fn matching<'h>(
    holds: impl Iterator<Item = &'h Hold>,
    def: &NewTask,
) -> Result<Vec<&'h Hold>> {
    let holds: Vec<&Hold> = holds.collect();
    let fields = holds.iter().map(|hold| hold.query.fields()).fold(Fields::NONE, Fields::and);
    let task = document::for_conditions(def, fields)?;
    Ok(holds.into_iter().filter(|hold| hold.query.matches(&task)).collect())
}
