//! One batch into the open transaction.
//!
//! # Promises
//! - The guard of a change is in its statement; zero rows changed is `Fenced` (I-3, I-4).
//! - The journal row stands in the same transaction as what it tells (I-11, I-13).
//!
//! Parameters are bound by number, in the order in which they first stand in the text. Each kind of
//! change has one statement, looked up once per batch: a thousand tasks cost one
//! look-up and a thousand bindings of borrowed values.
//!
//! Proof: `tests/write.rs`, `conformance::guards`.

use std::ops::RangeInclusive;

use rusqlite::Error::FromSqlConversionFailure;
use rusqlite::blob::ZeroBlob;
use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection};
use tasker_core::error::{Code, Error};
use tasker_core::id::{LaneId, RunId, Seq, TaskId};
use tasker_core::limits::LOGS_PER_TASK_MAX;
use tasker_core::state::{Counts, State};
use tasker_core::store::{Batch, Change, Commit, OutsideChange, Refused, Start};
use tasker_core::task::{
    Json, LogLine, NewTask, Priority, Progress, QueueTimeout, SharedOptions, TaskEnd, TaskOptions,
};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};
use tasker_core::{journal, journal_notes, stored};

use crate::coalesce::{BulkChange, BulkKind};
use crate::{error, padding, removal, row, sql};

mod asked;
mod attached;
mod attempts;
mod gates;
mod holds;
mod offers;
mod outside;
mod schedules;

/// The statements of one batch, each prepared when it is first needed.
struct Writing<'c> {
    connection: &'c Connection,
    owner: i64,
    prepared: [Option<CachedStatement<'c>>; KINDS],
    /// Whether what is deleted is overwritten.
    overwrites: bool,
}

/// Which statement; the number is its index in [`Writing::prepared`].
#[derive(Clone, Copy)]
enum Kind {
    Operation,
    OperationChange,
    Add,
    AddStart,
    AddDelayed,
    AddBlocked,
    DependOn,
    Met,
    Unblock,
    LetGo,
    Timer,
    Fired,
    Due,
    DueRange,
    Key,
    Start,
    StartRange,
    EndRun,
    DoneRange,
    EndReady,
    ReleaseHistory,
    Release,
    ReleaseDelayed,
    AttemptsTrim,
    ReopenHistory,
    ReopenTally,
    Reopen,
    Delay,
    HoldBack,
    HeldPut,
    Free,
    SetQueueTimeout,
    Options,
    Update,
    Prioritize,
    PrioritizeUnqueued,
    Sort,
    Pause,
    Resume,
    Block,
    RequestPause,
    PauseRun,
    ResumeRun,
    PauseForget,
    Progress,
    Log,
    RequestAbort,
    RequestPostpone,
    Attach,
    Detach,
    LapsingPut,
    LapsingForget,
    Claim,
    ClaimPut,
    Begin,
    Unclaim,
    Renew,
    Touch,
    GatePut,
    CircuitPut,
}

