//! What the queue holds in memory is bounded in all, however many lanes there are and whatever
//! waits in them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

use std::ops::Range;
use std::sync::Arc;

use tasker_core::condition::Conditions;
use tasker_core::dispatch::{Dispatch, Known, Picks, Progress};
use tasker_core::error::Code;
use tasker_core::id::{LaneId, OperationId, Seq, TaskId};
use tasker_core::limits::LANES_MAX;
use tasker_core::operation::{OperationOptions, OperationRecord};
use tasker_core::queue::QueueKey;
use tasker_core::store::{LaneHead, ReadyTask, Window};
use tasker_core::task::{Json, NewTask, Priority};
use tasker_core::time::WallMs;
use uuid::Uuid;

const MIB: usize = 1024 * 1024;
const LANES: u64 = 300;
const OPERATION: OperationId = OperationId(1);

fn operation() -> Arc<str> {
    "read-book".into()
}

fn key(seq: u64) -> QueueKey {
    QueueKey::new(Priority::default(), Seq(seq))
}

fn ready(seq: u64, data: &Json) -> ReadyTask {
    let def = NewTask { data: Some(data.clone()), ..NewTask::new(operation()) };
    let (id, created_at) = (TaskId(Uuid::from_u64_pair(0, seq)), WallMs(0));
    ReadyTask { seq: Seq(seq), id, created_at, def, attempt: 0, failures: 0, losses: 0, logs: 0 }
}

fn data(bytes: usize) -> Json {
    Json::trusted(&format!("\"{}\"", "x".repeat(bytes)))
}

/// The tasks of a lane: every 300th number, so that the lanes take turns.
fn tasks(lane: u64, count: u64, data: &Json) -> Vec<ReadyTask> {
    (0..count).map(|n| ready(1 + lane + n * LANES, data)).collect()
}

/// Lanes of one operation, each with so many tasks in the store, of which memory knows the first.
fn known(limit: u32) -> Dispatch {
    let mut dispatch = Dispatch::new(limit);
    dispatch.add_operation(OPERATION, &operation());
    let lane = |n| LaneId::new(OPERATION, n);
    let head = |n| LaneHead { lane: lane(n), first: key(1 + n), next: Some(key(1 + n + LANES)) };
    dispatch.load_heads(&(0..LANES).map(head).collect::<Vec<_>>());
    learn(&mut dispatch, 0..LANES);
    dispatch.commit();
    dispatch.set_runner(&operation(), true);
    dispatch.set_started(true);
    dispatch
}

/// Their tasks have no conditions, and that is known.
fn learn(dispatch: &mut Dispatch, lanes: Range<u64>) {
    let def = NewTask::new(operation());
    let known = |n| (LaneId::new(OPERATION, n), key(1 + n), Known { def: &def, stored: None });
    dispatch.tell(&lanes.map(known).collect::<Vec<_>>()).unwrap();
}

/// I-17
#[test]
fn a_lane_more_than_memory_has_room_for_is_refused_with_its_path() {
    let mut dispatch = Dispatch::new(1);
    dispatch.add_operation(OPERATION, &operation());
    let lane = |n| LaneId::new(OPERATION, n);
    let head = |n| LaneHead { lane: lane(n), first: key(n), next: None };
    let most = LANES_MAX as u64;
    dispatch.load_heads(&(1..most).map(head).collect::<Vec<_>>());
    dispatch.commit();
    assert_eq!(dispatch.lanes(), LANES_MAX - 1);
    let text = r#"[{"scope":"running","query":{"data.n":1},"limit":0}]"#;
    let conditions = Conditions::read(text, "concurrency").unwrap();
    dispatch.check_room(&conditions).unwrap();
    dispatch.add_lane(lane(most), &conditions, None);
    dispatch.enter(lane(most), key(most));
    dispatch.commit();
    let error = dispatch.check_room(&conditions).unwrap_err();
    let facts = (error.code(), error.facts().path.as_deref());
    assert_eq!(facts, (Code::Limit, Some("concurrency")));
    // Who finds its lane needs no other one.
    assert_eq!(dispatch.lane_of(OPERATION, &conditions, None), Some(lane(most)));
    dispatch.leave(lane(1), key(1));
    dispatch.commit();
    dispatch.check_room(&conditions).unwrap();
}

