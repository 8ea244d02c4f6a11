//! The writing side: one connection, one thread, one turn at a time.
//!
//! # Promises
//! - Owners write in turn, and each hears of what the others committed (F-8).
//! - The log stays bounded under load, also while reads follow each other without a gap (F-16).
//! - The journal always keeps the last batch, which says where the store stands (I-8, I-13).
//!
//! # Left to others
//! What happens inside a transaction is `transaction`'s.
//!
//! Proof: `proof::conformance`, `tests/write.rs`, `tests/owner.rs`.

use std::time::Duration;

use rusqlite::Connection;
use tasker_core::error::{Code, Result};
use tasker_core::id::{IdKey, OwnerId};
use tasker_core::store::{Preview, ReadTransaction, Store, Transaction, Waker};

use crate::journal_kept::{JournalKept, Trimmable};
use crate::location::DatabaseFile;
use crate::notifier::Notifier;
use crate::owner::{self, Lock, Registered};
use crate::row::{self, cached};
use crate::transaction::SqliteTransaction;
use crate::write_queue::{LockTimeout, WriteQueue, begin_write};
use crate::writer::Writer;
use crate::{error, outlines, settings, sql};

/// Batches that are taken into the outlines at once; fewer when idle, but not each by itself.
const BATCHES_OUTLINED: u64 = 256;
const BATCHES_OUTLINED_IDLE: u64 = 64;
/// Batches that are forgotten at once; fewer when idle, but not each by itself.
const BATCHES_TRIMMED: u64 = 5_000;
const BATCHES_TRIMMED_IDLE: u64 = 1_000;
/// Bytes of batches that are forgotten, however few those are.
const BYTES_TRIMMED: u64 = 8 * 1024 * 1024;
/// How often an owner that is not alone polls for what the others did.
const POLL_INTERVAL_MS: u64 = 250;
/// Pages in the log that are written back even under load.
const WAL_PAGES_MAX: i64 = 4_000;
/// The first [`Restart`].
const RESTART_FIRST: Restart = Restart { pages: 10_000, wait: Duration::from_millis(100) };
/// No wait for snapshots is longer.
const RESTART_WAIT_MAX: Duration = Duration::from_secs(5);
/// Commits between two checks of the journal and the log under load; a check costs microseconds.
const COMMITS_PER_CHECK: u32 = 16;

/// The writing side of a handle on a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) writer: Writer,
    lock: Option<Lock>,
    queue: WriteQueue,
    restart: Restart,
    journal: JournalKept,
}

/// When the log must begin anew: while some read is always under way it never does so by itself.
#[derive(Clone, Copy, Debug)]
struct Restart {
    /// Its pages, written back or not. The first time 40 of the 64 MiB that it may have.
    pages: i64,
    /// How long to wait for the snapshots that are open then. Everyone who writes waits as long.
    wait: Duration,
}

