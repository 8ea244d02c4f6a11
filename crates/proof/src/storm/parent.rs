//! The process that kills.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tasker_core::error::{Code, Error, Result};

use super::check;
use super::ledger::{Ledger, Report};
use super::line::Line;
use crate::dice::Dice;

/// What a storm is made from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that becomes the worker when its first argument is `worker`.
    pub program: PathBuf,
    /// Everything random comes from it.
    pub seed: u64,
    /// How often to kill.
    pub kills: u32,
}

/// How long a worker may take to open the file, or to run what is left.
const PATIENCE_MS: u64 = 60_000;
/// Work before a kill.
const WORK_MS: (usize, usize) = (20, 250);
/// A kill at open comes this early.
const OPEN_MS: usize = 12;
/// Kills between two looks.
const LOOK_EVERY: u32 = 10;
/// What a kill must have let happen, on average.
const ACKED_PER_KILL_MIN: u64 = 20;
const ENDED_PER_KILL_MIN: u64 = 10;

struct Storm {
    plan: Plan,
    folder: PathBuf,
    dice: Dice,
    ledger: Ledger,
}

fn io(error: std::io::Error) -> Error {
    Error::new(Code::Io, "the storm cannot go on").with_source(error)
}

/// Runs a storm.
///
/// # Errors
/// What keeps it from going on; what it finds is in the report.
#[expect(clippy::disallowed_methods, reason = "a storm is made of real time")]
pub fn storm(plan: Plan) -> Result<Report> {
    let folder = tempfile::tempdir().map_err(io)?;
    let begin = Instant::now();
    let (dice, ledger) = (Dice::new(plan.seed), Ledger::default());
    let mut storm = Storm { plan, folder: folder.path().to_owned(), dice, ledger };
    storm.blow()?;
    let mut report = storm.ledger.report;
    report.seed = storm.plan.seed;
    report.elapsed_ms = begin.elapsed().as_millis() as u64;
    if !report.violations.is_empty() {
        // What is left can be looked at.
        report.violations.push(format!("the files are kept in {}", folder.keep().display()));
    }
    Ok(report)
}

impl Storm {
    fn blow(&mut self) -> Result<()> {
        let mut n = 0;
        while self.ledger.report.kills < u64::from(self.plan.kills) {
            n += 1;
            let is_early = self.dice.once_in(5);
            self.cycle(n, is_early)?;
            if n % LOOK_EVERY == 0 {
                check::sample(&mut self.ledger, &self.folder, &mut self.dice)?;
            }
        }
        self.drain(n + 1)?;
        check::all(&mut self.ledger, &self.folder)?;
        self.require_work();
        Ok(())
    }

    /// Starts a worker, lets it work for a while, kills it.
    fn cycle(&mut self, n: u32, is_early: bool) -> Result<()> {
        let work_ms = WORK_MS.0 + self.dice.below(WORK_MS.1 - WORK_MS.0);
        let open_ms = self.dice.below(OPEN_MS);
        let mut child = self.spawn(n, "storm")?;
        let patience_ms = if is_early { open_ms as u64 } else { PATIENCE_MS };
        let work_ms = (!is_early).then_some(work_ms as u64);
        let listening = self.listen(&mut child, patience_ms, work_ms)?;
        if listening.is_over {
            self.ledger.report.deaths += 1;
        } else {
            self.ledger.report.kills += 1;
            self.ledger.report.early += u64::from(!listening.is_ready);
        }
        if !is_early && !listening.is_ready {
            self.ledger.report.violation(format!("worker {n} did not open the file"));
        }
        Ok(())
    }

    /// The last worker runs everything that is left, undisturbed (I-12).
    fn drain(&mut self, n: u32) -> Result<()> {
        let mut child = self.spawn(n, "drain")?;
        let listening = self.listen(&mut child, PATIENCE_MS, Some(PATIENCE_MS))?;
        if !listening.is_over {
            self.ledger.report.violation("the last worker did not come to an end".to_owned());
        }
        Ok(())
    }

    fn spawn(&mut self, n: u32, task: &str) -> Result<Child> {
        let (worker, seed) = (n.to_string(), self.dice.throw().to_string());
        let mut command = Command::new(&self.plan.program);
        command.arg("worker").arg(&self.folder).args([&worker, &seed, task]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(io)
    }

    /// Enters what the worker tells until its time is over, then kills it and enters the rest.
    fn listen(
        &mut self,
        child: &mut Child,
        patience_ms: u64,
        work_ms: Option<u64>,
    ) -> Result<Listening> {
        let out = child.stdout.take().ok_or_else(|| Error::bug("the worker cannot be heard"))?;
        let (sender, lines) = channel();
        let listening = std::thread::scope(|scope| {
            scope.spawn(move || read(out, &sender));
            let listening = self.enter_until(&lines, patience_ms, work_ms);
            // It may be gone already; then there is nothing to kill.
            let _ = child.kill();
            for line in lines {
                self.ledger.enter(line);
            }
            listening
        });
        self.bury(child)?;
        Ok(listening)
    }

    #[expect(clippy::disallowed_methods, reason = "a storm is made of real time")]
    fn enter_until(
        &mut self,
        lines: &Receiver<Line>,
        patience_ms: u64,
        work_ms: Option<u64>,
    ) -> Listening {
        let mut deadline = Instant::now() + Duration::from_millis(patience_ms);
        let mut is_ready = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    self.ledger.enter(line);
                    if let (Line::Ready, Some(ms)) = (line, work_ms) {
                        deadline = Instant::now() + Duration::from_millis(ms);
                    }
                    is_ready |= line == Line::Ready;
                }
                Err(RecvTimeoutError::Timeout) => return Listening { is_ready, is_over: false },
                Err(RecvTimeoutError::Disconnected) => {
                    return Listening { is_ready, is_over: true };
                }
            }
        }
    }

    /// Whoever was not killed and did not end well has something to say.
    fn bury(&mut self, child: &mut Child) -> Result<()> {
        let status = child.wait().map_err(io)?;
        let is_well = status.success() || status.code().is_none();
        if !is_well {
            let mut words = String::new();
            if let Some(mut said) = child.stderr.take() {
                said.read_to_string(&mut words).map_err(io)?;
            }
            self.ledger.report.violation(format!("a worker ended with {status}: {words}"));
        }
        Ok(())
    }

    fn require_work(&mut self) {
        let report = &mut self.ledger.report;
        let (kills, acked, ended) = (report.kills, report.acked, report.ended);
        if acked < ACKED_PER_KILL_MIN * kills || ended < ENDED_PER_KILL_MIN * kills {
            report.violation(format!("only {acked} acked and {ended} ended in {kills} kills"));
        }
    }
}

struct Listening {
    is_ready: bool,
    /// Whether the worker ended by itself.
    is_over: bool,
}

/// Passes on whole lines; a line without an end was cut off by the kill and says nothing.
fn read(out: ChildStdout, sender: &Sender<Line>) {
    let mut out = BufReader::new(out);
    let mut text = String::new();
    while out.read_line(&mut text).is_ok_and(|length| length > 0) && text.ends_with('\n') {
        if let Some(line) = Line::read(text.trim_end()) {
            // The other end listens until this one is dropped.
            let _ = sender.send(line);
        }
        text.clear();
    }
}
