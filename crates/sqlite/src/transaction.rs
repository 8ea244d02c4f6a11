//! What happens between `begin` and `commit`: lookups, and the one batch.
//!
//! # Promises
//! - A batch is on disk or it is not; a commit whose fate is open is `Unknown` (I-1, I-2).
//! - A dead owner is forgotten in the very commit that ends or gives back its last run (I-4, I-5).
//! - Dropped, a transaction is rolled back.
//!
//! # Left to others
//! The statements of a batch are `write`'s, the meaning of a row is `row`'s.
//!
//! Proof: `proof::conformance`, `tests/write.rs`, `tests/owner.rs`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rusqlite::Rows;
use tasker_core::circuit::Circuit;
use tasker_core::error::Result;
use tasker_core::hold::{Hold, HoldId};
use tasker_core::id::{LaneId, OperationId, OwnerId, RunId, Seq, TaskId};
use tasker_core::key::Key;
use tasker_core::queue::QueueKey;
use tasker_core::rate::Arrival;
use tasker_core::schedules::{Schedule, ScheduleName};
use tasker_core::state::State;
use tasker_core::store::{
    Background, Batch, Brief, Commit, Entry, Expired, GateId, GatesLeft, Head, KeyHolder, LaneHead,
    LiveRun, Offers, Operation, Orphan, OutsideRun, PauseWish, QueuePart, ReadTransaction,
    ReadyTask, Transaction, Wait, Whose, Window, WindowQuery,
};
use tasker_core::task::{AbortReason, Json, Postponement, Tally};
use tasker_core::time::WallMs;
use tasker_core::timer::Timer;
use tasker_core::totals::{Bytes, Extent, Totals};

use crate::row::{self, Definition, cached, get};
use crate::writer::Writer;
use crate::{error, explain, outlines, outside, removal, sql, write};

/// Rows of one lane that are read to its end before the next lane is searched for, which costs as
/// much as some twenty rows.
const LANE_ROWS_MAX: usize = 24;

/// What may still be read of data; nothing once the bound is passed.
struct BytesLeft(Option<usize>);

impl BytesLeft {
    fn is_passed(&self) -> bool {
        self.0.is_none()
    }

    fn take(&mut self, task: &ReadyTask) {
        self.0 = self.0.and_then(|left| left.checked_sub(task.def.bytes()));
    }
}

/// Reads the heads of lanes, as `heads.sql` has them, until there are enough. Gives the lane that
/// is too long to be read to its end.
fn read_heads(
    mut rows: Rows<'_>,
    heads_max: usize,
    heads: &mut Vec<LaneHead>,
) -> Result<Option<LaneId>> {
    let mut count = 0;
    while let Some(row) = rows.next().map_err(error::of)? {
        let lane = row::lane_id(row, 0)?;
        let key = || Ok(QueueKey::new(row::priority(row, 1)?, row::seq(row, 2)?));
        if let Some(head) = heads.last_mut().filter(|head| head.lane == lane) {
            count += 1;
            if count == LANE_ROWS_MAX {
                return Ok(Some(lane));
            }
            if head.next.is_none() {
                head.next = Some(key()?);
            }
        } else if heads.len() < heads_max {
            count = 1;
            heads.push(LaneHead { lane, first: key()?, next: None });
        } else {
            break;
        }
    }
    Ok(None)
}

/// An open transaction.
pub(crate) struct SqliteTransaction<'s> {
    writer: &'s mut Writer,
    has_news: bool,
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        self.writer.rollback();
    }
}

impl<'s> SqliteTransaction<'s> {
    /// The transaction that has just begun.
    pub(crate) fn begun(writer: &'s mut Writer) -> Result<Self> {
        debug_assert!(!writer.connection.is_autocommit(), "nothing has begun");
        let mut transaction = SqliteTransaction { writer, has_news: false };
        transaction.has_news = transaction.writer.has_changes()?;
        Ok(transaction)
    }

