//! Reading: what is found, in which order, while others write.
#![allow(clippy::unwrap_used)]

mod hand;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hand::{Hand, LANE, aborted, def, done, failed, folder, line};
use rusqlite::Connection;
use tasker_core::error::Code;
use tasker_core::id::{IdKey, IdSource, LaneId, Seq};
use tasker_core::query::{Query, Sort};
use tasker_core::read::{Find, WithLogs};
use tasker_core::reader::Reader;
use tasker_core::state::State;
use tasker_core::store::{Change, Commit, Lane, Lookups};
use tasker_core::task::{Level, NewTask, Priority};
use tasker_core::time::WallMs;

fn find(query: &str, limit: Option<u64>) -> Find {
    Find { limit, ..Find::all(Query::parse(query).unwrap()) }
}

/// Three lanes with equal and different priorities, some running, some ended.
fn filled() -> Hand {
    let mut hand = Hand::in_memory();
    let lanes = ["a", "b", "c"].map(|name| name.to_string());
    let lanes: Vec<_> = (1..).zip(&lanes).map(|(id, name)| hand.lane(id, name)).collect();
    let tasks: Vec<_> = (0..12)
        .map(|n| {
            let mut def = def(&format!(r#"{{"n":{n}}}"#), f64::from(n % 4));
            def.operation = lanes[n as usize % 3].operation.clone();
            hand.add(&lanes[n as usize % 3], def)
        })
        .collect();
    let runs: Vec<_> = [2, 0, 5, 7].iter().map(|n| hand.start(tasks[*n], 1)).collect();
    hand.end(tasks[7], Some(runs[3]), done());
    hand.end(tasks[5], Some(runs[2]), failed());
    hand.end(tasks[9], None, aborted());
    hand
}

#[test]
fn the_default_order_is_queue_then_running_then_ended() {
    let mut hand = filled();
    let waiting = [4, 12, 7, 11, 2, 5, 9];
    assert_eq!(hand.find(r#"{"status":"new"}"#, None, None), waiting);
    assert_eq!(hand.find(r#"{"status":"running"}"#, None, None), [3, 1]);
    assert_eq!(hand.find(r#"{"endedAt":{"$exists":true}}"#, None, None), [8, 6, 10]);
    let all = [&waiting[..], &[3, 1], &[8, 6, 10]].concat();
    assert_eq!(hand.find("{}", None, None), all);
    for skip in 0..13 {
        for limit in 1..13 {
            let part: Vec<u64> = all.iter().copied().skip(skip).take(limit).collect();
            let found = hand.find_from("{}", None, (skip as u64, Some(limit as u64)));
            assert_eq!(found, part, "skip {skip} limit {limit}");
        }
    }
    assert_eq!(hand.find("{}", None, Some(0)), Vec::<u64>::new());
}

/// A file with a task in every state but the last two, those that nothing leads to yet with them.
fn in_every_state(path: &Path) -> Hand {
    let mut hand = Hand::open(path);
    let lanes = [(1, "a"), (2, "b")].map(|(id, name)| hand.lane(id, name));
    let priorities = [0.0, 1.0, 1.0, 0.0, 0.0, 2.0, 5.0].iter().zip(lanes.iter().cycle());
    let tasks: Vec<_> =
        priorities.map(|(priority, lane)| hand.add(lane, def("1", *priority))).collect();
    let runs = [4, 6].map(|n: usize| hand.start(tasks[n], 1));
    hand.end(tasks[6], Some(runs[1]), done());
    hand.close();
    let connection = Connection::open(path).unwrap();
    for state in [State::Blocked, State::Delayed, State::Claimed, State::Paused] {
        let text = format!("UPDATE tasks SET state = {0} WHERE seq = {0}", state.code());
        connection.execute_batch(&text).unwrap();
    }
    let counts = r#"{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1}"#;
    connection.execute("UPDATE batches SET counts = ?", [counts]).unwrap();
    drop(connection);
    Hand::open(path)
}

#[test]
fn whatever_a_task_waits_for_it_is_found_counted_and_sorted() {
    let (_folder, path) = folder();
    let mut hand = in_every_state(&path);
    for state in State::ALL.iter().filter(|state| state.code() <= State::Done.code()) {
        let seq = u64::from(state.code());
        let query = format!(r#"{{"state":"{}"}}"#, state.as_str());
        assert_eq!(hand.find(&query, None, None), [seq]);
        let looked = format!(r#"{{"state":"{}","seq":{{"$gt":0}}}}"#, state.as_str());
        assert_eq!((hand.count(&query), hand.count(&looked)), (1, 1));
    }
    let waiting = [6, 2, 3, 1, 4];
    let all = [&waiting[..], &[5, 7]].concat();
    assert_eq!(hand.find(r#"{"status":"new"}"#, None, None), waiting);
    assert_eq!(hand.find("{}", None, None), all);
    for (skip, limit) in (0..7).flat_map(|skip| (1..7).map(move |limit| (skip, limit))) {
        let part: Vec<u64> = all.iter().copied().skip(skip).take(limit).collect();
        let found = hand.find_from("{}", None, (skip as u64, Some(limit as u64)));
        assert_eq!(found, part, "skip {skip} limit {limit}");
    }
    let by_state = hand.find("{}", Some(r#"{"state":1}"#), None);
    assert_eq!(by_state, [1, 4, 2, 7, 3, 6, 5], "in the order of the words");
    assert_eq!(hand.find(r#"{"priority":1,"status":"new"}"#, None, None), [2, 3]);
    assert_eq!(hand.find(r#"{"state":{"$nin":["ready","done"]}}"#, None, Some(3)), [2, 3, 1]);
}

#[test]
fn a_sort_decides_and_the_default_order_breaks_ties() {
    let mut hand = filled();
    let by_data = hand.find("{}", Some(r#"{"data.n":-1}"#), Some(3));
    assert_eq!(by_data, [12, 11, 10]);
    let by_status = hand.find("{}", Some(r#"{"operation":1}"#), None);
    assert_eq!(by_status, [4, 7, 1, 10, 11, 2, 5, 8, 12, 9, 3, 6]);
}

#[test]
fn the_columns_that_narrow_never_lose_a_match() {
    let mut hand = filled();
    let cases: &[(&str, &[u64])] = &[
        (r#"{"seq":{"$in":[3,8,99]}}"#, &[3, 8]),
        (r#"{"seq":{"$gt":9},"status":"new"}"#, &[12, 11]),
        (r#"{"operation":"a","status":{"$ne":"new"}}"#, &[1, 10]),
        (r#"{"operation":{"$in":["b","x"]},"state":"done"}"#, &[8]),
        (r#"{"operation":"nobody"}"#, &[]),
        (r#"{"priority":{"$gte":2,"$lt":3},"status":"new"}"#, &[7, 11]),
        (r#"{"priority":1,"status":{"$in":["failed","aborted"]}}"#, &[6, 10]),
        (r#"{"attempt":1,"status":"failed"}"#, &[6]),
        (r#"{"startedAt":null,"status":"aborted"}"#, &[10]),
        (r#"{"startedAt":{"$gt":{"$date":0}},"status":"failed"}"#, &[6]),
        (r#"{"endedAt":{"$lt":{"$date":1}}}"#, &[]),
        (r#"{"createdAt":{"$gt":{"$date":0}},"status":"done"}"#, &[8]),
        (r#"{"data.n":4}"#, &[5]),
        (r#"{"$or":[{"data.n":4},{"result.ok":true}]}"#, &[5, 8]),
    ];
    for (query, expected) in cases {
        assert_eq!(hand.find(query, None, None), *expected, "{query}");
        assert_eq!(hand.find(query, None, Some(50)), *expected, "{query} with a limit");
        assert_eq!(hand.count(query), expected.len() as u64, "{query}");
    }
}

#[test]
fn a_uuid_finds_its_task_and_a_foreign_one_finds_none() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    let query = format!(r#"{{"uuid":"{}"}}"#, task.id.0);
    assert_eq!(hand.find(&query, None, None), [1]);
    let foreign = IdSource::new(IdKey(1), [3; 32]).task(Seq(1), WallMs(1));
    assert!(hand.reader.get(foreign, None, usize::MAX).unwrap().is_none());
    let mut same_number = task.id;
    same_number.0 = uuid::Uuid::from_u128(task.id.0.as_u128() ^ (1 << 100));
    assert!(hand.reader.get(same_number, None, usize::MAX).unwrap().is_none());
}

#[test]
fn counts_of_states_come_from_the_counters() {
    let mut hand = filled();
    let cases = [
        ("{}", 12),
        (r#"{"status":"new"}"#, 7),
        (r#"{"status":{"$in":["done","aborted"]}}"#, 2),
        (r#"{"$nor":[{"state":"ready"}]}"#, 5),
        (r#"{"status":"new","state":"running"}"#, 0),
        (r#"{"state":"delayed"}"#, 0),
    ];
    for (query, expected) in cases {
        assert_eq!(hand.count(query), expected, "{query}");
    }
}

#[test]
fn logs_come_up_to_a_level_and_only_if_asked_for() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    let run = hand.start(task, 1);
    let levels = [Level::Crit, Level::Info, Level::Debug, Level::Error];
    let log = |(n, level): (u32, &Level)| Change::Log {
        seq: task.seq,
        lane: LANE,
        run,
        line: line(n, *level),
    };
    hand.turn((1..).zip(&levels).map(log).collect());
    assert!(hand.reader.get(task.id, None, usize::MAX).unwrap().unwrap().logs.is_none());
    let some = Some(WithLogs { level_max: Level::Error });
    let found = hand.reader.get(task.id, some, usize::MAX).unwrap().unwrap();
    let numbers: Vec<u32> = found.logs.unwrap().iter().map(|line| line.n).collect();
    assert_eq!(numbers, [1, 4]);
}

fn many(count: usize) -> Hand {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let changes: Vec<Change> = (0..count)
        .map(|n| hand.adding(&lane, def(&format!("{{\"n\":{n}}}"), (n % 2) as f64)).1)
        .collect();
    hand.turn(changes);
    hand
}

#[test]
fn a_long_queue_comes_page_by_page_without_gaps() {
    let mut hand = many(5_000);
    let odd = (1..=5_000).filter(|seq| seq % 2 == 0);
    let all: Vec<u64> = odd.chain((1..=5_000).filter(|seq| seq % 2 == 1)).collect();
    assert_eq!(hand.find("{}", None, None), all);
    let part = hand.find_from(r#"{"status":"new"}"#, None, (2_400, Some(200)));
    assert_eq!(part, all[2_400..2_600]);
}

#[test]
fn a_small_limit_looks_at_a_small_part() {
    let mut hand = many(20_000);
    let pages = AtomicUsize::new(0);
    let count = || {
        pages.fetch_add(1, Ordering::Relaxed);
        false
    };
    let found = hand.reader.find(&find(r#"{"status":"new"}"#, Some(10)), &count).unwrap();
    assert_eq!(found.len(), 10);
    assert!(pages.load(Ordering::Relaxed) <= 2, "one page of search, one of completion");
}

#[test]
fn a_cancelled_read_ends_closed() {
    let mut hand = many(3_000);
    let query = find(r#"{"data.n":-1}"#, None);
    let error = hand.reader.find(&query, &|| true).unwrap_err();
    assert_eq!(error.code(), Code::Closed);
    let error = hand.reader.count(&query.query, &|| true).unwrap_err();
    assert_eq!(error.code(), Code::Closed);
    assert_eq!(hand.count(r#"{"data.n":5}"#), 1, "the reader lives on");
}

/// More lanes than are learned of at once, of a few operations, each with tasks of several
/// priorities.
#[test]
fn many_queues_are_merged_into_one() {
    let mut hand = Hand::in_memory();
    let operations = [1, 2, 3].map(|id| hand.lane(id, &format!("operation-{id}")));
    let of = |n: usize| Lane {
        id: LaneId::new(operations[n % 3].id.operation(), n as u64),
        operation: operations[n % 3].operation.clone(),
    };
    let lanes: Vec<Lane> = (0..1_100).map(of).collect();
    let mut expected = Vec::new();
    let mut changes = Vec::new();
    for n in 0..4_000_usize {
        let lane = &lanes[n * 7 % lanes.len()];
        let mut def = def("1", (n / 3 % 5) as f64);
        def.operation = lane.operation.clone();
        expected.push((Reverse(n / 3 % 5), n as u64 + 1));
        changes.push(hand.adding(lane, def).1);
    }
    hand.turn(changes);
    expected.sort_unstable();
    let of = |priorities: std::ops::RangeInclusive<usize>| -> Vec<u64> {
        let some = expected.iter().filter(|(priority, _)| priorities.contains(&priority.0));
        some.map(|(_, seq)| *seq).collect()
    };
    assert_eq!(hand.find("{}", None, None), of(0..=4));
    assert_eq!(hand.find("{}", None, Some(70)), of(0..=4)[..70]);
    let some = r#"{"priority":{"$gte":1,"$lte":3}}"#;
    assert_eq!(hand.find(some, None, None), of(1..=3));
    assert_eq!(hand.find(r#"{"priority":{"$gt":3,"$lt":1}}"#, None, None), Vec::<u64>::new());
}

#[test]
fn an_operation_that_is_new_since_the_last_read_is_found() {
    let mut hand = Hand::in_memory();
    for id in 1..=3 {
        let lane = hand.lane(id, &format!("operation-{id}"));
        let def = NewTask { operation: lane.operation.clone(), ..def("1", 0.0) };
        let (waits, ends) = (hand.add(&lane, def.clone()), hand.add(&lane, def));
        hand.end(ends, None, failed());
        let query = format!(r#"{{"operation":"operation-{id}"}}"#);
        assert_eq!(hand.find(&query, None, None), [waits.seq.0, ends.seq.0]);
    }
    assert_eq!(hand.find("{}", None, None), [1, 3, 5, 2, 4, 6]);
}

/// I-16
#[test]
fn a_read_sees_what_was_committed_before_it_and_nothing_half() {
    let mut hand = many(2);
    let (_, add) = {
        let lane = Lane { id: LaneId(1), operation: "read-book".into() };
        hand.adding(&lane, def("3", 0.0))
    };
    let batch = hand.batch(vec![add]);
    use tasker_core::store::Store;
    let transaction = hand.store.begin(&Lookups::default).unwrap();
    assert_eq!(hand.reader.count(&Query::parse("{}").unwrap(), &|| false).unwrap(), 2);
    assert!(matches!(transaction.commit(&batch), Commit::Committed));
    assert_eq!(hand.count("{}"), 3);
}

/// F-16: a long read goes on in newer snapshots; what moves meanwhile is found once.
#[test]
fn a_task_that_ends_while_a_long_read_goes_on_is_found_once() {
    let hand = many(110_000);
    let Hand { store, mut reader, seq_next, lane_next, counts, .. } = hand;
    let writer = Mutex::new((store, 2_u64, counts));
    let abort_some = || {
        use tasker_core::store::Store;
        let (store, number, counts) = &mut *writer.lock().unwrap();
        if *number == 200 {
            return false;
        }
        *number += 1;
        let seq = Seq(*number * 500);
        let (lane, priority, at) = (LANE, Priority::default(), WallMs(9));
        counts.shift(State::Ready, State::Failed);
        let batch = tasker_core::store::Batch {
            number: *number,
            owner: store.owner(),
            at,
            seq_next: Seq(seq_next),
            lane_next,
            counts: *counts,
            changes: vec![Change::End { seq, lane, priority, run: None, outcome: failed(), at }],
            notes: Vec::new(),
        };
        let commit = store.begin(&Lookups::default).unwrap().commit(&batch);
        assert!(matches!(commit, Commit::Committed));
        false
    };
    let sorted = Find { sort: Some(Sort::parse(r#"{"seq":1}"#).unwrap()), ..find("{}", None) };
    let found = reader.find(&sorted, &abort_some).unwrap();
    let seqs: Vec<u64> = found.iter().map(|found| found.task.seq.0).collect();
    let distinct: BTreeSet<u64> = seqs.iter().copied().collect();
    assert_eq!(distinct.len(), seqs.len(), "a task came twice");
    assert_eq!(seqs.len(), 110_000);
}
