//! The process that kills.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use tasker_core::error::Result;

use super::child::{Heard, Task, Worker, io};
use super::ledger::{Ledger, Report};
use super::line::Line;
use super::{check, watched};
use crate::rng::Rng;

/// What a storm is made from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that becomes the worker when its first argument is `worker`.
    pub program: PathBuf,
    /// Everything random comes from it.
    pub seed: u64,
    /// How often to kill.
    pub kills: u32,
    /// How many workers at once.
    pub processes: u32,
}

/// How long a worker may take to open the file, or to run what is left.
const PATIENCE_MS: u64 = 600_000;
/// Adds and ends that a worker tells before it is worth a kill.
const ACKED_MIN: u32 = 25;
const ENDED_MIN: u32 = 12;
/// How long it works on then, at most for each process there is.
const WORK_MS: usize = 150;
/// How long one that was stopped goes on at least.
const GOES_ON_MS: u64 = 20;
/// A kill at open comes this early.
const OPEN_MS: usize = 25;
/// Kills between two looks.
const LOOK_EVERY: u64 = 10;
/// How long a worker stands still. The store waits for five seconds.
const STOPS_MS: [u64; 7] = [10, 20, 50, 100, 300, 1_000, 2_000];
/// The time between two stops.
const STOP_EVERY_MS: (usize, usize) = (50, 700);
/// A storm with so many kills must have had workers run a limited operation side by side.
const KILLS_OF_A_LONG_STORM: u64 = 100;

struct Storm {
    plan: Plan,
    folder: PathBuf,
    rng: Rng,
    ledger: Ledger,
    sender: Sender<Heard>,
    heard: Receiver<Heard>,
    workers: Vec<Worker>,
    /// Workers so far.
    number: u32,
    stop_at: Instant,
    looks: u64,
}

/// Runs a storm.
///
/// # Errors
/// What keeps it from going on; what it finds is in the report.
pub fn storm(plan: Plan) -> Result<Report> {
    let folder = tempfile::tempdir().map_err(io)?;
    let begin = now();
    let mut storm = Storm::new(plan, folder.path().to_owned());
    std::thread::scope(|scope| {
        let blown = storm.blow(scope);
        // Whatever went wrong: nobody is left behind.
        storm.workers.iter_mut().for_each(Worker::kill);
        blown
    })?;
    check::all(&mut storm.ledger, &storm.folder)?;
    storm.require_work();
    let mut report = storm.ledger.report;
    (report.seed, report.processes) = (storm.plan.seed, storm.plan.processes);
    report.elapsed_ms = begin.elapsed().as_millis() as u64;
    if !report.violations.is_empty() {
        // What is left can be looked at.
        report.violations.push(format!("the files are kept in {}", folder.keep().display()));
    }
    Ok(report)
}

