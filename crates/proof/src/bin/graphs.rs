//! `graphs [dependents] [chain]`: what large graphs of tasks cost. `npm run bench:graphs`.
//!
//! One task that many depend on, once done and once failed, and a chain in which each task depends
//! on the one before, run to its end and aborted from its head. Each line has the longest turn,
//! with its commit: while it lasts, nothing else starts or is answered. `docs/internals/speed.md`
//! has the figures.

use std::io::Write;
use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::{Error, Result};
use tasker_core::id::TaskId;
use tasker_core::query::Query;
use tasker_core::reader::Reader;
use tasker_core::rules::Settlement;
use tasker_core::task::{Json, NewTask, OnStop};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, RunSlot};
use tasker_engine::memory::Settings;
use tasker_engine::thread::Moment;
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::{Backend, Handle};
use tasker_proof::file::Folder;

/// Tasks of one `addTasks`.
const ADDED: usize = 1_000;
/// No turn should last longer.
const LONG_MS: u64 = 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| match arguments.get(at) {
        Some(text) => text.parse().map_err(|_| Error::invalid(text, "is not a number")),
        None => Ok(default),
    };
    let (dependents, chain) = (number(0, 1_000_000)?, number(1, 100_000)?);
    for (end, settlement) in [("done", returned()), ("failed", failed())] {
        let (mut graph, first) = Graph::open()?;
        graph.add_dependents(dependents, first)?;
        graph.measure(&format!("{dependents} dependents of a task that is {end}"), settlement)?;
    }
    for (end, settlement) in [("done", returned()), ("failed", failed())] {
        let (mut graph, first) = Graph::open()?;
        graph.add_chain(chain, first)?;
        graph.engine_turn(vec![Input::Assign(1, "later".into(), None)]);
        graph.measure(&format!("a chain of {chain} whose head is {end}"), settlement)?;
    }
    Ok(())
}

fn returned() -> Settlement {
    Settlement::Returned(None)
}

fn failed() -> Settlement {
    Settlement::Unrecoverable(Json::trusted(r#"{"name":"Error","message":"no"}"#))
}

/// An engine over a new file, with one task of operation `first`, which runs.
struct Graph {
    engine: Engine,
    reader: Box<dyn Reader>,
    turns: u64,
    live: Vec<RunSlot>,
    _folder: Folder,
}

impl Graph {
    fn open() -> Result<(Graph, TaskId)> {
        let folder = Folder::new()?;
        let Handle { store, reader } = folder.open()?;
        let settings = Settings { concurrency: 1, on_stop: OnStop::Wait };
        let (engine, _) = Engine::open(store, settings, [7; 32], at(0))?;
        let mut graph = Graph { engine, reader, turns: 0, live: Vec::new(), _folder: folder };
        let first = graph.add(vec![NewTask::new("first")])?;
        graph.engine_turn(vec![Input::Assign(1, "first".into(), None), Input::Start(2)]);
        Ok((graph, first))
    }

    fn add_dependents(&mut self, count: usize, first: TaskId) -> Result<()> {
        let task = later(Dependency::Task(first));
        (0..count)
            .step_by(ADDED)
            .try_for_each(|from| self.add(vec![task.clone(); ADDED.min(count - from)]).map(drop))
    }

    fn add_chain(&mut self, length: usize, first: TaskId) -> Result<()> {
        let mut last = first;
        for from in (0..length).step_by(ADDED) {
            let task = |n: usize| match n {
                0 => later(Dependency::Task(last)),
                n => later(Dependency::Earlier(n - 1)),
            };
            last = self.add((0..ADDED.min(length - from)).map(task).collect())?;
        }
        Ok(())
    }

    /// Adds tasks; the id of the last.
    fn add(&mut self, tasks: Vec<NewTask>) -> Result<TaskId> {
        let (_, effects) = self.engine_turn(vec![Input::AddMany(3, tasks)]);
        let added = effects.into_iter().find_map(|effect| match effect {
            Effect::Answer(3, Answer::Tasks(ids)) => ids.last().copied(),
            _ => None,
        });
        added.ok_or_else(|| Error::bug("the tasks were not added"))
    }

    /// Ends the first task, goes on until nothing follows, and says what it took.
    fn measure(&mut self, what: &str, settlement: Settlement) -> Result<()> {
        let (mut turns, mut longest_ms, mut long, mut ends) = (0_u64, 0, 0_u64, 0_u64);
        let slot = self.live.pop().ok_or_else(|| Error::bug("the first task does not run"))?;
        let begun = Moment::now();
        let mut inputs = vec![Input::Settle(slot, settlement)];
        loop {
            let turn = Moment::now();
            let (next, effects) = self.engine_turn(std::mem::take(&mut inputs));
            let turn_ms = turn.elapsed_ms();
            longest_ms = longest_ms.max(turn_ms);
            long += u64::from(turn_ms > LONG_MS);
            turns += 1;
            let is_end = |effect: &&Effect| matches!(effect, Effect::RunEnded(..));
            ends += effects.iter().filter(is_end).count() as u64;
            inputs.extend(self.live.drain(..).map(|slot| Input::Settle(slot, returned())));
            if inputs.is_empty() && matches!(next, Next::Wait(_) | Next::Closed) {
                break;
            }
        }
        let ms = begun.elapsed_ms();
        let blocked = Query::parse(r#"{"state":"blocked"}"#)?;
        if self.reader.count(&blocked, &|| false)? > 0 {
            return Err(Error::bug("tasks still wait for what has ended"));
        }
        let long = format!("{long} over {LONG_MS} ms, the longest {longest_ms} ms");
        say(&format!("{what}: {ms} ms, {ends} runs, {turns} turns, {long}"));
        Ok(())
    }

    /// One turn and the housekeeping after it, as the driver does it; the runs that it started are
    /// kept.
    fn engine_turn(&mut self, inputs: Vec<Input>) -> (Next, Vec<Effect>) {
        self.turns += 1;
        let mut effects = Vec::new();
        let next = self.engine.turn(inputs, at(self.turns), &mut effects);
        if let Some(store) = self.engine.store() {
            // The next turn meets the same fault.
            let _ = store.maintain(false);
        }
        for effect in &effects {
            if let Effect::Start(run) = effect {
                self.live.push(run.slot);
            }
        }
        (next, effects)
    }
}

/// A clock that ticks once per turn.
fn at(turn: u64) -> Now {
    Now { wall: WallMs(1_800_000_000_000 + turn as i64), mono: MonoMs(1 + turn) }
}

/// A task that waits for another one, and is aborted if that fails.
fn later(dependency: Dependency) -> NewTask {
    let mut task = NewTask::new("later");
    let (on, on_failure) = (vec![dependency], OnFailure::Abort);
    task.options.depends_on = Some(Arc::new(Dependencies { on, on_failure, is_list: true }));
    task
}

fn say(line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stdout(), "{line}");
}
