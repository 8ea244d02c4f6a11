//! What a turn asks the store before it plans: once for each kind of fact, for all inputs.
//!
//! # Promises
//! - Under the write lock, so that what is read holds until the commit: no other owner's task with
//!   the same key can come between (I-2).
//! - Memory does not change.
//!
//! # Left to others
//! Windows and contents: the plan knows only when it comes to them which are wanted (`starts`).
//!
//! Proof: `proof/tests/engine`, `proof/tests/random`.

use rustc_hash::{FxHashMap, FxHashSet};
use tasker_core::error::Result;
use tasker_core::id::{IdKey, IdempotencyKey, RunId, Seq, TaskId};
use tasker_core::store::{Brief, Lookups, Orphan, PauseWish, ReadTransaction};
use tasker_core::time::WallMs;

use crate::input::Input;
use crate::timers::Fired;

/// What the plan knows of the store beside what memory mirrors. It writes through what it does, so
/// that each verb sees the one before.
#[derive(Debug, Default)]
pub struct Facts {
    /// The runs of dead owners. If there are any, nothing else is known, and planned.
    pub orphans: Vec<Orphan>,
    /// The timers that are due, if there are any.
    pub fired: Option<Fired>,
    /// The tasks that the inputs and the timers name; none where the number is nobody's.
    pub briefs: FxHashMap<Seq, Brief>,
    /// What is wanted of the runs that are to be paused or resumed, where somebody wants something.
    pub wishes: FxHashMap<Seq, PauseWish>,
    /// Those of them whose abort was asked for.
    pub aborts_asked: FxHashSet<Seq>,
    /// The tasks of the keys that the inputs name, as far as the keys are known.
    pub keys: FxHashMap<IdempotencyKey, TaskId>,
}

/// Reads what these inputs call for, and what is due at a moment if something is.
pub(crate) fn facts(
    transaction: &mut dyn ReadTransaction,
    key: IdKey,
    inputs: &[Input],
    due: Option<WallMs>,
) -> Result<Facts> {
    let orphans = transaction.orphans()?;
    if !orphans.is_empty() {
        return Ok(Facts { orphans, ..Facts::default() });
    }
    let mut lookups = Lookups::default();
    inputs.iter().for_each(|input| add(&mut lookups, key, input));
    let fired = due.map(|now| Fired::read(transaction, now)).transpose()?;
    let timers = fired.iter().flat_map(|fired| &fired.timers);
    lookups.seqs.extend(timers.map(|timer| timer.seq));
    let Lookups { seqs, keys, .. } = lookups;
    let briefs = transaction.briefs(&seqs)?;
    let tasks = transaction.find_by_keys(&keys)?;
    debug_assert_eq!(briefs.len(), seqs.len(), "a lookup gives one answer for each item");
    debug_assert_eq!(tasks.len(), keys.len(), "a lookup gives one answer for each key");
    let found = |(seq, brief): (Seq, Option<Brief>)| Some((seq, brief?));
    let known = |(key, task): (IdempotencyKey, Option<TaskId>)| Some((key, task?));
    let briefs = seqs.into_iter().zip(briefs).filter_map(found).collect();
    let (wishes, aborts_asked) = of_pauses(transaction, key, inputs, &briefs)?;
    Ok(Facts {
        orphans,
        fired,
        briefs,
        wishes,
        aborts_asked,
        keys: keys.into_iter().zip(tasks).filter_map(known).collect(),
    })
}

/// What was asked before of the runs that these inputs are to pause or resume.
#[expect(clippy::wildcard_enum_match_arm, reason = "only two calls do")]
fn of_pauses(
    transaction: &mut dyn ReadTransaction,
    key: IdKey,
    inputs: &[Input],
    briefs: &FxHashMap<Seq, Brief>,
) -> Result<(FxHashMap<Seq, PauseWish>, FxHashSet<Seq>)> {
    let named = inputs.iter().filter_map(|input| match input {
        Input::Pause(_, id) | Input::Resume(_, id) => Some(key.seq_of(*id)),
        _ => None,
    });
    let mut runs: Vec<(Seq, RunId)> =
        named.filter_map(|seq| Some((seq, briefs.get(&seq)?.run?))).collect();
    runs.sort_unstable();
    runs.dedup();
    if runs.is_empty() {
        return Ok(Default::default());
    }
    let (wishes, aborts) = (transaction.pause_wishes(&runs)?, transaction.abort_requests(&runs)?);
    debug_assert_eq!((wishes.len(), aborts.len()), (runs.len(), runs.len()), "an answer for each");
    let seqs = || runs.iter().map(|(seq, _)| *seq);
    let wishes = seqs().zip(wishes).filter_map(|(seq, wish)| Some((seq, wish?)));
    let asked = seqs().zip(aborts).filter_map(|(seq, abort)| abort.map(|_| seq));
    Ok((wishes.collect(), asked.collect()))
}

/// Adds what an input calls for, but windows.
pub(crate) fn add(lookups: &mut Lookups, key: IdKey, input: &Input) {
    match input {
        Input::Abort(_, id, _)
        | Input::Prioritize(_, id, _)
        | Input::Pause(_, id)
        | Input::Resume(_, id)
        | Input::Retry(_, id, _)
        | Input::AwaitEnd(_, id) => {
            lookups.seqs.push(key.seq_of(*id));
        }
        Input::AddIdempotent(_, defs) => lookups.keys.extend(defs.iter().map(|(key, _)| *key)),
        Input::FindByKey(_, key) => lookups.keys.push(*key),
        Input::Add(..)
        | Input::AddMany(..)
        | Input::Settle(..)
        | Input::Postpone(_)
        | Input::Halt(_)
        | Input::Record(..)
        | Input::CancelAwait(..)
        | Input::Assign(..)
        | Input::Define(..)
        | Input::PauseOperation(..)
        | Input::Unassign(..)
        | Input::Start(_)
        | Input::Stop(..)
        | Input::Close(..)
        | Input::Subscribe(..)
        | Input::Ack(_)
        | Input::Ready(_)
        | Input::IsShared(_)
        | Input::Leave(_) => {}
    }
}
