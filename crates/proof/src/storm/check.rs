//! What is left, compared with what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tasker_core::error::Result;
use tasker_core::id::{OwnerId, TaskId};
use tasker_core::key::UniqueWhile;
use tasker_core::limits::LOSSES_MAX;
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_core::reader::Reader;
use tasker_core::state::State;
use tasker_core::store::{Offers, Store};
use tasker_core::task::{
    AfterQueueTimeout, Attempt, AttemptEnd, Cause, TaskEnd, TaskOptions, TaskRecord,
};
use tasker_sqlite::{Location, Options, SqliteReader, SqliteStore};

use super::ledger::{Fault, Ledger, Priorities};
use super::line::Key;
use super::schedules::schedule_of;
use super::trace::{Began, Mark};
use super::watched::{Change, Told};
use super::worker::{FINAL, is_attached, labels, run_of};
use super::{DATABASE, OPERATIONS, trace, watched};
use crate::rng::Rng;

/// Images compared at each look.
const SAMPLE: usize = 200;

fn open(folder: &Path) -> Result<(SqliteStore, SqliteReader)> {
    tasker_sqlite::open(&Location::file(folder.join(DATABASE))?, Options::default())
}

/// While others work: every end told since the last look is there, and old images are unchanged.
pub(super) fn sample(ledger: &mut Ledger, folder: &Path, rng: &mut Rng) -> Result<()> {
    let (store, mut reader) = open(folder)?;
    let known: Vec<_> = ledger.images.keys().copied().collect();
    let old = (0..SAMPLE).filter_map(|_| rng.pick(&known).copied());
    let ids: Vec<_> = ledger.unseen.drain(..).chain(old).collect();
    for id in ids {
        match reader.get(id, None, usize::MAX)? {
            Some(found) => ledger.image(&found.task),
            None => ledger.doubt(id, Fault::Lost, format!("{} ended and is gone", id.0)),
        }
    }
    drop(reader);
    Box::new(store).close()
}

/// After the last worker: everything.
pub(super) fn all(ledger: &mut Ledger, folder: &Path) -> Result<()> {
    let audit = tasker_sqlite::audit(&folder.join(DATABASE))?;
    ledger.report.violations.extend(audit.faults);
    let (tasks, offers) = left(ledger, folder)?;
    // Whoever was killed was buried by one that lived, and the last worker took back its own (D8).
    for (owner, offers) in offers {
        ledger.report.violation(format!("owner {} is gone and offers {offers:?}", owner.0));
    }
    let marks = trace::read(folder)?;
    ledger.stand(&tasks);
    ledger.keys(&tasks);
    for task in &tasks {
        ledger.task(task);
    }
    ledger.watched(&tasks.iter().map(|task| (task.id, task.state)).collect());
    let tasks: BTreeMap<_, _> = tasks.into_iter().map(|task| (task.id, task)).collect();
    let is_gone = |id: &&TaskId| !tasks.contains_key(*id);
    ledger.report.removed = ledger.removed.iter().filter(is_gone).count() as u64;
    ledger.told(&tasks);
    ledger.dependencies(&marks, &tasks);
    ledger.conditions(&tasks)?;
    ledger.uniques(&tasks);
    ledger.schedules(&tasks);
    ledger.rates(&tasks);
    ledger.circuits(&tasks);
    ledger.lent(&marks, &tasks);
    ledger.effects(&marks, &tasks);
    ledger.attached(&marks, &tasks);
    ledger.overlaps(&marks, &tasks);
    for task in tasks.values() {
        ledger.image(task);
    }
    ledger.judge();
    Ok(())
}

/// Every task, and what owners offer.
type Left = (Vec<TaskRecord>, Vec<(OwnerId, Offers)>);

fn left(ledger: &mut Ledger, folder: &Path) -> Result<Left> {
    let (mut store, mut reader) = open(folder)?;
    let last = ledger.changes.keys().next_back().copied();
    let (changes, is_gap) = watched::rest(&mut reader, store.id_key(), last)?;
    changes.into_iter().for_each(|(place, told)| ledger.changed(place, told));
    ledger.report.gaps += u64::from(is_gap);
    let find = Find::all(Query::all());
    let found = reader.find(&find, &|| false)?;
    let offers = store.begin_read()?.remote_offers()?;
    drop(reader);
    Box::new(store).close()?;
    Ok((found.into_iter().map(|found| found.task).collect(), offers))
}

