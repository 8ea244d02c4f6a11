//! What the schedules of a storm have made.

use std::collections::{BTreeMap, BTreeSet};

use tasker_core::id::TaskId;
use tasker_core::schedule::Overlap;
use tasker_core::task::TaskRecord;

use super::ledger::Ledger;

/// The schedules that all workers share.
pub(super) const SCHEDULES: [(&str, Overlap); 4] = [
    (NEVER_TWO, Overlap::Skip),
    ("queue", Overlap::Queue),
    ("replace", Overlap::Replace),
    ("allow", Overlap::Allow),
];
/// That which never has two tasks that have not ended.
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
        let mut own: Vec<&TaskRecord> = Vec::new();
        for task in tasks.values() {
            let Some(id) = schedule_of(task) else { continue };
            if let Some(at) = task.def.options.scheduled_at {
                self.report.ticks += 1;
                if !ticks.insert((id.to_owned(), at)) {
                    self.report.is_doubled(format!("the tick {at:?} of {id} has made two tasks"));
                }
            }
            if id == NEVER_TWO {
                own.push(task);
            }
        }
        own.sort_by_key(|task| task.seq);
        for pair in own.windows(2) {
            let [one, next] = pair else { continue };
            // One that was run again by hand has another end since.
            let is_known = !self.retried.contains(&one.id);
            if is_known && one.ended_at.is_none_or(|end| end > next.created_at) {
                let text = format!("{} was made before {} had ended", next.id.0, one.id.0);
                self.report.violation(text);
            }
        }
    }
}