const KINDS: usize = Kind::CircuitPut as usize + 1;

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Kind::Operation => sql::OPERATION,
            Kind::OperationChange => sql::OPERATION_CHANGE,
            Kind::Add => sql::ADD,
            Kind::AddStart => sql::ADD_START,
            Kind::AddDelayed => sql::ADD_DELAYED,
            Kind::AddBlocked => sql::ADD_BLOCKED,
            Kind::DependOn => sql::DEPEND_ON,
            Kind::Met => sql::MET,
            Kind::Unblock => sql::UNBLOCK,
            Kind::LetGo => sql::LET_GO,
            Kind::Timer => sql::TIMER,
            Kind::Fired => sql::FIRED,
            Kind::Due => sql::DUE,
            Kind::DueRange => sql::DUE_RANGE,
            Kind::Key => sql::KEY,
            Kind::Start => sql::START,
            Kind::StartRange => sql::START_RANGE,
            Kind::EndRun => sql::END_RUN,
            Kind::DoneRange => sql::DONE_RANGE,
            Kind::EndReady => sql::END_READY,
            Kind::ReleaseHistory => sql::RELEASE_HISTORY,
            Kind::Release => sql::RELEASE,
            Kind::ReleaseDelayed => sql::RELEASE_DELAYED,
            Kind::AttemptsTrim => sql::ATTEMPTS_TRIM,
            Kind::ReopenHistory => sql::REOPEN_HISTORY,
            Kind::ReopenTally => sql::REOPEN_TALLY,
            Kind::Reopen => sql::REOPEN,
            Kind::Delay => sql::DELAY,
            Kind::HoldBack => sql::HOLD_BACK,
            Kind::HeldPut => sql::HELD_PUT,
            Kind::Free => sql::FREE,
            Kind::SetQueueTimeout => sql::SET_QUEUE_TIMEOUT,
            Kind::Options => sql::OPTIONS,
            Kind::Update => sql::UPDATE,
            Kind::Prioritize => sql::PRIORITIZE,
            Kind::PrioritizeUnqueued => sql::PRIORITIZE_UNQUEUED,
            Kind::Sort => sql::SORT,
            Kind::Pause => sql::PAUSE,
            Kind::Resume => sql::RESUME,
            Kind::Block => sql::BLOCK,
            Kind::RequestPause => sql::REQUEST_PAUSE,
            Kind::PauseRun => sql::PAUSE_RUN,
            Kind::ResumeRun => sql::RESUME_RUN,
            Kind::PauseForget => sql::PAUSE_FORGET,
            Kind::Progress => sql::PROGRESS,
            Kind::Log => sql::LOG,
            Kind::RequestAbort => sql::REQUEST_ABORT,
            Kind::RequestPostpone => sql::REQUEST_POSTPONE,
            Kind::Attach => sql::ATTACH,
            Kind::Detach => sql::DETACH,
            Kind::LapsingPut => sql::LAPSING_PUT,
            Kind::LapsingForget => sql::LAPSING_FORGET,
            Kind::Claim => sql::CLAIM,
            Kind::ClaimPut => sql::CLAIM_PUT,
            Kind::Begin => sql::BEGIN_OUTSIDE,
            Kind::Unclaim => sql::UNCLAIM,
            Kind::Renew => sql::RENEW,
            Kind::Touch => sql::TOUCH,
            Kind::GatePut => sql::GATE_PUT,
            Kind::CircuitPut => sql::CIRCUIT_PUT,
        }
    }
}

/// Rows changed, or SQLite's error.
type Rows = rusqlite::Result<usize>;

/// Writes a batch and its journal row.
///
/// # Errors
/// `Refused` by the change whose guard did not hold; else `NotCommitted`.
pub(crate) fn batch(connection: &Connection, batch: &Batch) -> Result<(), Commit> {
    debug_assert!(!connection.is_autocommit(), "a batch is written whole or not at all (I-2)");
    debug_assert!(batch.owner.0 > 0, "a batch of nobody");
    debug_assert!(
        row::head(connection).is_ok_and(|head| batch.number <= head.number + 1),
        "batch {} leaves a gap in the journal (I-11)",
        batch.number
    );
    let mut writing = Writing {
        connection,
        owner: batch.owner.0 as i64,
        prepared: [const { None }; KINDS],
        overwrites: false,
    };
    let written = changes(&mut writing, batch);
    if writing.overwrites {
        removal::overwrite(connection, false).map_err(unwritten)?;
    }
    written?;
    journal(connection, batch).map(drop).map_err(unwritten)?;
    debug_assert!(
        row::head(connection).is_ok_and(|head| head == batch.head()),
        "where the store stands is not read as it was written (I-8, I-13)"
    );
    Ok(())
}

