//! Worlds of schedules: one to three engines on one disk, clocks that jump, each for itself, calls
//! of stores that fail, commits whose fate is open, crashes. After each turn what is stored is
//! compared with what was stored before it, and every difference has to be one that a tick, or a
//! call of that turn, may make.
//!
//! Whoever judges knows nothing but rows, and computes the moments of an interval by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use tasker_core::definition::{self, Operations};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_core::reader::Reader;
use tasker_core::rules::{Settlement, abort_reason};
use tasker_core::schedule::{Missed, Overlap, ScheduleSpec};
use tasker_core::schedules::{Schedule, ScheduleNo, SchedulePatch, Wanted};
use tasker_core::state::State;
use tasker_core::task::{Cause, Json, OnStop, SharedOptions, TaskRecord};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, NewSchedule, RetryOptions, RunSlot, ScheduleUpdate, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::Backend;
use tasker_proof::faulty_store::{Call, FaultyStore};
use tasker_proof::file::Folder;
use tasker_proof::model::Disk;
use tasker_proof::rng::Rng;

use crate::number;
use crate::store::{FailingCall, Fault, Trouble, Troubled};

const IDS: [&str; 3] = ["x", "y", "z"];
const EVERY_MS: [u64; 3] = [1_000, 60_000, 3_600_000];
const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 31_557_600_000;
/// How far a wall clock is set forward or back.
const JUMPS_MS: [i64; 8] = [0, 0, 0, 0, -HOUR_MS, HOUR_MS, 70_000, YEAR_MS];
const CODES: [Code; 3] = [Code::Full, Code::Busy, Code::ReadOnly];
const READS: [Call; 7] = [
    Call::Schedules,
    Call::CountSchedules,
    Call::Timers,
    Call::Briefs,
    Call::States,
    Call::FindByKeys,
    Call::Journal,
];
/// How late the last of the missed ticks may be that `skip` still makes.
const LATE_MS: i64 = 60_000;
const MISSED_MAX: usize = 1_000;

struct Process {
    now: Now,
    trouble: Arc<Mutex<Trouble>>,
    engine: Option<Engine>,
    reader: Option<Box<dyn Reader>>,
    runs: Vec<RunSlot>,
}

/// What is stored at a moment.
#[derive(Clone, Default)]
struct Stored {
    schedules: BTreeMap<Arc<str>, Schedule>,
    tasks: BTreeMap<TaskId, TaskRecord>,
}

struct World {
    rng: Rng,
    lab: Box<dyn Backend>,
    processes: Vec<Process>,
    me: usize,
    tickets: Ticket,
    can_fail: bool,
    steps: usize,
    before: Stored,
    /// The ticks of each schedule that have made tasks, also of those that are gone.
    ticks: BTreeMap<ScheduleNo, BTreeSet<WallMs>>,
    /// How often each rule was met.
    met: BTreeMap<&'static str, u64>,
}

/// The first moment of a schedule, as its row says it.
fn zeroth(schedule: &Schedule, every: i64) -> i64 {
    schedule.spec().start_at.map_or(schedule.anchor.0 + every, |at| at.0)
}

fn every_of(schedule: &Schedule) -> i64 {
    let spec: serde_json::Value = serde_json::from_str(schedule.spec().text()).unwrap();
    spec["every"].as_i64().unwrap()
}

/// The ticks that are to be made at a moment, by the words of the guide: by counting.
fn due(schedule: &Schedule, wall: WallMs) -> Vec<WallMs> {
    let (every, first) = (every_of(schedule), schedule.next_at.unwrap());
    let end = schedule.spec().end_at.map_or(wall, |end| end.min(wall));
    if first > end {
        return Vec::new();
    }
    let count = (end.0 - first.0) / every;
    let all = |from: i64| (from..=count).map(|n| WallMs(first.0 + n * every));
    match schedule.spec().missed {
        Missed::All => all((count + 1 - MISSED_MAX as i64).max(0)).collect(),
        Missed::Once => all(count).collect(),
        Missed::Skip => all(count).filter(|last| wall.0 - last.0 <= LATE_MS).collect(),
    }
}

