//! `conditions [tasks] [free] [part]`: what conditions cost, beside the same tasks without. In
//! memory: an end and a start, where so many lanes stand behind one condition that all of them
//! have. On a file: a drain of tasks that each have a condition of their own; and free tasks behind
//! so many that wait for one run. `npm run bench:conditions`. A part instead: `keyed` drains the
//! tasks with a condition of their own, for a profiler; `adds` adds so many by a template of their
//! operation; `waiting` opens a file in which so many wait, with a tenth as many conditions.

use std::io::Write;
use std::sync::Arc;

use tasker_core::condition::{Conditions, Template};
use tasker_core::dispatch::{Dispatch, Known, Picks, Progress};
use tasker_core::error::{Error, Result};
use tasker_core::id::{LaneId, OperationId, Seq};
use tasker_core::operation::OperationOptions;
use tasker_core::queue::QueueKey;
use tasker_core::rules::Settlement;
use tasker_core::task::{Json, NewTask, OnStop, Priority, TaskOptions};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, RunSlot};
use tasker_engine::memory::Settings;
use tasker_engine::thread::Moment;
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::{Backend, Handle};
use tasker_proof::file::Folder;

const OPERATION: OperationId = OperationId(1);
/// Runs at once, how many of them end in one turn, and tasks of one add.
const LIMIT: u32 = 1_024;
const ENDS: usize = 256;
const ADDED: u64 = 10_000;

/// A condition that counts all that stands ahead, and allows it.
const AHEAD: &str = r#"[{"scope":"before-queued","query":{"operation":"read-book"},"limit":9e9}]"#;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| match arguments.get(at) {
        Some(text) => text.parse().map_err(|_| Error::invalid(text, "is not a number")),
        None => Ok(default),
    };
    let (tasks, free) = (number(0, 100_000)?, number(1, 1_000)?);
    match arguments.get(2).map(String::as_str) {
        Some("keyed") => {
            let keyed = drain(tasks, |n| task(n, &own_key(n)))?;
            say(&format!("{tasks} tasks, each with a key: {keyed:.0} a second"));
            return Ok(());
        }
        Some("adds") => return adds(tasks),
        Some("waiting") => {
            waiting(tasks, free, None)?;
            return waiting(tasks, free, Some(AHEAD));
        }
        Some(other) => return Err(Error::invalid(other, "is none of keyed, adds, waiting")),
        None => {}
    }
    say(&behind_one(tasks)?);
    let plain = drain(tasks, |n| task(n, "[]"))?;
    let keyed = drain(tasks, |n| task(n, &own_key(n)))?;
    let share = 100.0 * keyed / plain;
    say(&format!("{tasks} tasks: {plain:.0} a second; each with a key: {keyed:.0}, {share:.0} %"));
    let (alone, behind) = (blocked(0, free)?, blocked(tasks, free)?);
    let ratio = behind / alone;
    say(&format!("{free} free tasks: {alone:.1} ms; behind {tasks}: {behind:.1} ms, × {ratio:.2}"));
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

