//! A file knows a bounded number of operations (I-17).

use tasker_core::error::{Code, Error};
use tasker_core::id::{IdempotencyKey, OperationId};
use tasker_core::limits::OPERATIONS_MAX;
use tasker_core::state::Counts;
use tasker_core::store::{Batch, Change, Commit, Lookups, Operation};
use tasker_core::time::WallMs;
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, Ticket};
use tasker_proof::conformance::Backend;
use tasker_proof::model::Disk;
use uuid::Uuid;

use crate::bench::{Bench, def};

/// An engine on a file in which there is room for this many more operations.
fn bench(room: usize) -> Bench {
    let disk = Disk::default();
    let mut store = disk.open().unwrap().store;
    let ids = 1..=u16::try_from(OPERATIONS_MAX - room).unwrap();
    let operation = |id| Operation { id: OperationId(id), name: format!("known {id}").into() };
    let changes = ids.map(operation).map(Change::Operation).collect();
    let (owner, at, counts) = (store.owner(), WallMs(0), Counts::default());
    let seq_next = tasker_core::id::Seq(1);
    let batch = Batch { number: 1, owner, at, seq_next, counts, changes };
    let committed = store.begin(&Lookups::default).unwrap().commit(&batch);
    assert!(matches!(committed, Commit::Committed));
    drop(store);
    Bench::on(disk, 1)
}

fn refusal(bench: &mut Bench, call: impl FnOnce(Ticket) -> Input) -> Error {
    match bench.call(call) {
        Effect::Refuse(_, error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_operation_is_taken_and_one_more_is_refused() {
    let mut bench = bench(1);
    bench.add("last", 0.0);
    let refused = refusal(&mut bench, |ticket| Input::Add(ticket, def("one more")));
    assert_eq!(refused.code(), Code::Limit);
    assert_eq!(refused.facts().path.as_deref(), Some("operation"));
    bench.add("last", 0.0);
    bench.crash();
    let refused = refusal(&mut bench, |ticket| Input::Add(ticket, def("one more")));
    assert_eq!(refused.code(), Code::Limit);
    bench.add("known 1", 0.0);
}

#[test]
fn a_call_that_is_refused_for_one_task_adds_none_and_takes_no_room() {
    let mut bench = bench(1);
    let tasks = || ["known 1", "first", "second"].map(def);
    let refused = refusal(&mut bench, |ticket| Input::AddMany(ticket, tasks().into()));
    assert_eq!(refused.code(), Code::Limit);
    assert_eq!(refused.facts().path.as_deref(), Some("[2].operation"));
    let keyed = |(n, def)| (IdempotencyKey(Uuid::from_u128(n)), def);
    let tasks = (1..).zip(tasks()).map(keyed).collect();
    let refused = refusal(&mut bench, |ticket| Input::AddIdempotent(ticket, tasks));
    assert_eq!(refused.code(), Code::Limit);
    assert_eq!(bench.memory().counts.total(), 0);
    bench.add("second", 0.0);
}

#[test]
fn a_key_that_is_known_takes_no_room_with_another_operation() {
    let mut bench = bench(1);
    let key = IdempotencyKey(Uuid::from_u128(1));
    for operations in [["known 1", "other"], ["first", "second"]] {
        let tasks = operations.map(|operation| (key, def(operation))).to_vec();
        let answer = bench.call(|ticket| Input::AddIdempotent(ticket, tasks));
        assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
    }
    assert_eq!(bench.memory().counts.total(), 1);
    bench.add("last", 0.0);
}
