//! What the schedules of a storm have made.

use std::collections::{BTreeMap, BTreeSet};

use tasker_core::id::TaskId;
use tasker_core::schedule::Overlap;
use tasker_core::task::TaskRecord;

use super::ledger::Ledger;
use super::watched::{Change, Told};

/// The schedules that all workers share.
pub(super) const SCHEDULES: [(&str, Overlap); 4] = [
    (NEVER_TWO, Overlap::Skip),
    ("queue", Overlap::Queue),
    ("replace", Overlap::Replace),
    ("allow", Overlap::Allow),
];
/// That which never has two tasks that have not ended. Nobody removes it: one that is added anew
/// knows nothing of the last task.
pub(super) const NEVER_TWO: &str = "skip";
/// How often each ticks.
pub(super) const TICK_MS: u32 = 1_000;

/// The schedule that made a task, if one did.
pub(super) fn schedule_of(task: &TaskRecord) -> Option<&str> {
    Some(task.def.options.schedule_id.as_ref()?.as_str().trim_matches('"'))
}

impl Ledger {
    /// A tick has made one task at most (I-2), and a schedule that skips has no two tasks that have
    /// not ended.
    pub(super) fn schedules(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        let mut ticks = BTreeSet::new();
        for task in tasks.values() {
            let Some(id) = schedule_of(task) else { continue };
            if let Some(at) = task.def.options.scheduled_at {
                self.report.ticks += 1;
                if !ticks.insert((id.to_owned(), at)) {
                    self.report.is_doubled(format!("the tick {at:?} of {id} has made two tasks"));
                }
            }
        }
        if self.report.gaps == 0 {
            self.skips(tasks);
        }
    }

    /// By the order of commits: the clocks of two workers tell less.
    fn skips(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        let is_own = |id: &TaskId| tasks.get(id).and_then(schedule_of) == Some(NEVER_TWO);
        let told = self.changes.iter().filter(|(_, told)| is_own(&told.id)).collect::<Vec<_>>();
        // One that runs again by hand has ended once: the next one did not wait for that.
        let (mut open, mut ended) = (BTreeSet::<TaskId>::new(), BTreeSet::new());
        for commit in told.chunk_by(|((one, _), _), ((next, _), _)| one == next) {
            let is_over = |told: &Told| {
                told.state.is_final() || matches!(told.change, Change::Left | Change::Removed)
            };
            let (over, made): (Vec<&Told>, Vec<&Told>) =
                commit.iter().map(|(_, told)| *told).partition(|told| is_over(told));
            for Told { id, .. } in over {
                open.remove(id);
                ended.insert(*id);
            }
            for Told { id, .. } in made {
                if ended.contains(id) || !open.insert(*id) {
                    continue;
                }
                if let Some(other) = open.iter().find(|other| *other != id) {
                    let text = format!("{} was made before {} had ended", id.0, other.0);
                    self.report.violation(text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tasker_core::state::State;
    use tasker_core::task::{Json, NewTask};
    use tasker_core::time::WallMs;
    use uuid::Uuid;

    use super::*;
    use crate::storm::done_task;

    fn task(seq: u64, schedule: &str, tick: i64) -> TaskRecord {
        let mut def = NewTask::new("read");
        def.options.schedule_id = Some(Json::trusted(&format!("\"{schedule}\"")));
        def.options.scheduled_at = Some(WallMs(tick));
        done_task(seq, def)
    }

    /// What is wrong with two tasks of this schedule and these changes, each in a batch.
    fn violations(schedule: &str, changes: &[(u64, u64, State)]) -> usize {
        let tasks = [task(1, schedule, 1), task(2, schedule, 2)];
        let mut ledger = Ledger::default();
        for (n, (batch, seq, state)) in (0..).zip(changes) {
            let change = if state.is_final() { Change::Ended } else { Change::Changed };
            let told = Told { id: TaskId(Uuid::from_u128((*seq).into())), change, state: *state };
            ledger.changed((*batch, n), told);
        }
        ledger.schedules(&tasks.into_iter().map(|task| (task.id, task)).collect());
        ledger.report.violations.len()
    }

    #[test]
    fn a_task_that_is_made_beside_the_last_one_is_seen() {
        use State::{Done, Ready, Running};
        let one_by_one = [(1, 1, Ready), (2, 1, Running), (3, 1, Done), (4, 2, Ready)];
        assert_eq!(violations(NEVER_TWO, &one_by_one), 0);
        let together = [(1, 1, Running), (2, 2, Ready), (2, 1, Done)];
        assert_eq!(
            violations(NEVER_TWO, &together),
            0,
            "made by the commit that ends the last one"
        );
        let beside = [(1, 1, Running), (2, 2, Ready), (3, 1, Done)];
        assert_eq!(violations(NEVER_TWO, &beside), 1);
        assert_eq!(violations("allow", &beside), 0);
        let again = [(1, 1, Ready), (2, 1, Done), (3, 1, Ready), (4, 2, Ready), (5, 1, Done)];
        assert_eq!(violations(NEVER_TWO, &again), 0, "run again by hand");
    }

    #[test]
    fn a_tick_with_two_tasks_is_seen() {
        let mut ledger = Ledger::default();
        let tasks = [task(1, "allow", 5), task(2, "allow", 5), task(3, "queue", 5)];
        ledger.schedules(&tasks.into_iter().map(|task| (task.id, task)).collect());
        assert_eq!((ledger.report.ticks, ledger.report.doubled), (3, 1));
    }
}
