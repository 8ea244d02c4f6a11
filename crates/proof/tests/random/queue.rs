//! What the memory of an engine says of the queue, beside what the oracle knows: after each turn,
//! whether it was committed or not, and after each look (D1 to D6).

use std::collections::BTreeMap;

use tasker_core::id::{LaneId, OperationId};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_engine::memory::Memory;

use crate::oracle::Oracle;

/// Memory knows the first tasks of each lane, and how far it knows them; and how many runs of each
/// operation are live here and elsewhere.
pub(crate) fn compare(memory: &Memory, oracle: &Oracle) {
    let dispatch = &memory.dispatch;
    assert_eq!(dispatch.fault(), None);
    let mut waiting: BTreeMap<LaneId, Vec<QueueKey>> = BTreeMap::new();
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
                let lane = match task.attached_to {
                    Some(_) => LaneId::attached(operation, memory.owner),
                    None => LaneId::new(operation, task.lane),
                };
                let keys = waiting.entry(lane).or_default();
                keys.push(QueueKey::new(task.def.priority, task.seq));
            }
            _ if oracle.me().runs.values().any(|run| run.task == *id) => *here += 1,
            _ => *remote += 1,
        }
    }
    let known = dispatch.mirror();
    assert!(waiting.keys().all(|lane| known.contains_key(lane)), "a lane is forgotten");
    for (lane, (keys, rest)) in known {
        let mut all = waiting.remove(&lane).unwrap_or_default();
        all.sort_unstable();
        all.retain(|key| rest.is_none_or(|rest| *key < rest));
        assert_eq!(keys, all, "{lane:?}, known before {rest:?}");
    }
    for (operation, known) in dispatch.runs() {
        assert_eq!(known, runs.remove(&operation).unwrap_or_default(), "{operation:?}");
    }
}
