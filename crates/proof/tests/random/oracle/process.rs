//! What one process knows and is owed: its runs, its runners, its clients, and its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::limits;
use tasker_core::task::{Cause, OnStop, TaskEnd};
use tasker_engine::client_id::ClientId;
use tasker_engine::input::{Input, RunSlot, StopOptions, Ticket};

use super::lapsing::Lapse;
use super::operations::Runner;
use super::said::{Expected, Said, end_of};
use super::{Asked, Oracle, Task};

/// What one process knows and is owed.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) runs: BTreeMap<RunSlot, Run>,
    /// The task of each run there ever was.
    pub(crate) slots: BTreeMap<RunSlot, TaskId>,
    pub(crate) is_closed: bool,
    pub(super) runners: BTreeMap<Arc<str>, Runner>,
    pub(crate) is_started: bool,
    pub(super) starts_later: bool,
    pub(super) stopping: Option<Stopping>,
    pub(super) asked: BTreeMap<Ticket, Asked>,
    /// What was said and is not on disk yet.
    pub(super) kept: Vec<Said>,
    pub(super) expected: BTreeMap<RunSlot, (Expected, Option<TaskEnd>)>,
    /// The tasks whose runs this turn has taken from them.
    pub(super) taken: BTreeSet<TaskId>,
    /// Runs that came to a checkpoint although nobody wants them to halt.
    pub(super) freed: BTreeSet<RunSlot>,
    /// The fault of this turn.
    pub(super) hit: Option<Code>,
    /// The fault of its close.
    pub(super) close_fault: Option<Code>,
    /// Whether it has ever added a task that is attached to it, which may be gone since.
    pub(super) has_attached: bool,
    /// The clients that were told something of others and have not said that they heard it.
    pub(super) told: Vec<ClientId>,
}

/// A live run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) task: TaskId,
    /// When its patience ends, and whether its signal has fired for that.
    pub(super) deadline: Option<(u64, bool)>,
    pub(super) fired: Option<Cause>,
    /// Whether it was told to halt.
    pub(super) is_told: bool,
    /// What is left of its patience, as long as it has halted.
    stands: Option<Option<(u64, bool)>>,
}

impl Run {
    pub(super) fn new(task: TaskId) -> Self {
        // The clock stands still in a turn: `settle_deadlines` knows the time.
        Self { task, deadline: None, fired: None, is_told: false, stands: None }
    }
}

#[derive(Debug)]
pub(super) struct Stopping {
    pub(super) deadline: u64,
    pub(super) on_stop: Option<OnStop>,
    pub(super) closes: bool,
    pub(super) tickets: Vec<Ticket>,
    pub(super) lapse: Option<Lapse>,
}

impl Process {
    /// Whether a runner said something that is not on disk yet.
    pub(crate) fn has_unwritten(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Whether it starts tasks of all these operations.
    pub(crate) fn serves(&self, operations: &[&str]) -> bool {
        self.is_started && operations.iter().all(|name| self.runners.contains_key(*name))
    }

    /// Whether it is about to close.
    pub(super) fn closes(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| stopping.closes)
    }

    /// Whether nothing is left for which its close could wait.
    pub(crate) fn is_to_close(&self) -> bool {
        self.closes() && self.runs.is_empty()
    }

