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

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tasker_core::dispatch::Dispatch;
use tasker_core::error::Result;
use tasker_core::id::{IdKey, OwnerId, RunId, Seq, TaskId};
use tasker_core::key::Key;
use tasker_core::schedules::ScheduleName;
use tasker_core::state::State;
use tasker_core::store::{
    Brief, KeyHolder, Lookups, Orphan, OutsideRun, PauseWish, ReadTransaction, ReadyTask, Whose,
};
use tasker_core::task::NewTask;
use tasker_core::time::WallMs;

use crate::input::{Bulk, BulkVerb, Input};
use crate::known_schedules::KnownSchedules;
use crate::lapse::LapsePortion;
use crate::memory::Memory;
use crate::timers::Fired;

/// How many tasks that were attached to an owner one turn ends.
pub(crate) const ATTACHED_ENDED_MAX: usize = 1_000;

/// How many bytes of data one lookup of definitions passes at most.
const DEFINITIONS_BYTES_MAX: usize = 16 << 20;

/// What the plan knows of the store beside what memory mirrors. It writes through what it does, so
/// that each verb sees the one before.
#[derive(Debug, Default)]
pub struct Facts {
    /// The runs of dead owners. If there are any, nothing else is known, and planned.
    pub orphans: Vec<Orphan>,
    /// The dead owners that still offer something.
    pub unburied: Vec<OwnerId>,
    /// Tasks that are attached to dead owners, and have no run; as of orphans.
    pub stranded: Vec<Seq>,
    /// Tasks that are attached to us and have to end, because the handle closes.
    pub attached: Option<Vec<Seq>>,
    /// Tasks that lapse, for a stop is under way.
    pub(crate) lapsing: Option<LapsePortion>,
    /// The timers that are due, if there are any.
    pub fired: Option<Fired>,
    /// The runs and claims that executors outside have of those of the tasks.
    pub(crate) outside: FxHashMap<Seq, OutsideRun>,
    /// The schedules that the inputs name, and those that are due.
    pub(crate) schedules: KnownSchedules,
    /// The tasks that the inputs and the timers name; none where the number is nobody's.
    pub briefs: FxHashMap<Seq, Brief>,
    /// The definitions of the tasks that are to get another one.
    pub definitions: FxHashMap<Seq, ReadyTask>,
    /// The tasks that new tasks depend on.
    pub states: FxHashMap<Seq, (TaskId, State)>,
    /// What is wanted of the runs that are to be paused or resumed, where somebody wants something.
    pub wishes: FxHashMap<Seq, PauseWish>,
    /// The tasks that have, or had, the keys that the inputs name, as far as the keys are known.
    pub keys: FxHashMap<Key, KeyHolder>,
    /// Of the tasks that are to be paused or put off, those whose runs are to be aborted.
    pub abort_asked: FxHashSet<Seq>,
    /// Of the tasks that are to be resumed, those that still wait for others.
    pub blocked: FxHashSet<Seq>,
}

