//! `lanes [lanes] [tasks]`: what many lanes cost, in memory, at the limit of an operation, at open,
//! and for who reads a task by its uuid, as `getTask` does; beside one lane. `npm run bench:lanes`.
//!
//! A file with many lanes of one operation is filled through the store, for the engine gives a task
//! without conditions the lane of its operation. `docs/internals/speed.md` has the figures.

use std::io::Write;
use std::sync::Arc;

use tasker_core::condition::Conditions;
use tasker_core::dispatch::{Dispatch, Picks};
use tasker_core::error::{Error, Result};
use tasker_core::id::{IdSource, LaneId, OperationId, Seq, TaskId};
use tasker_core::operation::{OperationOptions, OperationRecord};
use tasker_core::queue::QueueKey;
use tasker_core::rules::Settlement;
use tasker_core::state::{Counts, State};
use tasker_core::store::{Batch, Change, Commit, Lookups, Operation, Store};
use tasker_core::task::{Json, NewTask, OnStop, Priority};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, RunSlot};
use tasker_engine::memory::Settings;
use tasker_engine::thread::Moment;
use tasker_engine::turn::Engine;
use tasker_proof::conformance::{Backend, Handle};
use tasker_proof::file::Folder;

const OPERATION: OperationId = OperationId(1);
/// Tasks of one batch.
const ADDED: u64 = 10_000;
/// The limit of the operation, and how many runs end in one turn.
const LIMIT: u32 = 1_024;
const ENDS: usize = 256;
/// How many tasks are read by their uuids.
const READS: u64 = 10_000;
/// Rounds of ends and starts.
const ROUNDS: usize = 100;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| match arguments.get(at) {
        Some(text) => text.parse().map_err(|_| Error::invalid(text, "is not a number")),
        None => Ok(default),
    };
    let (lanes, tasks) = (number(0, 100_000)?, number(1, 1_000_000)?);
    say(&in_memory(lanes));
    for lanes in [0, lanes] {
        let folder = Folder::new()?;
        let some = fill(&folder, tasks, lanes)?;
        let what = format!("{tasks} tasks in {} lanes", lanes.max(1));
        say(&opened(&folder, &what)?);
        say(&format!("{what}: {:.2} µs to read one by its uuid", read_us(&folder, &some)?));
    }
    Ok(())
}

fn say(line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn operation() -> Arc<str> {
    "read-book".into()
}

fn at(turn: u64) -> Now {
    Now { wall: WallMs(1_800_000_000_000 + turn as i64), mono: MonoMs(1 + turn) }
}

/// The queue alone: each lane holds one task, and the operation stands at its limit.
fn in_memory(lanes: u64) -> String {
    let before = resident_bytes();
    let mut dispatch = Dispatch::new(LIMIT);
    dispatch.add_operation(OPERATION, &operation());
    for n in 1..=lanes {
        dispatch.add_lane(LaneId::new(OPERATION, n), &Conditions::NONE, None);
        dispatch.enter(LaneId::new(OPERATION, n), QueueKey::new(Priority::default(), Seq(n)));
        dispatch.commit();
    }
    let bytes = resident_bytes().saturating_sub(before) / lanes;
    let defined = OperationOptions::at_once(1);
    dispatch.set_record(OPERATION, OperationRecord { defined, ..OperationRecord::first() });
    dispatch.commit();
    dispatch.set_runner(&operation(), true);
    dispatch.set_started(true);
    let begun = Moment::now();
    for _ in 0..lanes {
        let mut picks = Picks::up_to(usize::MAX);
        dispatch.start(&mut picks);
        dispatch.commit();
        for pick in picks.picks {
            dispatch.end_run(OPERATION, pick.key.seq);
        }
    }
    let us = begun.elapsed_ms() as f64 * 1e3 / lanes as f64;
    format!("{lanes} lanes: {bytes} bytes each, {us:.2} µs for an end and a start")
}

fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}