fn running(query: &str) -> String {
    format!(r#"{{"scope":"running","query":{query},"limit":0}}"#)
}

fn own_key(n: u64) -> String {
    format!("[{}]", running(&format!(r#"{{"data.n":{n}}}"#)))
}

fn task(n: u64, conditions: &str) -> Result<NewTask> {
    let data = Json::trusted(&format!(r#"{{"n":{n},"pad":"{}"}}"#, "x".repeat(80)));
    let conditions = Conditions::read(conditions, "concurrency")?;
    let options = TaskOptions { conditions, ..TaskOptions::default() }.into();
    Ok(NewTask { data: Some(data), options, ..NewTask::new(operation()) })
}

/// The queue alone: each lane holds one task, and all of them have one condition in common.
fn behind_one(lanes: u64) -> Result<String> {
    let mut dispatch = Dispatch::new(LIMIT);
    dispatch.add_operation(OPERATION, &operation());
    let mut tasks = Vec::new();
    for n in 1..=lanes {
        let all = running(&format!(r#"{{"operation":"{}"}}"#, operation()));
        let own = running(&format!(r#"{{"data.n":{n}}}"#));
        let (lane, def) = (LaneId::new(OPERATION, n), task(n, &format!("[{all},{own}]"))?);
        dispatch.add_lane(lane, def.conditions(), None);
        dispatch.enter(lane, QueueKey::new(Priority::default(), Seq(n)));
        dispatch.commit();
        tasks.push(def);
    }
    dispatch.set_runner(&operation(), true);
    dispatch.set_started(true);
    start_one(&mut dispatch, &tasks)?;
    // The first one examines all lanes.
    let begun = Moment::now();
    let rounds = lanes / 2;
    for n in 1..=rounds {
        dispatch.end_run(OPERATION, Seq(n));
        start_one(&mut dispatch, &tasks)?;
    }
    let us = begun.elapsed_ms() as f64 * 1e3 / rounds.max(1) as f64;
    Ok(format!("{lanes} lanes behind one condition: {us:.2} µs for an end and a start"))
}

/// Turns until nothing more starts.
fn start_one(dispatch: &mut Dispatch, tasks: &[NewTask]) -> Result<()> {
    loop {
        let mut picks = Picks::up_to(usize::MAX);
        let is_done = loop {
            match dispatch.start(&mut picks) {
                Progress::Done => break true,
                Progress::Again => break false,
                Progress::Runs => dispatch.load_runs(&[]),
                Progress::Tasks(asked) => {
                    let known = |(lane, key): (LaneId, QueueKey)| {
                        let def = tasks.get(key.seq.0 as usize - 1)?;
                        Some((lane, key, Known { def, stored: None }))
                    };
                    let known: Vec<_> = asked.into_iter().filter_map(known).collect();
                    dispatch.tell(&known)?;
                }
                Progress::Load(_)
                | Progress::Queued(_)
                | Progress::Examine(..)
                | Progress::Gates(_)
                | Progress::Circuits(_)
                | Progress::Misplaced(..) => {
                    return Err(Error::bug("everything is known"));
                }
                Progress::Unreadable(error) => return Err(error),
            }
        };
        dispatch.commit();
        if is_done {
            return Ok(());
        }
    }
}

/// An engine on a new file that has these tasks, and not begun yet.
fn filled(
    folder: &Folder,
    tasks: impl Iterator<Item = Result<NewTask>>,
) -> Result<(Engine, Vec<RunSlot>)> {
    let Handle { store, reader: _reader } = folder.open()?;
    let settings = Settings { concurrency: LIMIT, on_stop: OnStop::Wait };
    let (mut engine, _) = Engine::open(store, settings, [7; 32], at(0))?;
    let mut live = turn(&mut engine, vec![Input::Assign(1, operation(), None)], 1);
    let mut tasks = tasks.peekable();
    while tasks.peek().is_some() {
        let some = tasks.by_ref().take(ADDED as usize).collect::<Result<Vec<_>>>()?;
        live.extend(turn(&mut engine, vec![Input::AddMany(2, some)], 2));
    }
    Ok((engine, live))
}

/// How many of these tasks begin and end in a second.
fn drain(tasks: u64, task: impl Fn(u64) -> Result<NewTask>) -> Result<f64> {
    let folder = Folder::new()?;
    let (mut engine, live) = filled(&folder, (1..=tasks).map(task))?;
    let begun = Moment::now();
    run_all(&mut engine, live);
    Ok(tasks as f64 * 1e3 / begun.elapsed_ms().max(1) as f64)
}

/// What a profiler counts: all tasks start and end.
#[inline(never)]
fn run_all(engine: &mut Engine, mut live: Vec<RunSlot>) {
    live.extend(turn(engine, vec![Input::Start(3)], 3));
    let mut number = 4;
    while !live.is_empty() {
        let ends = live.drain(..ENDS.min(live.len()));
        let ends = ends.map(|slot| Input::Settle(slot, Settlement::Returned(None))).collect();
        live.extend(turn(engine, ends, number));
        number += 1;
    }
}

/// How many milliseconds free tasks take that stand behind so many which wait for one run.
fn blocked(waiting: u64, free: u64) -> Result<f64> {
    let folder = Folder::new()?;
    let held = format!("[{}]", running(r#"{"data.n":0}"#));
    let first = std::iter::once(task(0, &held));
    let waits = (0..waiting).map(|_| task(0, &held));
    let others = (1..=free).map(|n| task(n, &own_key(n)));
    let (mut engine, _) = filled(&folder, first.chain(waits).chain(others))?;
    let begun = Moment::now();
    let started = turn(&mut engine, vec![Input::Start(3)], 3);
    let ended = started.len() as u64;
    if ended != (1 + free).min(LIMIT.into()) {
        return Err(Error::bug(format!("{ended} runs began")));
    }
    // All but the one that the others wait for.
    let ends = started.into_iter().skip(1);
    let ends = ends.map(|slot| Input::Settle(slot, Settlement::Returned(None))).collect();
    turn(&mut engine, ends, 4);
    Ok(begun.elapsed_ms().max(1) as f64)
}

/// How many tasks are added in a second: without conditions, by a template whose keys are in
/// memory, by one whose keys are new, and with conditions of their own.
fn adds(tasks: u64) -> Result<()> {
    let key = r#"{"data.n":{"$task":"data.n"}}"#;
    let template = format!("[{}]", running(key));
    let plain = added(tasks, None, |n| task(n, "[]"))?;
    for (name, rate) in [
        ("1,000 keys by a template", added(tasks, Some(&template), |n| task(n % 1_000, "[]"))?),
        ("new keys by a template", added(tasks, Some(&template), |n| task(n, "[]"))?),
        ("1,000 conditions of their own", added(tasks, None, |n| task(n, &own_key(n % 1_000)))?),
        ("new conditions of their own", added(tasks, None, |n| task(n, &own_key(n)))?),
    ] {
        let share = 100.0 * rate / plain;
        say(&format!("{name}: {rate:.0} adds a second, plain ones {plain:.0}: {share:.0} %"));
    }
    Ok(())
}

/// How many of these are added in a second; what a call carries is made before.
fn added(tasks: u64, template: Option<&str>, task: impl Fn(u64) -> Result<NewTask>) -> Result<f64> {
    let folder = Folder::new()?;
    let (mut engine, _) = filled(&folder, std::iter::empty())?;
    let conditions = template.map(|text| Template::read(text, "conditions")).transpose()?;
    let options = OperationOptions { conditions, ..OperationOptions::default() };
    turn(&mut engine, vec![Input::Define(3, operation(), options)], 3);
    let mut ms = 0;
    for first in (0..tasks).step_by(ADDED as usize) {
        let some = (first..tasks.min(first + ADDED)).map(&task).collect::<Result<Vec<_>>>()?;
        let begun = Moment::now();
        turn(&mut engine, vec![Input::AddMany(4, some)], 4);
        ms += begun.elapsed_ms();
    }
    Ok(tasks as f64 * 1e3 / ms.max(1) as f64)
}

/// A file in which so many tasks wait for one run that was lost, with a tenth as many conditions,
/// is opened again: how soon the free ones start that stand behind all, and what memory holds. The
/// last one may look at all that stands ahead of it.
fn waiting(waiting: u64, free: u64, last: Option<&str>) -> Result<()> {
    let folder = Folder::new()?;
    let gate = running(r#"{"data.n":0}"#);
    let conditions = (waiting / 10).max(1);
    let held = |n: u64| task(0, &format!("[{gate},{}]", running(&format!(r#"{{"label":"{n}"}}"#))));
    let waits = (0..waiting).map(|n| held(n % conditions));
    let others = (1..=free).map(|n| task(n, "[]"));
    let first = std::iter::once(task(0, &format!("[{gate}]")));
    let last = last.map(|conditions| task(0, conditions));
    drop(filled(&folder, first.chain(waits).chain(others).chain(last.clone()))?);
    let before = resident();
    let begun = Moment::now();
    let (mut engine, _) = filled(&folder, std::iter::empty())?;
    let opened = begun.elapsed_ms();
    let (mut longest, mut started, mut first_free) = (0, 0, None);
    let mut inputs = vec![Input::Start(3)];
    loop {
        let (of_turn, mut effects) = (Moment::now(), Vec::new());
        let next = engine.turn(std::mem::take(&mut inputs), at(3), &mut effects);
        longest = longest.max(of_turn.elapsed_ms());
        started += effects.iter().filter(|effect| matches!(effect, Effect::Start(_))).count();
        if started > 1 {
            first_free.get_or_insert(begun.elapsed_ms());
        }
        if !matches!(next, Next::Again | Next::More) {
            break;
        }
    }
    let (all, more) = (begun.elapsed_ms(), resident().saturating_sub(before) / 1024);
    let first_free = first_free.map_or("none".to_owned(), |ms| format!("{ms} ms"));
    say(&format!(
        "{waiting} wait with {conditions} conditions{}: open {opened} ms, first free start after \
         {first_free}, {started} started after {all} ms, longest turn {longest} ms, {more} MB more",
        if last.is_some() { ", looked at" } else { "" }
    ));
    Ok(())
}

/// Memory of this process in KiB; 0 where the system does not tell.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// One turn, and those that follow at once; the runs that they started.
fn turn(engine: &mut Engine, inputs: Vec<Input>, number: u64) -> Vec<RunSlot> {
    let mut effects = Vec::new();
    let mut next = engine.turn(inputs, at(number), &mut effects);
    while matches!(next, Next::Again | Next::More) {
        next = engine.turn(Vec::new(), at(number), &mut effects);
    }
    if let Some(store) = engine.store() {
        // The next turn meets the same fault.
        let _ = store.maintain(false);
    }
    let slot = |effect: Effect| if let Effect::Start(run) = effect { Some(run.slot) } else { None };
    effects.into_iter().filter_map(slot).collect()
}
