//! The writing side: one connection, one thread, one turn at a time.
//!
//! # Promises
//! - A batch is on disk or it is not; a commit whose fate is open is `Unknown` (I-1, I-2).
//! - Owners write in turn, and each hears of what the others committed (F-8).
//! - A dead owner is forgotten in the very commit that ends or gives back its last run (I-4, I-5).
//! - The log stays bounded under load, also while reads follow each other without a gap (F-16).
//! - The journal always keeps the last batch, which says where the store stands (I-8, I-13).
//!
//! # Left to others
//! The statements of a batch are `write`'s, the meaning of a row is `row`'s.
//!
//! Proof: `proof::conformance`, `tests/write.rs`, `tests/owner.rs`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::id::{IdKey, IdempotencyKey, LaneId, OwnerId, RunId, Seq, TaskId};
use tasker_core::store::{
    Batch, Brief, Commit, Entry, Head, Lane, Orphan, ReadyTask, Refused, Store, Waker, Window,
    WindowSize,
};
use tasker_core::task::AbortReason;
use tasker_core::time::WallMs;

use crate::location::DatabaseFile;
use crate::notifier::Notifier;
use crate::owner::{self, DeadOwner, LiveOwner, Lock, OtherOwners, Registered};
use crate::row::{self, Definition, cached, get};
use crate::write_queue::{LockTimeout, WriteQueue};
use crate::{error, sql, write};

/// Batches that the journal keeps; with other owners more, so that a slow one need not read all
/// tasks anew.
const BATCHES_KEPT: u64 = 1_000;
const BATCHES_KEPT_SHARED: u64 = 10_000;
/// Batches more than these above what is kept are trimmed even under load.
const BATCHES_OVER_MAX: u64 = 9_000;
/// How often an owner that is not alone polls for what the others did.
const POLL_INTERVAL_MS: u64 = 250;
/// Batches that one call of `maintain` forgets at most.
const BATCHES_TRIMMED_MAX: u64 = 5_000;
/// Pages in the log that are written back even under load.
const WAL_PAGES_MAX: i64 = 4_000;
/// Pages of the log, written back or not, with which it must begin anew: 40 of the 64 MiB that it
/// may have. While some read is always under way it never does so by itself.
const WAL_PAGES_RESTART: i64 = 10_000;
/// Commits between two checks of the journal and the log under load; a check costs microseconds.
const COMMITS_PER_CHECK: u32 = 16;

/// The writing side of a handle on a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Connection,
    owner: OwnerId,
    id_key: IdKey,
    /// Owners that live beside us.
    living: Vec<LiveOwner>,
    /// DeadOwner owners whose runs are not all given back.
    dead: Vec<DeadOwner>,
    /// DeadOwner owners that the open transaction forgets.
    forgotten: Vec<DeadOwner>,
    lock: Option<Lock>,
    notifier: Option<Notifier>,
    queue: WriteQueue,
    database: DatabaseFile,
    /// What SQLite says of the file while nobody else has changed it.
    version: Option<i64>,
    /// Commits since `maintain` last checked.
    commits: u32,
    /// Pages with which the log begins anew; more after a read has been too long to wait for.
    restart_pages: i64,
}

/// The log, in pages.
struct Wal {
    pages: i64,
    /// Those that are not yet in the file.
    left: i64,
    /// Whether a reader or another program was in the way.
    is_busy: bool,
}

impl SqliteStore {
    pub(crate) fn new(
        writer: Connection,
        registered: Registered,
        id_key: IdKey,
        database: DatabaseFile,
        queue: WriteQueue,
    ) -> SqliteStore {
        let Registered { id, lock, notifier, others: OtherOwners { living, dead } } = registered;
        SqliteStore {
            writer,
            owner: id,
            id_key,
            living,
            dead,
            forgotten: Vec::new(),
            lock,
            notifier,
            queue,
            database,
            version: None,
            commits: 0,
            restart_pages: WAL_PAGES_RESTART,
        }
    }

    fn is_begun(&self) -> bool {
        !self.writer.is_autocommit()
    }