#[expect(clippy::disallowed_methods, reason = "a storm is made of real time")]
fn now() -> Instant {
    Instant::now()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Storm {
    fn new(plan: Plan, folder: PathBuf) -> Self {
        let (sender, heard) = channel();
        Self {
            rng: Rng::new(plan.seed),
            plan,
            folder,
            ledger: Ledger::default(),
            sender,
            heard,
            workers: Vec::new(),
            number: 0,
            stop_at: now(),
            looks: 0,
        }
    }

    fn blow<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> Result<()> {
        while self.ledger.report.kills < u64::from(self.plan.kills) {
            while self.workers.len() < self.plan.processes as usize {
                self.spawn(scope)?;
            }
            self.act()?;
            self.hear()?;
            if self.ledger.report.kills / LOOK_EVERY > self.looks {
                self.look()?;
            }
        }
        self.workers.iter_mut().for_each(Worker::kill);
        while !self.workers.is_empty() {
            self.hear()?;
        }
        self.drain(scope)
    }

    /// Another worker, which may be one that dies before it is ready.
    fn spawn<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> Result<()> {
        let is_early = self.rng.once_in(5);
        let open_ms = self.rng.below(OPEN_MS) as u64;
        let due = now() + ms(if is_early { open_ms } else { PATIENCE_MS });
        self.start("storm", due, scope)?;
        if let Some(worker) = self.workers.last_mut() {
            worker.is_early = is_early;
        }
        Ok(())
    }

    fn start<'scope>(
        &mut self,
        word: &'static str,
        due: Instant,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<()> {
        self.number += 1;
        let (program, folder) = (&self.plan.program, &self.folder);
        let (number, seed) = (self.number, self.rng.throw());
        let watched = watched::behind(self.ledger.changes.keys().next_back().copied());
        let task = Task { program, folder, number, seed, word, watched };
        self.workers.push(Worker::spawn(&task, due, scope, self.sender.clone())?);
        Ok(())
    }

    /// The last worker runs everything that is left, undisturbed (I-12).
    fn drain<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> Result<()> {
        self.start("drain", now() + ms(PATIENCE_MS), scope)?;
        self.ledger.last = self.number;
        let kills = self.ledger.report.kills;
        while !self.workers.is_empty() {
            self.kill_due();
            self.hear()?;
        }
        if self.ledger.report.kills > kills {
            self.ledger.report.kills = kills;
            self.ledger.report.violation("the last worker did not come to an end".to_owned());
        }
        Ok(())
    }

    /// Kills, stops and lets go on whose time has come.
    fn act(&mut self) -> Result<()> {
        self.kill_due();
        let now = now();
        for worker in &mut self.workers {
            let is_over = worker.stopped_until.is_some_and(|until| until <= now);
            if is_over && !worker.is_killed {
                worker.go_on()?;
            }
        }
        let is_stopped = self.workers.iter().any(|worker| worker.stopped_until.is_some());
        if self.plan.processes > 1 && !is_stopped && self.stop_at <= now {
            self.stop(now)?;
        }
        Ok(())
    }

    fn kill_due(&mut self) {
        let now = now();
        for worker in self.workers.iter_mut().filter(|worker| worker.due <= now) {
            if !worker.is_killed {
                worker.kill();
            }
        }
    }

    /// Lets some worker stand still, wherever it is; two of three go on afterwards.
    fn stop(&mut self, now: Instant) -> Result<()> {
        let stop_ms = self.rng.one_of(&STOPS_MS);
        let until = now + ms(stop_ms);
        let pause = STOP_EVERY_MS.0 + self.rng.below(STOP_EVERY_MS.1 - STOP_EVERY_MS.0);
        self.stop_at = until + ms(pause as u64);
        let (at, goes_on) = (self.rng.below(self.workers.len()), !self.rng.once_in(3));
        let worker = &mut self.workers[at];
        if worker.is_killed {
            return Ok(());
        }
        if goes_on {
            worker.due = worker.due.max(until + ms(GOES_ON_MS));
        } else if worker.is_ready {
            worker.due = worker.due.min(now + ms(stop_ms / 2));
        }
        self.ledger.report.stops += 1;
        worker.stop(until)
    }

    /// Hears one thing, or comes back when something is due.
    fn hear(&mut self) -> Result<()> {
        let dues = self.workers.iter().filter(|worker| !worker.is_killed).map(|worker| worker.due);
        let stops = self.workers.iter().filter_map(|worker| worker.stopped_until);
        let first = dues.chain(stops).chain([now() + ms(20)]).min();
        let left = first.map_or(ms(0), |due| due.saturating_duration_since(now()));
        // Nothing was said in this time: something is due.
        let Ok((number, said)) = self.heard.recv_timeout(left) else { return Ok(()) };
        match said {
            Some(line) => {
                self.count(number, &line);
                self.ledger.enter(number, line);
            }
            None => self.bury(number)?,
        }
        Ok(())
    }

    /// Counts what a worker has done; when that is enough, its time is set. The last one works
    /// until all is done.
    fn count(&mut self, number: u32, line: &Line) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.number == number) else {
            return;
        };
        match line {
            Line::Ready => worker.is_ready = true,
            Line::Added(..) => worker.acked += 1,
            Line::Ended(..) => worker.ended += 1,
            _ => return,
        }
        let has_worked = worker.acked >= ACKED_MIN && worker.ended >= ENDED_MIN;
        let is_last = self.ledger.report.kills >= u64::from(self.plan.kills);
        if has_worked && !worker.is_ripe && !is_last {
            worker.is_ripe = true;
            let work_ms = self.rng.below(WORK_MS * self.plan.processes as usize) as u64;
            worker.due = worker.due.min(now() + ms(work_ms));
        }
    }

    /// A worker has said its last word.
    fn bury(&mut self, number: u32) -> Result<()> {
        let Some(at) = self.workers.iter().position(|worker| worker.number == number) else {
            return Ok(());
        };
        let mut worker = self.workers.swap_remove(at);
        let fault = worker.bury()?;
        let report = &mut self.ledger.report;
        report.violations.extend(fault);
        if worker.is_killed {
            report.kills += 1;
            report.early += u64::from(!worker.is_ready);
            report.still += u64::from(worker.stopped_until.is_some());
        } else {
            report.deaths += 1;
        }
        if !worker.is_early && !worker.is_ready && now() > worker.due {
            report.violation(format!("worker {number} did not open the file"));
        }
        Ok(())
    }

    /// Looks at the file as one more owner, beside the workers that go on.
    fn look(&mut self) -> Result<()> {
        self.looks += 1;
        for worker in &mut self.workers {
            // One that stands still could hold the lock, and nobody would let it go on.
            if worker.stopped_until.is_some() {
                worker.go_on()?;
            }
        }
        check::sample(&mut self.ledger, &self.folder, &mut self.rng)
    }

    fn require_work(&mut self) {
        let report = &mut self.ledger.report;
        if report.acked == 0 || report.ended == 0 {
            report.violation("no worker came to anything".to_owned());
        }
        if report.figures == 0 {
            report.violation("no figures were compared".to_owned());
        }
        let is_long = report.kills >= KILLS_OF_A_LONG_STORM && self.plan.processes > 1;
        if is_long
            && [
                report.beside,
                report.seen,
                report.aborted,
                report.still,
                report.dependents,
                report.bound,
                report.batches,
                report.changes,
                report.lent,
                report.denied,
            ]
            .contains(&0)
        {
            report.violation("the workers hardly met".to_owned());
        }
    }
}