fn key_of(task: &TaskRecord) -> Option<Key> {
    task.def.data.as_ref()?.as_str().trim_matches('"').parse().ok()
}

/// Whether a task is called as it was when it was added (I-1).
fn has_its_labels(task: &TaskRecord) -> bool {
    let TaskOptions { id, label, tags, .. } = key_of(task).map(labels).unwrap_or_default();
    let is = &task.def.options;
    (&is.id, &is.label, &is.tags) == (&id, &label, &tags)
}

fn is_unique(task: &TaskRecord) -> bool {
    task.def.options.unique.is_some()
}

impl Ledger {
    /// The last worker has told of each operation as many tasks in each state as are in it (I-13).
    fn stand(&mut self, tasks: &[TaskRecord]) {
        let mut stand = BTreeMap::new();
        for task in tasks {
            let place = OPERATIONS.iter().position(|(name, _)| *name == &*task.def.operation);
            *stand.entry((place.unwrap_or(OPERATIONS.len()), task.state)).or_default() += 1;
        }
        if self.stand != stand {
            let text = format!("the figures told {:?} and there are {stand:?}", self.stand);
            self.report.violation(text);
        }
    }

    /// What was told adds up to what is there (I-11).
    fn watched(&mut self, states: &BTreeMap<TaskId, State>) {
        if self.report.gaps > 0 {
            return;
        }
        let (mut is, mut wrong) = (BTreeMap::new(), Vec::new());
        for (place, told) in &self.changes {
            let Told { id, change, state } = *told;
            let before = match change {
                Change::Removed | Change::Left => is.remove(&id),
                Change::Entered | Change::Changed | Change::Ended => is.insert(id, state),
            };
            let is_right = match change {
                Change::Entered => before.is_none(),
                Change::Changed => before.is_some(),
                Change::Ended => before.is_some() && state.is_final(),
                // All match. Of one that was removed before anybody read of it, only that is told.
                Change::Left => false,
                Change::Removed => true,
            };
            if !is_right {
                wrong.push(format!("{place:?}: {told:?} of a task that was {before:?}"));
            }
        }
        for id in is.keys().chain(states.keys()) {
            if is.get(id) != states.get(id) {
                let (told, is) = (is.get(id), states.get(id));
                wrong.push(format!("{} was told to be {told:?} and is {is:?}", id.0));
            }
        }
        self.report.violations.append(&mut wrong);
    }

    /// What other adds have found is there, and of a key that is never free again there is one task
    /// (I-2).
    fn uniques(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        for id in self.earlier.difference(&self.removed) {
            if !tasks.get(id).is_some_and(is_unique) {
                self.report.is_lost(format!("{} had a unique key and is lost", id.0));
            }
        }
        let mut keys = BTreeSet::new();
        for unique in tasks.values().filter_map(|task| task.def.options.unique.as_ref()) {
            if unique.hold == UniqueWhile::Always && !keys.insert(&unique.key) {
                self.report.is_doubled(format!("{:?} is the key of two tasks", unique.key));
            }
        }
    }

    /// A task that is attached to a worker runs there alone.
    fn attached(&mut self, marks: &[Mark], tasks: &BTreeMap<TaskId, TaskRecord>) {
        for mark in marks {
            let Mark::Began(Began { task, worker, .. }) = mark else { continue };
            let task = tasks.get(task).filter(|task| !is_unique(task));
            let key = task.and_then(key_of).filter(|key| is_attached(*key));
            if let Some(key) = key.filter(|key| key.worker != *worker) {
                let text = format!("{key} is attached to its worker and ran in {worker}");
                self.report.violation(text);
            }
        }
    }

    /// Keeps the first image of an ended task, compares the others with it (I-3).
    fn image(&mut self, task: &TaskRecord) {
        let name = task.id.0;
        if self.retried.contains(&task.id) {
            return;
        }
        if let Some(state) = self.ended.get(&task.id).filter(|state| **state != task.state) {
            let is = task.state;
            let text = format!("{name} was told {state:?} and is {is:?}");
            self.doubt(task.id, Fault::Lost, text);
        }
        if !task.state.is_final() {
            return;
        }
        let first = self.images.entry(task.id).or_insert_with(|| task.clone());
        if first != task {
            let text = format!("{name} changed: {first:?} is now {task:?}");
            self.doubt(task.id, Fault::Changed, text);
        }
    }

