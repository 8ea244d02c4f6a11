//! What a turn asks the store before it plans: once for each kind of fact, for all inputs.
//!
//! # Promises
//! - Under the write lock, so that what is read holds until the commit: no other owner's task with
//!   the same key can come between (I-2).
//! - Of memory nothing changes but windows, which are a cache.
//!
//! Proof: `proof/tests/engine`, `proof/tests/random`.

use rustc_hash::FxHashMap;
use tasker_core::dispatch::Turnover;
use tasker_core::error::Result;
use tasker_core::id::{IdKey, IdempotencyKey, Seq, TaskId};
use tasker_core::store::{Brief, Lane, Lookups, Orphan, ReadTransaction, WindowSize};
use tasker_core::time::Now;

use crate::input::Input;
use crate::memory::Memory;

/// How much of a lane is loaded at once, beyond what is needed now. With other owners about, what
/// is not needed at once will mostly be theirs.
const WINDOW_FACTOR: usize = 4;
const WINDOW_TASKS_MIN: usize = 256;
const WINDOW_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the plan knows of the store beside what memory mirrors. It writes through what it does, so
/// that each verb sees the one before.
#[derive(Debug, Default)]
pub struct Facts {
    /// The runs of dead owners. If there are any, nothing else is known, and planned.
    pub orphans: Vec<Orphan>,
    /// The tasks that the inputs name; none where the number is nobody's.
    pub briefs: FxHashMap<Seq, Brief>,
    /// The tasks of the keys that the inputs name, as far as the keys are known.
    pub keys: FxHashMap<IdempotencyKey, TaskId>,
}

/// Reads what these inputs call for.
pub(crate) fn facts(
    transaction: &mut dyn ReadTransaction,
    key: IdKey,
    inputs: &[Input],
) -> Result<Facts> {
    let orphans = transaction.orphans()?;
    if !orphans.is_empty() {
        return Ok(Facts { orphans, ..Facts::default() });
    }
    let mut lookups = Lookups::default();
    inputs.iter().for_each(|input| add(&mut lookups, key, input));
    let Lookups { seqs, keys, .. } = lookups;
    let briefs = transaction.briefs(&seqs)?;
    let tasks = transaction.find_by_keys(&keys)?;
    let found = |(seq, brief): (Seq, Option<Brief>)| Some((seq, brief?));
    let known = |(key, task): (IdempotencyKey, Option<TaskId>)| Some((key, task?));
    Ok(Facts {
        orphans,
        briefs: seqs.into_iter().zip(briefs).filter_map(found).collect(),
        keys: keys.into_iter().zip(tasks).filter_map(known).collect(),
    })
}

/// Adds what an input calls for, but windows.
pub(crate) fn add(lookups: &mut Lookups, key: IdKey, input: &Input) {
    match input {
        Input::Abort(_, id, _) | Input::Prioritize(_, id, _) | Input::AwaitEnd(_, id) => {
            lookups.seqs.push(key.seq_of(*id));
        }
        Input::AddIdempotent(_, defs) => lookups.keys.extend(defs.iter().map(|(key, _)| *key)),
        Input::FindByKey(_, key) => lookups.keys.push(*key),
        Input::Add(..)
        | Input::AddMany(..)
        | Input::Settle(..)
        | Input::Postpone(_)
        | Input::Record(..)
        | Input::CancelAwait(..)
        | Input::Assign(..)
        | Input::Unassign(..)
        | Input::Start(_)
        | Input::Stop(..)
        | Input::Close(..)
        | Input::Subscribe(..)
        | Input::Ack(_)
        | Input::Ready(_)
        | Input::IsShared(_) => {}
    }
}

/// What the inputs and the time may free and take away, at most: enough is loaded for it, and more
/// does no harm.
pub(crate) fn turnover(memory: &Memory, key: IdKey, inputs: &[Input], now: Now) -> Turnover {
    let mut turnover = Turnover::default();
    if !memory.dispatch.is_started() {
        return turnover;
    }
    let mut free = |slot| {
        if let Some(run) = memory.live.get(slot) {
            turnover.free(&run.operation);
        }
    };
    memory.live.due(now.mono).into_iter().for_each(&mut free);
    for input in inputs {
        if let Input::Settle(slot, _) | Input::Postpone(slot) = input {
            free(*slot);
        }
    }
    for input in inputs {
        if let Input::Abort(_, id, _) = input {
            turnover.gone.insert(key.seq_of(*id));
        }
    }
    turnover
}

/// The windows that are wanted to start what this turnover lets start.
pub(crate) fn windows(
    memory: &Memory,
    turnover: &Turnover,
    is_shared: bool,
) -> Vec<(Lane, WindowSize)> {
    let dispatch = &memory.dispatch;
    let bytes_max = WINDOW_BYTES_MAX.min(dispatch.window_bytes_max());
    let wanted = dispatch.lanes_to_load(turnover).into_iter().filter_map(|(lane, needed)| {
        let ahead = needed.saturating_mul(WINDOW_FACTOR).max(WINDOW_TASKS_MIN);
        let tasks_max = if is_shared { needed } else { ahead };
        Some((dispatch.lane(lane)?, WindowSize { tasks_max, bytes_max }))
    });
    wanted.collect()
}

/// Loads these windows.
pub(crate) fn load_windows(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    wanted: &[(Lane, WindowSize)],
) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    for ((lane, _), window) in wanted.iter().zip(transaction.windows(wanted)?) {
        memory.dispatch.load(lane.id, window);
    }
    Ok(())
}
