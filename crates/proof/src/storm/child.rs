//! One worker process, as its parent sees it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::Scope;
use std::time::Instant;

use tasker_core::error::{Code, Error, Result};
use tasker_core::watch::Position;

use super::line::Line;

/// What a parent hears: who tells it, and what; nothing more comes after `None`.
pub(super) type Heard = (u32, Option<Line>);

/// A worker process.
pub(super) struct Worker {
    pub(super) number: u32,
    child: Child,
    /// When it is killed.
    pub(super) due: Instant,
    pub(super) is_ready: bool,
    /// Adds and ends that it has told.
    pub(super) acked: u32,
    pub(super) ended: u32,
    /// Whether it has done enough to be worth a kill.
    pub(super) is_ripe: bool,
    /// Whether it is to be killed before it is ready.
    pub(super) is_early: bool,
    /// Whether we have killed it.
    pub(super) is_killed: bool,
    /// Until when it stands still.
    pub(super) stopped_until: Option<Instant>,
}

pub(super) fn io(error: std::io::Error) -> Error {
    Error::new(Code::Io, "the storm cannot go on").with_source(error)
}

/// What a new worker is told.
pub(super) struct Task<'a> {
    pub(super) program: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) number: u32,
    pub(super) seed: u64,
    /// `storm`, or `drain` for the last one.
    pub(super) word: &'static str,
    /// Behind which change it watches.
    pub(super) watched: Position,
}

impl Worker {
    /// Starts a worker; a thread of the scope passes on what it tells.
    pub(super) fn spawn<'scope>(
        task: &Task<'_>,
        due: Instant,
        scope: &'scope Scope<'scope, '_>,
        sender: Sender<Heard>,
    ) -> Result<Worker> {
        let (number, seed) = (task.number.to_string(), task.seed.to_string());
        let mut command = Command::new(task.program);
        let watched = task.watched.to_string();
        command.arg("worker").arg(task.folder).args([&number, &seed, task.word, &watched]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(io)?;
        let out = child.stdout.take().ok_or_else(|| Error::bug("the worker cannot be heard"))?;
        let number = task.number;
        scope.spawn(move || listen(number, out, &sender));
        Ok(Worker {
            number,
            child,
            due,
            is_ready: false,
            acked: 0,
            ended: 0,
            is_ripe: false,
            is_early: false,
            is_killed: false,
            stopped_until: None,
        })
    }

    /// Kills it, also while it stands still.
    pub(super) fn kill(&mut self) {
        self.is_killed = true;
        // It may be gone already; then there is nothing to kill.
        let _ = self.child.kill();
    }

    /// Lets it stand still wherever it is just now.
    pub(super) fn stop(&mut self, until: Instant) -> Result<()> {
        self.stopped_until = Some(until);
        self.signal("STOP")
    }

    /// Lets it go on.
    pub(super) fn go_on(&mut self) -> Result<()> {
        self.stopped_until = None;
        self.signal("CONT")
    }

    /// The number of a process that we have not waited for is not given to another one.
    fn signal(&self, name: &str) -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &self.child.id().to_string()]);
        // One that is gone cannot be signalled.
        command.stderr(Stdio::null()).status().map(drop).map_err(io)
    }

    /// Waits for its end. Who was not killed and did not end well has something to say.
    pub(super) fn bury(&mut self) -> Result<Option<String>> {
        let status = self.child.wait().map_err(io)?;
        if status.success() || status.code().is_none() {
            return Ok(None);
        }
        let mut words = String::new();
        if let Some(mut said) = self.child.stderr.take() {
            said.read_to_string(&mut words).map_err(io)?;
        }
        Ok(Some(format!("worker {} ended with {status}: {words}", self.number)))
    }
}

/// Passes on whole lines; a line without an end was cut off by the kill and says nothing.
fn listen(number: u32, out: ChildStdout, sender: &Sender<Heard>) {
    let mut out = BufReader::new(out);
    let mut text = String::new();
    while out.read_line(&mut text).is_ok_and(|length| length > 0) && text.ends_with('\n') {
        if let Some(line) = Line::read(text.trim_end()) {
            // The other end listens as long as the scope lasts.
            let _ = sender.send((number, Some(line)));
        }
        text.clear();
    }
    let _ = sender.send((number, None));
}