    /// Stored is what was tried, each once (I-2); acknowledged is stored (I-1).
    fn keys(&mut self, tasks: &[TaskRecord]) {
        let mut stored = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for task in tasks {
            let name = task.id.0;
            if !ids.insert(task.id) {
                self.report.is_doubled(format!("{name} is stored twice"));
            }
            match key_of(task) {
                Some(key) if self.tried.contains(&key) => {
                    if stored.insert(key, task.id).is_some() {
                        self.report.is_doubled(format!("{key} is stored twice"));
                    }
                }
                _ if schedule_of(task).is_some() => {}
                _ => self.report.violation(format!("{name} comes from nowhere")),
            }
        }
        let replaceable: BTreeSet<_> =
            tasks.iter().filter(|task| is_unique(task)).map(|task| task.id).collect();
        for (key, id) in &self.added {
            // Another add may have given it its own definition, and with it its own name.
            let is_excused = replaceable.contains(id) || self.removed.contains(id);
            if stored.get(key) != Some(id) && !is_excused {
                self.report.is_lost(format!("{key} was acknowledged as {} and is lost", id.0));
            }
        }
    }

    /// Each task by itself (I-10, I-12).
    fn task(&mut self, task: &TaskRecord) {
        let name = task.id.0;
        if !task.state.is_final() {
            self.report.violation(format!("{name} is still {:?}", task.state));
        }
        if !has_its_labels(task) {
            self.report.violation(format!("{name} is called {:?}", task.def.options));
        }
        let ends: Vec<_> = task.attempts.iter().map(|attempt| attempt.end).collect();
        let lost = Some(AttemptEnd::Lost);
        let in_a_row = ends.iter().rev().take_while(|end| **end == lost).count();
        let budget = LOSSES_MAX as usize;
        let is_poison = matches!(task.outcome, Some(TaskEnd::Failed(Cause::Poison, _)));
        // Losses before it was run again by hand do not count.
        let is_retried = self.retried.contains(&task.id);
        if !is_retried && is_poison != (in_a_row == budget) {
            let text = format!("{name} ended {:?} after {in_a_row} losses", task.outcome);
            self.report.violation(text);
        }
        let earlier = &ends[..ends.len().saturating_sub(1)];
        if !is_retried && earlier.windows(budget).any(|row| row.iter().all(|end| *end == lost)) {
            self.report.violation(format!("{name} was lost {budget} times and went on"));
        }
        self.report.losses += ends.iter().filter(|end| **end == lost).count() as u64;
        if ends.contains(&None) {
            self.report.violation(format!("{name} has an attempt without an end"));
        }
        let given_back = [Some(AttemptEnd::Postponed), Some(AttemptEnd::Snoozed)];
        let counted = ends.iter().filter(|end| !given_back.contains(end)).count();
        if counted != task.attempt as usize {
            let text = format!("{name} counts {} of {counted} attempts", task.attempt);
            self.report.violation(text);
        }
        if !is_retried {
            self.failures(task);
        }
        if let Some(TaskEnd::Aborted(Cause::QueueTimeout, _)) = task.outcome {
            self.expired(task);
        }
        if let Some(TaskEnd::Aborted(Cause::Stop, _)) = task.outcome {
            self.stopped(task);
        }
        let named = task.outcome.as_ref().and_then(run_of);
        if named.is_some() && named != task.attempts.last().map(|attempt| attempt.run) {
            self.report.violation(format!("{name} has the result of another run"));
        }
    }

    /// A task ends by its `queueTimeout` only if no run of it ever began, and no sooner.
    fn expired(&mut self, task: &TaskRecord) {
        self.report.expired += 1;
        let options = &task.def.options;
        // What was held has another start time since, from which nothing counts.
        let run_at = options.run_at().filter(|_| options.tags.is_none());
        let since = run_at.map_or(task.created_at, |at| at.max(task.created_at));
        let is_over = options.queue_timeout.is_some_and(|timeout| {
            // The wait of one that was replaced, or that others held up, counts from then, by the
            // clock of who did that.
            let is_later = options.unique.is_some() || options.depends_on.is_some();
            let stored = timeout.ends_at.filter(|_| is_later);
            let end = stored.unwrap_or_else(|| timeout.end(since));
            timeout.then == AfterQueueTimeout::Abort && task.ended_at.is_some_and(|at| at >= end)
        });
        if !is_over || !task.attempts.is_empty() {
            let text = format!("{} did not wait longer than its queueTimeout", task.id.0);
            self.report.violation(format!("{text}: {task:?}"));
        }
    }

