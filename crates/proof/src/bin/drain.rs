//! `drain [tasks] [in flight] [per turn] [watches] [query]`: runs tasks through the engine and a
//! file, without Node, while so many watches read what is committed and none is told anything.
//!
//! What a profiler looks at: `docs/internals/speed.md` says how. Filling the file, draining it and
//! reading for the watches are functions of their own, so that one of them can be counted alone.
//! In the query of the watches `N` stands for the number of each.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use tasker_core::error::{Error, Result};
use tasker_core::query::Query;
use tasker_core::reader::Reader;
use tasker_core::rules::Settlement;
use tasker_core::task::{Json, NewTask, OnStop};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_core::watch::{From, Position, WatchFilter, Watches};
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, RunSlot};
use tasker_engine::memory::Settings;
use tasker_engine::thread::Moment;
use tasker_engine::turn::Engine;
use tasker_proof::conformance::{Backend, Handle};
use tasker_proof::file::Folder;

/// Tasks of one `addTasks`.
const ADDED: usize = 1_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| match arguments.get(at) {
        Some(text) => text.parse().map_err(|_| Error::invalid(text, "is not a number")),
        None => Ok(default),
    };
    let (tasks, in_flight, per_turn) = (number(0, 20_000)?, number(1, 1_024)?, number(2, 256)?);
    let folder = Folder::new()?;
    let Handle { store, mut reader } = folder.open()?;
    let settings = Settings { concurrency: in_flight as u32, on_stop: OnStop::Wait };
    let (mut engine, _) = Engine::open(store, settings, [7; 32], at(0))?;
    fill(&mut engine, tasks);
    let query = arguments.get(4).map_or(r#"{"operation":"other-N"}"#, String::as_str);
    let mut watches = watching(&engine, number(3, 0)? as u64, query)?;
    let begun = Moment::now();
    let mut after = |number| read(reader.as_mut(), &mut watches, number);
    drain(&mut engine, tasks, per_turn, &mut after)?;
    let us = begun.elapsed_ms() as f64 * 1e3 / tasks as f64;
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stdout(), "{us:.2} µs per task, {in_flight} in flight");
    Ok(())
}

/// A clock that ticks once per turn.
fn at(turn: u64) -> Now {
    Now { wall: WallMs(1_800_000_000_000 + turn as i64), mono: MonoMs(1 + turn) }
}

/// One turn and the housekeeping after it, as the driver does it; what it told.
fn turn(engine: &mut Engine, inputs: Vec<Input>, number: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    engine.turn(inputs, at(number), &mut effects);
    if let Some(store) = engine.store() {
        // The next turn meets the same fault.
        let _ = store.maintain(false);
    }
    effects
}

#[inline(never)]
fn fill(engine: &mut Engine, tasks: usize) {
    let operation: Arc<str> = "read-book".into();
    for first in (0..tasks).step_by(ADDED) {
        let def = |n: usize| NewTask {
            data: Some(Json::trusted(&format!(r#"{{"n":{n},"pad":"{}"}}"#, "x".repeat(80)))),
            ..NewTask::new(operation.clone())
        };
        let defs = (first..tasks.min(first + ADDED)).map(def).collect();
        turn(engine, vec![Input::AddMany(1, defs)], first as u64);
    }
}

/// Watches of which each asks for its own tasks.
fn watching(engine: &Engine, count: u64, query: &str) -> Result<Watches> {
    let mut watches = Watches::new(engine.id_key());
    for no in 1..=count {
        let query = Query::parse(&query.replace('N', &no.to_string()))?;
        let from = From::Position(Position::behind(engine.memory().number));
        watches.add(no, WatchFilter { query, fields: None }, from);
        watches.ask(no, no);
    }
    Ok(watches)
}

/// Reads up to this commit, as the thread that reads does.
#[inline(never)]
fn read(reader: &mut dyn Reader, watches: &mut Watches, number: u64) -> Result<()> {
    while watches.has_work(number) {
        reader.changes(&mut |changes| watches.look(changes))?;
        debug_assert!(watches.take_told().is_empty(), "none is told anything");
    }
    Ok(())
}

#[inline(never)]
fn drain(
    engine: &mut Engine,
    tasks: usize,
    per_turn: usize,
    after: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let (mut live, mut done) = (VecDeque::<RunSlot>::new(), 0);
    let mut number = tasks as u64;
    let mut inputs = vec![Input::Assign(2, "read-book".into(), None), Input::Start(3)];
    while done < tasks {
        for effect in turn(engine, std::mem::take(&mut inputs), number) {
            match effect {
                Effect::Start(started) => live.push_back(started.slot),
                Effect::RunEnded(..) => done += 1,
                _ => {}
            }
        }
        let settled = live.drain(..per_turn.min(live.len()));
        let returned = || Settlement::Returned(Some(Json::trusted(r#"{"ok":true}"#)));
        inputs = settled.map(|slot| Input::Settle(slot, returned())).collect();
        number += 1;
        after(engine.memory().number)?;
    }
    Ok(())
}
