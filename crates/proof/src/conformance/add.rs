//! What an add must keep.

use tasker_core::condition::Conditions;
use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::queue_timeout;
use tasker_core::retention::Retention;
use tasker_core::retry;
use tasker_core::standing;
use tasker_core::state::State;
use tasker_core::store::{Change, Start};
use tasker_core::task::{
    NewTask, OnInterrupted, OnStop, OnStopWaiting, Priority, StartTime, TaskOptions, Unsaid,
};
use tasker_core::time::WallMs;
use tasker_core::trace;
use tasker_core::unique;

use super::world::{World, json, of, read, with_data, with_priority};

/// I-1.
pub(super) fn a_new_task_is_ready_and_has_no_attempt(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let record = world.get(task)?;
    assert_eq!((record.seq, record.id), (task.seq, task.id));
    assert_eq!((record.state, record.attempt), (State::Ready, 0));
    assert_eq!((record.started_at, record.ended_at), (None, None));
    assert_eq!((record.outcome, record.progress), (None, None));
    assert!(record.attempts.is_empty());
    Ok(())
}

/// With every member.
const RETRY: &str = r#"{
    "attempts":7,
    "backoff":{"type":"exponential","delay":"5s","factor":1.5,"max":"1h","jitter":0.25},
    "on":["error","timeout"]
}"#;

/// In an order that is not theirs, one twice.
const TRACE: &str = r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;
const DEPENDS_ON: &str = r#"{
    "uuids":[
        "018f0000-0000-7000-8000-000000000002",
        "018f0000-0000-7000-8000-000000000001",
        "018f0000-0000-7000-8000-000000000002"
    ],
    "onFailure":"run"
}"#;

const CONDITIONS: &str = r#"[{"scope":"running","query":{"data.book":"dune"},"limit":1}]"#;