/// Reads what these inputs call for, and what is due at a moment if something is.
pub(crate) fn facts(
    transaction: &mut dyn ReadTransaction,
    (key, memory): (IdKey, &Memory),
    inputs: &[Input],
    (due, leased): (Option<WallMs>, Vec<Seq>),
) -> Result<Facts> {
    let (orphans, unburied) = (transaction.orphans()?, transaction.unburied()?);
    if !orphans.is_empty() {
        return Ok(Facts { orphans, unburied, ..Facts::default() });
    }
    let stranded = transaction.attached(Whose::OfTheDead, ATTACHED_ENDED_MAX)?;
    if !stranded.is_empty() {
        let briefs = read_briefs(transaction, stranded.clone())?;
        return Ok(Facts { stranded, briefs, ..Facts::default() });
    }
    let dispatch = &memory.dispatch;
    let attached = memory.ends_attached();
    let attached = attached.then(|| transaction.attached(Whose::Ours, ATTACHED_ENDED_MAX));
    let attached = attached.transpose()?;
    let lapse = memory.lapse().map(|lapse| lapse.read(transaction, (memory, &unburied)));
    let lapsing = lapse.transpose()?;
    let mut lookups = Lookups::default();
    lookups.seqs.extend(attached.iter().flatten());
    lookups.seqs.extend(lapsing.iter().flat_map(|portion| &portion.seqs));
    inputs.iter().for_each(|input| add(&mut lookups, (key, dispatch), input));
    let fired = due.map(|now| Fired::read(transaction, now)).transpose()?;
    lookups.seqs.extend(fired.iter().flat_map(Fired::tasks));
    lookups.seqs.extend(leased);
    let names = std::mem::take(&mut lookups.schedules);
    let schedules = KnownSchedules::read(transaction, names, inputs, fired.as_ref())?;
    of_schedules(&mut lookups, (key, dispatch), &schedules);
    let Lookups { seqs, mut keys, mut dependencies, .. } = lookups;
    dependencies.sort_unstable();
    dependencies.dedup();
    let states = transaction.states(&dependencies)?;
    debug_assert_eq!(states.len(), dependencies.len(), "a lookup gives one answer for each item");
    let states = dependencies.into_iter().zip(states);
    let states = states.filter_map(|(seq, state)| Some((seq, state?))).collect();
    let mut briefs = read_briefs(transaction, seqs)?;
    if !briefs.is_empty() {
        keys.extend(inputs.iter().flat_map(|input| keys_again(input, key, &briefs)));
    }
    let holders = transaction.find_by_keys(&keys)?;
    debug_assert_eq!(holders.len(), keys.len(), "a lookup gives one answer for each key");
    let known = |(key, holder): (Key, Option<KeyHolder>)| Some((key, holder?));
    let keys: FxHashMap<Key, KeyHolder> = keys.into_iter().zip(holders).filter_map(known).collect();
    let is_asked = |(key, holder): (&Key, &KeyHolder)| match key {
        Key::Unique(..) if !briefs.contains_key(&holder.seq) => Some(holder.seq),
        Key::Unique(..) | Key::Idempotency(_) => None,
    };
    let seqs: Vec<Seq> = keys.iter().filter_map(is_asked).collect();
    if !seqs.is_empty() {
        briefs.extend(read_briefs(transaction, seqs)?);
    }
    let facts = Facts { unburied, attached, lapsing, fired, schedules, ..Facts::default() };
    let mut facts = Facts { briefs, states, keys, ..facts };
    facts.read_outside(transaction)?;
    facts.read_of_runs(transaction, key, inputs)?;
    facts.read_definitions(transaction, (key, dispatch), inputs)?;
    facts.read_blocked(transaction, key, inputs)?;
    Ok(facts)
}

/// What the tasks that schedules may add call for.
fn of_schedules(
    lookups: &mut Lookups,
    (key, dispatch): (IdKey, &Dispatch),
    schedules: &KnownSchedules,
) {
    for last in schedules.last_tasks() {
        let seq = key.seq_of(last);
        lookups.seqs.push(seq);
        lookups.dependencies.push(seq);
    }
    schedules.tasks().for_each(|task| add_task(lookups, (key, dispatch), task));
}

fn read_briefs(
    transaction: &mut dyn ReadTransaction,
    seqs: Vec<Seq>,
) -> Result<FxHashMap<Seq, Brief>> {
    let briefs = transaction.briefs(&seqs)?;
    debug_assert_eq!(briefs.len(), seqs.len(), "a lookup gives one answer for each item");
    let found = |(seq, brief): (Seq, Option<Brief>)| Some((seq, brief?));
    Ok(seqs.into_iter().zip(briefs).filter_map(found).collect())
}