impl Restart {
    /// The next one, if a snapshot has lasted longer than the wait. Short reads end within the
    /// first waits; for a backup, which may take minutes, it is better to let the log grow.
    fn after(self, pages: i64) -> Restart {
        Restart { pages: pages + pages / 2, wait: (2 * self.wait).min(RESTART_WAIT_MAX) }
    }
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
        connection: Connection,
        registered: Registered,
        id_key: IdKey,
        database: DatabaseFile,
        queue: WriteQueue,
    ) -> SqliteStore {
        let Registered { id: owner, lock, notifier, others } = registered;
        let writer = Writer::new(connection, (owner, id_key), database, others, notifier);
        let journal = JournalKept::default();
        SqliteStore { writer, lock, queue, restart: RESTART_FIRST, journal }
    }

    /// Refuses to go on where the file is another one, or others take us for dead.
    fn check_files(&self) -> Result<()> {
        self.writer.database.check()?;
        self.lock.as_ref().map_or(Ok(()), Lock::check)
    }

    /// Takes SQLite's write lock; in turn, if there are others.
    fn lock_for_writing(&mut self) -> Result<()> {
        debug_assert!(self.writer.connection.is_autocommit(), "a turn is open already");
        if self.writer.living.is_empty() {
            match begin_write(&self.writer.connection, true) {
                // A newcomer of whom we have not heard.
                Err(error) if error.code() == Code::Busy => {}
                begun => return begun,
            }
        }
        let is_in_turn = self.queue.lock(LockTimeout::Turn)?;
        let begun = begin_write(&self.writer.connection, is_in_turn);
        self.queue.unlock();
        begun
    }

    /// Does something in a transaction of its own that may take long. The fair lock is held until
    /// it is over, so that others know that somebody lives who is at work, and wait.
    pub(crate) fn in_long_transaction(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let is_in_turn = self.queue.lock(LockTimeout::Open)?;
        let done = begin_write(&self.writer.connection, is_in_turn).and_then(|()| {
            let done = work(self).and_then(|()| self.writer.frame(sql::COMMIT).map_err(error::of));
            if done.is_err() {
                self.writer.rollback();
            }
            done
        });
        self.queue.unlock();
        done
    }

    /// Whether a new owner would wake us.
    fn is_listening(&self) -> bool {
        self.writer.notifier.as_ref().is_some_and(Notifier::is_listening)
    }

    /// Takes batches into the outlines, so that a search need not read them and they can be
    /// trimmed.
    fn outline(&mut self, is_idle: bool) -> Result<()> {
        let head = row::head(&self.writer.connection)?;
        let left = head.number.saturating_sub(outlines::outlined(&self.writer.connection)?);
        if left < if is_idle { BATCHES_OUTLINED_IDLE } else { BATCHES_OUTLINED } {
            return Ok(());
        }
        self.writer.frame(sql::BEGIN).map_err(error::of)?;
        let taken = outlines::take_batches(&self.writer.connection);
        let committed = taken.and_then(|_| self.writer.frame(sql::COMMIT).map_err(error::of));
        if committed.is_err() {
            self.writer.rollback();
        }
        committed
    }

    /// Forgets old batches, many at once.
    fn trim(&mut self, is_idle: bool) -> Result<()> {
        let connection = &self.writer.connection;
        self.journal.count(connection)?;
        // Not what no outline knows yet.
        let outlined = outlines::outlined(connection)? as i64;
        let Trimmable { last, batches, bytes } = self.journal.trimmable(outlined);
        // Each time is a commit of its own.
        let batches_min = if is_idle { BATCHES_TRIMMED_IDLE } else { BATCHES_TRIMMED };
        if batches < batches_min && bytes < BYTES_TRIMMED {
            return Ok(());
        }
        debug_assert!(
            last < row::head(connection)?.number as i64,
            "the last batch says where the store stands (I-8, I-13)"
        );
        cached(connection, sql::BATCH_TRIM)?.execute([last]).map_err(error::of)?;
        self.journal.trimmed(last);
        Ok(())
    }

    /// Writes the log back into the file. Waits for readers only when the log has grown so long
    /// that it must begin anew, and then until the snapshots end that are open now, but not long.
    fn checkpoint(&mut self, is_idle: bool) -> Result<()> {
        let wal = self.wal("NOOP")?;
        if wal.pages > self.restart.pages {
            settings::set_wait(&self.writer.connection, self.restart.wait)?;
            let restarted = self.wal("RESTART");
            settings::set_usual_wait(&mut self.writer.connection)?;
            let is_busy = restarted?.is_busy;
            self.restart = if is_busy { self.restart.after(wal.pages) } else { RESTART_FIRST };
        } else if wal.left > if is_idle { 0 } else { WAL_PAGES_MAX } {
            self.wal("PASSIVE")?;
        }
        Ok(())
    }

    /// Asks for a checkpoint of this kind; tells what became of the log.
    fn wal(&self, kind: &str) -> Result<Wal> {
        let mut wal = Wal { pages: 0, left: 0, is_busy: false };
        let read = |row: &rusqlite::Row<'_>| {
            let (pages, done): (i64, i64) = (row.get(1)?, row.get(2)?);
            wal = Wal { pages, left: pages - done, is_busy: row.get(0)? };
            Ok(())
        };
        self.writer.connection.pragma(None, "wal_checkpoint", kind, read).map_err(error::of)?;
        debug_assert!(wal.left >= 0, "more pages are written back than there are");
        Ok(wal)
    }

    /// Removes our row, unless a run of ours is still live: then it stays, as an orphan's owner.
    /// Under the fair lock.
    fn unregister(&mut self, is_in_turn: bool) -> Result<()> {
        self.writer.database.check()?;
        begin_write(&self.writer.connection, is_in_turn)?;
        self.writer.read_owners()?;
        owner::forget(&self.writer.connection, self.writer.owner)?;
        self.writer.frame(sql::COMMIT).map_err(error::of)
    }
}

impl Store for SqliteStore {
    fn owner(&self) -> OwnerId {
        self.writer.owner
    }

    fn id_key(&self) -> IdKey {
        self.writer.id_key
    }

    fn refresh_owners(&mut self) -> Result<()> {
        if self.poll_interval_ms().is_none() { Ok(()) } else { self.writer.read_owners() }
    }

