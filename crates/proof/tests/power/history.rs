//! An engine at work on a real file, and what the file was after each step.

use std::path::{Path, PathBuf};

use tasker_core::backoff::RetryPolicy;
use tasker_core::id::TaskId;
use tasker_core::query::Query;
use tasker_core::read::{Find, WithLogs};
use tasker_core::reader::Reader;
use tasker_core::rules::{Settlement, abort_reason, engine_error};
use tasker_core::store::Store;
use tasker_core::task::{
    Cause, Json, Level, NewTask, OnStop, Priority, Progress, StartTime, TaskOptions,
};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, Record, RunSlot, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::turn::{Engine, Next};
use tasker_proof::rng::Rng;
use tasker_sqlite::{Durability, Location, Options};
use tempfile::TempDir;

use crate::image::Image;

pub(crate) const SETTINGS: Settings = Settings { concurrency: 6, on_stop: OnStop::Wait };
const OPERATIONS: [&str; 2] = ["a", "b"];
/// Enough for a row of several pages.
const DATA_MAX: usize = 9_000;

/// The file after a step.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) image: Image,
    /// All tasks in it, with their logs.
    pub(crate) dump: String,
    pub(crate) is_checkpoint: bool,
}

/// What has happened to one file.
pub(crate) struct History {
    rng: Rng,
    path: PathBuf,
    engine: Engine,
    reader: Box<dyn Reader>,
    now: Now,
    next: Next,
    tickets: Ticket,
    tasks: Vec<TaskId>,
    runs: Vec<RunSlot>,
    /// Since the end of the last checkpoint.
    moments: Vec<Moment>,
    /// Goes last.
    _folder: TempDir,
}

/// Everything in a store that a user sees.
pub(crate) fn dump(reader: &mut dyn Reader) -> String {
    let logs = Some(WithLogs { level_max: Level::Debug });
    let find = Find { logs, ..Find::all(Query::all()) };
    let found = reader.find(&find, &|| false).unwrap();
    found.iter().map(|one| format!("{one:?}\n")).collect()
}

pub(crate) fn open(path: &Path, durability: Durability) -> (Box<dyn Store>, Box<dyn Reader>) {
    let options = Options { durability, exclusive: false };
    let (store, reader) = tasker_sqlite::open(&Location::file(path).unwrap(), options).unwrap();
    (Box::new(store), Box::new(reader))
}