/// Fills a file with tasks that are spread over so many lanes of one operation; 0 for the one that
/// tasks without conditions have. Gives the ids of some, from all over the file.
fn fill(folder: &Folder, tasks: u64, lanes: u64) -> Result<Vec<TaskId>> {
    let Handle { mut store, .. } = folder.open()?;
    let mut ids = IdSource::new(store.id_key(), [7; 32]);
    let mut counts = Counts::default();
    let mut some = Vec::new();
    let known = Operation::new(OPERATION, operation());
    for (number, first) in (1..).zip((1..=tasks).step_by(ADDED as usize)) {
        let mut changes = Vec::new();
        changes.extend((first == 1).then(|| Change::Operation(known.clone().into())));
        let seqs = first..(first + ADDED).min(tasks + 1);
        for seq in seqs.clone() {
            counts.enter(State::Ready);
            let lane = LaneId::new(OPERATION, if lanes == 0 { 0 } else { 1 + seq % lanes });
            let id = ids.task(Seq(seq), at(0).wall);
            if seq % tasks.div_ceil(READS) == 0 {
                some.push(id);
            }
            changes.push(adding(id, Seq(seq), lane));
        }
        let (owner, at, seq_next) = (store.owner(), at(number).wall, Seq(seqs.end));
        let (lane_next, notes) = (lanes + 1, Vec::new());
        let batch = Batch { number, owner, at, seq_next, lane_next, counts, changes, notes };
        commit(store.as_mut(), &batch)?;
    }
    store.close()?;
    Ok(some)
}

fn adding(id: TaskId, seq: Seq, lane: LaneId) -> Change {
    let data = Json::trusted(&format!(r#"{{"n":{},"pad":"{}"}}"#, seq.0, "x".repeat(80)));
    let def = NewTask { data: Some(data), ..NewTask::new(operation()) };
    Change::Add { seq, id, lane, def, at: at(0).wall, start: None }
}

/// What it costs to read one of these tasks, all of it but its logs.
fn read_us(folder: &Folder, ids: &[TaskId]) -> Result<f64> {
    let Handle { store: _store, mut reader } = folder.open()?;
    let begun = Moment::now();
    for &id in ids {
        if reader.get(id, None, usize::MAX)?.is_none() {
            return Err(Error::bug("a task was not found"));
        }
    }
    Ok(begun.elapsed_ms() as f64 * 1e3 / ids.len().max(1) as f64)
}

fn commit(store: &mut dyn Store, batch: &Batch) -> Result<()> {
    match store.begin(&Lookups::default)?.commit(batch) {
        Commit::Committed => Ok(()),
        other => Err(Error::bug(format!("{other:?}"))),
    }
}

/// From the open to the first start, and then what an end and a start cost at the limit.
fn opened(folder: &Folder, what: &str) -> Result<String> {
    let Handle { store, reader: _reader } = folder.open()?;
    let settings = Settings { concurrency: 2 * LIMIT, on_stop: OnStop::Wait };
    let begun = Moment::now();
    let (mut engine, _) = Engine::open(store, settings, [7; 32], at(0))?;
    let assign = Input::Assign(1, operation(), Some(OperationOptions::at_once(LIMIT)));
    let mut live = turn(&mut engine, vec![assign, Input::Start(2)], 1);
    let opened_ms = begun.elapsed_ms();
    let begun = Moment::now();
    for round in 0..ROUNDS {
        let ends = live.drain(..ENDS.min(live.len()));
        let ends = ends.map(|slot| Input::Settle(slot, Settlement::Returned(None))).collect();
        live.extend(turn(&mut engine, ends, 2 + round as u64));
    }
    let us = begun.elapsed_ms() as f64 * 1e3 / (ROUNDS * ENDS) as f64;
    Ok(format!("{what}: first starts after {opened_ms} ms, {us:.2} µs for an end and a start"))
}

/// One turn, and those that follow at once; the runs that it started.
fn turn(engine: &mut Engine, inputs: Vec<Input>, number: u64) -> Vec<RunSlot> {
    let mut effects = Vec::new();
    engine.turn(inputs, at(number), &mut effects);
    if let Some(store) = engine.store() {
        // The next turn meets the same fault.
        let _ = store.maintain(false);
    }
    let slot = |effect: Effect| if let Effect::Start(run) = effect { Some(run.slot) } else { None };
    effects.into_iter().filter_map(slot).collect()
}
