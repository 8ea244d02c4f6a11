//! What is due by the wall clock.
//!
//! Memory holds one number, the moment of the next timer; the timers themselves lie in the store.
//! When it has come, a turn reads those that are due, looks at what each is about, and forgets them
//! all with one change.
//!
//! # Promises
//! - Nothing is due before its moment by the clock that holds when it is looked at, and what is due
//!   is late at most once, whatever becomes of the clock: a timer is a moment, and no wait.
//! - A turn fires at most [`FIRED_MAX`] timers, by their time and then by number.
//! - A neighbour that has fired them first leaves nothing to do.
//!
//! # Left to others
//! What is done when one fires: `due`. When to look: `thread`. How long a run may take is no matter
//! of the wall clock: `timeout`.
//!
//! Proof: `proof/tests/engine/timers.rs`, `proof/tests/random`.

use std::collections::BTreeSet;

use tasker_core::error::Result;
use tasker_core::hold::HoldId;
use tasker_core::id::{OperationId, Seq};
use tasker_core::retention;
use tasker_core::schedules::ScheduleNo;
use tasker_core::store::{Expired, GatesLeft, ReadTransaction};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use crate::memory::Memory;

/// How many timers fire in one turn.
const FIRED_MAX: usize = 1_024;
/// With so many tasks to remove a turn looks for no more.
const EXPIRED_MAX: usize = 1_024;
/// How many tasks one turn looks at that holds have held which are over.
const SWEPT_MAX: usize = 1_024;
/// How many schedules a turn looks at.
const SCHEDULES_MAX: usize = 256;
/// How many blocks a turn looks at.
const BLOCKS_MAX: usize = 32;

/// The timers that fire in a turn.
#[derive(Debug)]
pub struct Fired {
    /// In the order in which they fire.
    pub(crate) timers: Vec<Timer>,
    /// The tasks of their blocks whose retention is over.
    pub(crate) expired: Vec<Expired>,
    /// The tasks of their holds.
    pub(crate) swept: Vec<Swept>,
    /// The operations of their gates, and what a sweep leaves of those.
    pub(crate) gates: Vec<(OperationId, GatesLeft)>,
    /// When the next one behind them is due.
    pub(crate) next_at: Option<WallMs>,
}

impl Fired {
    /// Reads the timers that are due.
    pub(crate) fn read(transaction: &mut dyn ReadTransaction, now: WallMs) -> Result<Fired> {
        let mut timers = transaction.timers(WallMs::FIRST..=now, FIRED_MAX)?;
        debug_assert!(timers.is_sorted() && timers.iter().all(|timer| timer.at <= now));
        let (expired, looked_at) = expired(transaction, &timers, now)?;
        let (swept, looked_at) = swept(transaction, &timers[..looked_at])?;
        let looked_at = schedules(&timers[..looked_at]);
        let next_at = match (timers.get(looked_at), timers.last()) {
            (Some(next), _) => Some(next.at),
            (None, Some(last)) if timers.len() == FIRED_MAX => Some(last.at),
            (None, _) => first_from(transaction, now.plus(1))?,
        };
        timers.truncate(looked_at);
        let gates = gates(transaction, &timers, now)?;
        Ok(Fired { timers, expired, swept, gates, next_at })
    }

    /// The schedules that are due, each once, in the order in which they fire.
    pub(crate) fn schedules(&self) -> impl Iterator<Item = ScheduleNo> {
        let mut seen = BTreeSet::new();
        let due = self.timers.iter().filter(|timer| timer.kind == TimerKind::Schedule);
        due.map(|timer| ScheduleNo(timer.seq.0)).filter(move |no| seen.insert(*no))
    }