impl History {
    pub(crate) fn new(seed: u64, durability: Durability) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("tasks.db");
        let (store, reader) = open(&path, durability);
        let now = Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(0) };
        let (engine, _) = Engine::open(store, SETTINGS, [seed as u8; 32], now).unwrap();
        let mut history = Self {
            rng: Rng::new(seed),
            path,
            engine,
            reader,
            now,
            next: Next::Again,
            tickets: 0,
            tasks: Vec::new(),
            runs: Vec::new(),
            moments: Vec::new(),
            _folder: folder,
        };
        let begin = OPERATIONS.map(|name| Input::Assign(0, name.into(), None)).into_iter();
        history.turn(begin.chain([Input::Start(0)]).collect());
        history.checkpoint();
        history.keep(true);
        history
    }

    /// One more commit, or a checkpoint.
    pub(crate) fn step(&mut self) -> &Moment {
        if self.moments.last().is_some_and(|moment| moment.is_checkpoint) {
            self.moments.drain(..self.moments.len() - 1);
        }
        if self.next == Next::Again || self.next == Next::More {
            self.turn(Vec::new());
        } else if self.rng.once_in(8) {
            self.checkpoint();
            return self.keep(true);
        } else {
            let count = 1 + self.rng.below(4);
            let inputs = (0..count).map(|_| self.input()).collect();
            self.turn(inputs);
        }
        self.keep(false)
    }

    /// The file since the last checkpoint: nothing in it need be on the disk for good.
    pub(crate) fn unsynced(&self) -> &[Moment] {
        &self.moments
    }

    fn keep(&mut self, is_checkpoint: bool) -> &Moment {
        let image = Image::read(&self.path);
        let dump = dump(self.reader.as_mut());
        if let Some(last) = self.moments.last() {
            let is_written = image.has_other_database(&last.image);
            assert!(is_checkpoint || !is_written, "a commit writes to the log alone");
        }
        self.moments.push(Moment { image, dump, is_checkpoint });
        self.moments.last().unwrap()
    }

    fn checkpoint(&mut self) {
        self.engine.store().unwrap().maintain(true).unwrap();
    }

    fn turn(&mut self, inputs: Vec<Input>) {
        let ms = self.rng.below(40) as u64;
        let Now { wall, mono } = self.now;
        self.now = Now { wall: wall.plus(ms), mono: mono.plus(ms) };
        let mut effects = Vec::new();
        self.next = self.engine.turn(inputs, self.now, &mut effects);
        for effect in effects {
            self.take(effect);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "it only goes on with what it knows")]
    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(_, Answer::Task(id)) => self.tasks.push(id),
            Effect::Answer(_, Answer::Tasks(ids)) => self.tasks.extend(ids),
            Effect::Start(run) => self.runs.push(run.slot),
            Effect::RunEnded(slot, _) => self.runs.retain(|other| *other != slot),
            _ => {}
        }
    }

    fn input(&mut self) -> Input {
        self.tickets += 1;
        let ticket = self.tickets;
        let known = self.rng.pick(&self.tasks).copied();
        let run = self.rng.pick(&self.runs).copied();
        match (self.rng.below(20), known, run) {
            (0..6, _, Some(run)) => Input::Settle(run, self.settlement()),
            (6, _, Some(run)) => {
                let progress = Progress { current: 1.0, total: None, unit: None };
                Input::Record(run, Record::Progress(progress))
            }
            (7..9, _, Some(run)) => {
                let (level, message) = (Level::Info, self.text().into());
                Input::Record(run, Record::Log { level, at: None, message, fields: None })
            }
            (9, Some(id), _) => Input::Abort(ticket, id, abort_reason(Cause::User, "no")),
            (10, Some(id), _) => Input::Remove(ticket, id),
            (11, Some(id), _) => Input::Pause(ticket, id),
            (12, Some(id), _) => Input::Resume(ticket, id),
            (13, Some(id), _) => Input::Prioritize(ticket, id, self.priority()),
            (14..16, _, _) => {
                let count = 1 + self.rng.below(4);
                Input::AddMany(ticket, (0..count).map(|_| self.definition()).collect())
            }
            _ => Input::Add(ticket, self.definition()),
        }
    }

    fn definition(&mut self) -> NewTask {
        let retry = RetryPolicy { attempts: 3, backoff: None, on_error: true, on_timeout: true };
        let options = TaskOptions {
            start_time: self.rng.once_in(4).then_some(StartTime::After(30)),
            retry: self.rng.once_in(2).then(|| retry.into()),
            ..TaskOptions::default()
        };
        NewTask {
            data: Some(Json::trusted(&format!("\"{}\"", self.text()))),
            priority: self.priority(),
            options: options.into(),
            ..NewTask::new(self.rng.one_of(&OPERATIONS))
        }
    }

    fn priority(&mut self) -> Priority {
        Priority::new(self.rng.below(3) as f64).unwrap()
    }

    /// Often short, sometimes of several pages; no two are alike.
    fn text(&mut self) -> String {
        let max = if self.rng.once_in(6) { DATA_MAX } else { 60 };
        let (len, number) = (self.rng.below(max), self.rng.throw());
        format!("{number:x}{}", "x".repeat(len))
    }

    fn settlement(&mut self) -> Settlement {
        match self.rng.below(4) {
            0 => Settlement::Threw(engine_error("Error", "chance")),
            1 => Settlement::Snoozed(20),
            _ => Settlement::Returned(Some(Json::trusted(&format!("\"{}\"", self.text())))),
        }
    }
}