    /// Runs a statement of a transaction's frame.
    fn frame(&self, text: &'static str) -> rusqlite::Result<()> {
        self.writer.prepare_cached(text)?.execute([]).map(drop)
    }

    /// Refuses to go on where the file is another one, or others take us for dead.
    fn check_files(&self) -> Result<()> {
        self.database.check()?;
        self.lock.as_ref().map_or(Ok(()), Lock::check)
    }

    /// Takes SQLite's write lock; in turn, if there are others.
    fn lock_for_writing(&mut self) -> Result<()> {
        if self.living.is_empty() {
            return self.frame(sql::BEGIN).map_err(error::of);
        }
        self.queue.lock(LockTimeout::Turn)?;
        let begun = self.frame(sql::BEGIN).map_err(error::of);
        self.queue.unlock();
        begun
    }

    /// Whether another connection has changed the file since this was last asked. Inside a
    /// transaction.
    fn has_changes(&mut self) -> Result<bool> {
        let mut statement = cached(&self.writer, sql::DATA_VERSION)?;
        let version = statement.query_row([], |row| row.get(0)).map_err(error::of)?;
        drop(statement);
        let is_changed = self.version.replace(version) != Some(version);
        if is_changed && self.living.is_empty() {
            // It may be the first thing that we see of a new owner.
            self.read_owners()?;
        }
        Ok(is_changed)
    }

    /// Reads who the others are and whether they live.
    fn read_owners(&mut self) -> Result<()> {
        if !self.database.is_memory() {
            let found = owner::others(&self.writer, &self.database, Some(self.owner))?;
            (self.living, self.dead) = (found.living, found.dead);
        }
        Ok(())
    }