    /// A stop ends a task that waits only if that says so.
    fn stopped(&mut self, task: &TaskRecord) {
        let last = task.attempts.last().and_then(|attempt| attempt.end);
        if last == Some(AttemptEnd::Aborted) && !task.def.lapses() {
            return;
        }
        self.report.lapsed += 1;
        if !task.def.lapses() {
            let text = format!("{} ended with a stop while it waited: {task:?}", task.id.0);
            self.report.violation(text);
        }
    }

    /// A task that fails has used up its attempts, and no task has more of them (I-10).
    fn failures(&mut self, task: &TaskRecord) {
        let failed = |attempt: &&Attempt| {
            let cause = attempt.error.as_ref().map(|error| error.cause);
            matches!(cause, Some(Cause::Error | Cause::RunTimeout | Cause::Lease))
        };
        let failures = task.attempts.iter().filter(failed).count() as u32;
        let policy = task.def.options.retry.as_deref();
        let max = policy.map_or(1, |policy| policy.attempts);
        let is_retried = policy.is_none_or(|policy| policy.on_error);
        let is_used_up = match &task.outcome {
            Some(TaskEnd::Failed(Cause::Error, error)) => !error.as_str().contains(FINAL),
            _ => false,
        };
        if failures > max || (is_used_up && is_retried && failures < max) {
            let text = format!("{} failed {failures} of {max} times: {task:?}", task.id.0);
            self.report.violation(text);
        }
        let is_last = u32::from(matches!(task.outcome, Some(TaskEnd::Failed(Cause::Error, _))));
        let snoozed = Some(AttemptEnd::Snoozed);
        let snoozes = task.attempts.iter().filter(|attempt| attempt.end == snoozed).count();
        self.report.retries += u64::from(failures.saturating_sub(is_last)) + snoozes as u64;
    }

    /// Ends and priorities that were told (I-1), and that a fenced run has no say (I-4).
    fn told(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        let may_be_gone = |id: &&TaskId| self.removed.contains(*id) && !tasks.contains_key(*id);
        let gone = self.ended.keys().filter(|id| !tasks.contains_key(id) && !may_be_gone(id));
        for id in gone {
            self.report.is_lost(format!("{} ended and is gone", id.0));
        }
        let is_sure = |id: &&TaskId| !self.retried.contains(*id) && !may_be_gone(id);
        for id in self.fenced.iter().filter(is_sure) {
            let outcome = tasks.get(id).and_then(|task| task.outcome.as_ref());
            if !matches!(outcome, Some(TaskEnd::Aborted(..))) {
                self.report.violation(format!("{} was fenced and is {outcome:?}", id.0));
            }
        }
        for (id, state) in self.seen.iter().filter(|(id, _)| is_sure(id)) {
            let is = tasks.get(id).map(|task| task.state);
            if is != Some(*state) {
                self.report.is_lost(format!("{} was seen {state:?} and is {is:?}", id.0));
            }
        }
        for id in self.aborted.iter().filter(is_sure) {
            let outcome = tasks.get(id).and_then(|task| task.outcome.as_ref());
            // A run that returns although its signal fired is done.
            if !matches!(outcome, Some(TaskEnd::Aborted(..) | TaskEnd::Done(_))) {
                self.report.is_lost(format!("{} was aborted and is {outcome:?}", id.0));
            }
        }
        self.last_priorities(tasks);
    }

    /// The last priority of each task was acknowledged to some worker, or never answered.
    fn last_priorities(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        let mut known: BTreeMap<TaskId, Vec<&Priorities>> = BTreeMap::new();
        for ((id, _), by_worker) in &self.priorities {
            known.entry(*id).or_default().push(by_worker);
        }
        for (id, known) in known {
            // An add that has replaced its definition has given it another priority too.
            let Some(task) = tasks.get(&id).filter(|task| !is_unique(task)) else { continue };
            let is = task.def.priority.get();
            let moved = AfterQueueTimeout::Prioritize(task.def.priority);
            if task.def.options.queue_timeout.is_some_and(|timeout| timeout.then == moved) {
                continue;
            }
            let may_be =
                |known: &&Priorities| known.tried.iter().chain(&known.acked).any(|p| *p == is);
            if known.iter().any(|known| known.acked.is_some()) && !known.iter().any(may_be) {
                self.report.is_lost(format!("{} has priority {is}, not {known:?}", id.0));
            }
        }
    }
}
