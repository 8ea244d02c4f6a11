//! One batch into the open transaction.
//!
//! # Promises
//! - The guard of a change is in its statement; zero rows changed is `Fenced` (I-3, I-4).
//! - The journal row stands in the same transaction as what it tells (I-11, I-13).
//!
//! Each kind of change has one statement, looked up once per batch: a thousand tasks cost one
//! look-up and a thousand bindings of borrowed values.
//!
//! Proof: `tests/write.rs`, `conformance::guards`.

use rusqlite::{CachedStatement, Connection};
use tasker_core::error::{Code, Error};
use tasker_core::id::{LaneId, RunId, Seq, TaskId};
use tasker_core::journal;
use tasker_core::state::{Counts, State};
use tasker_core::store::{Batch, Change, Lane, Refused, Start};
use tasker_core::task::{AbortReason, Json, LogLine, NewTask, Progress, TaskEnd};
use tasker_core::time::WallMs;

use crate::coalesce::{BulkChange, BulkKind};
use crate::{error, json_column, padding, sql};

/// The statements of one batch, each prepared when it is first needed.
struct Writing<'c> {
    connection: &'c Connection,
    owner: i64,
    prepared: [Option<CachedStatement<'c>>; KINDS],
}

/// Which statement; the number is its index in [`Writing::prepared`].
#[derive(Clone, Copy)]
enum Kind {
    Lane,
    Add,
    AddStart,
    Key,
    Start,
    StartRow,
    EndRun,
    DoneRow,
    EndReady,
    ReleaseHistory,
    Release,
    Prioritize,
    Progress,
    Log,
    AskAbort,
}

const KINDS: usize = Kind::AskAbort as usize + 1;

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Kind::Lane => sql::LANE,
            Kind::Add => sql::ADD,
            Kind::AddStart => sql::ADD_START,
            Kind::Key => sql::KEY,
            Kind::Start => sql::START,
            Kind::StartRow => sql::START_ROW,
            Kind::EndRun => sql::END_RUN,
            Kind::DoneRow => sql::DONE_ROW,
            Kind::EndReady => sql::END_READY,
            Kind::ReleaseHistory => sql::RELEASE_HISTORY,
            Kind::Release => sql::RELEASE,
            Kind::Prioritize => sql::PRIORITIZE,
            Kind::Progress => sql::PROGRESS,
            Kind::Log => sql::LOG,
            Kind::AskAbort => sql::REQUEST_ABORT,
        }
    }
}

/// Rows changed, or SQLite's error.
type Rows = rusqlite::Result<usize>;

/// Writes a batch and its journal row.
///
/// # Errors
/// `Fenced` with the number of the change whose guard did not hold; else the fault of the file.
pub(crate) fn batch(connection: &Connection, batch: &Batch) -> Result<(), Refused> {
    let mut writing =
        Writing { connection, owner: batch.owner.0 as i64, prepared: [const { None }; KINDS] };
    let mut index = 0;
    while let Some(change) = batch.changes.get(index) {
        let bulk = BulkChange::of(&batch.changes[index..]);
        let (count, held) = match &bulk {
            Some(all) => (all.len(), writing.bulk(all)),
            None => (1, writing.change(change)),
        };
        let held = held.map_err(error::of)?;
        if held < count {
            let error = fenced(&batch.changes[index + held]);
            return Err(Refused { error, change: Some(index + held) });
        }
        index += count;
    }
    journal(connection, batch).map_err(error::of)?;
    Ok(())
}

fn fenced(change: &Change) -> Error {
    let what = match change {
        Change::End { run: None, .. } | Change::Start { .. } | Change::Prioritize { .. } => {
            "the task is not waiting any more"
        }
        Change::Key { .. } => "a task was added under this key before",
        _ => "the run is not live any more",
    };
    Error::new(Code::Fenced, what)
}