    /// Whether it starts what may start, and nothing runs.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_started && self.runs.is_empty()
    }

    pub(super) fn control(&mut self, input: &Input, mono: u64) {
        match input {
            Input::Assign(ticket, operation, _) => {
                let runner = Runner { ticket: *ticket, options: None };
                self.runners.entry(operation.clone()).or_insert(runner);
            }
            Input::Unassign(ticket, operation) => {
                let is_its = |runner: &Runner| runner.client() == ClientId::of(*ticket);
                if self.runners.get(operation).is_some_and(is_its) {
                    self.runners.remove(operation);
                }
            }
            Input::Leave(client) => self.leave(*client),
            Input::CancelAwait(_, watch) if self.asked.get(watch).is_some_and(Asked::is_wait) => {
                self.asked.remove(watch);
            }
            Input::Ack(ticket) => self.told.retain(|client| *client != ClientId::of(*ticket)),
            Input::Start(_) if self.stopping.is_some() => self.starts_later = true,
            Input::Start(_) => self.is_started = true,
            Input::Stop(ticket, options) => self.stop(*ticket, *options, mono, false),
            Input::Close(ticket, options) => self.stop(*ticket, *options, mono, true),
            _ => {}
        }
    }

    /// A client has gone: it waits for nothing any more, and has no runner.
    fn leave(&mut self, client: ClientId) {
        self.runners.retain(|_, runner| runner.client() != client);
        self.told.retain(|other| *other != client);
        let waits =
            |ticket: &Ticket, asked: &Asked| ClientId::of(*ticket) == client && asked.is_wait();
        self.asked.retain(|ticket, asked| !waits(ticket, asked));
    }

    fn stop(&mut self, ticket: Ticket, options: StopOptions, mono: u64, closes: bool) {
        let lapse = self.lapse();
        (self.is_started, self.starts_later) = (false, false);
        let deadline = mono + options.timeout_ms.unwrap_or(limits::STOP_TIMEOUT_MS);
        let (on_stop, tickets) = (options.on_stop, Vec::new());
        let stopping = Stopping { deadline, on_stop, closes, tickets, lapse };
        let stopping = self.stopping.get_or_insert(stopping);
        stopping.tickets.push(ticket);
        stopping.closes |= closes;
        if options != StopOptions::default() {
            (stopping.deadline, stopping.on_stop) = (deadline, on_stop);
        }
    }

    /// How a run must end of which this was said last, if it is live and nothing was said before.
    pub(super) fn expect_end(
        &mut self,
        slot: RunSlot,
        said: Said,
        tasks: &BTreeMap<TaskId, Task>,
        fired: &BTreeMap<RunSlot, Cause>,
    ) {
        let Some(run) = self.runs.get(&slot) else { return };
        // What another process asked for before is heard before the runner's word.
        let asked = run.fired.or(tasks[&run.task].abort);
        let cause = asked.or(fired.get(&slot).copied());
        let task = &tasks[&run.task];
        let is_aborted = task.abort.is_some() || fired.contains_key(&slot);
        self.expected.entry(slot).or_insert(end_of(said, cause, task.chances(is_aborted)));
    }

    pub(super) fn settle_deadlines(&mut self, tasks: &BTreeMap<TaskId, Task>, mono: u64) {
        for (slot, run) in &mut self.runs {
            let Some(timeout) = tasks[&run.task].def.options.run_timeout_ms else { continue };
            if tasks[&run.task].has_halted {
                let left = |(at, is_grace): (u64, bool)| (at.saturating_sub(mono).max(1), is_grace);
                run.stands = run.stands.or(Some(run.deadline.take().map(left)));
                continue;
            }
            if let Some(left) = run.stands.take() {
                run.deadline = left.map(|(ms, is_grace)| (mono + ms, is_grace));
            }
            match run.deadline {
                None => run.deadline = Some((mono + timeout, false)),
                Some((at, false)) if mono >= at => {
                    assert!(run.fired.is_some(), "the run timeout of {slot} was missed");
                    run.deadline = Some((mono + limits::RUN_TIMEOUT_GRACE_MS, true));
                }
                Some((at, true)) => assert!(mono < at, "the grace of {slot} is over"),
                Some(_) => {}
            }
        }
    }

    /// When something is due at the latest.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let runs = self.runs.values().filter_map(|run| run.deadline.map(|(at, _)| at));
        runs.chain(self.stopping.as_ref().map(|stopping| stopping.deadline)).min()
    }
}

impl Oracle {
    /// The runs of a process that died are lost; `is_told` if one that lives will say so.
    pub(crate) fn lose_runs(&mut self, is_told: bool) {
        let me = self.me;
        let mut lost = Vec::new();
        let is_mine = |task: &&mut Task| task.run.is_some_and(|(process, _)| process == me);
        for task in self.tasks.values_mut().filter(is_mine) {
            task.lose();
            task.is_end_owed = is_told && task.state.is_final();
            lost.push(task.seq);
        }
        lost.into_iter().for_each(|seq| self.lose_probe(seq));
        // Runs come first: who waited for one that is lost ends because of that.
        self.reach_after_death(is_told);
        self.lose_attached(is_told);
        self.reach_after_death(is_told);
    }

    /// Whoever was to tell of the dead has closed too, and dealt with them when it opened again.
    pub(crate) fn forgive_ends(&mut self) {
        self.tasks.values_mut().for_each(|task| task.is_end_owed = false);
    }

    /// Nobody lives whose death was not dealt with.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.tasks.values().all(|task| !task.is_end_owed)
    }
}