/// Writes the changes of a batch.
fn changes(writing: &mut Writing<'_>, batch: &Batch) -> Result<(), Commit> {
    let mut index = 0;
    while let Some(change) = batch.changes.get(index) {
        let bulk = BulkChange::of(&batch.changes[index..]);
        let (count, held) = match &bulk {
            Some(all) => (all.len(), writing.write_bulk(all)),
            None => (1, writing.attachment(change).and_then(|()| writing.change(change))),
        };
        let held = held.map_err(unwritten)?;
        debug_assert!(held <= count, "one change was written to two rows: {change:?}");
        if held < count {
            let change = index + held;
            let error = fenced(&batch.changes[change]);
            return Err(Commit::Refused(Refused { change, error }));
        }
        index += count;
    }
    Ok(())
}

fn unwritten(error: rusqlite::Error) -> Commit {
    Commit::NotCommitted(error::of(error))
}

fn fenced(change: &Change) -> Error {
    let what = match change {
        Change::End { run: None, .. }
        | Change::Due { .. }
        | Change::Unblock { .. }
        | Change::Start { .. }
        | Change::Delay { .. }
        | Change::HoldBack { .. }
        | Change::Free { .. }
        | Change::SetQueueTimeout { .. }
        | Change::Update { .. }
        | Change::Pause { .. }
        | Change::Block { .. }
        | Change::Prioritize { .. }
        | Change::Sort { .. }
        | Change::Outside(OutsideChange::Claim { .. }) => "the task does not wait any more",
        Change::Outside(_) => "no executor has the task under this run",
        Change::Resume { .. } => "the task is not paused any more",
        Change::Reopen { .. } | Change::Purge { .. } => "the task has not ended",
        Change::Operation(_) => "the record of the operation is another one",
        Change::Offer(_) => "we are not registered any more",
        Change::Bury(_) => "the owner offers nothing",
        Change::Hold(_) => "the hold is another one",
        Change::Schedule(_) => "the schedule is another one",
        Change::Add { .. } | Change::AddDelayed { .. } | Change::AddBlocked { .. } => {
            "the number is taken"
        }
        Change::Fired(_)
        | Change::Timer { .. }
        | Change::DependOn { .. }
        | Change::Met { .. }
        | Change::SweepKeys(_)
        | Change::Gate(_)
        | Change::Lapses { .. }
        | Change::LetGo { .. } => "a change without a guard has no effect",
        Change::Key { .. } => "another task has this key",
        Change::End { .. }
        | Change::Release { .. }
        | Change::RequestAbort { .. }
        | Change::RequestPostpone { .. }
        | Change::RequestPause { .. }
        | Change::PauseRun { .. }
        | Change::ResumeRun { .. }
        | Change::Progress { .. }
        | Change::Log { .. } => "the run is not live any more",
    };
    Error::new(Code::Fenced, what)
}

