//! What the memory of an engine says of the queue, beside what the oracle knows: after each turn,
//! whether it was committed or not, and after each look (D1 to D6).

use std::collections::{BTreeMap, BTreeSet};

use tasker_core::id::{LaneId, OperationId};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_engine::memory::Memory;

use crate::oracle::{Oracle, Task};

/// What memory knows of each lane: the first positions, and from where on it knows nothing.
type Known = BTreeMap<LaneId, (Vec<QueueKey>, Option<QueueKey>)>;

/// Memory knows the first tasks of each lane, and how far it knows them; and how many runs of each
/// operation are live here and elsewhere.
pub(crate) fn compare(memory: &Memory, oracle: &Oracle) {
    let dispatch = &memory.dispatch;
    assert_eq!(dispatch.fault(), None);
    let mut waiting: BTreeMap<OperationId, BTreeMap<QueueKey, &Task>> = BTreeMap::new();
    let mut runs: BTreeMap<OperationId, (u32, u32)> = BTreeMap::new();
    for (id, task) in &oracle.tasks {
        if !(task.state == State::Ready || task.has_run()) {
            continue;
        }
        let operation = dispatch.operation(&task.def.operation).expect("a known operation");
        let (here, remote) = runs.entry(operation).or_default();
        match task.state {
            // Nothing is known of those that only another process may start.
            State::Ready if !oracle.may_run(task) => {}
            State::Ready => {
                let key = QueueKey::new(task.def.priority, task.seq);
                waiting.entry(operation).or_default().insert(key, task);
            }
            _ if oracle.me().runs.values().any(|run| run.task == *id) => *here += 1,
            _ => *remote += 1,
        }
    }
    compare_examined(memory, oracle);
    compare_lanes(dispatch.mirror(), waiting);
    for (operation, known) in dispatch.runs() {
        assert_eq!(known, runs.remove(&operation).unwrap_or_default(), "{operation:?}");
    }
}

/// What conditions have looked at ahead are ready tasks, and all of those in what was examined.
fn compare_examined(memory: &Memory, oracle: &Oracle) {
    let (mut keys, lanes) = memory.dispatch.examined();
    for task in oracle.tasks.values().filter(|task| task.state == State::Ready) {
        let operation = memory.dispatch.operation(&task.def.operation).expect("a known operation");
        let key = QueueKey::new(task.def.priority, task.seq);
        let lies_behind = |(lane, from): (&LaneId, &Option<QueueKey>)| {
            from.is_some_and(|from| from <= key) && lane.operation() == operation
        };
        let is_examined = lanes.keys().any(|lane| lane.operation() == operation);
        let is_known = keys.remove(&(operation, key));
        assert!(is_known || !is_examined || lanes.iter().any(lies_behind), "{task:?}");
    }
    assert!(keys.is_empty(), "known, and not there: {keys:?}");
}

/// Each position that is known is a task's, and each task has a position in one lane or stands
/// where nothing is known of its lane. A lane has tasks with the same conditions.
fn compare_lanes(known: Known, mut waiting: BTreeMap<OperationId, BTreeMap<QueueKey, &Task>>) {
    let mut unknown: BTreeMap<OperationId, Vec<(LaneId, QueueKey)>> = BTreeMap::new();
    for (lane, (keys, rest)) in known {
        let tasks = waiting.entry(lane.operation()).or_default();
        let mut conditions = BTreeSet::new();
        for key in keys {
            assert!(rest.is_none_or(|rest| key < rest), "{lane:?}");
            let task = tasks.remove(&key).unwrap_or_else(|| panic!("{key:?} is nobody's"));
            assert!(task.may_be_in(lane), "{lane:?}: {task:?}");
            conditions.insert(task.def.conditions().text().to_owned());
        }
        assert!(conditions.len() <= 1, "{lane:?} has {conditions:?}");
        unknown.entry(lane.operation()).or_default().extend(rest.map(|rest| (lane, rest)));
    }
    for (operation, tasks) in waiting {
        let unknown = unknown.remove(&operation).unwrap_or_default();
        for (key, task) in tasks {
            let may_be = |(lane, rest): &(LaneId, QueueKey)| *rest <= key && task.may_be_in(*lane);
            assert!(unknown.iter().any(may_be), "{key:?} is forgotten: {task:?}");
        }
    }
}