    fn orphans_of(&self, dead: OwnerId) -> Result<Vec<Orphan>> {
        debug_assert_ne!(dead, self.writer.owner, "our own runs are no orphans (I-5)");
        let mut statement = cached(&self.writer.connection, sql::ORPHANS)?;
        let mut rows = statement.query([dead.0 as i64]).map_err(error::of)?;
        let mut orphans = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            let (seq, id) = row::name(row, self.writer.id_key)?;
            let options = row::options(row, 7)?;
            orphans.push(Orphan {
                seq,
                id,
                run: row::run_id(row, 2)?,
                started_at: WallMs(get(row, 11)?),
                attempt: get(row, 3)?,
                losses: get(row, 4)?,
                failures: get(row, 5)?,
                on_interrupted: options.on_interrupted,
                lapses: options.lapses(),
                has_dependencies: options.depends_on.is_some(),
                retention: options.retention.clone(),
                lane: row::lane_id(row, 8)?,
                priority: row::priority(row, 6)?,
                abort: row::abort(row, (9, 10))?,
                postponement: row::postponement(row, (12, 13))?,
                wish: row::pause_wish(row, 14)?,
                is_paused: row::state(row, 15)? == State::Paused,
            });
        }
        Ok(orphans)
    }

    fn attached_to(&self, owner: OwnerId, max: usize, seqs: &mut Vec<Seq>) -> Result<()> {
        let mut statement = cached(&self.writer.connection, sql::ATTACHED)?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = statement.query((owner.0 as i64, limit)).map_err(error::of)?;
        while let Some(row) = rows.next().map_err(error::of)? {
            seqs.push(row::seq(row, 0)?);
        }
        Ok(())
    }

    /// A window; `left` is what may still be read of data.
    fn window(&self, query: &WindowQuery, left: &mut BytesLeft) -> Result<Window> {
        let WindowQuery { lane, from, tasks_max } = query;
        debug_assert!(*tasks_max > 0, "a window of no tasks would be asked for again");
        let mut statement = cached(&self.writer.connection, sql::WINDOW)?;
        // One more than asked for tells whether these are all.
        let limit = i64::try_from(*tasks_max).unwrap_or(i64::MAX).saturating_add(1);
        let place = (lane.id.0 as i64, from.priority().get(), from.seq.0 as i64, limit);
        let mut rows = statement.query(place).map_err(error::of)?;
        let mut tasks = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            if tasks.len() == *tasks_max || left.is_passed() {
                return Ok(Window { tasks, is_complete: false });
            }
            let task = self.ready_task(row, Arc::clone(&lane.operation))?;
            left.take(&task);
            tasks.push(task);
        }
        Ok(Window { tasks, is_complete: true })
    }

    /// The contents of tasks with consecutive numbers.
    fn contents_of_range(
        &self,
        tasks: &[(Seq, Arc<str>)],
        left: &mut BytesLeft,
        found: &mut Vec<Option<ReadyTask>>,
    ) -> Result<()> {
        let (Some((first, _)), Some((last, _))) = (tasks.first(), tasks.last()) else {
            return Ok(());
        };
        debug_assert!(
            tasks.is_sorted_by(|(one, _), (next, _)| one.0 + 1 == next.0),
            "a range has no gaps"
        );
        let before = found.len();
        let mut statement = cached(&self.writer.connection, sql::CONTENTS)?;
        let mut rows = statement.query((first.0 as i64, last.0 as i64)).map_err(error::of)?;
        let mut asked = tasks.iter();
        while let Some(row) = rows.next().map_err(error::of)? {
            if left.is_passed() {
                return Ok(());
            }
            let number = row::seq(row, 0)?;
            let skipped = asked.as_slice().iter().take_while(|(seq, _)| *seq < number).count();
            found.extend(std::iter::repeat_with(|| None).take(skipped));
            let Some((_, operation)) = asked.nth(skipped) else { return Ok(()) };
            let task = self.ready_task(row, Arc::clone(operation))?;
            left.take(&task);
            found.push(Some(task));
        }
        found.extend(asked.map(|_| None));
        debug_assert_eq!(found.len() - before, tasks.len(), "one answer for each task");
        Ok(())
    }

    /// A task as `window.sql` selects it.
    fn ready_task(&self, row: &rusqlite::Row<'_>, operation: Arc<str>) -> Result<ReadyTask> {
        let (seq, id) = row::name(row, self.writer.id_key)?;
        let mut def = Definition { first: 2, data: 5 }.read(row, operation)?;
        // It may be put back in the very turn that asks.
        def.options.forget_pause();
        let has_started = row::is_set(row, 4)?;
        let (Tally { attempt, failures, losses }, logs) =
            if has_started { self.history(seq)? } else { (Tally::default(), 0) };
        let created_at = WallMs(get(row, 6)?);
        Ok(ReadyTask { seq, id, created_at, def, attempt, failures, losses, logs })
    }

    /// What counts of a task that has started before, and its log lines.
    fn history(&self, seq: Seq) -> Result<(Tally, u32)> {
        let read = |row: &rusqlite::Row<'_>| {
            let (attempt, failures, losses) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((Tally { attempt, failures, losses }, row.get(3)?))
        };
        cached(&self.writer.connection, sql::HISTORY)?
            .query_row([seq.0 as i64], read)
            .map_err(error::of)
    }

    fn brief(&self, seq: Seq) -> Result<Option<Brief>> {
        let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
        let mut statement = cached(&self.writer.connection, sql::BRIEF)?;
        let mut rows = statement.query([number]).map_err(error::of)?;
        let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
        let (state, options) = (row::state(row, 2)?, row::options(row, 8)?);
        let run = row::run_id_if(row, 6)?;
        let is_out = state == State::Paused && run.is_none();
        Ok(Some(Brief {
            id: row::task_id(row, 0)?,
            lane: row::lane_id(row, 1)?,
            state,
            priority: row::priority(row, 3)?,
            outcome: row::outcome(row, state, (4, 5))?,
            run,
            is_outside: get(row, 12)?,
            latest_at: WallMs(get(row, 7)?),
            run_at: options.run_at(),
            queue_timeout: options.queue_timeout,
            has_started: get(row, 9)?,
            on_failure: options.depends_on.as_ref().map(|all| all.on_failure),
            created_at: WallMs(get(row, 10)?),
            unique: options.unique.clone(),
            retention: options.retention.clone(),
            is_needed: get(row, 11)?,
            has_delay: options.has_delay(),
            is_held: options.is_held(),
            lapses: options.lapses(),
            paused_at: options.paused_at.filter(|_| is_out),
        }))
    }

    fn state(&self, seq: Seq) -> Result<Option<(TaskId, State)>> {
        let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
        let mut statement = cached(&self.writer.connection, sql::IDENTITY)?;
        let mut rows = statement.query([number]).map_err(error::of)?;
        let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
        Ok(Some((row::task_id(row, 0)?, row::state(row, 1)?)))
    }

    fn dependents_of(&self, dependency: Seq, max: usize, waits: &mut Vec<Wait>) -> Result<()> {
        let mut statement = cached(&self.writer.connection, sql::DEPENDENTS)?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = statement.query((dependency.0 as i64, limit)).map_err(error::of)?;
        while let Some(row) = rows.next().map_err(error::of)? {
            waits.push(Wait { dependency, dependent: row::seq(row, 0)? });
        }
        Ok(())
    }

    fn open_dependencies_of(&self, seq: Seq, max: usize) -> Result<usize> {
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let count = cached(&self.writer.connection, sql::OPEN_DEPENDENCIES)?
            .query_row((seq.0 as i64, limit), |row| row.get::<_, i64>(0))
            .map_err(error::of)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    fn find_by_key(&self, key: &Key) -> Result<Option<KeyHolder>> {
        let mut statement = cached(&self.writer.connection, sql::FIND_BY_KEY)?;
        let mut rows = statement.query([key.bytes()]).map_err(error::of)?;
        let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
        let (seq, id) = row::name(row, self.writer.id_key)?;
        let (kind, until) = (row::key_kind(row, 2)?, get::<Option<i64>>(row, 3)?.map(WallMs));
        Ok(Some(KeyHolder { seq, id, kind, until }))
    }

    fn last_error(&self, seq: Seq) -> Result<Option<Json>> {
        let mut statement = cached(&self.writer.connection, sql::LAST_ERROR)?;
        let mut rows = statement.query([seq.0 as i64]).map_err(error::of)?;
        let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
        Ok(row::attempt_error(row, (0, 1))?.map(|error| error.error))
    }

    fn pause_wish(&self, seq: Seq, run: RunId) -> Result<Option<PauseWish>> {
        let mut statement = cached(&self.writer.connection, sql::PAUSE_WISH)?;
        let mut rows = statement.query((seq.0 as i64, run.0.as_bytes())).map_err(error::of)?;
        match rows.next().map_err(error::of)? {
            Some(row) => row::pause_wish(row, 0),
            None => Ok(None),
        }
    }

    fn abort_request(&self, seq: Seq, run: RunId) -> Result<Option<AbortReason>> {
        let mut statement = cached(&self.writer.connection, sql::ABORT_REQUEST)?;
        let mut rows = statement.query((seq.0 as i64, run.0.as_bytes())).map_err(error::of)?;
        match rows.next().map_err(error::of)? {
            Some(row) => row::abort(row, (0, 1)),
            None => Ok(None),
        }
    }
}

