//! Tasks of the storm that depend on others: what is added, and what is looked at in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::{Cause, NewTask, TaskEnd, TaskRecord};

use super::ledger::Ledger;
use super::trace::{self, Mark};
use crate::rng::Rng;

/// Tasks that one depends on, at most.
const DEPENDENCIES_MAX: usize = 3;

impl Rng {
    /// Lets some tasks depend on others that are known, and on earlier ones of their call.
    pub(super) fn depend(&mut self, def: &mut NewTask, known: &[TaskId], earlier: usize) {
        // One that ends its process stays as it is, so that a storm has some.
        if !self.once_in(5) || &*def.operation == "die" {
            return;
        }
        let mut on: Vec<Dependency> = Vec::new();
        for _ in 0..=self.below(DEPENDENCIES_MAX) {
            let one = match self.pick(known) {
                Some(id) if earlier == 0 || self.once_in(2) => Dependency::Task(*id),
                _ if earlier > 0 => Dependency::Earlier(self.below(earlier)),
                _ => continue,
            };
            if !on.contains(&one) {
                on.push(one);
            }
        }
        let on_failure = self.one_of(OnFailure::ALL);
        if !on.is_empty() {
            def.options.depends_on = Some(Arc::new(Dependencies { on, on_failure, is_list: true }));
        }
    }
}

impl Ledger {
    /// A task starts after the runs of all that it depends on, whoever ran them, and not at all if
    /// one of them was not done and it says so (I-12). A task that was run again by hand has had
    /// other ends meanwhile.
    pub(super) fn dependencies(&mut self, marks: &[Mark], tasks: &BTreeMap<TaskId, TaskRecord>) {
        let runs = Runs::of(marks, tasks);
        for (task, dependencies) in
            tasks.values().filter_map(|task| Some((task, task.def.options.depends_on.as_ref()?)))
        {
            let names = || dependencies.tasks().chain([task.id]);
            if names().any(|id| self.retried.contains(&id) || self.removed.contains(&id)) {
                continue;
            }
            self.report.dependents += 1;
            let on: Vec<_> = dependencies.tasks().filter_map(|id| tasks.get(&id)).collect();
            if on.len() != dependencies.tasks().count() {
                self.report.is_lost(format!("{} depends on a task that is gone", task.id.0));
            }
            if runs.overlap(task, &on) {
                self.report.violation(format!("{} ran beside what it depends on", task.id.0));
            }
            if let Some(fault) = fault(task, &on, dependencies.on_failure) {
                self.report.violation(format!("{} {fault}: {task:?} depends on {on:?}", task.id.0));
            }
        }
    }
}

/// Where in the trace each task first began a run, and until where it ran for certain. Not by the
/// times of the tasks: a process reads the clock and then waits for its turn at the file.
struct Runs {
    begins: BTreeMap<TaskId, usize>,
    ends: BTreeMap<TaskId, usize>,
}

impl Runs {
    fn of(marks: &[Mark], tasks: &BTreeMap<TaskId, TaskRecord>) -> Runs {
        let run_ends = trace::ends(marks);
        let (mut begins, mut ends) = (BTreeMap::new(), BTreeMap::new());
        for (at, mark) in (0..).zip(marks) {
            if let Mark::Began(began) = mark {
                begins.entry(began.task).or_insert(at);
                // It may say that it began when others were long at work.
                if trace::is_taken_back(began, tasks) {
                    continue;
                }
                let end = ends.entry(began.task).or_insert(at);
                *end = run_ends.get(&began.run).copied().unwrap_or(at).max(*end);
            }
        }
        Runs { begins, ends }
    }

    /// Whether a task began while one of these may not have been over.
    fn overlap(&self, task: &TaskRecord, on: &[&TaskRecord]) -> bool {
        let Some(begin) = self.begins.get(&task.id) else { return false };
        on.iter().any(|one| self.ends.get(&one.id).is_some_and(|end| end > begin))
    }
}

/// What is wrong with a task that depends on these.
fn fault(task: &TaskRecord, on: &[&TaskRecord], on_failure: OnFailure) -> Option<&'static str> {
    let all_done = on.iter().all(|one| one.state == State::Done);
    let is_orphan = on_failure == OnFailure::Abort && !all_done;
    let is_aborted_for_it = matches!(task.outcome, Some(TaskEnd::Aborted(Cause::Dependency, _)));
    if is_orphan && (!task.attempts.is_empty() || task.state != State::Aborted) {
        Some("went on although a task that it depends on failed")
    } else if is_aborted_for_it && !is_orphan {
        Some("was aborted for a dependency although none failed")
    } else {
        None
    }
}