/// The keys of tasks that are to run again, which they may have lost to others.
#[expect(clippy::wildcard_enum_match_arm, reason = "only an ended task takes its key again")]
fn keys_again(input: &Input, key: IdKey, briefs: &FxHashMap<Seq, Brief>) -> Vec<Key> {
    let key_of = |seq: &Seq| {
        let brief = briefs.get(seq)?;
        let unique = brief.unique.as_ref()?;
        Some(Key::Unique(brief.lane.operation(), unique.key.clone()))
    };
    match input {
        Input::Retry(_, id, _) => key_of(&key.seq_of(*id)).into_iter().collect(),
        Input::Bulk(_, Bulk { seqs, verb: BulkVerb::Retry(_), .. }) => {
            seqs.iter().filter_map(key_of).collect()
        }
        _ => Vec::new(),
    }
}

impl Facts {
    /// What executors outside have of these tasks.
    fn read_outside(&mut self, transaction: &mut dyn ReadTransaction) -> Result<()> {
        let outside = self.briefs.iter().filter(|(_, brief)| brief.is_outside);
        let mut asked: Vec<Seq> = outside.map(|(seq, _)| *seq).collect();
        if asked.is_empty() {
            return Ok(());
        }
        asked.sort_unstable();
        let runs = transaction.outside_runs(&asked)?;
        debug_assert_eq!(runs.len(), asked.len(), "a lookup gives one answer for each item");
        self.outside.extend(runs.into_iter().flatten().map(|run| (run.seq, run)));
        Ok(())
    }

    /// What was asked before of the runs that these inputs are to pause, to resume or to give back.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these calls do")]
    fn read_of_runs(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        key: IdKey,
        inputs: &[Input],
    ) -> Result<()> {
        let named = inputs.iter().filter_map(|input| match input {
            Input::Pause(_, id) | Input::Resume(_, id) | Input::PostponeTask(_, id, _) => {
                Some(key.seq_of(*id))
            }
            _ => None,
        });
        let mut runs: Vec<(Seq, RunId)> =
            named.filter_map(|seq| Some((seq, self.briefs.get(&seq)?.run?))).collect();
        if runs.is_empty() {
            return Ok(());
        }
        runs.sort_unstable();
        runs.dedup();
        let wishes = transaction.pause_wishes(&runs)?;
        let aborts = transaction.abort_requests(&runs)?;
        debug_assert_eq!(wishes.len(), runs.len(), "a lookup gives one answer for each run");
        debug_assert_eq!(aborts.len(), runs.len(), "a lookup gives one answer for each run");
        for (((seq, _), wish), abort) in runs.into_iter().zip(wishes).zip(aborts) {
            self.wishes.extend(wish.map(|wish| (seq, wish)));
            self.abort_asked.extend(abort.map(|_| seq));
        }
        Ok(())
    }

