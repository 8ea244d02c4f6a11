//! One batch onto what it touches: what it needs to know, and what each change does.
//!
//! # Promises
//! - A change whose guard does not hold refuses the batch before anything is written (I-3, I-4).
//!
//! # Left to others
//! That nothing else was committed meanwhile is `commit.lua`'s, so a guard that held here holds
//! there too.
//!
//! Proof: `conformance::guards`, `conformance::commit`.

mod asked;
mod attempts;
mod keyed;
mod needs;
mod rest;
mod tasks;
mod waits;

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{OwnerId, RunId, Seq};
use tasker_core::state::State;
use tasker_core::store::{Change, OutsideChange, Refused};

use crate::overlay::Overlay;
use crate::row::Row;

pub(crate) use needs::needs;

/// Whether the guard of a change holds; what is read may be damaged.
type Held = Result<bool>;

/// How a batch ends that cannot be written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    Refused(Refused),
    Failed(Error),
}

/// Applies all changes, in order.
pub(crate) fn apply(
    overlay: &mut Overlay,
    changes: &[Change],
    owner: OwnerId,
) -> std::result::Result<(), Unwritten> {
    for (change, what) in changes.iter().enumerate() {
        match overlay.apply(what, owner) {
            Ok(true) => {}
            Ok(false) => {
                let error = Error::new(Code::Fenced, "the guard of a change does not hold");
                return Err(Unwritten::Refused(Refused { change, error }));
            }
            Err(error) => return Err(Unwritten::Failed(error)),
        }
    }
    Ok(())
}

impl Overlay {
    fn apply(&mut self, change: &Change, owner: OwnerId) -> Held {
        match change {
            Change::Add { .. } | Change::AddDelayed { .. } | Change::AddBlocked { .. } => {
                self.add(change, owner)
            }
            Change::Start { .. }
            | Change::Due { .. }
            | Change::Unblock { .. }
            | Change::Delay { .. }
            | Change::Free { .. }
            | Change::HoldBack { .. }
            | Change::SetQueueTimeout { .. }
            | Change::Prioritize { .. }
            | Change::Update { .. }
            | Change::Sort { .. } => self.move_waiting(change, owner),
            Change::End { .. } | Change::Release { .. } | Change::Reopen { .. } => {
                self.end_attempt(change)
            }
            Change::Pause { .. }
            | Change::Resume { .. }
            | Change::Block { .. }
            | Change::RequestPause { .. }
            | Change::PauseRun { .. }
            | Change::ResumeRun { .. }
            | Change::RequestAbort { .. }
            | Change::RequestPostpone { .. }
            | Change::Progress { .. }
            | Change::Log { .. } => self.ask_of(change),
            Change::Key { .. } | Change::SweepKeys(_) | Change::Purge { .. } => self.keyed(change),
            Change::DependOn { .. }
            | Change::Met { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. }
            | Change::Timer { .. }
            | Change::Fired(_) => self.wait(change),
            Change::Operation(_)
            | Change::Offer(_)
            | Change::Bury(_)
            | Change::Hold(_)
            | Change::Schedule(_)
            | Change::Gate(_) => self.rest(change, owner),
            Change::Outside(change) => self.outside(change),
        }
    }

    fn outside(&mut self, change: &OutsideChange) -> Held {
        let seq = match change {
            OutsideChange::Claim { seq, .. }
            | OutsideChange::Begin { seq, .. }
            | OutsideChange::Unclaim { seq, .. }
            | OutsideChange::Renew { seq, .. }
            | OutsideChange::Touch { seq, .. } => *seq,
        };
        match self.row(seq)? {
            Some(row) => Ok(row.change_outside(change)),
            None => Ok(matches!(change, OutsideChange::Touch { .. })),
        }
    }

    /// A task in this state.
    fn in_state(&mut self, seq: Seq, state: State) -> Result<Option<&mut Row>> {
        Ok(self.row(seq)?.filter(|row| row.state == state))
    }

    /// A task that waits, for whatever, and has no run.
    fn waiting(&mut self, seq: Seq) -> Result<Option<&mut Row>> {
        Ok(self.row(seq)?.filter(|row| row.is_waiting()))
    }

    /// One that runs under this run.
    fn running(&mut self, seq: Seq, run: RunId) -> Result<Option<&mut Row>> {
        Ok(self.in_state(seq, State::Running)?.filter(|row| row.run == Some(run)))
    }

    /// One that runs, or has halted, under this run.
    fn live(&mut self, seq: Seq, run: RunId) -> Result<Option<&mut Row>> {
        Ok(self.row(seq)?.filter(|row| row.has_live_run() && row.run == Some(run)))
    }
}