    /// Ends a transaction that `begin` or `begin_read` began and that could not be used.
    fn or_rollback<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            // What was not told is told the next time.
            self.version = None;
            self.rollback();
        }
        result
    }

    /// Forgets the dead owners whose last run was given back or ended by this batch.
    fn forget_dead(&mut self) -> Result<()> {
        for dead in std::mem::take(&mut self.dead) {
            match owner::forget(&self.writer, dead.id) {
                Ok(true) => self.forgotten.push(dead),
                Ok(false) => self.dead.push(dead),
                Err(error) => {
                    self.dead.push(dead);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether a new owner would wake us.
    fn is_listening(&self) -> bool {
        self.notifier.as_ref().is_some_and(Notifier::is_listening)
    }

    fn orphans_of(&mut self, dead: OwnerId) -> Result<Vec<Orphan>> {
        let mut statement = cached(&self.writer, sql::ORPHANS)?;
        let mut rows = statement.query([dead.0 as i64]).map_err(error::of)?;
        let mut orphans = Vec::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            let (seq, id) = row::name(row, self.id_key)?;
            orphans.push(Orphan {
                seq,
                id,
                run: row::run_id(row, 2)?,
                started_at: WallMs(get(row, 10)?),
                attempt: get(row, 3)?,
                losses: get(row, 4)?,
                on_interrupted: row::options(row, 6)?.on_interrupted,
                lane: LaneId(get(row, 7)?),
                priority: row::priority(row, 5)?,
                abort: row::abort(row, (8, 9))?,
            });
        }
        Ok(orphans)
    }

    /// Forgets old batches, a bounded number at a time.
    fn trim(&self, is_idle: bool) -> Result<()> {
        let range = cached(&self.writer, sql::BATCH_RANGE)?
            .query_row([], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)));
        let (Some(first), Some::<i64>(last)) = range.map_err(error::of)? else {
            return Ok(());
        };
        let kept = (last - first + 1) as u64;
        // Twice the figure when idle: otherwise each idle moment would trim a handful.
        let kept_min = if self.living.is_empty() { BATCHES_KEPT } else { BATCHES_KEPT_SHARED };
        if kept < kept_min + if is_idle { BATCHES_KEPT } else { BATCHES_OVER_MAX } {
            return Ok(());
        }
        let trimmed = (kept - kept_min).min(BATCHES_TRIMMED_MAX);
        let floor = first + trimmed as i64 - 1;
        cached(&self.writer, sql::BATCH_TRIM)?.execute([floor]).map_err(error::of)?;
        Ok(())
    }

    /// Writes the log back into the file. Waits for readers only when the log has grown so long
    /// that it must begin anew, and then until the snapshots end that are open now.
    fn checkpoint(&mut self, is_idle: bool) -> Result<()> {
        let wal = self.wal("NOOP")?;
        if wal.pages > self.restart_pages {
            let is_busy = self.wal("RESTART")?.is_busy;
            self.restart_pages = if is_busy { 2 * wal.pages } else { WAL_PAGES_RESTART };
        } else if wal.left > if is_idle { 0 } else { WAL_PAGES_MAX } {
            self.wal("PASSIVE")?;
        }
        Ok(())
    }

    /// A task as `window.sql` selects it.
    fn ready_task(&self, row: &rusqlite::Row<'_>, operation: Arc<str>) -> Result<ReadyTask> {
        let (seq, id) = row::name(row, self.id_key)?;
        let def = Definition { first: 2, data: 5 }.read(row, operation)?;
        let has_started = row::is_set(row, 4)?;
        let (attempt, losses, logs) = if has_started { self.history(seq)? } else { (0, 0, 0) };
        let created_at = WallMs(get(row, 6)?);
        Ok(ReadyTask { seq, id, created_at, def, attempt, losses, logs })
    }

    /// The attempts, losses in a row and log lines of a task that has started before.
    fn history(&self, seq: Seq) -> Result<(u32, u32, u32)> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        cached(&self.writer, sql::HISTORY)?.query_row([seq.0 as i64], read).map_err(error::of)
    }

    /// Asks for a checkpoint of this kind; tells what became of the log.
    fn wal(&self, kind: &str) -> Result<Wal> {
        let mut wal = Wal { pages: 0, left: 0, is_busy: false };
        let read = |row: &rusqlite::Row<'_>| {
            let (pages, done): (i64, i64) = (row.get(1)?, row.get(2)?);
            wal = Wal { pages, left: pages - done, is_busy: row.get(0)? };
            Ok(())
        };
        self.writer.pragma(None, "wal_checkpoint", kind, read).map_err(error::of)?;
        Ok(wal)
    }

    /// Removes our row, unless a run of ours is still live: then it stays, as an orphan's owner.
    /// Under the fair lock.
    fn unregister(&mut self) -> Result<()> {
        self.database.check()?;
        self.frame(sql::BEGIN).map_err(error::of)?;
        self.read_owners()?;
        owner::forget(&self.writer, self.owner)?;
        self.frame(sql::COMMIT).map_err(error::of)
    }
}

impl Store for SqliteStore {
    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn id_key(&self) -> IdKey {
        self.id_key
    }

    fn begin(&mut self) -> Result<bool> {
        self.check_files()?;
        self.lock_for_writing()?;
        let changes = self.has_changes();
        self.or_rollback(changes)
    }

    fn begin_read(&mut self) -> Result<bool> {
        self.check_files()?;
        self.frame(sql::BEGIN_READ).map_err(error::of)?;
        let changes = self.has_changes();
        self.or_rollback(changes)
    }

    fn refresh_owners(&mut self) -> Result<()> {
        if self.poll_interval_ms().is_none() { Ok(()) } else { self.read_owners() }
    }

    fn is_shared(&self) -> bool {
        !self.living.is_empty() || !self.dead.is_empty()
    }

    fn poll_interval_ms(&self) -> Option<u64> {
        let is_alone = self.database.is_memory() || (!self.is_shared() && self.is_listening());
        (!is_alone).then_some(POLL_INTERVAL_MS)
    }

    fn set_waker(&mut self, waker: Waker) {
        if let Some(notifier) = &mut self.notifier {
            notifier.listen(waker);
        }
    }

    fn head(&mut self) -> Result<Head> {
        row::head(&self.writer)
    }