fn is_over(tasks: &BTreeMap<TaskId, TaskRecord>, id: TaskId) -> bool {
    tasks.get(&id).is_none_or(|task| task.state.is_final())
}

fn is_of_schedules(input: &Input) -> bool {
    matches!(
        input,
        Input::AddSchedule(..)
            | Input::UpdateSchedule(..)
            | Input::PauseSchedule(..)
            | Input::TriggerSchedule(..)
            | Input::RemoveSchedule(..)
    )
}

impl World {
    fn new(seed: u64, lab: Box<dyn Backend>, failing: Option<FailingCall>, is_short: bool) -> Self {
        let mut rng = Rng::new(seed);
        let count = 1 + rng.below(3);
        let now = Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(1) };
        let process = |_| Process {
            now,
            trouble: Arc::default(),
            engine: None,
            reader: None,
            runs: Vec::new(),
        };
        let mut world = Self {
            lab,
            processes: (0..count).map(process).collect(),
            me: 0,
            tickets: 0,
            can_fail: !is_short && rng.once_in(2),
            steps: if is_short { 6 } else { 15 + rng.below(30) },
            rng,
            before: Stored::default(),
            ticks: BTreeMap::new(),
            met: BTreeMap::new(),
        };
        world.processes[0].trouble.lock().unwrap().failing = failing;
        for process in 0..count {
            world.me = process;
            world.open();
            world.begin();
        }
        world
    }

    fn mine(&mut self) -> &mut Process {
        &mut self.processes[self.me]
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.processes[self.me].trouble.lock().unwrap()
    }

    fn now(&self) -> Now {
        self.processes[self.me].now
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// Opens until it opens; what fails once does not fail twice.
    fn open(&mut self) {
        (self.mine().engine, self.mine().reader) = (None, None);
        self.mine().runs.clear();
        let settings = Settings { concurrency: 3, on_stop: OnStop::Wait };
        for _ in 0..3 {
            self.mine().reader = None;
            let handle = self.lab.open().unwrap();
            self.mine().reader = Some(handle.reader);
            let troubled = Troubled(self.mine().trouble.clone());
            let store = Box::new(FaultyStore::new(handle.store, troubled));
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&self.rng.throw().to_le_bytes());
            let opened = Engine::open(store, settings, seed, self.now());
            self.mine().engine = opened.ok().map(|(engine, _)| engine);
            self.judge(&[], false);
            if self.mine().engine.is_some() {
                return;
            }
        }
        panic!("it opens");
    }

    fn begin(&mut self) {
        let (assign, start) = (self.ticket(), self.ticket());
        self.turns(vec![Input::Assign(assign, "a".into(), None), Input::Start(start)], None);
    }

    fn run(mut self) -> (u64, BTreeMap<&'static str, u64>, Option<Fault>) {
        for _ in 0..self.steps {
            self.step();
        }
        self.me = 0;
        let Trouble { calls, failed, .. } = *self.trouble();
        (calls, self.met, failed)
    }

    fn step(&mut self) {
        self.me = self.rng.below(self.processes.len());
        match self.rng.below(12) {
            0 => {
                self.open();
                self.begin();
            }
            1..6 => {
                let ms = self.rng.one_of(&[500, 1_000, 30_000, 60_000, 3_600_000]);
                for process in &mut self.processes {
                    let jump = self.rng.one_of(&JUMPS_MS);
                    process.now.mono = process.now.mono.plus(ms);
                    process.now.wall = WallMs(process.now.wall.0 + ms as i64 + jump);
                }
            }
            _ => {}
        }
        let inputs: Vec<Input> = (0..self.rng.below(4)).map(|_| self.input()).collect();
        let fault = (self.can_fail && self.rng.once_in(4)).then(|| self.fault());
        self.turns(inputs, fault);
    }

    fn fault(&mut self) -> Fault {
        let code = self.rng.one_of(&CODES);
        match self.rng.below(6) {
            0 => Fault::Begin(code),
            1 => Fault::Overtaken(1),
            2 => Fault::Read(code, self.rng.one_of(&READS)),
            3 | 4 => Fault::Commit(code),
            _ => Fault::Unknown(self.rng.once_in(2)),
        }
    }

    fn input(&mut self) -> Input {
        let (ticket, id) = (self.ticket(), self.rng.one_of(&IDS).into());
        let known: Vec<TaskId> = self.before.tasks.keys().copied().collect();
        let task = self.rng.pick(&known).copied();
        let slot = self.processes[self.me].runs.first().copied();
        match (self.rng.below(20), task, slot) {
            (0..5, ..) => Input::AddSchedule(ticket, id, self.schedule()),
            (5, ..) => Input::UpdateSchedule(ticket, id, self.update()),
            (6 | 7, ..) => Input::PauseSchedule(ticket, id, self.rng.once_in(3)),
            (8, ..) => {
                let overlap = self.rng.pick(Overlap::ALL).copied().filter(|_| self.rng.once_in(2));
                Input::TriggerSchedule(ticket, id, overlap)
            }
            (9, ..) => Input::RemoveSchedule(ticket, id),
            (10, Some(task), _) => Input::Abort(ticket, task, abort_reason(Cause::User, "not now")),
            (11, Some(task), _) => Input::Retry(ticket, task, RetryOptions::default()),
            (12, Some(task), _) => Input::Remove(ticket, task),
            (13, Some(task), _) => Input::Pause(ticket, task),
            (14, Some(task), _) => Input::Resume(ticket, task),
            (_, _, Some(slot)) => {
                self.mine().runs.remove(0);
                let is_good = self.rng.once_in(2);
                let error = Settlement::Threw(Json::trusted("{}"));
                Input::Settle(slot, if is_good { Settlement::Returned(None) } else { error })
            }
            _ => Input::Ready(ticket),
        }
    }

    fn schedule(&mut self) -> Box<NewSchedule> {
        let mut text = format!("{{\"every\":{}", self.rng.one_of(&EVERY_MS));
        let overlap = self.rng.pick(Overlap::ALL).copied().unwrap();
        let missed = self.rng.pick(Missed::ALL).copied().unwrap();
        text += &format!(r#","overlap":"{}","missed":"{}""#, overlap.as_str(), missed.as_str());
        let wall = self.now().wall.0;
        if self.rng.once_in(4) {
            let at = wall + self.rng.one_of(&[-90_000, 0, 1_500]);
            text += &format!(r#","startAt":{at}"#);
        }
        if self.rng.once_in(6) {
            text += &format!(r#","endAt":{}"#, wall + 2 * HOUR_MS);
        }
        if self.rng.once_in(4) {
            text += &format!(r#","limit":{}"#, 1 + self.rng.below(3));
        }
        if self.rng.once_in(4) {
            text += r#","jitter":700"#;
        }
        let task = self.rng.one_of(&[
            r#"{"operation":"a"}"#,
            r#"{"operation":"a","retry":2,"data":1}"#,
            r#"{"operation":"a","retention":{"done":1000}}"#,
            r#"{"operation":"nobody"}"#,
        ]);
        text += &format!(r#","task":{task}}}"#);
        let (spec, defaults) = (ScheduleSpec::read(&text).unwrap(), SharedOptions::default());
        let queues = overlap == Overlap::Queue;
        let task = definition::of_schedule(task, queues, &defaults, &mut Operations::default());
        let task = task.unwrap();
        Box::new(NewSchedule { wanted: Wanted { spec, defaults }, task })
    }

    fn update(&mut self) -> Box<ScheduleUpdate> {
        let patch = self.rng.one_of(&[
            r#"{"every":"1s"}"#,
            r#"{"every":"1h","overlap":"allow"}"#,
            r#"{"limit":5}"#,
            r#"{"limit":false,"endAt":false}"#,
            r#"{"missed":"all","overlap":"queue"}"#,
        ]);
        let patch = SchedulePatch::read(patch).unwrap();
        Box::new(ScheduleUpdate { patch, defaults: SharedOptions::default(), task: None })
    }

    /// Turns until the engine waits; whatever happens is judged.
    fn turns(&mut self, inputs: Vec<Input>, fault: Option<Fault>) {
        self.trouble().fault = fault;
        let (mut inputs, mut has_failed) = (Some(inputs), false);
        for _ in 0..200 {
            self.trouble().struck = None;
            let inputs = inputs.take().unwrap_or_default();
            let mentions = inputs.iter().any(is_of_schedules);
            let (mut effects, now) = (Vec::new(), self.now());
            let after = self.mine().engine.as_mut().unwrap().turn(inputs, now, &mut effects);
            let struck = self.trouble().struck.and_then(Fault::code);
            has_failed |= struck.is_some();
            self.note(&effects);
            self.judge(&effects, !mentions && struck.is_none());
            match after {
                Next::Again | Next::More => {}
                Next::Closed => {
                    self.open();
                    return self.begin();
                }
                Next::Wait(_) if has_failed => {
                    // What could not be written comes once more.
                    self.trouble().fault = None;
                    has_failed = false;
                }
                Next::Wait(_) => return self.assert_nothing_due(),
            }
        }
        panic!("I-12: it turns for ever");
    }

    fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Start(run) => self.mine().runs.push(run.slot),
                Effect::RunEnded(slot, _) => self.mine().runs.retain(|other| other != slot),
                _ => {}
            }
        }
    }

    fn assert_nothing_due(&mut self) {
        self.trouble().fault = None;
        let wall = self.now().wall;
        let next = self.processes[self.me].engine.as_ref().unwrap().next_timer();
        for schedule in self.before.schedules.values().filter(|one| one.paused_at.is_none()) {
            if let Some(at) = schedule.next_at {
                assert!(at > wall, "I-12: {schedule:?} is due at {wall:?}");
                assert!(next.is_some_and(|next| next <= at), "nobody looks at {schedule:?}");
            }
        }
    }

    fn stored(&mut self) -> Stored {
        let reader = self.mine().reader.as_mut().unwrap();
        let schedules = reader.schedules("", usize::MAX).unwrap();
        let found = reader.find(&Find::all(Query::all()), &|| false).unwrap();
        Stored {
            schedules: schedules.into_iter().map(|one| (one.id.clone(), one)).collect(),
            tasks: found.into_iter().map(|found| (found.task.id, found.task)).collect(),
        }
    }

    /// Compares what is stored with what was; `is_exact` if nothing was said of schedules and
    /// nothing went wrong.
    fn judge(&mut self, effects: &[Effect], is_exact: bool) {
        let (after, before) = (self.stored(), std::mem::take(&mut self.before));
        let wall = self.now().wall;
        for (id, schedule) in &after.schedules {
            let old = before.schedules.get(id).filter(|old| old.no == schedule.no);
            if let Some(old) = old {
                assert!(schedule.version >= old.version, "{schedule:?} was {old:?}");
                let grows = schedule.next_at.is_none_or(|at| {
                    old.next_at.is_none_or(|was| at >= was)
                        || !schedule.spec().has_rule_of(old.spec())
                        || schedule.anchor != old.anchor
                });
                assert!(grows, "its ticks go back: {schedule:?} was {old:?}");
            }
        }
        let is_new = |id: &TaskId| !before.tasks.contains_key(id);
        let mut new: BTreeMap<Arc<str>, Vec<&TaskRecord>> = BTreeMap::new();
        for task in after.tasks.values().filter(|task| is_new(&task.id)) {
            let id = task.def.options.schedule_id.as_ref().expect("nobody else adds tasks");
            new.entry(id.as_str().trim_matches('"').into()).or_default().push(task);
            let is_told = |effect: &Effect| matches!(effect, Effect::Added(id) if *id == task.id);
            assert!(!is_exact || effects.iter().any(is_told), "{task:?} was not told");
        }
        for (id, tasks) in &mut new {
            tasks.sort_by_key(|task| task.seq);
            let rows = [before.schedules.get(id), after.schedules.get(id)];
            self.judge_new(rows, (&before, &after), tasks, wall);
        }
        if is_exact {
            for (id, old) in &before.schedules {
                let ticks: Vec<WallMs> = new
                    .get(id)
                    .into_iter()
                    .flatten()
                    .filter_map(|task| task.def.options.scheduled_at)
                    .collect();
                let now = &after.schedules[id];
                self.judge_exact((old, now), (&before, &after), &ticks, wall);
            }
        }
        self.before = after;
    }

    /// New tasks of a schedule are of its ticks, and no tick has two.
    fn judge_new(
        &mut self,
        rows: [Option<&Schedule>; 2],
        (before, after): (&Stored, &Stored),
        tasks: &[&TaskRecord],
        wall: WallMs,
    ) {
        let known: Vec<&Schedule> = rows.into_iter().flatten().collect();
        // A schedule may be made, triggered and removed in one turn.
        let is_of_tick = |task: &&TaskRecord| task.def.options.scheduled_at.is_some();
        let may_be = !known.is_empty() || !tasks.iter().any(is_of_tick);
        assert!(may_be, "I-2: {tasks:?} come from nowhere");
        for task in tasks {
            let Some(tick) = task.def.options.scheduled_at else { continue };
            assert!(tick <= wall, "{task:?} comes before its tick");
            let is_named = |row: &&&Schedule| {
                let (every, spec) = (every_of(row), row.spec());
                let is_within = spec.start_at.is_none_or(|at| tick >= at)
                    && spec.end_at.is_none_or(|at| tick <= at);
                (tick.0 - zeroth(row, every)) % every == 0 && is_within
            };
            let row = known.iter().find(is_named);
            let row = row.unwrap_or_else(|| panic!("no rule names the tick of {task:?}"));
            let made = self.ticks.entry(row.no).or_default();
            assert!(made.last().is_none_or(|last| *last < tick), "I-2: {tick:?} after {made:?}");
            made.insert(tick);
            *self.met.entry("tick").or_default() += 1;
        }
        if let [Some(old), Some(now)] = rows
            && old.no == now.no
        {
            let ticks = tasks.iter().filter(|task| task.def.options.scheduled_at.is_some());
            assert_eq!(now.made, old.made + ticks.count() as u64, "{now:?}");
            let newest = tasks.last().unwrap();
            assert_eq!(now.last.map(|last| last.id), Some(newest.id), "{now:?}");
            for task in tasks.iter().filter(|task| task.def.options.depends_on.is_some()) {
                let all = task.def.options.depends_on.as_ref().unwrap();
                let on: Vec<TaskId> = all.tasks().collect();
                let is_own = |id: &TaskId| {
                    let own = before.tasks.get(id).or(after.tasks.get(id));
                    own.is_none_or(|own| {
                        own.def.options.schedule_id == task.def.options.schedule_id
                    })
                };
                assert!(on.len() == 1 && is_own(&on[0]), "{task:?}");
            }
        }
    }

    /// In a turn in which nobody has said anything of it: what was due has been made, as far as the
    /// last task lets it, and nothing else.
    fn judge_exact(
        &mut self,
        (old, now): (&Schedule, &Schedule),
        (before, after): (&Stored, &Stored),
        ticks: &[WallMs],
        wall: WallMs,
    ) {
        let is_due = old.paused_at.is_none() && old.next_at.is_some_and(|at| at <= wall);
        let is_done = is_due && now.next_at.is_none_or(|at| at > wall);
        if !is_done {
            assert!(ticks.is_empty(), "{old:?} is not due, and made {ticks:?}");
            return;
        }
        let mut expected = due(old, wall);
        if let Some(limit) = old.spec().limit {
            expected.truncate((u64::from(limit) - old.made) as usize);
        }
        let last = old.last.map(|last| last.id);
        let was_over = last.is_none_or(|last| is_over(&before.tasks, last));
        let is_over_now = last.is_none_or(|last| is_over(&after.tasks, last));
        let has_begun = last.is_some_and(|last| {
            before.tasks.get(&last).is_some_and(|task| task.started_at.is_some())
        });
        let rule = match old.spec().overlap {
            Overlap::Allow => "allow",
            Overlap::Replace => {
                expected = due(old, wall).split_off(due(old, wall).len().saturating_sub(1));
                "replace"
            }
            Overlap::Skip | Overlap::Queue if was_over && is_over_now => {
                expected.truncate(1);
                "first"
            }
            Overlap::Skip if !is_over_now => {
                expected.clear();
                "skip"
            }
            Overlap::Queue if !is_over_now && has_begun => {
                expected.truncate(1);
                "queue"
            }
            Overlap::Queue if !is_over_now && !has_begun => {
                let still = after.tasks[&last.unwrap()].started_at.is_none();
                if !still {
                    return;
                }
                expected.clear();
                "one waits"
            }
            // It ended, or was opened again, in this very turn: the engine's tests say which
            // counts.
            Overlap::Skip | Overlap::Queue => {
                assert!(ticks.len() <= 1, "{old:?} made {ticks:?}");
                return;
            }
        };
        assert_eq!(ticks, expected, "{rule}: {old:?} is now {now:?}, at {wall:?}");
        *self.met.entry(rule).or_default() += 1;
        gave_way(rule, (last, now), after, ticks);
    }
}

/// The last task has given way, or the new one waits for it, if the rule says so.
fn gave_way(
    rule: &str,
    (last, now): (Option<TaskId>, &Schedule),
    after: &Stored,
    ticks: &[WallMs],
) {
    if rule == "replace"
        && let Some(task) = last.and_then(|last| after.tasks.get(&last))
        && !ticks.is_empty()
    {
        let is_waiting = !task.state.is_final() && task.started_at.is_none();
        assert!(!is_waiting, "{task:?} was to give way");
    }
    if rule == "queue" && !ticks.is_empty() {
        let new = &after.tasks[&now.last.unwrap().id];
        assert!(matches!(new.state, State::Blocked | State::Paused), "{new:?}");
    }
}

fn worlds(count: u64, lab: fn() -> Box<dyn Backend>) -> BTreeMap<&'static str, u64> {
    let seeds = match number("TASKER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TASKER_WORLDS").unwrap_or(count),
    };
    let mut met = BTreeMap::new();
    for seed in seeds {
        let world = || World::new(seed, lab(), None, false).run();
        match catch_unwind(AssertUnwindSafe(world)) {
            Ok((_, of_one, _)) => {
                for (rule, count) in of_one {
                    *met.entry(rule).or_default() += count;
                }
            }
            Err(_) => panic!("world {seed}: repeat it with TASKER_SEED={seed}"),
        }
    }
    met
}