fn journal(connection: &Connection, batch: &Batch) -> Rows {
    connection.prepare_cached(sql::BATCH)?.execute((
        batch.number as i64,
        batch.owner.0 as i64,
        batch.seq_next.0 as i64,
        counts_text(&batch.counts),
        journal::pack(batch),
    ))
}

/// The counters as JSON, by state code.
fn counts_text(counts: &Counts) -> String {
    let figure = |state: &State| format!("\"{}\":{}", state.code(), counts.get(*state));
    let figures: Vec<String> = State::ALL.iter().map(figure).collect();
    format!("{{{}}}", figures.join(","))
}

impl<'c> Writing<'c> {
    fn statement(&mut self, kind: Kind) -> rusqlite::Result<&mut CachedStatement<'c>> {
        let slot = &mut self.prepared[kind as usize];
        let statement = match slot.take() {
            Some(statement) => statement,
            None => self.connection.prepare_cached(kind.sql())?,
        };
        Ok(slot.insert(statement))
    }

    /// Writes many changes by one statement; how many of them held, from the front.
    fn bulk(&mut self, all: &BulkChange) -> Rows {
        if self.row(all)? == all.len() {
            return Ok(all.len());
        }
        let mut is_written = self.connection.prepare_cached(sql::IS_WRITTEN)?;
        for (held, (seq, run)) in all.each().enumerate() {
            let row = (seq.0 as i64, all.kind.state().code(), run, all.kind.at().0);
            if is_written.query_row(row, |row| row.get::<_, u32>(0))? == 0 {
                return Ok(held);
            }
        }
        // All look as if they held, because one of them had been written before in the same way.
        Ok(0)
    }

    fn row(&mut self, all: &BulkChange) -> Rows {
        let owner = self.owner;
        let (first, last, runs) = (all.first.0 as i64, all.last.0 as i64, &all.runs);
        match all.kind {
            BulkKind::Start { attempt, at } => {
                let row = (first, last, runs, owner, attempt, at.0, padding::running(owner));
                self.statement(Kind::StartRow)?.execute(row)
            }
            BulkKind::Done { at, result_bytes } => {
                let zeros = padding::done(padding::running(owner), result_bytes);
                let results = result_bytes.map(|_| &all.results);
                let row = (first, last, runs, at.0, results, result_bytes.map(|n| n as i64), zeros);
                self.statement(Kind::DoneRow)?.execute(row)
            }
        }
    }

    fn change(&mut self, change: &Change) -> Rows {
        match change {
            Change::Lane(lane) => self.lane(lane),
            Change::Add { seq, id, lane, def, at, start } => {
                let task = Entry { seq: *seq, id: *id, lane: *lane, def, at: *at };
                match start {
                    None => self.add(&task),
                    Some(start) => self.add_start(&task, *start),
                }
            }
            Change::Key { key, seq } => {
                self.statement(Kind::Key)?.execute((key.0.as_bytes(), seq.0 as i64))
            }
            Change::Start { seq, start, .. } => self.start(*seq, *start),
            Change::End { seq, run, outcome, at, .. } => {
                let end = End { seq: *seq, outcome, at: *at };
                match run {
                    Some(run) => self.end_run(*run, &end),
                    None => self.end_ready(&end),
                }
            }
            Change::Release { .. } => self.release(change),
            Change::AskAbort { seq, run, abort, .. } => self.ask_abort(*seq, *run, abort),
            Change::Prioritize { seq, priority, .. } => {
                let row = (seq.0 as i64, priority.get());
                self.statement(Kind::Prioritize)?.execute(row)
            }
            Change::Progress { seq, run, progress } => self.progress(*seq, *run, progress),
            Change::Log { seq, run, line } => self.log(*seq, *run, line),
        }
    }

    fn lane(&mut self, lane: &Lane) -> Rows {
        self.statement(Kind::Lane)?.execute((lane.id.0, &*lane.operation))
    }

    fn add(&mut self, task: &Entry<'_>) -> Rows {
        self.statement(Kind::Add)?.execute((
            task.seq.0 as i64,
            task.id.0.as_bytes(),
            task.lane.0,
            task.def.priority.get(),
            json_column::options(task.def),
            task.at.0,
            text(task.def.data.as_ref()),
            padding::READY,
        ))
    }

    fn add_start(&mut self, task: &Entry<'_>, start: Start) -> Rows {
        let owner = self.owner;
        self.statement(Kind::AddStart)?.execute((
            task.seq.0 as i64,
            task.id.0.as_bytes(),
            task.lane.0,
            task.def.priority.get(),
            json_column::options(task.def),
            start.attempt,
            owner,
            start.run.0.as_bytes(),
            task.at.0,
            start.at.0,
            text(task.def.data.as_ref()),
            padding::running(owner),
        ))
    }

    fn start(&mut self, seq: Seq, start: Start) -> Rows {
        let (owner, zeros) = (self.owner, padding::running(self.owner));
        let row = (seq.0 as i64, owner, start.run.0.as_bytes(), start.attempt, start.at.0, zeros);
        self.statement(Kind::Start)?.execute(row)
    }

    fn end_run(&mut self, run: RunId, end: &End<'_>) -> Rows {
        let zeros = padding::ended(padding::running(self.owner), end.outcome);
        self.statement(Kind::EndRun)?.execute((
            end.seq.0 as i64,
            run.0.as_bytes(),
            end.outcome.state().code(),
            end.at.0,
            end.outcome.cause().map(|cause| cause.code()),
            text(end.outcome.payload()),
            zeros,
        ))
    }

    fn end_ready(&mut self, end: &End<'_>) -> Rows {
        let zeros = padding::ended(padding::READY, end.outcome);
        self.statement(Kind::EndReady)?.execute((
            end.seq.0 as i64,
            end.outcome.state().code(),
            end.at.0,
            end.outcome.cause().map(|cause| cause.code()),
            text(end.outcome.payload()),
            zeros,
        ))
    }

    fn release(&mut self, change: &Change) -> Rows {
        let Change::Release { seq, run, end, attempt, losses, at, .. } = change else {
            return Ok(0);
        };
        let (seq, run) = (seq.0 as i64, run.0.as_bytes());
        self.statement(Kind::ReleaseHistory)?.execute((seq, run, at.0, end.code(), losses))?;
        self.statement(Kind::Release)?.execute((seq, run, attempt, padding::READY_AGAIN))
    }

    fn progress(&mut self, seq: Seq, run: RunId, progress: &Progress) -> Rows {
        let row = (seq.0 as i64, run.0.as_bytes(), json_column::progress(progress));
        self.statement(Kind::Progress)?.execute(row)
    }

    fn ask_abort(&mut self, seq: Seq, run: RunId, abort: &AbortReason) -> Rows {
        let (run, reason) = (run.0.as_bytes(), abort.reason.as_str());
        let row = (seq.0 as i64, run, abort.cause.code(), reason);
        self.statement(Kind::AskAbort)?.execute(row)
    }

    fn log(&mut self, seq: Seq, run: RunId, line: &LogLine) -> Rows {
        self.statement(Kind::Log)?.execute((
            seq.0 as i64,
            run.0.as_bytes(),
            line.n,
            line.attempt,
            line.level.code(),
            line.at.0,
            &*line.message,
            text(line.fields.as_ref()),
        ))
    }
}

/// A task that enters.
struct Entry<'b> {
    seq: Seq,
    id: TaskId,
    lane: LaneId,
    def: &'b NewTask,
    at: WallMs,
}

/// A task that ends.
struct End<'b> {
    seq: Seq,
    outcome: &'b TaskEnd,
    at: WallMs,
}

fn text(json: Option<&Json>) -> Option<&str> {
    json.map(Json::as_str)
}