/// I-1.
pub(super) fn every_field_of_a_definition_comes_back(world: &mut World) -> Result<()> {
    let def = NewTask {
        operation: "read-book".into(),
        data: Some(json("{\"book\":\"dune\"}")),
        priority: Priority::new(-2.5)?,
        options: TaskOptions {
            retention: Retention::read(r#"{"done":7,"failed":1}"#, "retention")?.shared(),
            id: Some(json("{\"order\":[7]}")),
            label: Some(json("\"the first\"")),
            tags: Some(json("[\"red\",\"wet\"]")),
            trace: Some(trace::read(TRACE, "trace")?),
            start_time: Some(StartTime::At(WallMs(-1))),
            depends_on: standing::read(DEPENDS_ON, "dependsOn")?.map(Into::into),
            parent: standing::task_id("018f0000-0000-7000-8000-00000000abcd"),
            schedule_id: Some(json("\"mail é\"")),
            scheduled_at: Some(WallMs(-2)),
            run_timeout_ms: Some(300_000),
            queue_timeout: queue_timeout::read("500", "queueTimeout")?,
            retry: Some(retry::read(RETRY, "retry")?.into()),
            on_interrupted: OnInterrupted::Fail,
            on_stop: Some(OnStop::Abort),
            on_stop_waiting: OnStopWaiting::Abort,
            unique: Some(unique::read(r#"{"key":"é\"","ttl":7}"#, "unique")?.into()),
            conditions: Conditions::read(CONDITIONS, "concurrency")?,
            own_conditions: Some(1),
            paused_at: None,
        }
        .into(),
        unsaid: Unsaid::NONE,
        is_attached: false,
    };
    let (task, mut changes) = world.adding_to(0, def.clone());
    let (seq, operation) = (task.seq, task.lane.operation());
    changes.push(Change::Lapses { seq, operation, lapses: true });
    world.turn(changes)?;
    assert_eq!(world.get(task)?.def, def);
    world.crash()?;
    assert_eq!(world.get(task)?.def, def);
    Ok(())
}

/// I-1.
pub(super) fn every_choice_of_a_definition_comes_back(world: &mut World) -> Result<()> {
    let on_stops = OnStop::ALL.iter().copied().map(Some).chain([None]);
    for on_stop in on_stops {
        for on_interrupted in OnInterrupted::ALL.iter().copied() {
            let options = TaskOptions { on_stop, on_interrupted, ..TaskOptions::default() };
            let def = NewTask { options: options.into(), ..read() };
            let task = world.add(def.clone())?;
            assert_eq!(world.get(task)?.def, def);
        }
    }
    Ok(())
}

/// I-1: JSON is text and is never re-encoded.
pub(super) fn data_comes_back_byte_for_byte(world: &mut World) -> Result<()> {
    let texts = [
        "{}",
        "null",
        "\"\"",
        "0",
        "-0.0",
        "1e400",
        "12345678901234567890.000",
        "true",
        " { \"b\" : 1 , \"a\" : [ ] } ",
        "{\"a\":1,\"a\":2}",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "\"Ünïcødé 🦀 \u{2028}\"",
        "{\"__proto__\":{\"x\":1}}",
        "\"'); DROP TABLE tasks; --\"",
    ];
    for text in texts {
        let task = world.add(with_data(text))?;
        let data = world.get(task)?.def.data;
        assert_eq!(data.as_ref().map(|data| data.as_str()), Some(text));
    }
    Ok(())
}

/// I-1.
pub(super) fn data_of_four_mebibytes_comes_back(world: &mut World) -> Result<()> {
    let text = format!("\"{}\"", "x".repeat(4 << 20));
    let task = world.add(with_data(&text))?;
    assert_eq!(world.get(task)?.def.data, Some(json(&text)));
    Ok(())
}

/// I-1: absent is not null.
pub(super) fn absent_data_stays_absent(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    assert_eq!(world.get(task)?.def.data, None);
    Ok(())
}

/// I-1, I-7.
pub(super) fn every_priority_comes_back(world: &mut World) -> Result<()> {
    let values = [f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 0.1, f64::MAX, f64::MIN_POSITIVE];
    for value in values {
        let task = world.add(with_priority(value)?)?;
        assert_eq!(world.get(task)?.def.priority, Priority::new(value)?);
    }
    Ok(())
}

/// I-17.
pub(super) fn the_longest_run_timeout_comes_back(world: &mut World) -> Result<()> {
    let run_timeout_ms = Some(tasker_core::limits::DURATION_MS_MAX);
    let options = TaskOptions { run_timeout_ms, ..TaskOptions::default() }.into();
    let task = world.add(NewTask { options, ..read() })?;
    assert_eq!(world.get(task)?.def.options.run_timeout_ms, run_timeout_ms);
    Ok(())
}

/// F-19: the clock of the machine may say anything.
pub(super) fn the_moment_of_an_add_may_lie_before_1970(world: &mut World) -> Result<()> {
    let (task, mut changes) = world.adding(read());
    if let Some(Change::Add { at, .. }) = changes.last_mut() {
        *at = WallMs(-86_400_000);
    }
    world.turn(changes)?;
    assert_eq!(world.get(task)?.created_at, WallMs(-86_400_000));
    Ok(())
}

/// I-10: the attempt is counted in the commit that starts it.
pub(super) fn an_add_with_a_start_is_running_at_once(world: &mut World) -> Result<()> {
    let (task, mut changes) = world.adding(read());
    let first = Start { run: world.run_id(), attempt: 1, at: world.tick() };
    if let Some(Change::Add { start, .. }) = changes.last_mut() {
        *start = Some(first);
    }
    world.turn(changes)?;
    let record = world.get(task)?;
    assert_eq!((record.state, record.attempt), (State::Running, 1));
    assert_eq!(record.started_at, Some(first.at));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].run, first.run);
    assert!(world.queue()?.is_empty());
    Ok(())
}

/// I-2.
pub(super) fn a_thousand_adds_of_one_batch_are_a_thousand_tasks(world: &mut World) -> Result<()> {
    let defs = (0..1_000).map(|n| with_data(&n.to_string())).collect();
    let tasks = world.add_many(defs)?;
    assert_eq!(world.count("{}")?, 1_000);
    for n in [0, 1, 499, 999] {
        assert_eq!(world.get(tasks[n])?.def.data, Some(json(&n.to_string())));
    }
    Ok(())
}

/// I-2: one name for one task.
pub(super) fn a_sequence_number_that_is_taken_is_refused(world: &mut World) -> Result<()> {
    let first = world.add(with_data("1"))?;
    let (_, mut changes) = world.adding(with_data("2"));
    if let Some(Change::Add { seq, .. }) = changes.last_mut() {
        *seq = first.seq;
    }
    assert!(world.turn(changes).is_err());
    assert_eq!(world.get(first)?.def.data, Some(json("1")));
    assert_eq!(world.count("{}")?, 1);
    Ok(())
}

/// I-8: every JavaScript safe integer is a sequence number.
pub(super) fn the_greatest_sequence_number_is_usable(world: &mut World) -> Result<()> {
    world.number_from(Seq((1 << 53) - 2));
    let task = world.add(read())?;
    assert_eq!(world.get(task)?.seq, Seq((1 << 53) - 2));
    world.crash()?;
    let head = world.inside(|store| store.head())?;
    assert_eq!(head.seq_next, Seq((1 << 53) - 1));
    Ok(())
}

/// I-1.
pub(super) fn tasks_of_many_operations_keep_theirs(world: &mut World) -> Result<()> {
    let names = ["read", "write", "läsa", "a b", "x'; --", "__proto__"];
    let tasks = world.add_many(names.iter().copied().map(of).collect())?;
    for (name, task) in names.iter().zip(tasks) {
        assert_eq!(&*world.get(task)?.def.operation, *name);
    }
    Ok(())
}
