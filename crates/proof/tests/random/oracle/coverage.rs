//! Which verbs have met a task in which state, in the words of `docs/internals/interplay.md`.
//!
//! A task that is about to end for another reason than a call counts for none: its signal has
//! fired, but that is not stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use tasker_core::id::TaskId;
use tasker_core::key::OnConflict;
use tasker_core::limits;
use tasker_core::patch::Patch;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{AfterQueueTimeout, Cause, NewTask, OnInterrupted, OnStop};
use tasker_core::time::WallMs;
use tasker_engine::input::{Input, PostponeOptions, StopOptions};
use tasker_proof::conformance::interplay::{Cell, cells};

use super::holds;
use super::unique::{UniqueKey, key_of};
use super::{Oracle, Stopping, Task};

/// Few tasks are delayed that have lost their last runs: only a call puts them off. And none is
/// blocked that ever had one. Conformance drives these cells with runs that never were. No stop
/// waits for a run that has halted, until its time is over.
const RARE: [(&str, &str); 10] = [
    ("stop, wait, time over", "paused, a run"),
    ("lost, third time", "delayed"),
    ("lost, third time", "paused, a run"),
    ("lost, third time", "blocked"),
    ("return", "blocked"),
    ("throw", "blocked"),
    ("throw, attempts left", "blocked"),
    ("unstorable", "blocked"),
    ("snooze", "blocked"),
    ("postpone", "blocked"),
];

/// The verb of a run timeout that is retried.
const LEFT: &str = "run timeout, attempts left";

/// A task that was paused at a checkpoint.
const HALTED: &str = "paused, a run";

const NOBODY: &str = "no such task";

/// The cells of the page that were used: verb and state.
pub(crate) type Coverage = BTreeSet<(&'static str, &'static str)>;

/// Worlds of their own have executors.
const OUTSIDE: [&str; 9] = [
    "claimed",
    "running, outside",
    "claim",
    "start, outside",
    "report, outside",
    "return, outside",
    "throw, outside",
    "unclaim",
    "lease over",
];

fn is_outside(cell: &Cell) -> bool {
    OUTSIDE.contains(&cell.verb) || OUTSIDE.contains(&cell.state)
}

/// The cells that are built.
fn built() -> Coverage {
    let cells = cells().unwrap();
    let cells = cells.iter().filter(|cell| cell.is_built() && !is_outside(cell));
    cells.map(|cell| (cell.verb, cell.state)).collect()
}

/// The cells that are built, are not rare, and were not used.
pub(crate) fn missing(used: &Coverage) -> Coverage {
    let is_frequent = |cell: &&(&str, &str)| !RARE.contains(*cell);
    built().difference(used).filter(is_frequent).copied().collect()
}

/// Fails if a cell that is built was not used.
pub(crate) fn assert_complete(used: &Coverage) {
    let built = built();
    let unbuilt: Vec<_> = RARE.iter().filter(|cell| !built.contains(*cell)).collect();
    assert!(unbuilt.is_empty(), "no exceptions any more: {unbuilt:?}");
    let missing = missing(used);
    assert!(missing.is_empty(), "no world used {missing:?}");
    let unknown: Vec<_> = used.difference(&built).collect();
    assert!(unknown.is_empty(), "not on the page: {unknown:?}");
}

impl Oracle {
    /// A verb meets a task, or the name of none.
    fn meet(&mut self, verb: &'static str, id: Option<&TaskId>) {
        let task = id.and_then(|id| self.tasks.get(id));
        if let Some(state) = task.map_or(Some(NOBODY), |task| self.state_of(task)) {
            self.used.insert((verb, state));
        }
    }