    fn lanes(&mut self) -> Result<Vec<Lane>> {
        row::lanes(&self.writer, None)
    }

    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        let mut statement = cached(&self.writer, sql::JOURNAL)?;
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

    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        let mut statement = cached(&self.writer, sql::REMOTE_RUNS)?;
        let mut rows = statement.query([self.owner.0 as i64]).map_err(error::of)?;
        let mut lanes: BTreeMap<u32, u32> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            *lanes.entry(get(row, 0)?).or_default() += 1;
        }
        Ok(lanes.into_iter().map(|(lane, runs)| (LaneId(lane), runs)).collect())
    }

    fn abort_request(&mut self, seq: Seq, run: RunId) -> Result<Option<AbortReason>> {
        let mut statement = cached(&self.writer, sql::ABORT_REQUEST)?;
        let mut rows = statement.query((seq.0 as i64, run.0.as_bytes())).map_err(error::of)?;
        match rows.next().map_err(error::of)? {
            Some(row) => row::abort(row, (0, 1)),
            None => Ok(None),
        }
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        let mut found = Vec::new();
        for id in self.dead.iter().map(|dead| dead.id).collect::<Vec<_>>() {
            found.extend(self.orphans_of(id)?);
        }
        found.sort_by_key(|orphan| (Reverse(orphan.priority), orphan.seq));
        Ok(found)
    }

    fn window(&mut self, lane: &Lane, size: WindowSize) -> Result<Window> {
        let mut statement = cached(&self.writer, sql::WINDOW)?;
        // One more than asked for tells whether these are all.
        let limit = i64::try_from(size.tasks_max).unwrap_or(i64::MAX).saturating_add(1);
        let mut rows = statement.query((lane.id.0, limit)).map_err(error::of)?;
        let (mut tasks, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(error::of)? {
            if tasks.len() == size.tasks_max || bytes > size.bytes_max {
                return Ok(Window { tasks, is_complete: false });
            }
            let task = self.ready_task(row, Arc::clone(&lane.operation))?;
            bytes += task.def.data.as_ref().map_or(0, |data| data.as_str().len());
            tasks.push(task);
        }
        Ok(Window { tasks, is_complete: true })
    }

    fn brief(&mut self, seq: Seq) -> Result<Option<Brief>> {
        let Ok(number) = i64::try_from(seq.0) else { return Ok(None) };
        let mut statement = cached(&self.writer, sql::BRIEF)?;
        let mut rows = statement.query([number]).map_err(error::of)?;
        let Some(row) = rows.next().map_err(error::of)? else { return Ok(None) };
        let state = row::state(row, 2)?;
        Ok(Some(Brief {
            id: row::task_id(row, 0)?,
            lane: LaneId(get(row, 1)?),
            state,
            priority: row::priority(row, 3)?,
            outcome: row::outcome(row, state, (4, 5))?,
            run: row::run_id_if(row, 6)?,
            latest_at: WallMs(get(row, 7)?),
        }))
    }

    fn find_by_key(&mut self, key: IdempotencyKey) -> Result<Option<TaskId>> {
        let mut statement = cached(&self.writer, sql::FIND_BY_KEY)?;
        let mut rows = statement.query([key.0.as_bytes()]).map_err(error::of)?;
        let row = rows.next().map_err(error::of)?;
        row.map(|row| row::name(row, self.id_key).map(|(_, id)| id)).transpose()
    }

    fn write(&mut self, batch: &Batch) -> std::result::Result<(), Refused> {
        write::batch(&self.writer, batch)?;
        Ok(self.forget_dead()?)
    }

    fn commit(&mut self) -> Commit {
        match self.frame(sql::COMMIT) {
            Ok(()) => {
                self.commits = self.commits.saturating_add(1);
                self.forgotten.drain(..).for_each(DeadOwner::remove_files);
                owner::notify(self.notifier.as_ref(), &self.living);
                Commit::Committed
            }
            Err(error) => {
                self.rollback();
                error::of_commit(error)
            }
        }
    }

    fn rollback(&mut self) {
        self.dead.append(&mut self.forgotten);
        // After a full disk SQLite may have rolled back by itself.
        if self.is_begun()
            && let Err(error) = self.frame(sql::ROLLBACK)
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }

    fn maintain(&mut self, is_idle: bool) -> Result<()> {
        if !is_idle && self.commits < COMMITS_PER_CHECK {
            return Ok(());
        }
        self.commits = 0;
        self.trim(is_idle)?;
        self.checkpoint(is_idle)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.rollback();
        // Without the fair lock all is released too; only an open at this very moment has to wait.
        let is_locked = self.queue.lock(LockTimeout::Turn).unwrap_or(false);
        let left = self.unregister();
        if left.is_err() {
            self.rollback();
        }
        owner::notify(self.notifier.as_ref(), &self.living);
        // Whatever happened, the lock goes before the connection: a handle that cannot say good-bye
        // is dead for the next one.
        drop((self.notifier.take(), self.lock.take()));
        if is_locked && self.living.is_empty() {
            self.queue.remove();
        }
        let SqliteStore { writer, database, .. } = *self;
        database.park(writer);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, Options, open};
    use tasker_core::error::Code;
    use tasker_core::id::LaneId;
    use tasker_core::state::Counts;
    use tasker_core::store::Change;

    /// Lanes with names of a page each, so that a batch of them needs room.
    fn batch(store: &SqliteStore, number: u64, lanes: std::ops::Range<u32>) -> Batch {
        let lane = |id| Lane { id: LaneId(id), operation: "x".repeat(4_000).into() };
        Batch {
            number,
            owner: store.owner,
            at: WallMs(0),
            seq_next: Seq(1),
            counts: Counts::default(),
            changes: lanes.map(|id| Change::Lane(lane(id))).collect(),
        }
    }

    fn set_pages_max(store: &SqliteStore, pages: i64) {
        store.writer.pragma_update(None, "max_page_count", pages).unwrap();
    }

    fn pages(store: &SqliteStore) -> i64 {
        store.writer.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    }

    /// F-10
    #[test]
    fn a_full_disk_takes_the_whole_batch_back_and_the_store_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::file(folder.path().join("tasks.db")).unwrap();
        let (mut store, _reader) = open(&location, Options::default()).unwrap();
        set_pages_max(&store, pages(&store) + 5);
        store.begin().unwrap();
        let refused = store.write(&batch(&store, 1, 1..20)).unwrap_err();
        assert_eq!((refused.error.code(), refused.change), (Code::Full, None));
        store.rollback();

        store.begin().unwrap();
        assert!(store.lanes().unwrap().is_empty());
        store.write(&batch(&store, 1, 1..3)).unwrap();
        assert!(matches!(store.commit(), Commit::Committed));

        set_pages_max(&store, 1_000);
        store.begin().unwrap();
        store.write(&batch(&store, 2, 3..20)).unwrap();
        assert!(matches!(store.commit(), Commit::Committed));
        store.begin().unwrap();
        assert_eq!((store.lanes().unwrap().len(), store.head().unwrap().number), (19, 2));
        store.rollback();
        Box::new(store).close().unwrap();
    }

    /// I-3
    #[test]
    fn a_second_fence_keeps_ended_tasks_in_debug_builds() {
        let (store, _reader) = open(&Location::memory(), Options::default()).unwrap();
        let insert = "INSERT INTO tasks (seq, uuid, lane_id, state, priority, attempt,
             created_at, ended_at) VALUES (1, zeroblob(16), 1, 7, 0, 1, 1, 2)";
        store.writer.execute_batch(insert).unwrap();
        let change = store.writer.execute_batch("UPDATE tasks SET ended_at = 3");
        assert_eq!(change.is_err(), cfg!(debug_assertions));
    }

    #[test]
    fn a_commit_without_a_transaction_is_no_success() {
        let (mut store, _reader) = open(&Location::memory(), Options::default()).unwrap();
        assert!(matches!(store.commit(), Commit::Unknown(_)));
    }
}