/// Each rule is met often enough to prove something.
fn assert_met(met: &BTreeMap<&'static str, u64>) {
    for rule in ["tick", "allow", "replace", "first", "skip", "queue", "one waits"] {
        assert!(met.get(rule).is_some_and(|count| *count > 0), "{rule} was never met: {met:?}");
    }
}

/// I-1 I-2 I-12 F-2 F-10 F-19
#[test]
fn in_a_thousand_worlds_of_schedules_over_the_model_each_tick_makes_what_it_should() {
    let met = worlds(1_000, || Box::new(Disk::default()));
    if number("TASKER_SEED").is_none() {
        assert_met(&met);
    }
}

/// I-1 I-2 I-12 F-2 F-10 F-19
#[test]
fn in_thirty_worlds_of_schedules_over_a_file_each_tick_makes_what_it_should() {
    worlds(30, || Box::new(Folder::new().unwrap()));
}

/// I-2: the first call of a store fails, in the next world the second, and so on to the last.
#[test]
fn in_worlds_of_schedules_over_the_model_each_call_of_a_store_fails_once() {
    let alone = number("TASKER_SEED");
    let enough = number("TASKER_WORLDS").unwrap_or(2_000);
    let mut failed = 0;
    for seed in alone.unwrap_or_default().. {
        if failed >= enough || alone.is_some_and(|alone| seed > alone) {
            break;
        }
        let world = |failing| World::new(seed, Box::new(Disk::default()), failing, true).run();
        let (calls, ..) = world(None);
        for number in 1..=calls {
            let mut rng = Rng::new(seed << 32 | number);
            let code = rng.one_of(&CODES);
            let commits = [
                Fault::Commit(code),
                Fault::Overtaken(1),
                Fault::Unknown(false),
                Fault::Unknown(true),
            ];
            let failing = FailingCall { number, code, commit: rng.one_of(&commits) };
            match catch_unwind(AssertUnwindSafe(|| world(Some(failing)))) {
                Ok((.., fault)) => failed += u64::from(fault.is_some()),
                Err(_) => {
                    panic!("call {number} of world {seed}: repeat it with TASKER_SEED={seed}")
                }
            }
        }
    }
}
