//! A fair lock: the order in which the owners of one file take its write lock.
//!
//! SQLite's lock goes to whoever asks at the right moment; a busy process could starve the others.
//! So an owner takes this lock first and holds it until it has the write lock: whoever has just
//! written has to queue behind the one that waits there.
//!
//! # Promises
//! - Nobody starves while the others are busy (`tests/shared.rs` measures it).
//! - The queue never decides who may write: SQLite's lock does. Where two owners meet at different
//!   files, or one goes on without the lock because its holder was stopped, only fairness is lost.
//! - Opening and closing happen under this lock, so that no open meets a half-made or half-removed
//!   file.
//!
//! Proof: `tests/shared.rs`, the storm.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use tasker_core::error::{Code, Error, Result};

use crate::identity::Identity;
use crate::location::{DatabaseFile, beside};
use crate::{error, side_file, sql};

/// How the name of the lock goes on after that of the database.
const SUFFIX: &str = "-lock";
/// Between two tries.
const PAUSE: Duration = Duration::from_micros(200);

/// How often to wait for five seconds while somebody makes an index.
const TRIES: u32 = 60;

/// How often to try until the holder counts as stopped: longer than any turn takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LockTimeout {
    /// About a quarter of a second.
    Turn = 1_000,
    /// About five seconds.
    Open = 20_000,
}

/// The fair lock beside a database; a database in memory has none.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    paths: Option<Paths>,
    file: Option<File>,
    /// Whether we made the file.
    is_maker: bool,
}

#[derive(Clone, Debug)]
struct Paths {
    lock: PathBuf,
    database: PathBuf,
}

impl WriteQueue {
    /// The queue of a database; nothing is made yet.
    pub(crate) fn of(database: &DatabaseFile) -> WriteQueue {
        let path = &database.path;
        let paths = || Paths { lock: beside(path, SUFFIX), database: path.clone() };
        let paths = (!database.is_memory()).then(paths);
        WriteQueue { paths, file: None, is_maker: false }
    }

    /// Waits until nobody else has the lock, and takes it; false if it was not free in time. The
    /// caller goes on in both cases, and `unlock` is right in both.
    ///
    /// # Errors
    /// What the system says if the file cannot be opened or made.
    pub(crate) fn lock(&mut self, timeout: LockTimeout) -> Result<bool> {
        let Some(paths) = self.paths.clone() else { return Ok(true) };
        for _ in 0..timeout as u32 {
            let file = self.file(&paths)?;
            match file.try_lock() {
                Ok(()) if Identity::of_file(file) == Identity::of_path(&paths.lock) => {
                    return Ok(true);
                }
                // The last owner removed it when it closed.
                Ok(()) => self.file = None,
                Err(TryLockError::WouldBlock) => pause(),
                Err(TryLockError::Error(e)) => {
                    return Err(failed(e, &paths));
                }
            }
        }
        tracing::warn!(
            "the fair lock is held by a stopped process or for an index; going on without"
        );
        Ok(false)
    }

    /// Lets the next one go on.
    pub(crate) fn unlock(&self) {
        if let Some(file) = &self.file
            && let Err(error) = file.unlock()
        {
            tracing::warn!(%error, "the fair lock could not be released");
        }
    }

    /// Removes the file while we hold the lock and nobody else has the database open.
    pub(crate) fn remove(&mut self) {
        if let (Some(paths), Some(_)) = (&self.paths, self.file.take()) {
            // If it stays, the next open uses it.
            let _ = fs::remove_file(&paths.lock);
        }
    }

    /// An open failed: takes back what it made.
    pub(crate) fn undo(&mut self) {
        if self.is_maker {
            self.remove();
        }
        self.file = None;
    }

    fn file(&mut self, paths: &Paths) -> Result<&File> {
        if self.file.is_none() {
            let opened = side_file::open_or_create(&paths.lock, &paths.database);
            let (file, is_made) = opened.map_err(|e| failed(e, paths))?;
            self.is_maker = is_made;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| Error::bug("a queue without a file"))
    }
}

#[expect(clippy::disallowed_methods, reason = "no signal of another process can be waited for")]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// Begins a transaction that writes; `is_in_turn` says whether we hold the fair lock. Whoever holds
/// that and the write lock too is making an index, which is worth the wait.
///
/// # Errors
/// `Busy` after some five seconds, or some five minutes for an index.
pub(crate) fn begin_write(connection: &Connection, is_in_turn: bool) -> Result<()> {
    let mut tries = 1;
    loop {
        let begun = connection.prepare_cached(sql::BEGIN).and_then(|mut begin| begin.execute([]));
        match begun.map_err(error::of) {
            Err(error) if error.code() == Code::Busy && !is_in_turn && tries < TRIES => tries += 1,
            begun => return begun.map(drop),
        }
    }
}

/// What a call does while another process has SQLite's own lock: 100 µs first, then 1 ms, for about
/// five seconds. A longer sleep would let the lock go by.
#[expect(clippy::disallowed_methods, reason = "SQLite asks what to do while a lock is held")]
pub(crate) fn wait_for_lock(tries: i32) -> bool {
    let pause = if tries < 200 { Duration::from_micros(100) } else { Duration::from_millis(1) };
    std::thread::sleep(pause);
    tries < 5_000
}

fn failed(error: std::io::Error, paths: &Paths) -> Error {
    side_file::failed(error, &paths.lock, &paths.database)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    static TRIED: AtomicU32 = AtomicU32::new(0);

    fn give_up(_tries: i32) -> bool {
        TRIED.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Its holder is a process that lives and works: one that was stopped holds one lock at most.
    #[test]
    fn a_lock_that_is_held_with_the_fair_lock_is_waited_for_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.db");
        let holder = Connection::open(&path).unwrap();
        let mut other = Connection::open(&path).unwrap();
        other.busy_handler(Some(give_up)).unwrap();
        begin_write(&holder, true).unwrap();
        for (is_in_turn, tries) in [(true, 1), (false, TRIES)] {
            TRIED.store(0, Ordering::Relaxed);
            assert_eq!(begin_write(&other, is_in_turn).unwrap_err().code(), Code::Busy);
            assert_eq!(TRIED.load(Ordering::Relaxed), tries);
        }
        holder.execute_batch(sql::ROLLBACK).unwrap();
        begin_write(&other, false).unwrap();
    }
}