impl SqliteTransaction<'_> {
    fn schedule(&self, name: &ScheduleName) -> Result<Option<Schedule>> {
        let connection = &self.writer.connection;
        let mut statement = match name {
            ScheduleName::Id(_) => cached(connection, sql::SCHEDULE_BY_ID)?,
            ScheduleName::No(_) => cached(connection, sql::SCHEDULE_BY_NO)?,
        };
        let rows = match name {
            ScheduleName::Id(id) => statement.query([&**id]),
            ScheduleName::No(no) => statement.query([no.0 as i64]),
        };
        let mut rows = rows.map_err(error::of)?;
        rows.next().map_err(error::of)?.map(row::schedule).transpose()
    }

    fn bytes(&self) -> Result<Option<Bytes>> {
        let database = &self.writer.database;
        if database.is_memory() {
            return Ok(None);
        }
        let mut statement = cached(&self.writer.connection, sql::SIZE)?;
        let read = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
        let (file, free): (i64, i64) = read.map_err(error::of)?;
        let (file, free) = (file.max(0) as u64, free.max(0) as u64);
        Ok(Some(Bytes { file, wal: database.wal_bytes(), free }))
    }

    fn postpone_request(&self, seq: Seq, run: RunId) -> Result<Option<Postponement>> {
        let mut statement = cached(&self.writer.connection, sql::POSTPONE_REQUEST)?;
        let mut rows = statement.query((seq.0 as i64, run.0.as_bytes())).map_err(error::of)?;
        match rows.next().map_err(error::of)? {
            Some(row) => row::postponement(row, (0, 1)),
            None => Ok(None),
        }
    }
}