    fn is_shared(&self) -> bool {
        !self.writer.living.is_empty() || !self.writer.dead.is_empty()
    }

    fn poll_interval_ms(&self) -> Option<u64> {
        let is_alone =
            self.writer.database.is_memory() || (!self.is_shared() && self.is_listening());
        (!is_alone).then_some(POLL_INTERVAL_MS)
    }

    fn set_waker(&mut self, waker: Waker) {
        if let Some(notifier) = &mut self.writer.notifier {
            notifier.listen(waker);
        }
    }

    fn begin<'s>(&'s mut self, _preview: Preview<'_>) -> Result<Box<dyn Transaction + 's>> {
        self.check_files()?;
        self.lock_for_writing()?;
        Ok(Box::new(SqliteTransaction::begun(&mut self.writer)?))
    }

    fn begin_read<'s>(&'s mut self) -> Result<Box<dyn ReadTransaction + 's>> {
        debug_assert!(self.writer.connection.is_autocommit(), "a turn is open already");
        self.check_files()?;
        self.writer.frame(sql::BEGIN_READ).map_err(error::of)?;
        Ok(Box::new(SqliteTransaction::begun(&mut self.writer)?))
    }

    fn maintain(&mut self, is_idle: bool) -> Result<()> {
        if !is_idle && self.writer.commits < COMMITS_PER_CHECK {
            return Ok(());
        }
        debug_assert!(self.writer.connection.is_autocommit(), "housekeeping goes between turns");
        self.writer.commits = 0;
        self.outline(is_idle)?;
        self.trim(is_idle)?;
        self.checkpoint(is_idle)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        // Without the fair lock all is released too; only an open at this very moment has to wait.
        let is_locked = self.queue.lock(LockTimeout::Turn).unwrap_or(false);
        let left = self.unregister(is_locked);
        if left.is_err() {
            self.writer.rollback();
        }
        self.writer.notify_others();
        // Whatever happened, the lock goes before the connection: a handle that cannot say good-bye
        // is dead for the next one.
        drop((self.writer.notifier.take(), self.lock.take()));
        if is_locked && self.writer.living.is_empty() {
            self.queue.remove();
        }
        let Writer { connection, database, .. } = self.writer;
        database.park(connection);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, Options, SqliteReader, open, write};
    use tasker_core::id::{IdSource, LaneId, OperationId, Seq};
    use tasker_core::query::Query;
    use tasker_core::reader::Reader;
    use tasker_core::state::{Counts, State};
    use tasker_core::store::{Batch, Change, Commit, Lookups, Operation, Start};
    use tasker_core::task::{NewTask, Priority, TaskEnd};
    use tasker_core::time::WallMs;

    /// Operations with names of a page each, so that a batch of them needs room.
    fn batch(store: &SqliteStore, number: u64, ids: std::ops::Range<u16>) -> Batch {
        let name = |id| format!("{id:x>4000}");
        let operation = |id| Operation::new(OperationId(id), name(id));
        Batch {
            number,
            owner: store.owner(),
            at: WallMs(0),
            seq_next: Seq(1),
            lane_next: 1,
            counts: Counts::default(),
            changes: ids.map(|id| Change::Operation(operation(id).into())).collect(),
            notes: Vec::new(),
        }
    }

    fn set_pages_max(store: &SqliteStore, pages: i64) {
        store.writer.connection.pragma_update(None, "max_page_count", pages).unwrap();
    }

    fn pages(store: &SqliteStore) -> i64 {
        store.writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    }

    fn commit(store: &mut SqliteStore, number: u64, ids: std::ops::Range<u16>) -> Commit {
        let batch = batch(store, number, ids);
        store.begin(&Lookups::default).unwrap().commit(&batch)
    }

    /// F-10
    #[test]
    fn a_full_disk_takes_the_whole_batch_back_and_the_store_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::file(folder.path().join("tasks.db")).unwrap();
        let (mut store, _reader) = open(&location, Options::default()).unwrap();
        set_pages_max(&store, pages(&store) + 5);
        let full = commit(&mut store, 1, 1..20);
        assert!(matches!(full, Commit::NotCommitted(error) if error.code() == Code::Full));

        assert!(store.begin_read().unwrap().operations().unwrap().is_empty());
        assert!(matches!(commit(&mut store, 1, 1..3), Commit::Committed));

        set_pages_max(&store, 1_000);
        assert!(matches!(commit(&mut store, 2, 3..20), Commit::Committed));
        let mut snapshot = store.begin_read().unwrap();
        assert_eq!(
            (snapshot.operations().unwrap().len(), snapshot.head().unwrap().number),
            (19, 2)
        );
        drop(snapshot);
        Box::new(store).close().unwrap();
    }

    /// A file whose owner died while its only task ran; the batch that ends that run.
    fn with_an_orphan(location: &Location) -> Batch {
        let (mut store, _reader) = open(location, Options::default()).unwrap();
        let (seq, lane, at) = (Seq(1), LaneId::new(OperationId(1), 0), WallMs(1));
        let mut ids = IdSource::new(store.id_key(), [1; 32]);
        let (id, run, def) = (ids.task(seq, at), ids.run(at), NewTask::new("1"));
        let start = Some(Start { run, attempt: 1, at });
        let mut counts = Counts::default();
        counts.enter(State::Running);
        let Batch { mut changes, .. } = batch(&store, 1, 1..2);
        changes.push(Change::Add { seq, id, lane, def, at, start });
        let adding = Batch { seq_next: Seq(2), counts, changes, ..batch(&store, 1, 1..2) };
        let added = store.begin(&Lookups::default).unwrap().commit(&adding);
        assert!(matches!(added, Commit::Committed));
        counts.shift(State::Running, State::Done);
        let (priority, run, outcome) = (Priority::default(), Some(run), TaskEnd::Done(None));
        let end = Change::End { seq, lane, priority, run, outcome, at };
        Batch { number: 2, counts, changes: vec![end], ..adding }
    }

    /// How many orphans there are, dead owners that are known, and owners in all.
    fn left(store: &mut SqliteStore) -> (usize, usize, i64) {
        let orphans = store.begin_read().unwrap().orphans().unwrap().len();
        let count = "SELECT count(*) FROM owners";
        let rows = store.writer.connection.query_row(count, [], |row| row.get(0)).unwrap();
        (orphans, store.writer.dead.len(), rows)
    }

    /// I-4: all is written, and only the commit itself fails. Without the write-ahead log it waits
    /// for whoever reads.
    #[test]
    fn a_dead_owner_is_not_forgotten_by_a_commit_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.db");
        let location = Location::file(&path).unwrap();
        let ending = with_an_orphan(&location);
        let (mut store, reader) = open(&location, Options::default()).unwrap();
        drop(reader);
        let ending = Batch { owner: store.owner(), ..ending };
        let connection = &mut store.writer.connection;
        connection.pragma_update(None, "journal_mode", "delete").unwrap();
        connection.busy_handler(None::<fn(i32) -> bool>).unwrap();
        assert_eq!(left(&mut store), (1, 1, 2));

        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN; SELECT count(*) FROM tasks").unwrap();
        let failed = store.begin(&Lookups::default).unwrap().commit(&ending);
        assert!(
            matches!(&failed, Commit::NotCommitted(error) if error.code() == Code::Busy),
            "{failed:?}"
        );
        assert_eq!(left(&mut store), (1, 1, 2), "it was forgotten by nothing");

        other.execute_batch("ROLLBACK").unwrap();
        let done = store.begin(&Lookups::default).unwrap().commit(&ending);
        assert!(matches!(done, Commit::Committed), "{done:?}");
        assert_eq!(left(&mut store), (0, 0, 1));
    }

    /// I-11, I-16
    #[test]
    fn what_is_written_shows_only_after_the_commit() {
        let (store, mut reader) = open(&Location::memory(), Options::default()).unwrap();
        let count = |reader: &mut SqliteReader| {
            reader.count(&Query::parse("{}").unwrap(), &|| false).unwrap()
        };
        let mut counts = Counts::default();
        counts.enter(State::Ready);
        let batch = Batch { counts, ..batch(&store, 1, 1..2) };
        store.writer.frame(sql::BEGIN).unwrap();
        write::batch(&store.writer.connection, &batch).unwrap();
        assert_eq!(count(&mut reader), 0);
        store.writer.frame(sql::COMMIT).unwrap();
        assert_eq!(count(&mut reader), 1);
    }

    /// I-3
    #[test]
    fn a_second_fence_keeps_ended_tasks_in_debug_builds() {
        let (store, _reader) = open(&Location::memory(), Options::default()).unwrap();
        let insert = "INSERT INTO tasks (seq, uuid, lane_id, state, priority, attempt,
             created_at, ended_at) VALUES (1, zeroblob(16), 1, 7, 0, 1, 1, 2)";
        store.writer.connection.execute_batch(insert).unwrap();
        let change = store.writer.connection.execute_batch("UPDATE tasks SET ended_at = 3");
        assert_eq!(change.is_err(), cfg!(debug_assertions));
    }
}