    /// What the tasks say that are to get another definition.
    fn read_definitions(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        (key, dispatch): (IdKey, &Dispatch),
        inputs: &[Input],
    ) -> Result<()> {
        let mut asked: Vec<(Seq, Arc<str>)> = Vec::new();
        for input in inputs {
            if let Input::Update(_, id, _) = input
                && let seq = key.seq_of(*id)
                // One that has ended, too: an earlier call of this turn may run it again.
                && let Some(brief) = self.briefs.get(&seq)
                && let Some(name) = dispatch.operation_name(brief.lane.operation())
            {
                asked.push((seq, name.clone()));
            }
        }
        asked.sort_unstable();
        asked.dedup();
        let mut asked = &*asked;
        while !asked.is_empty() {
            let found = transaction.contents(asked, DEFINITIONS_BYTES_MAX)?;
            debug_assert!(!found.is_empty(), "a lookup gives no answer at all");
            let count = found.len().max(1);
            self.definitions.extend(found.into_iter().flatten().map(|task| (task.seq, task)));
            asked = asked.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Which of the tasks that are to be resumed or changed still wait for others.
    fn read_blocked(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        key: IdKey,
        inputs: &[Input],
    ) -> Result<()> {
        let may_wait = |seq: &Seq| {
            self.briefs
                .get(seq)
                .is_some_and(|brief| brief.on_failure.is_some() && brief.run.is_none())
        };
        let mut asked: Vec<(Seq, usize)> = Vec::new();
        for input in inputs {
            if let Input::Resume(_, id) | Input::Update(_, id, _) = input {
                asked.extend(Some(key.seq_of(*id)).filter(may_wait).map(|seq| (seq, 1)));
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        asked.sort_unstable();
        asked.dedup();
        let open = transaction.open_dependencies(&asked)?;
        debug_assert_eq!(open.len(), asked.len(), "a lookup gives one answer for each item");
        let blocked = asked.into_iter().zip(open).filter(|(_, open)| *open > 0);
        self.blocked.extend(blocked.map(|((seq, _), _)| seq));
        Ok(())
    }
}

/// Adds what a new task calls for.
pub(crate) fn add_task(lookups: &mut Lookups, (key, dispatch): (IdKey, &Dispatch), def: &NewTask) {
    if let Some(unique) = def.options.unique.as_ref().filter(|_| def.is_unique())
        && let Some(operation) = dispatch.operation(&def.operation)
    {
        lookups.keys.push(Key::Unique(operation, unique.key.clone()));
    }
    if let Some(all) = &def.options.depends_on {
        lookups.dependencies.extend(all.tasks().map(|id| key.seq_of(id)));
    }
}

/// Adds what an input calls for, but windows.
pub(crate) fn add(lookups: &mut Lookups, known @ (key, _): (IdKey, &Dispatch), input: &Input) {
    match input {
        Input::Abort(_, id, _)
        | Input::Prioritize(_, id, _)
        | Input::Pause(_, id)
        | Input::Resume(_, id)
        | Input::Retry(_, id, _)
        | Input::PostponeTask(_, id, _)
        | Input::Update(_, id, _)
        | Input::Remove(_, id)
        | Input::Begin(_, id, _)
        | Input::Renew(_, id, ..)
        | Input::SettleOutside(_, id, ..)
        | Input::AwaitEnd(_, id) => {
            lookups.seqs.push(key.seq_of(*id));
        }
        Input::Bulk(_, bulk) => lookups.seqs.extend(&bulk.seqs),
        Input::GiveBack(all) => lookups.seqs.extend(all.iter().map(|(id, _)| key.seq_of(*id))),
        Input::Add(_, def) => add_task(lookups, known, def),
        Input::AddMany(_, defs) => defs.iter().for_each(|def| add_task(lookups, known, def)),
        Input::AddIdempotent(_, defs) => {
            for (row, def) in defs {
                lookups.keys.push(Key::Idempotency(*row));
                add_task(lookups, known, def);
            }
        }
        // A trigger of the same turn adds its task.
        Input::AddSchedule(_, id, new) => {
            lookups.schedules.push(ScheduleName::Id(id.clone()));
            add_task(lookups, known, &new.task);
        }
        Input::UpdateSchedule(_, id, update) => {
            lookups.schedules.push(ScheduleName::Id(id.clone()));
            update.task.iter().for_each(|task| add_task(lookups, known, task));
        }
        Input::PauseSchedule(_, id, _)
        | Input::TriggerSchedule(_, id, _)
        | Input::RemoveSchedule(_, id) => {
            lookups.schedules.push(ScheduleName::Id(id.clone()));
        }
        Input::FindByKey(_, key) => lookups.keys.push(Key::Idempotency(*key)),
        Input::Settle(..)
        | Input::Postpone(_)
        | Input::Halt(_)
        | Input::Record(..)
        | Input::AwaitIdle(_)
        | Input::CancelAwait(..)
        | Input::AwaitLogs(..)
        | Input::Assign(..)
        | Input::Threads(..)
        | Input::AssignBatch(..)
        | Input::Define(..)
        | Input::PauseOperation(..)
        | Input::Hold(..)
        | Input::ReleaseHold(..)
        | Input::Unassign(..)
        | Input::Poll(..)
        | Input::Unpoll(..)
        | Input::Start(_)
        | Input::Stop(..)
        | Input::Close(..)
        | Input::Subscribe(..)
        | Input::Ack(_)
        | Input::Ready(_)
        | Input::IsShared(_)
        | Input::Stand(_)
        | Input::Ask(..)
        | Input::Leave(_) => {}
    }
}
