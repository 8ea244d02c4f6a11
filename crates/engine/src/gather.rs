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
use tasker_core::id::{IdKey, IdempotencyKey, Seq, TaskId};
use tasker_core::state::State;
use tasker_core::store::{Brief, Lookups, Orphan, ReadTransaction};
use tasker_core::task::NewTask;
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
    /// The tasks that new tasks depend on.
    pub states: FxHashMap<Seq, (TaskId, State)>,
    /// The tasks of the keys that the inputs name, as far as the keys are known.
    pub keys: FxHashMap<IdempotencyKey, TaskId>,
    /// Of the tasks that are to be put off, those whose runs are to be aborted.
    pub abort_asked: FxHashSet<Seq>,
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
    let Lookups { seqs, keys, mut dependencies, .. } = lookups;
    dependencies.sort_unstable();
    dependencies.dedup();
    let states = transaction.states(&dependencies)?;
    debug_assert_eq!(states.len(), dependencies.len(), "a lookup gives one answer for each item");
    let briefs = transaction.briefs(&seqs)?;
    let tasks = transaction.find_by_keys(&keys)?;
    debug_assert_eq!(briefs.len(), seqs.len(), "a lookup gives one answer for each item");
    debug_assert_eq!(tasks.len(), keys.len(), "a lookup gives one answer for each key");
    let found = |(seq, brief): (Seq, Option<Brief>)| Some((seq, brief?));
    let known = |(key, task): (IdempotencyKey, Option<TaskId>)| Some((key, task?));
    let states = dependencies.into_iter().zip(states);
    let briefs: FxHashMap<Seq, Brief> = seqs.into_iter().zip(briefs).filter_map(found).collect();
    let abort_asked = abort_asked(transaction, key, inputs, &briefs)?;
    Ok(Facts {
        orphans,
        fired,
        states: states.filter_map(|(seq, state)| Some((seq, state?))).collect(),
        briefs,
        abort_asked,
        keys: keys.into_iter().zip(tasks).filter_map(known).collect(),
    })
}

/// Of the tasks that are to be put off, those whose runs are to be aborted.
fn abort_asked(
    transaction: &mut dyn ReadTransaction,
    key: IdKey,
    inputs: &[Input],
    briefs: &FxHashMap<Seq, Brief>,
) -> Result<FxHashSet<Seq>> {
    let mut runs = Vec::new();
    for input in inputs {
        if let Input::PostponeTask(_, id, _) = input {
            let seq = key.seq_of(*id);
            runs.extend(briefs.get(&seq).and_then(|brief| Some((seq, brief.run?))));
        }
    }
    if runs.is_empty() {
        return Ok(FxHashSet::default());
    }
    let reasons = transaction.abort_requests(&runs)?;
    debug_assert_eq!(reasons.len(), runs.len(), "a lookup gives one answer for each run");
    let asked = runs.into_iter().zip(reasons).filter(|(_, reason)| reason.is_some());
    Ok(asked.map(|((seq, _), _)| seq).collect())
}

/// Adds what an input calls for, but windows.
pub(crate) fn add(lookups: &mut Lookups, key: IdKey, input: &Input) {
    match input {
        Input::Abort(_, id, _)
        | Input::Prioritize(_, id, _)
        | Input::Retry(_, id, _)
        | Input::PostponeTask(_, id, _)
        | Input::AwaitEnd(_, id) => {
            lookups.seqs.push(key.seq_of(*id));
        }
        Input::AddIdempotent(_, defs) => {
            lookups.keys.extend(defs.iter().map(|(key, _)| *key));
            defs.iter().for_each(|(_, def)| add_dependencies(lookups, key, def));
        }
        Input::Add(_, def) => add_dependencies(lookups, key, def),
        Input::AddMany(_, defs) => {
            defs.iter().for_each(|def| add_dependencies(lookups, key, def));
        }
        Input::FindByKey(_, key) => lookups.keys.push(*key),
        Input::Settle(..)
        | Input::Postpone(_)
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

fn add_dependencies(lookups: &mut Lookups, key: IdKey, def: &NewTask) {
    if let Some(all) = &def.options.depends_on {
        lookups.dependencies.extend(all.tasks().map(|id| key.seq_of(id)));
    }
}