    /// The tasks of the timers that are each about one, and those that holds have held.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = Seq> {
        let of_task = |timer: &Timer| match timer.kind {
            TimerKind::Due | TimerKind::Unblock | TimerKind::QueueTimeout => Some(timer.seq),
            TimerKind::Purge | TimerKind::Hold | TimerKind::Schedule | TimerKind::Gate => None,
        };
        let held = self.swept.iter().flat_map(|one| one.seqs.iter().copied());
        self.timers.iter().filter_map(of_task).chain(held)
    }
}

/// The tasks whose retention is over in the blocks of these timers, until they are enough for one
/// turn; and how many of the timers come into it.
fn expired(
    transaction: &mut dyn ReadTransaction,
    timers: &[Timer],
    now: WallMs,
) -> Result<(Vec<Expired>, usize)> {
    let (mut expired, mut seen) = (Vec::new(), BTreeSet::new());
    for (at, timer) in timers.iter().enumerate() {
        if timer.kind != TimerKind::Purge || seen.contains(&timer.seq) {
            continue;
        }
        if expired.len() >= EXPIRED_MAX || seen.len() >= BLOCKS_MAX {
            return Ok((expired, at));
        }
        expired.extend(transaction.expired(retention::block(*timer), now)?);
        seen.insert(timer.seq);
    }
    Ok((expired, timers.len()))
}

/// Tasks that a hold has held which is over.
#[derive(Debug)]
pub(crate) struct Swept {
    pub(crate) hold: HoldId,
    /// The first of them.
    pub(crate) seqs: Vec<Seq>,
    /// Whether these are all.
    pub(crate) is_last: bool,
}

/// The tasks of the holds of these timers, until they are enough for one turn; and how many of the
/// timers come into it.
fn swept(transaction: &mut dyn ReadTransaction, timers: &[Timer]) -> Result<(Vec<Swept>, usize)> {
    let (mut all, mut left): (Vec<Swept>, usize) = (Vec::new(), SWEPT_MAX);
    for (at, timer) in timers.iter().enumerate() {
        let hold = HoldId(timer.seq.0);
        if timer.kind != TimerKind::Hold || all.iter().any(|one| one.hold == hold) {
            continue;
        }
        if left == 0 {
            return Ok((all, at));
        }
        let seqs = transaction.held(hold, left)?;
        debug_assert!(seqs.is_sorted(), "held tasks come by number");
        let is_last = seqs.len() < left;
        left -= seqs.len();
        all.push(Swept { hold, seqs, is_last });
    }
    Ok((all, timers.len()))
}

/// How many of these timers are as many as a turn comes to, for the schedules among them.
fn schedules(timers: &[Timer]) -> usize {
    let own = timers.iter().enumerate().filter(|(_, timer)| timer.kind == TimerKind::Schedule);
    own.map(|(at, _)| at).nth(SCHEDULES_MAX).unwrap_or(timers.len())
}

/// What a sweep would leave of the gates of these timers.
fn gates(
    transaction: &mut dyn ReadTransaction,
    timers: &[Timer],
    now: WallMs,
) -> Result<Vec<(OperationId, GatesLeft)>> {
    let of_gates = timers.iter().filter(|timer| timer.kind == TimerKind::Gate);
    let ids = of_gates.filter_map(|timer| u16::try_from(timer.seq.0).ok().map(OperationId));
    let ids: BTreeSet<OperationId> = ids.collect();
    ids.into_iter().map(|id| Ok((id, transaction.gates_left(id, now)?))).collect()
}

/// When the first timer is due.
pub(crate) fn next_at(transaction: &mut dyn ReadTransaction) -> Result<Option<WallMs>> {
    first_from(transaction, WallMs::FIRST)
}

fn first_from(transaction: &mut dyn ReadTransaction, from: WallMs) -> Result<Option<WallMs>> {
    let first = transaction.timers(from..=WallMs::LAST, 1)?;
    Ok(first.first().map(|timer| timer.at))
}

impl Memory {
    /// Whether a timer is due.
    pub(crate) fn is_timer_due(&self, now: WallMs) -> bool {
        self.next_timer.is_some_and(|at| at <= now)
    }
}