/// F-14
#[test]
fn nothing_starts_of_a_lane_whose_conditions_cannot_be_read() {
    let mut dispatch = Dispatch::new(1);
    dispatch.add_operation(OPERATION, &operation());
    let lane = LaneId::new(OPERATION, 1);
    dispatch.load_heads(&[LaneHead { lane, first: key(1), next: None }]);
    dispatch.commit();
    dispatch.set_runner(&operation(), true);
    dispatch.set_started(true);
    let mut picks = Picks::up_to(1);
    assert!(matches!(dispatch.start(&mut picks), Progress::Tasks(asked) if asked.len() == 1));
    let mut def = NewTask::new(operation());
    def.options.conditions = Conditions::stored(r#"[{"scope":"running"}]"#);
    let error = dispatch.tell(&[(lane, key(1), Known { def: &def, stored: None })]).unwrap_err();
    assert_eq!(error.code(), Code::Corrupt);
    assert!(matches!(dispatch.start(&mut picks), Progress::Tasks(asked) if asked.len() == 1));
    assert!(picks.picks.is_empty());
}

/// Positions in all windows.
fn positions(dispatch: &Dispatch) -> usize {
    dispatch.mirror().values().map(|(keys, _)| keys.len()).sum()
}

#[test]
fn many_lanes_with_many_tasks_share_what_one_may_have() {
    let mut dispatch = known(100_000);
    let mut picks = Picks::up_to(2 * LANES as usize);
    let mut loaded = 0;
    while let Progress::Load(lanes) = dispatch.start(&mut picks) {
        let next = |(lane, from): &(LaneId, QueueKey)| {
            let tasks = tasks(lane.0 >> 16, 1_000, &data(10)).into_iter();
            let tasks = tasks.filter(|task| task.seq >= from.seq).take(500).collect();
            (*lane, Window { tasks, is_complete: false })
        };
        loaded += lanes.len();
        dispatch.load(lanes.iter().map(next).collect());
    }
    let order: Vec<_> = picks.picks.iter().map(|pick| pick.key.seq.0).collect();
    assert_eq!(order, (1..=2 * LANES).collect::<Vec<_>>());
    assert!(loaded >= LANES as usize);
    assert!(positions(&dispatch) <= 8_192 + 2 * LANES as usize, "{}", positions(&dispatch));
    assert!(dispatch.contents().0 <= 8_192);
}

#[test]
fn a_lane_that_gets_more_than_memory_holds_keeps_the_first_of_them() {
    let mut dispatch = known(1);
    let mine = LaneId::new(OPERATION, LANES);
    for seq in 0..20_000 {
        dispatch.enter(mine, key(1_000_000 + seq));
    }
    dispatch.commit();
    let (keys, rest) = dispatch.mirror().remove(&mine).unwrap();
    assert_eq!(keys.len(), 8_192);
    assert_eq!((keys[0], rest), (key(1_000_000), Some(key(1_008_192))));
    assert_eq!(dispatch.fault(), None);
}

#[test]
fn one_turn_brings_no_more_data_into_memory_than_all_windows_may_hold() {
    let mut dispatch = known(100_000);
    let wide = data(4 * MIB);
    for lane in 0..8 {
        dispatch.offer(LaneId::new(OPERATION, lane), ready(1 + lane, &wide));
    }
    let (tasks, bytes) = dispatch.contents();
    assert!(tasks == 3 && bytes <= 16 * MIB, "{tasks} tasks with {bytes} bytes");
    let mut dispatch = known(100_000);
    let wide = data(9 * MIB);
    let mut picks = Picks::up_to(usize::MAX);
    while let Progress::Load(lanes) = dispatch.start(&mut picks) {
        let (lane, from) = lanes[0];
        let tasks = vec![ready(from.seq.0, &wide), ready(from.seq.0 + LANES, &wide)];
        dispatch.load(vec![(lane, Window { tasks, is_complete: false })]);
        assert!(dispatch.contents().1 <= 16 * MIB);
    }
    let held: Vec<_> = picks.picks.iter().filter_map(|pick| pick.task.as_ref()).collect();
    assert_eq!((held.len(), picks.bytes_left()), (2, 0), "the second one passes the bound");
}

#[test]
fn one_turn_takes_up_a_bounded_number_of_lanes() {
    let mut dispatch = Dispatch::new(100_000);
    dispatch.add_operation(OPERATION, &operation());
    dispatch.commit();
    dispatch.set_runner(&operation(), true);
    dispatch.set_started(true);
    for n in 1..=10_000 {
        dispatch.enter(LaneId::new(OPERATION, n), key(n));
    }
    learn(&mut dispatch, 1..10_001);
    dispatch.commit();
    let mut picks = Picks::up_to(usize::MAX);
    assert!(matches!(dispatch.start(&mut picks), Progress::Again));
    assert_eq!(picks.picks.len(), 4_096);
    dispatch.rollback();
    assert_eq!((dispatch.running(), positions(&dispatch)), (0, 10_000));
}

#[test]
fn an_operation_at_its_limit_hides_no_other_one() {
    let mut dispatch = known(10);
    dispatch.add_operation(OperationId(2), &"other".into());
    dispatch.begin_remote_runs(OPERATION, 1);
    let defined = OperationOptions::at_once(1);
    dispatch.set_record(OPERATION, OperationRecord { defined, ..OperationRecord::first() });
    dispatch.commit();
    dispatch.set_runner(&operation(), true);
    dispatch.set_runner(&"other".into(), true);
    dispatch.enter(LaneId::new(OperationId(2), 0), key(5_000));
    let mut picks = Picks::up_to(usize::MAX);
    assert!(matches!(dispatch.start(&mut picks), Progress::Done));
    assert_eq!(picks.picks.iter().map(|pick| pick.key.seq.0).collect::<Vec<_>>(), [5_000]);
}

#[test]
fn lanes_that_take_turns_do_not_push_each_other_out() {
    let mut dispatch = known(1_024);
    let (mut started, mut loaded) = (0, 0);
    while started < 50_000 {
        let mut picks = Picks::up_to(256);
        while let Progress::Load(lanes) = dispatch.start(&mut picks) {
            let count = dispatch.window_share();
            let window = |(lane, from): (LaneId, QueueKey)| {
                let is_own = move |seq: &u64| (seq - 1) % LANES == lane.0 >> 16;
                let seqs = (from.seq.0..).filter(is_own).take(count);
                let tasks = seqs.map(|seq| ready(seq, &data(1))).collect();
                (lane, Window { tasks, is_complete: false })
            };
            let windows: Vec<_> = lanes.into_iter().map(window).collect();
            loaded += windows.iter().map(|(_, window)| window.tasks.len()).sum::<usize>();
            dispatch.load(windows);
        }
        for pick in &picks.picks {
            started += 1;
            assert_eq!(pick.key.seq.0, started);
            dispatch.end_run(OPERATION, pick.key.seq);
        }
        dispatch.commit();
    }
    assert!(loaded < 2 * started as usize, "{loaded} were loaded for {started} starts");
}

/// What is asked before nothing more may start: how many tasks and lanes.
fn asked(dispatch: &mut Dispatch, writer: &ReadyTask, picks: &mut Picks) -> usize {
    let mut asked = 0;
    loop {
        match dispatch.start(picks) {
            Progress::Done => return asked,
            Progress::Examine(lanes, _) => {
                asked += lanes.len();
                let window = Window { tasks: vec![writer.clone()], is_complete: true };
                dispatch.examine(lanes.iter().map(|(lane, _)| (*lane, window.clone())).collect())
            }
            Progress::Queued(tasks) => {
                asked += tasks.len();
                let known = tasks.iter().map(|(lane, key)| (*lane, *key, &writer.def));
                dispatch.tell_queued(&known.collect::<Vec<_>>())
            }
            other => panic!("{other:?}"),
        }
        .unwrap();
    }
}

#[test]
fn a_hundred_thousand_readers_behind_a_writer_are_not_looked_at() {
    const READERS: u64 = 100_000;
    let (write, writes) = (OperationId(2), LaneId::new(OperationId(2), 0));
    let text = r#"[{"scope":"before-queued","query":{"operation":"write"},"limit":0}]"#;
    let conditions = Conditions::read(text, "concurrency").unwrap();
    let mut dispatch = Dispatch::new(10);
    dispatch.add_operation(OPERATION, &operation());
    dispatch.add_operation(write, &"write".into());
    // Written before there was anybody who counts it.
    let mut writer = ready(1, &data(1));
    writer.def.operation = "write".into();
    dispatch.enter(writes, key(1));
    dispatch.set_offered(&"write".into(), true);
    let reads = LaneId::new(OPERATION, 1);
    dispatch.add_lane(reads, &conditions, None);
    for seq in 2..=READERS {
        dispatch.enter(reads, key(seq));
    }
    dispatch.commit();
    dispatch.set_runner(&operation(), true);
    dispatch.set_started(true);
    let mut picks = Picks::up_to(usize::MAX);
    assert_eq!((asked(&mut dispatch, &writer, &mut picks), picks.picks.len()), (1, 0));
    for seq in 1..=1_000 {
        dispatch.enter(reads, key(READERS + seq));
        assert_eq!(asked(&mut dispatch, &writer, &mut picks), 0);
    }
    assert_eq!(dispatch.examined().0.len(), 1, "the writer alone is known");
    dispatch.leave(writes, key(1));
    assert_eq!((asked(&mut dispatch, &writer, &mut picks), picks.picks.len()), (0, 10));
    // Another writer comes up ahead of the rest.
    dispatch.enter(writes, key(READERS + 2_000));
    dispatch.end_run(OPERATION, Seq(2));
    assert_eq!((asked(&mut dispatch, &writer, &mut picks), picks.picks.len()), (0, 11));
}