impl ReadTransaction for SqliteTransaction<'_> {
    fn has_news(&self) -> bool {
        self.has_news
    }

    fn head(&mut self) -> Result<Head> {
        row::head(&self.writer.connection)
    }

    fn totals(&mut self) -> Result<Option<Totals>> {
        outlines::read_totals(&self.writer.connection)
    }

    fn extent(&mut self) -> Result<Extent> {
        let owners = self.writer.living.len() as u64 + 1;
        Ok(Extent { owners, bytes: self.bytes()? })
    }

    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        let mut statement = cached(&self.writer.connection, sql::JOURNAL)?;
        let limit = i64::try_from(batches_max).unwrap_or(i64::MAX);
        let mut rows = statement.query([after as i64, limit]).map_err(error::of)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            let number = get::<i64>(row, 0)?.max(0) as u64;
            let owner = OwnerId(get::<i64>(row, 1)? as u64);
            let transitions = get::<Vec<u8>>(row, 2)?.into();
            entries.push(Entry { number, owner, transitions });
        }
        Ok(entries)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        row::operations(&self.writer.connection, None)
    }

    fn heads(&mut self, after: LaneId, heads_max: usize) -> Result<Vec<LaneHead>> {
        let mut heads = Vec::new();
        let mut after = after;
        let mut statement = cached(&self.writer.connection, sql::HEADS)?;
        // Each round begins behind a lane that is too long to be read to its end.
        while heads.len() < heads_max {
            let rows = statement.query([(after.0 as i64).saturating_add(1)]).map_err(error::of)?;
            match read_heads(rows, heads_max, &mut heads)? {
                Some(long) => after = long,
                None => break,
            }
        }
        Ok(heads)
    }

    fn live_runs(&mut self) -> Result<Vec<LiveRun>> {
        let mut statement = cached(&self.writer.connection, sql::LIVE_RUNS)?;
        let mut rows = statement.query([]).map_err(error::of)?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            runs.push(LiveRun { seq: row::seq(row, 0)?, lane: row::lane_id(row, 1)? });
        }
        runs.sort_unstable_by_key(|run| run.seq);
        Ok(runs)
    }

    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        let mut statement = cached(&self.writer.connection, sql::REMOTE_RUNS)?;
        let mut rows = statement.query([self.writer.owner.0 as i64]).map_err(error::of)?;
        let mut lanes: BTreeMap<LaneId, u32> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            *lanes.entry(row::lane_id(row, 0)?).or_default() += 1;
        }
        Ok(lanes.into_iter().collect())
    }

    fn schedules(&mut self, names: &[ScheduleName]) -> Result<Vec<Option<Schedule>>> {
        names.iter().map(|name| self.schedule(name)).collect()
    }

    fn count_schedules(&mut self) -> Result<usize> {
        let count = cached(&self.writer.connection, sql::SCHEDULES_COUNT)?
            .query_row([], |row| row.get::<_, i64>(0))
            .map_err(error::of)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn holds(&mut self) -> Result<Vec<Hold>> {
        row::holds(&self.writer.connection)
    }

    fn remote_offers(&mut self) -> Result<Vec<(OwnerId, Offers)>> {
        row::remote_offers(&self.writer.connection, self.writer.owner)
    }

    fn unburied(&mut self) -> Result<Vec<OwnerId>> {
        let mut unburied = Vec::new();
        for dead in &self.writer.dead {
            let mut statement = cached(&self.writer.connection, sql::HAS_OFFERS)?;
            let has_offers = statement.query_row([dead.id.0 as i64], |row| row.get(0));
            if has_offers.map_err(error::of)? {
                unburied.push(dead.id);
            }
        }
        unburied.sort_unstable();
        Ok(unburied)
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        let mut found = Vec::new();
        for dead in &self.writer.dead {
            found.extend(self.orphans_of(dead.id)?);
        }
        found.sort_by_key(|orphan| (Reverse(orphan.priority), orphan.seq));
        Ok(found)
    }

    fn attached(&mut self, whose: Whose, max: usize) -> Result<Vec<Seq>> {
        let mut seqs = Vec::new();
        match whose {
            Whose::Ours => self.attached_to(self.writer.owner, max, &mut seqs)?,
            Whose::OfTheDead => {
                for dead in &self.writer.dead {
                    self.attached_to(dead.id, max, &mut seqs)?;
                }
            }
        }
        seqs.sort_unstable();
        seqs.truncate(max);
        Ok(seqs)
    }

    fn lapsing(
        &mut self,
        operation: OperationId,
        seqs: RangeInclusive<Seq>,
        max: usize,
    ) -> Result<Vec<Seq>> {
        let mut statement = cached(&self.writer.connection, sql::LAPSING)?;
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (first, last) = (seqs.start().0 as i64, seqs.end().0 as i64);
        let row = (operation.0, first, last, number(max));
        let mut rows = statement.query(row).map_err(error::of)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            found.push(row::seq(row, 0)?);
        }
        Ok(found)
    }

    fn windows(&mut self, windows: &[WindowQuery], bytes_max: usize) -> Result<Vec<Window>> {
        let mut left = BytesLeft(Some(bytes_max));
        let mut found = Vec::new();
        for query in windows {
            if left.is_passed() {
                break;
            }
            found.push(self.window(query, &mut left)?);
        }
        Ok(found)
    }

    fn timers(&mut self, at: RangeInclusive<WallMs>, max: usize) -> Result<Vec<Timer>> {
        debug_assert!(max > 0, "to ask for no timers looks as if there were none");
        let mut statement = cached(&self.writer.connection, sql::TIMERS)?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = statement.query((at.start().0, at.end().0, limit)).map_err(error::of)?;
        let mut timers = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            timers.push(row::timer(row)?);
        }
        Ok(timers)
    }

    fn contents(
        &mut self,
        tasks: &[(Seq, Arc<str>)],
        bytes_max: usize,
    ) -> Result<Vec<Option<ReadyTask>>> {
        let mut left = BytesLeft(Some(bytes_max));
        let mut found = Vec::new();
        for range in tasks.chunk_by(|(one, _), (next, _)| one.0 + 1 == next.0) {
            if left.is_passed() {
                break;
            }
            self.contents_of_range(range, &mut left, &mut found)?;
        }
        Ok(found)
    }

    fn briefs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Brief>>> {
        seqs.iter().map(|seq| self.brief(*seq)).collect()
    }

    fn expired(&mut self, seqs: RangeInclusive<Seq>, now: WallMs) -> Result<Vec<Expired>> {
        removal::expired(&self.writer.connection, &seqs, now)
    }

    fn held(&mut self, hold: HoldId, max: usize) -> Result<Vec<Seq>> {
        let mut statement = cached(&self.writer.connection, sql::HELD)?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = statement.query((hold.0 as i64, limit)).map_err(error::of)?;
        let mut seqs = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            seqs.push(row::seq(row, 0)?);
        }
        Ok(seqs)
    }

    fn gates(&mut self, gates: &[GateId]) -> Result<Vec<Option<Arrival>>> {
        gates.iter().map(|gate| row::gate(&self.writer.connection, gate)).collect()
    }

    fn circuits(&mut self, gates: &[GateId]) -> Result<Vec<Option<Circuit>>> {
        gates.iter().map(|gate| row::circuit(&self.writer.connection, gate)).collect()
    }

    fn gates_left(&mut self, operation: OperationId, now: WallMs) -> Result<GatesLeft> {
        row::gates_left(&self.writer.connection, operation, now)
    }

    fn states(&mut self, seqs: &[Seq]) -> Result<Vec<Option<(TaskId, State)>>> {
        seqs.iter().map(|seq| self.state(*seq)).collect()
    }

    fn dependents(
        &mut self,
        dependencies: &[Seq],
        each_max: usize,
        max: usize,
    ) -> Result<Vec<Wait>> {
        let mut waits = Vec::new();
        for dependency in dependencies {
            let left = max - waits.len();
            if left == 0 {
                break;
            }
            self.dependents_of(*dependency, left.min(each_max), &mut waits)?;
        }
        Ok(waits)
    }

    fn open_dependencies(&mut self, tasks: &[(Seq, usize)]) -> Result<Vec<usize>> {
        tasks.iter().map(|(seq, max)| self.open_dependencies_of(*seq, *max)).collect()
    }

    fn find_by_keys(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyHolder>>> {
        keys.iter().map(|key| self.find_by_key(key)).collect()
    }

    fn last_errors(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Json>>> {
        seqs.iter().map(|seq| self.last_error(*seq)).collect()
    }

    fn leased(&mut self) -> Result<Vec<Seq>> {
        outside::leased(&self.writer.connection)
    }

    fn outside_runs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<OutsideRun>>> {
        let writer = &self.writer;
        seqs.iter().map(|seq| outside::run(&writer.connection, (*seq, writer.id_key))).collect()
    }

    fn backgrounds(&mut self, seqs: &[Seq], open_max: usize) -> Result<Vec<Option<Background>>> {
        let writer = &self.writer;
        seqs.iter()
            .map(|seq| explain::background(&writer.connection, (*seq, writer.id_key), open_max))
            .collect()
    }

    fn runs_of(&mut self, operations: &[OperationId], each_max: usize) -> Result<Vec<Vec<TaskId>>> {
        let writer = &self.writer;
        operations
            .iter()
            .map(|id| explain::runs_of(&writer.connection, (*id, writer.id_key), each_max))
            .collect()
    }

    fn count_queued(&mut self, parts: &[QueuePart], max: usize) -> Result<Vec<usize>> {
        let connection = &self.writer.connection;
        parts.iter().map(|part| explain::count_queued(connection, part, max)).collect()
    }

    fn pause_wishes(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<PauseWish>>> {
        runs.iter().map(|(seq, run)| self.pause_wish(*seq, *run)).collect()
    }

    fn abort_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<AbortReason>>> {
        runs.iter().map(|(seq, run)| self.abort_request(*seq, *run)).collect()
    }

    fn postpone_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<Postponement>>> {
        runs.iter().map(|(seq, run)| self.postpone_request(*seq, *run)).collect()
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn commit(self: Box<Self>, batch: &Batch) -> Commit {
        debug_assert_eq!(batch.owner, self.writer.owner, "a batch of another owner (I-5)");
        if let Err(unwritten) = write::batch(&self.writer.connection, batch) {
            return unwritten;
        }
        if let Err(error) = self.writer.forget_dead() {
            return Commit::NotCommitted(error);
        }
        match self.writer.commit() {
            Ok(()) => Commit::Committed,
            Err(error) => error::of_commit(error),
        }
    }
}