    /// A verb that names no task meets all of them, and those that are not there.
    fn meet_all(&mut self, verb: impl Fn(&Task) -> Option<&'static str>, nobody: &[&'static str]) {
        let met = self.met(verb);
        self.used.extend(met.into_iter().chain(nobody.iter().map(|verb| (*verb, NOBODY))));
    }

    fn met(
        &self,
        verb: impl Fn(&Task) -> Option<&'static str>,
    ) -> Vec<(&'static str, &'static str)> {
        self.tasks.values().filter_map(|task| Some((verb(task)?, self.state_of(task)?))).collect()
    }

    fn state_of(&self, task: &Task) -> Option<&'static str> {
        match (task.state, task.run) {
            (State::Running, _) if task.abort.is_some() => Some("running, abort asked"),
            (State::Running, Some((process, slot))) => {
                let run = self.processes[process].runs.get(&slot);
                run.is_some_and(|run| run.fired.is_none()).then_some(State::Running.as_str())
            }
            (State::Paused, Some((process, slot))) => {
                let run = self.processes[process].runs.get(&slot);
                let is_fired = run.is_none_or(|run| run.fired.is_some());
                (task.abort.is_none() && !is_fired).then_some(HALTED)
            }
            (state, _) => Some(state.as_str()),
        }
    }

    /// A call is about to be made.
    pub(super) fn meet_by(&mut self, input: &Input) {
        match input {
            Input::Add(_, def) => self.meet_add(def),
            Input::AddMany(_, defs) => defs.iter().for_each(|def| self.meet_add(def)),
            Input::AddIdempotent(_, defs) => {
                for (key, _) in defs {
                    let known = self.keys.get(key).copied();
                    self.meet("add, known key", known.as_ref());
                }
            }
            Input::Abort(_, id, _) => self.meet("abort", Some(id)),
            Input::Prioritize(_, id, _) => self.meet("prioritize", Some(id)),
            Input::Retry(_, id, _) => self.meet("retry", Some(id)),
            Input::PostponeTask(_, id, options) => self.meet(putting_off(options), Some(id)),
            Input::Remove(_, id) => self.meet("remove", Some(id)),
            Input::Update(_, id, update) => {
                self.meet(updating(&update.patch, self.wall), Some(id));
            }
            Input::Pause(_, id) => self.meet("pause", Some(id)),
            Input::Resume(_, id) => self.meet("resume", Some(id)),
            Input::AwaitEnd(_, id) => self.meet("await end", Some(id)),
            Input::Settle(slot, settlement) => {
                let id = self.me().slots.get(slot).copied();
                let task = id.and_then(|id| self.tasks.get(&id));
                let has_chance = task.is_none_or(|task| task.chances(false).on_error.is_some());
                let verb = settling(settlement, has_chance);
                self.meet(verb, id.as_ref());
            }
            Input::Postpone(slot) => {
                let id = self.me().slots.get(slot).copied();
                self.meet("postpone", id.as_ref());
            }
            Input::Stop(_, options) => self.meet_stop(*options),
            Input::Close(_, options) => {
                self.meet_stop(*options);
                self.meet_detached("close, attached");
            }
            Input::Define(_, name, _) => self.meet_operation("define operation", name),
            Input::PauseOperation(_, name, true) => self.meet_operation("pause operation", name),
            Input::PauseOperation(_, name, false) => self.meet_operation("resume operation", name),
            Input::Hold(..) | Input::ReleaseHold(..) => self.meet_hold(input),
            // What names no task alone, and what worlds of their own do.
            _ => {}
        }
    }

    /// A hold meets what it matches, and so does its release.
    fn meet_hold(&mut self, input: &Input) {
        let (met, verb) = match input {
            Input::Hold(_, query, ..) => {
                let is_met = |task: &Task| holds::matches(query, task).then_some("hold");
                (self.met(is_met), "hold")
            }
            Input::ReleaseHold(_, id) => {
                let hold = self.holds.iter().find(|hold| hold.id == *id);
                let matches = |task: &Task| hold.is_some_and(|hold| hold.matches(task));
                (self.met(|task| matches(task).then_some("release hold")), "release hold")
            }
            _ => return,
        };
        self.used.extend(met);
        self.used.insert((verb, NOBODY));
    }

    fn meet_operation(&mut self, verb: &'static str, name: &str) {
        self.meet_all(|task| (*task.def.operation == *name).then_some(verb), &[verb]);
    }

    fn meet_add(&mut self, def: &NewTask) {
        if let Some((key, unique)) = key_of(def) {
            return self.meet_unique(&key, unique.on_conflict);
        }
        let run_at = def.options.start_time.map(|start_time| start_time.moment(self.wall));
        let is_delayed = run_at.is_some_and(|at| at > self.wall);
        let verb = match is_delayed {
            _ if self.is_open(def) => "add, dependencies",
            true => "add, start time",
            false => "add",
        };
        self.meet_all(|_| Some(verb), &[verb]);
    }

    fn meet_unique(&mut self, key: &UniqueKey, on_conflict: OnConflict) {
        let verb = match on_conflict {
            OnConflict::Return => "add, unique",
            OnConflict::Replace => "add, unique, replace",
            OnConflict::Reject => "add, unique, reject",
        };
        let taker = self.takers.get(key).copied();
        self.meet(verb, taker.as_ref());
    }

    /// A start time has come: that meets every task, whosever it is.
    pub(super) fn meet_due(&mut self) {
        if !self.tasks.values().any(|task| task.is_due(self.wall)) {
            return;
        }
        let me = self.me();
        let has_free = me.is_started && self.has_place();
        let is_open = |name: &&Arc<str>| self.said(name).paused_at.is_none();
        let open: BTreeSet<_> = me.runners.keys().filter(is_open).cloned().collect();
        let verb = |task: &Task| {
            let is_free = has_free && open.contains(&task.def.operation);
            Some(if is_free { "due, place free" } else { "due" })
        };
        self.meet_all(verb, &["due", "due, place free"]);
    }

    /// Somebody has waited too long: that meets every task.
    pub(super) fn meet_queue_timeouts(&mut self) {
        let expired = self.tasks.values().filter_map(|task| task.expired_at(self.wall));
        let verbs = expired.map(|timeout| match timeout.then {
            AfterQueueTimeout::Abort => "queue timeout",
            AfterQueueTimeout::Prioritize(_) => "queue timeout, priority",
        });
        for verb in verbs.collect::<BTreeSet<_>>() {
            self.meet_all(|_| Some(verb), &[verb]);
        }
    }

    /// A dependency is done or has failed: that meets every task, whosever it is.
    pub(super) fn meet_end_of_dependency(&mut self, verb: &'static str) {
        self.meet_all(|_| Some(verb), &[verb]);
    }

    /// The retention of a task is over: what looks at it looks at all of them.
    pub(super) fn meet_purge(&mut self) {
        if !self.expired(self.wall).is_empty() {
            self.meet_all(|_| Some("purge"), &["purge"]);
        }
    }

    /// Whether a task that is attached to this process is paused with a run.
    pub(crate) fn has_attached_halt(&self) -> bool {
        let mut own = self.tasks.values().filter(|task| task.attached_to == Some(self.me));
        own.any(|task| task.has_halted)
    }

    /// Whether a task that is attached to this process is to be aborted while it runs.
    pub(crate) fn has_attached_abort(&self) -> bool {
        let mut own = self.tasks.values().filter(|task| task.attached_to == Some(self.me));
        own.any(|task| task.state == State::Running && task.abort.is_some())
    }

    /// What is attached to a process meets its end.
    fn meet_detached(&mut self, verb: &'static str) {
        let me = self.me;
        self.meet_all(|task| (task.attached_to == Some(me)).then_some(verb), &[verb]);
    }

    fn meet_stop(&mut self, options: StopOptions) {
        let verb = |on_stop| match on_stop {
            OnStop::Wait => "stop, wait",
            OnStop::Postpone => "stop, postpone",
            OnStop::Abort => "stop, abort",
        };
        let nobody: Vec<_> = options.on_stop.map(verb).into_iter().collect();
        let me = self.me;
        let of = |task: &Task| {
            let is_mine = task.run.is_none_or(|(process, _)| process == me);
            options.on_stop.or(task.def.options.on_stop).filter(|_| is_mine).map(verb)
        };
        self.meet_all(of, &nobody);
        self.meet_last_stop(options);
    }

    /// Nobody else offers what lapses with this stop.
    fn meet_last_stop(&mut self, options: StopOptions) {
        if options.on_stop != Some(OnStop::Wait) {
            return;
        }
        let met = self.met(|task| self.is_last_stop(task).then_some("stop, abort waiting"));
        self.used.extend(met);
        self.used.insert(("stop, abort waiting", NOBODY));
    }

    /// A turn is about to be made: what is over by now meets its tasks.
    pub(super) fn meet_deadlines(&mut self, mono: u64) {
        let me = self.me();
        let over = me.stopping.as_ref().filter(|stopping| mono >= stopping.deadline);
        if let Some(on_stop) = over.map(|stopping: &Stopping| stopping.on_stop) {
            self.meet_stop_over(on_stop);
        }
        let due = self.me().runs.values().filter_map(|run| match run.deadline {
            Some((at, false)) if mono >= at => Some(("run timeout", run.task, run.fired)),
            Some((at, true)) if mono >= at => {
                let has_chance = self.tasks[&run.task].chances(false).on_timeout.is_some();
                let verb = if has_chance { LEFT } else { "run timeout, grace over" };
                Some((verb, run.task, run.fired))
            }
            _ => None,
        });
        for (verb, id, fired) in due.collect::<Vec<_>>() {
            let is_asked = self.tasks[&id].abort.is_some();
            match fired {
                // Its signal fired for this very timeout: the grace began with a run like any.
                Some(Cause::RunTimeout) if !is_asked => {
                    self.used.insert((verb, State::Running.as_str()));
                }
                _ => self.meet(verb, Some(&id)),
            }
        }
    }

    fn meet_stop_over(&mut self, on_stop: Option<OnStop>) {
        let verb = |on_stop| match on_stop {
            OnStop::Wait => Some("stop, wait, time over"),
            OnStop::Abort => Some("stop, abort, time over"),
            OnStop::Postpone => None,
        };
        let nobody: Vec<_> = on_stop.and_then(verb).into_iter().collect();
        let me = self.me;
        let fired = |task: &Task| {
            let (process, slot) = task.run?;
            self.processes[process].runs.get(&slot)?.fired
        };
        let began: Vec<_> = self
            .tasks
            .values()
            .filter(|task| task.run.is_some_and(|(process, _)| process == me))
            .filter(|task| task.abort.is_none() && fired(task) == Some(Cause::Stop))
            .map(|task| if task.has_halted { HALTED } else { State::Running.as_str() })
            .map(|state| ("stop, abort, time over", state))
            .collect();
        self.used.extend(began);
        let of = |task: &Task| {
            let is_mine = task.run.is_none_or(|(process, _)| process == me);
            on_stop.or(task.def.options.on_stop).filter(|_| is_mine).and_then(verb)
        };
        self.meet_all(of, &nobody);
    }

    /// So much time passes: more than a task that does not run may run.
    pub(crate) fn meet_time(&mut self, ms: u64) {
        for (verb, grace) in
            [("run timeout", 0), ("run timeout, grace over", limits::RUN_TIMEOUT_GRACE_MS)]
        {
            let is_over =
                |def: &NewTask| def.options.run_timeout_ms.is_some_and(|max| max + grace <= ms);
            let stands = |task: &Task| task.run.is_none() || task.has_halted;
            let of = |task: &Task| (stands(task) && is_over(&task.def)).then_some(verb);
            self.meet_all(of, &[verb]);
        }
        let grace = limits::RUN_TIMEOUT_GRACE_MS;
        let is_over =
            |def: &NewTask| def.options.run_timeout_ms.is_some_and(|max| max + grace <= ms);
        let has_chance = |task: &Task| task.chances(false).on_timeout.is_some();
        let of = |task: &Task| {
            let stands = task.run.is_none() || task.has_halted;
            (stands && is_over(&task.def) && has_chance(task)).then_some(LEFT)
        };
        self.meet_all(of, &[LEFT]);
    }

    /// The process dies.
    pub(crate) fn meet_death(&mut self) {
        self.meet_detached("lost, attached");
        let me = self.me;
        let of = |task: &Task| {
            if task.attached_to.is_some() {
                return None;
            }
            task.run.is_none_or(|(process, _)| process == me).then(|| {
                match task.def.options.on_interrupted {
                    OnInterrupted::Abort => "lost, abort",
                    OnInterrupted::Fail => "lost, fail",
                    OnInterrupted::Retry if task.losses + 1 >= limits::LOSSES_MAX => {
                        "lost, third time"
                    }
                    OnInterrupted::Retry => "lost",
                }
            })
        };
        self.meet_all(of, &["lost", "lost, abort", "lost, fail", "lost, third time"]);
    }

    /// A turn is over in which everything could start that may: what did not start meets that.
    pub(super) fn meet_start(&mut self) {
        let me = self.me();
        if !me.is_started || me.stopping.is_some() || !self.has_place() {
            return;
        }
        let has_place = |task: &Task| {
            let said = self.said(&task.def.operation);
            let has_runner = me.runners.contains_key(&task.def.operation);
            has_runner && said.paused_at.is_none() && said.in_force().concurrency.is_none()
        };
        let open: BTreeSet<_> =
            self.tasks.values().filter(|task| has_place(task)).map(|task| task.seq).collect();
        self.meet_all(|task| open.contains(&task.seq).then_some("start"), &["start"]);
    }
}

/// The verb of a runner that settles.
fn settling(settlement: &Settlement, has_chance: bool) -> &'static str {
    match settlement {
        Settlement::Returned(_) => "return",
        Settlement::Threw(_) | Settlement::RetryLater(..) if has_chance => "throw, attempts left",
        Settlement::Threw(_) | Settlement::RetryLater(..) | Settlement::Unrecoverable(_) => "throw",
        Settlement::Unstorable(_) => "unstorable",
        Settlement::Snoozed(_) => "snooze",
    }
}

/// The verb of who puts a task off.
fn putting_off(options: &PostponeOptions) -> &'static str {
    if options.delay_ms.is_some() { "postpone task" } else { "postpone task, at once" }
}

/// The verb of an update.
fn updating(patch: &Patch, wall: WallMs) -> &'static str {
    let mut def = NewTask::new("any");
    patch.apply(&mut def).unwrap();
    match def.options.start_time.map(|start| start.moment(wall)) {
        Some(at) if at > wall => "update, delay",
        Some(_) => "update, at once",
        None => "update",
    }
}
