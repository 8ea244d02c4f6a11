//! What the windows of all lanes hold together is bounded.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use tasker_core::dispatch::{Dispatch, Turnover};
use tasker_core::id::{LaneId, Seq, TaskId};
use tasker_core::store::{Lane, ReadyTask, Window};
use tasker_core::task::{Json, NewTask, Priority};
use tasker_core::time::WallMs;
use uuid::Uuid;

const MIB: usize = 1024 * 1024;
const LANES: u64 = 40;

fn task(seq: u64, operation: &str, data: &Json) -> ReadyTask {
    let def = NewTask { data: Some(data.clone()), ..NewTask::new(operation) };
    let (id, created_at) = (TaskId(Uuid::from_u64_pair(0, seq)), WallMs(0));
    ReadyTask { seq: Seq(seq), id, created_at, def, attempt: 0, losses: 0, logs: 0 }
}

/// Many operations, each with as much waiting data as one of them alone may have in memory.
fn filled(data: &Json, tasks: u64) -> Dispatch {
    let mut dispatch = Dispatch::new(1_000);
    dispatch.set_started(true);
    for n in 1..=LANES {
        let operation: std::sync::Arc<str> = format!("operation {n}").into();
        dispatch.add_lane(&Lane { id: LaneId(n), operation: operation.clone() }, false);
        dispatch.set_runner(&operation, true, None);
        let seqs = (0..tasks).map(|i| n * 1_000 + i);
        let tasks = seqs.map(|seq| task(seq, &operation, data)).collect();
        dispatch.load(LaneId(n), Window { tasks, is_complete: false });
    }
    dispatch
}

#[test]
fn many_operations_share_what_one_may_have() {
    let data = Json::trusted(&format!("\"{}\"", "x".repeat(MIB / 16)));
    let dispatch = filled(&data, 256);
    assert!(dispatch.window_bytes() <= 2 * 16 * MIB, "{} bytes", dispatch.window_bytes());
    assert!(!dispatch.starts(&Turnover::default()).picks.is_empty());
}

#[test]
fn each_operation_keeps_its_first_task_however_large() {
    let data = Json::trusted(&format!("\"{}\"", "x".repeat(4 * MIB)));
    let dispatch = filled(&data, 4);
    let first = |lane: u64| lane * 1_000;
    for lane in 1..=LANES {
        let key = tasker_core::dispatch::QueueKey::new(Priority::default(), Seq(first(lane)));
        assert!(dispatch.peek(LaneId(lane), key).is_some(), "lane {lane}");
    }
    assert!(dispatch.window_bytes() <= (LANES as usize + 4) * (4 * MIB + 2));
}