fn journal(connection: &Connection, batch: &Batch) -> Rows {
    let times = batch.task_times();
    connection.prepare_cached(sql::BATCH)?.execute((
        batch.number as i64,
        batch.owner.0 as i64,
        batch.at.0,
        batch.seq_next.0 as i64,
        batch.lane_next as i64,
        counts_text(&batch.counts),
        times.map(|times| times.low.0),
        times.map(|times| times.high.0),
        journal_notes::pack(batch),
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
    fn write_bulk(&mut self, all: &BulkChange) -> Rows {
        if self.execute_bulk(all)? == all.len() {
            return Ok(all.len());
        }
        debug_assert!(
            all.len() > 1,
            "a single change needs no search for the one that did not hold"
        );
        if let BulkKind::Purge { .. } = all.kind {
            // What is left has not ended; of what was not there nothing tells.
            let range = (all.first.0 as i64, all.last.0 as i64);
            let mut left = self.connection.prepare_cached(sql::FIRST_BETWEEN)?;
            let first: Option<i64> = left.query_row(range, |row| row.get(0))?;
            return Ok(first.map_or(0, |first| (first - range.0) as usize));
        }
        let mut is_written = self.connection.prepare_cached(sql::IS_WRITTEN)?;
        for (held, (seq, run)) in all.each().enumerate() {
            let row = (
                seq.0 as i64,
                all.kind.state().map(State::code),
                run,
                all.kind.at().map(|at| at.0),
            );
            if is_written.query_row(row, |row| row.get::<_, u32>(0))? == 0 {
                return Ok(held);
            }
        }
        // All look as if they held, because one of them had been written before in the same way.
        Ok(0)
    }

    fn execute_bulk(&mut self, all: &BulkChange) -> Rows {
        debug_assert!(all.is_sound(), "texts are cut apart at wrong places: {all:?}");
        let owner = self.owner;
        let (first, last, runs) = (all.first.0 as i64, all.last.0 as i64, &all.runs);
        match all.kind {
            BulkKind::Start { attempt, at, is_due } => {
                let (zeros, from) = (padding::running(owner), waiting(!is_due));
                let row = (owner, runs, first, attempt, at.0, zeros, last, from);
                self.statement(Kind::StartRange)?.execute(row)
            }
            BulkKind::Purge { from, at } => self.purge((all.first, all.last), from, at),
            BulkKind::Due => self.statement(Kind::DueRange)?.execute((first, last)),
            BulkKind::Done { at, result_bytes } => {
                let zeros = padding::done(padding::running(owner), result_bytes);
                let results = result_bytes.map(|_| &all.results);
                let result_bytes = result_bytes.map(|n| n as i64);
                let row = (at.0, zeros, results, result_bytes, first, last, runs);
                self.statement(Kind::DoneRange)?.execute(row)
            }
        }
    }

    fn change(&mut self, change: &Change) -> Rows {
        match change {
            Change::Operation(_) | Change::Offer(_) | Change::Bury(_) => self.said(change),
            Change::Add { seq, id, lane, def, at, start } => {
                let task = Entry { seq: *seq, id: *id, lane: *lane, def, at: *at };
                match start {
                    None => self.add(&task),
                    Some(start) => self.add_start(&task, *start),
                }
            }
            Change::AddDelayed { seq, id, lane, def, at, due_at } => {
                debug_assert_eq!(
                    def.options.run_at(),
                    Some(*due_at),
                    "its timer wakes it at another time"
                );
                let task = Entry { seq: *seq, id: *id, lane: *lane, def, at: *at };
                let due = Timer { at: *due_at, kind: TimerKind::Due, seq: *seq };
                self.add_delayed(&task, due)
            }
            Change::AddBlocked { seq, id, lane, def, at } => {
                let task = Entry { seq: *seq, id: *id, lane: *lane, def, at: *at };
                self.add_blocked(&task)
            }
            Change::DependOn { seq, dependencies } => self.depend_on(*seq, dependencies),
            Change::Met { dependency, dependents } => self.met(*dependency, dependents),
            Change::Unblock { seq, .. } => self.statement(Kind::Unblock)?.execute([seq.0 as i64]),
            Change::LetGo { seq } => self.let_go(*seq),
            Change::Lapses { seq, operation, lapses } => self.lapses(*seq, *operation, *lapses),
            Change::Timer { timer, .. } => self.timer(*timer).map(|_| 1),
            Change::Due { seq, .. } => self.statement(Kind::Due)?.execute([seq.0 as i64]),
            Change::Fired(last) => self.fired(*last),
            Change::Key { key, seq, kind, until, had_by } => {
                let had_by = had_by.map(|seq| seq.0 as i64);
                let row = (key.bytes(), seq.0 as i64, kind.code(), until.map(|at| at.0), had_by);
                self.statement(Kind::Key)?.execute(row)
            }
            Change::Start { seq, start, is_due, .. } => self.start(*seq, *start, *is_due),
            Change::End { seq, run, outcome, at, .. } => {
                let end = End { seq: *seq, outcome, at: *at };
                match run {
                    Some(run) => self.end_run(*run, &end),
                    None => self.end_ready(&end),
                }
            }
            Change::Release { .. } => self.release(change),
            Change::Reopen { seq, from, end, kept, .. } => self.reopen(*seq, *from, *end, kept),
            Change::Delay { seq, due_at, .. } => self.delay(*seq, *due_at),
            Change::HoldBack { .. } | Change::Free { .. } | Change::Hold(_) => self.held(change),
            Change::Schedule(change) => self.schedule(change),
            Change::SetQueueTimeout { seq, ends_at, .. } => self.set_queue_timeout(*seq, *ends_at),
            Change::Update { .. } | Change::Sort { .. } => self.update(change),
            Change::Prioritize { seq, to, is_queued, .. } => self.prioritize(*seq, *to, *is_queued),
            Change::RequestAbort { .. }
            | Change::RequestPostpone { .. }
            | Change::Pause { .. }
            | Change::Resume { .. }
            | Change::Block { .. }
            | Change::RequestPause { .. }
            | Change::PauseRun { .. }
            | Change::ResumeRun { .. } => self.asked(change),
            Change::Progress { seq, run, progress, .. } => self.progress(*seq, *run, progress),
            Change::Log { seq, run, line, .. } => self.log(*seq, *run, line),
            Change::Purge { seq, from, at, .. } => self.purge((*seq, *seq), *from, *at),
            Change::SweepKeys(now) => self.sweep_keys(*now),
            Change::Gate(change) => self.gate(change),
            Change::Outside(change) => self.outside(change),
        }
    }

    fn add(&mut self, task: &Entry<'_>) -> Rows {
        let statement = self.statement(Kind::Add)?;
        task.bind(statement, padding::READY)?;
        statement.raw_execute()
    }

    fn add_start(&mut self, task: &Entry<'_>, start: Start) -> Rows {
        let owner = self.owner;
        let statement = self.statement(Kind::AddStart)?;
        task.bind(statement, padding::running(owner))?;
        statement.raw_bind_parameter(9, start.attempt)?;
        statement.raw_bind_parameter(10, owner)?;
        statement.raw_bind_parameter(11, start.run.0.as_bytes())?;
        statement.raw_bind_parameter(12, start.at.0)?;
        statement.raw_execute()
    }

    fn add_delayed(&mut self, task: &Entry<'_>, due: Timer) -> Rows {
        let statement = self.statement(Kind::AddDelayed)?;
        task.bind(statement, padding::READY)?;
        let added = statement.raw_execute()?;
        self.timer(due)?;
        Ok(added)
    }

    fn add_blocked(&mut self, task: &Entry<'_>) -> Rows {
        let statement = self.statement(Kind::AddBlocked)?;
        task.bind(statement, padding::READY)?;
        statement.raw_execute()
    }

    fn depend_on(&mut self, seq: Seq, dependencies: &[(Seq, bool)]) -> Rows {
        debug_assert!(dependencies.is_sorted_by(|one, next| one.0 < next.0), "each is named once");
        let statement = self.statement(Kind::DependOn)?;
        for (dependency, is_met) in dependencies {
            statement.execute((dependency.0 as i64, is_met, seq.0 as i64))?;
        }
        Ok(1)
    }

    /// None may wait any more, for what has ended in the same batch has let go.
    fn met(&mut self, dependency: Seq, dependents: &RangeInclusive<Seq>) -> Rows {
        let bounds = (dependents.start().0 as i64, dependents.end().0 as i64);
        self.statement(Kind::Met)?.execute((dependency.0 as i64, bounds.0, bounds.1))?;
        Ok(1)
    }

    /// There may be none any more: whoever looks at them later finds nothing to do.
    fn fired(&mut self, last: Timer) -> Rows {
        let row = (last.at.0, last.kind.code(), last.seq.0 as i64);
        self.statement(Kind::Fired)?.execute(row)?;
        Ok(1)
    }

    fn start(&mut self, seq: Seq, start: Start, is_due: bool) -> Rows {
        let Start { run, attempt, at } = start;
        debug_assert!(attempt > 0, "an attempt is counted before its code runs (I-10)");
        let (zeros, from) = (padding::running(self.owner), waiting(!is_due));
        let row = (self.owner, run.0.as_bytes(), attempt, at.0, zeros, seq.0 as i64, from);
        self.statement(Kind::Start)?.execute(row)
    }

    fn end_run(&mut self, run: RunId, end: &End<'_>) -> Rows {
        let zeros = padding::ended(padding::running(self.owner), end.outcome);
        let statement = self.statement(Kind::EndRun)?;
        end.bind(statement, zeros)?;
        statement.raw_bind_parameter(7, run.0.as_bytes())?;
        statement.raw_execute()
    }

    fn end_ready(&mut self, end: &End<'_>) -> Rows {
        let statement = self.statement(Kind::EndReady)?;
        end.bind(statement, padding::ended(padding::READY, end.outcome))?;
        statement.raw_execute()
    }

    fn delay(&mut self, seq: Seq, due_at: WallMs) -> Rows {
        self.timer(Timer { at: due_at, kind: TimerKind::Due, seq })?;
        let options = self.options_until(seq, due_at)?;
        self.statement(Kind::Delay)?.execute((options, seq.0 as i64))
    }

    fn set_queue_timeout(&mut self, seq: Seq, ends_at: Option<WallMs>) -> Rows {
        if let Some(at) = ends_at {
            self.timer(Timer { at, kind: TimerKind::QueueTimeout, seq })?;
        }
        let options = self.options_with(seq, |options| {
            if let Some(timeout) = options.queue_timeout {
                options.queue_timeout = Some(QueueTimeout { ends_at, ..timeout });
            }
        })?;
        self.statement(Kind::SetQueueTimeout)?.execute((options, seq.0 as i64))
    }

    fn prioritize(&mut self, seq: Seq, to: Priority, is_queued: bool) -> Rows {
        let kind = if is_queued { Kind::Prioritize } else { Kind::PrioritizeUnqueued };
        self.statement(kind)?.execute((to.get(), seq.0 as i64))
    }

    fn update(&mut self, change: &Change) -> Rows {
        if let Change::Sort { seq, lane, .. } = change {
            return self.statement(Kind::Sort)?.execute((lane.0 as i64, seq.0 as i64));
        }
        let Change::Update { seq, lane, to, is_queued, data, options, due_at, .. } = change else {
            return Ok(0);
        };
        if let Some(at) = *due_at {
            self.timer(Timer { at, kind: TimerKind::Due, seq: *seq })?;
        }
        let (options, data) = (stored::options(options), text(data.as_ref()));
        let row = (lane.0 as i64, to.get(), options, data, seq.0 as i64, *is_queued);
        self.statement(Kind::Update)?.execute(row)
    }

    /// The options of a task with another start time.
    fn options_until(&mut self, seq: Seq, due_at: WallMs) -> rusqlite::Result<Option<String>> {
        self.options_with(seq, |options| options.wait_until(due_at))
    }

    /// The options of a task with this change. They are written anew by us, for SQLite would not
    /// keep every byte of what the caller gave. A task that is not there has none.
    fn options_with(
        &mut self,
        seq: Seq,
        change: impl FnOnce(&mut TaskOptions),
    ) -> rusqlite::Result<Option<String>> {
        let mut rows = self.statement(Kind::Options)?.query([seq.0 as i64])?;
        let text: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?.flatten();
        let mut options = match text {
            None => SharedOptions::default(),
            Some(text) => stored::read_options(&text).ok_or_else(|| {
                FromSqlConversionFailure(0, Type::Text, "options of no task".into())
            })?,
        };
        change(&mut options);
        Ok(stored::options(&options))
    }

    fn timer(&mut self, timer: Timer) -> Rows {
        let row = (timer.at.0, timer.kind.code(), timer.seq.0 as i64);
        self.statement(Kind::Timer)?.execute(row)
    }

    fn sweep_keys(&mut self, now: WallMs) -> Rows {
        self.overwrite()?;
        removal::sweep_keys(self.connection, now).map(|()| 1)
    }

    fn purge(&mut self, seqs: (Seq, Seq), from: State, at: WallMs) -> Rows {
        self.overwrite()?;
        removal::purge(self.connection, seqs, from, at)
    }

    /// From here on the batch overwrites what it deletes.
    fn overwrite(&mut self) -> rusqlite::Result<()> {
        if !std::mem::replace(&mut self.overwrites, true) {
            removal::overwrite(self.connection, true)?;
        }
        Ok(())
    }

    fn progress(&mut self, seq: Seq, run: RunId, progress: &Progress) -> Rows {
        let row = (stored::progress(progress), seq.0 as i64, run.0.as_bytes());
        self.statement(Kind::Progress)?.execute(row)
    }

    fn log(&mut self, seq: Seq, run: RunId, line: &LogLine) -> Rows {
        debug_assert!(
            (1..=LOGS_PER_TASK_MAX).contains(&line.n),
            "line {} is more than a task keeps (I-19)",
            line.n
        );
        self.statement(Kind::Log)?.execute((
            seq.0 as i64,
            line.n,
            line.attempt,
            line.level.code(),
            line.at.0,
            &*line.message,
            text(line.fields.as_ref()),
            run.0.as_bytes(),
        ))
    }
}

/// The code of the state in which a task waits, with or without a place in the queue.
fn waiting(is_queued: bool) -> u8 {
    if is_queued { State::Ready.code() } else { State::Delayed.code() }
}

/// A task that enters.
struct Entry<'b> {
    seq: Seq,
    id: TaskId,
    lane: LaneId,
    def: &'b NewTask,
    at: WallMs,
}

impl Entry<'_> {
    /// Binds the first eight parameters of `add.sql` and `add_start.sql`.
    fn bind(&self, statement: &mut CachedStatement<'_>, zeros: ZeroBlob) -> rusqlite::Result<()> {
        debug_assert!(self.seq.0 > 0, "tasks count from 1 (I-8)");
        debug_assert!(self.lane.operation().0 > 0, "{:?} is of no operation", self.lane);
        debug_assert!(i64::try_from(self.lane.0).is_ok(), "{:?} is stored with a sign", self.lane);
        statement.raw_bind_parameter(1, self.seq.0 as i64)?;
        statement.raw_bind_parameter(2, self.id.0.as_bytes())?;
        statement.raw_bind_parameter(3, self.lane.0 as i64)?;
        statement.raw_bind_parameter(4, self.def.priority.get())?;
        statement.raw_bind_parameter(5, stored::options(&self.def.options))?;
        statement.raw_bind_parameter(6, self.at.0)?;
        statement.raw_bind_parameter(7, text(self.def.data.as_ref()))?;
        statement.raw_bind_parameter(8, zeros)
    }
}

/// A task that ends.
struct End<'b> {
    seq: Seq,
    outcome: &'b TaskEnd,
    at: WallMs,
}

impl End<'_> {
    /// Binds the first six parameters of `end_run.sql` and `end_ready.sql`.
    fn bind(
        &self,
        statement: &mut CachedStatement<'_>,
        zeros: Option<ZeroBlob>,
    ) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(1, self.outcome.state().code())?;
        statement.raw_bind_parameter(2, self.at.0)?;
        statement.raw_bind_parameter(3, self.outcome.cause().map(|cause| cause.code()))?;
        statement.raw_bind_parameter(4, text(self.outcome.payload()))?;
        statement.raw_bind_parameter(5, zeros)?;
        statement.raw_bind_parameter(6, self.seq.0 as i64)
    }
}

fn text(json: Option<&Json>) -> Option<&str> {
    json.map(Json::as_str)
}
