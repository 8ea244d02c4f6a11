//! Who is alive, and whose runs are orphans.
//!
//! An *owner* is one open handle. It has a row in the database and a lock file beside it that the
//! kernel unlocks however the process ends, so death is known and never guessed by a clock.
//!
//! # Promises
//! - While an owner lives, its runs are not given to anyone else (I-5).
//! - An owner is forgotten only when none of its runs is live (I-4).
//! - A lock file's name is random and never used again, so a dead owner cannot seem alive.
//! - An owner that wants the file for itself is alone with it or not there at all; those of a test
//!   are alone with it together.
//! - A second copy of tasker in this process is refused before it touches the database (F-9).
//!
//! Lock files are made and removed outside, rows inside a write transaction; a lock file without a
//! row that nobody holds is swept at the next open.
//!
//! # Left to others
//! What becomes of an orphan is decided by the engine.
//!
//! Proof: `tests/owner.rs`, `conformance::orphans`, `storm`.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::OwnerId;

use crate::identity::Identity;
use crate::location::{DatabaseFile, beside};
use crate::notifier::{self, Notifier};
use crate::process::{self, Process};
use crate::temporary::random;
use crate::write_queue::begin_write;
use crate::{error, side_file, sql};

/// What stands between the name of the database and the random part of a lock file's name.
const MARK: &str = "-owner-";

/// A lock file of our own, held as long as this lives and removed with it.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(crate) path: PathBuf,
    held: File,
}

impl Lock {
    /// Makes and holds a new lock file beside the database.
    pub(crate) fn take(database: &DatabaseFile) -> Result<Lock> {
        let path = beside(&database.path, &format!("{MARK}{:016x}", random()?));
        debug_assert!(
            named(&database.path, &file_name(&path)).is_ok_and(|found| found == path),
            "nobody would find the lock file that says that we live (I-5)"
        );
        let cannot = |e| side_file::failed(e, &path, &database.path);
        let mut file = side_file::create(&path, &database.path).map_err(cannot)?;
        // Nobody holds a new name for longer than a sweep takes to look at it.
        file.lock().map_err(cannot)?;
        let lock = Lock { path: path.clone(), held: file.try_clone().map_err(cannot)? };
        file.write_all(process::line()?.as_bytes()).map_err(cannot)?;
        Ok(lock)
    }

    /// Refuses to go on without it: whoever does not find it takes us for dead and our runs for
    /// lost.
    pub(crate) fn check(&self) -> Result<()> {
        if Identity::of_path(&self.path) == Identity::of_file(&self.held) {
            return Ok(());
        }
        let message =
            "was removed while the database was open, so others take this handle for dead";
        Err(Error::new(Code::Io, format!("{} {message}; open it again", self.path.display())))
    }

    fn name(&self) -> String {
        file_name(&self.path)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it stays, it is free, and the next open sweeps it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Another owner that lives.
#[derive(Clone, Debug)]
pub(crate) struct LiveOwner {
    pid: u32,
    /// Whether its process is ours.
    is_ours: bool,
    is_exclusive: bool,
    pub(crate) lock_file: PathBuf,
}

/// An owner that has died and whose runs are not yet all given back.
#[derive(Clone, Debug)]
pub(crate) struct DeadOwner {
    pub(crate) id: OwnerId,
    lock_file: PathBuf,
}

/// Every other owner.
#[derive(Debug, Default)]
pub(crate) struct OtherOwners {
    pub(crate) living: Vec<LiveOwner>,
    pub(crate) dead: Vec<DeadOwner>,
}

impl DeadOwner {
    /// Removes the lock file of an owner whose row is gone for good.
    pub(crate) fn remove_files(self) {
        // What stays is free, and the next open sweeps it.
        let _ = fs::remove_file(notifier::socket_of(&self.lock_file));
        let _ = fs::remove_file(self.lock_file);
    }
}

/// Forgets an owner if it has no live run; tells whether it did. Inside a transaction.
pub(crate) fn forget(writer: &Connection, id: OwnerId) -> Result<bool> {
    debug_assert!(!writer.is_autocommit(), "an owner is forgotten with its last run (I-4)");
    let mut statement = writer.prepare_cached(sql::OWNER_FORGET).map_err(error::of)?;
    let rows = statement.execute([id.0 as i64]).map_err(error::of)?;
    debug_assert!(rows <= 1, "two owners have the number {}", id.0);
    Ok(rows > 0)
}

/// What registering found.
#[derive(Debug)]
pub(crate) struct Registered {
    /// Our own number.
    pub(crate) id: OwnerId,
    /// The lock that says we live; a database in memory needs none.
    pub(crate) lock: Option<Lock>,
    /// What wakes us when another owner has committed.
    pub(crate) notifier: Option<Notifier>,
    /// The others; of the dead only those that left live runs.
    pub(crate) others: OtherOwners,
}

/// The lock file of a new handle; a database in memory needs none.
pub(crate) fn lock(database: &DatabaseFile) -> Result<Option<Lock>> {
    if database.is_memory() { Ok(None) } else { Lock::take(database).map(Some) }
}

/// Refuses a database that another copy of tasker in this process has open. Before anything else:
/// as soon as a second SQLite closes the file, the locks of the first are gone (F-9).
///
/// # Errors
/// `FileShared`; the database has not been touched.
pub(crate) fn refuse_other_copies(database: &DatabaseFile) -> Result<()> {
    for path in lock_files(&database.path)? {
        let line = fs::read_to_string(&path).unwrap_or_default();
        if process::is_other_copy(&line) && is_held(&path)? {
            return Err(file_shared(database, "another copy of tasker has it open"));
        }
    }
    Ok(())
}

/// The refusal of a file that something else in this process has open.
pub(crate) fn file_shared(database: &DatabaseFile, what: &str) -> Error {
    let advice = "which would lose its locks when either closes it; use one copy of tasker, and \
                  no other SQLite library or file stream on this file";
    let message = format!("{} is open in this process already: {what}, {advice}", database.name());
    Error::new(Code::FileShared, message).with_pid(std::process::id())
}

/// Registers this handle, and wakes the others so that they know of it.
///
/// # Errors
/// `Locked` with the pid of a living owner, if it or we want the file alone; nothing is registered
/// then.
pub(crate) fn register(
    writer: &Connection,
    database: &DatabaseFile,
    lock: Option<Lock>,
    (is_exclusive, is_in_turn): (bool, bool),
) -> Result<Registered> {
    debug_assert_eq!(lock.is_some(), !database.is_memory(), "nobody would know that we live");
    begin_write(writer, is_in_turn)?;
    match add_row(writer, database, lock, is_exclusive) {
        Ok((registered, forgotten)) => {
            writer.execute_batch(sql::COMMIT).map_err(error::of)?;
            forgotten.into_iter().for_each(DeadOwner::remove_files);
            notify(registered.notifier.as_ref(), &registered.others.living);
            Ok(registered)
        }
        Err(error) => {
            // What matters is the first error; the connection is dropped next.
            let _ = writer.execute_batch(sql::ROLLBACK);
            Err(error)
        }
    }
}

/// Inside the transaction: looks at every other owner, then adds our row.
fn add_row(
    writer: &Connection,
    database: &DatabaseFile,
    mut lock: Option<Lock>,
    is_exclusive: bool,
) -> Result<(Registered, Vec<DeadOwner>)> {
    let OtherOwners { living, dead: found } = others(writer, database, None)?;
    let is_of_test = database.test.is_some();
    // Those of a test have its file alone, together.
    let refuses = |other: &&LiveOwner| {
        if is_of_test { !other.is_exclusive } else { is_exclusive || other.is_exclusive }
    };
    if let Some(other) = living.iter().find(refuses) {
        return Err(locked(database, other));
    }
    for other in &living {
        side_file::check_access(&other.lock_file, &database.path)?;
    }
    if let Some(held) = &lock
        && !held.path.exists()
    {
        // Another open swept it in the moment between making and locking it.
        lock = Some(Lock::take(database)?);
    }
    if lock.is_some() {
        sweep(&database.path, &living, &found)?;
    }
    let (mut dead, mut forgotten) = (Vec::new(), Vec::new());
    for other in found {
        if forget(writer, other.id)? { forgotten.push(other) } else { dead.push(other) }
    }
    let name = lock.as_ref().map(Lock::name).unwrap_or_default();
    let me = Process::current();
    let row = (me.boot_id, me.pid, me.started_at, name, is_exclusive || is_of_test);
    writer.execute(sql::OWNER, row).map_err(error::of)?;
    let id = OwnerId(writer.last_insert_rowid() as u64);
    debug_assert!(dead.iter().all(|dead| dead.id < id), "the number of an owner is used again");
    let notifier = lock.as_ref().and_then(|lock| Notifier::bind(&lock.path));
    Ok((Registered { id, lock, notifier, others: OtherOwners { living, dead } }, forgotten))
}

/// Every owner but `me`. One of whom nothing can be said, because no file can be opened just now,
/// counts as living: its runs stay its own (I-5).
pub(crate) fn others(
    writer: &Connection,
    database: &DatabaseFile,
    me: Option<OwnerId>,
) -> Result<OtherOwners> {
    let mut statement = writer.prepare_cached(sql::OWNERS).map_err(error::of)?;
    let here = Process::current();
    let asked = (here.boot_id, here.pid, here.started_at, me.map_or(0, |id| id.0 as i64));
    let mut rows = statement.query(asked).map_err(error::of)?;
    let mut others = OtherOwners::default();
    while let Some(row) = rows.next().map_err(error::of)? {
        let id = OwnerId(row.get::<_, i64>(0).map_err(error::of)? as u64);
        let name: String = row.get(2).map_err(error::of)?;
        let lock_file = named(&database.path, &name)?;
        if is_held(&lock_file).unwrap_or(true) {
            let (pid, is_ours) = (row.get(1).map_err(error::of)?, row.get(3).map_err(error::of)?);
            let is_exclusive = row.get(4).map_err(error::of)?;
            others.living.push(LiveOwner { pid, is_ours, is_exclusive, lock_file });
        } else {
            others.dead.push(DeadOwner { id, lock_file });
        }
    }
    Ok(others)
}

/// Wakes the other owners.
pub(crate) fn notify(notifier: Option<&Notifier>, others: &[LiveOwner]) {
    if let Some(notifier) = notifier {
        others.iter().for_each(|other| notifier.notify(&other.lock_file));
    }
}

/// The refusal where one owner wants the file alone. That it is the same process is easy to miss
/// from a pid alone.
fn locked(database: &DatabaseFile, other: &LiveOwner) -> Error {
    let (name, pid) = (database.name(), other.pid);
    let holder = if other.is_ours {
        format!("is open in this process (pid {pid}) already")
    } else {
        format!("is in use by process {pid}")
    };
    let whose =
        if other.is_exclusive { "which wants it alone" } else { "and `exclusive` was asked" };
    Error::new(Code::Locked, format!("{name} {holder}, {whose}; close it there")).with_pid(pid)
}

/// Removes free lock files that no row names: of an open or a close that was killed half-way.
fn sweep(database: &Path, living: &[LiveOwner], dead: &[DeadOwner]) -> Result<()> {
    for path in lock_files(database)? {
        let is_known = living.iter().any(|other| other.lock_file == path)
            || dead.iter().any(|other| other.lock_file == path);
        // One of which nothing can be said stays where it is.
        if !is_known && !is_held(&path).unwrap_or(true) {
            // What stays, the next open tries again.
            let _ = fs::remove_file(notifier::socket_of(&path));
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// Every lock file beside a database, whoever made it; a socket whose lock file is gone counts too.
fn lock_files(database: &Path) -> Result<Vec<PathBuf>> {
    let Some(folder) = database.parent() else { return Ok(Vec::new()) };
    let prefix = lock_prefix(database);
    let entries = fs::read_dir(folder).map_err(|e| error::of_io(e, "the folder cannot be read"))?;
    let names = entries.flatten().map(|entry| file_name(&entry.path()));
    let mut files: Vec<PathBuf> = names
        .filter_map(|name| {
            let lock = name.strip_suffix(notifier::SUFFIX).unwrap_or(&name);
            let is_ours = lock.strip_prefix(&prefix).is_some_and(is_random_part);
            is_ours.then(|| folder.join(lock))
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// Whether a living process has a database open.
pub(crate) fn is_in_use(database: &Path) -> Result<bool> {
    for lock in lock_files(database)? {
        if is_held(&lock)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How the names of the lock files of a database begin.
pub(crate) fn lock_prefix(database: &Path) -> String {
    format!("{}{MARK}", file_name(database))
}

/// Whether a living process holds the lock file; a missing one is held by nobody.
fn is_held(path: &Path) -> Result<bool> {
    let file = match side_file::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(error::of_io(e, &format!("{} cannot be read", path.display()))),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => {
            Err(error::of_io(e, &format!("{} cannot be locked", path.display())))
        }
    }
}

/// The lock file that a row names, in the folder of the database; a name that is not one of ours is
/// corrupt, so that a damaged row cannot make us touch another file.
fn named(database: &Path, name: &str) -> Result<PathBuf> {
    match name.rsplit_once(MARK) {
        Some((stem, random)) if is_random_part(random) && file_name(Path::new(stem)) == stem => {
            Ok(database.with_file_name(name))
        }
        _ => Err(error::corrupt("an owner has no lock file's name")),
    }
}

fn is_random_part(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_row_cannot_name_another_file() {
        let database = Path::new("/data/tasks.db");
        for name in ["", "tasks.db", "../x-owner-0123456789abcdef", "x-owner-../../etc/passwd"] {
            assert_eq!(named(database, name).unwrap_err().code(), Code::Corrupt, "{name}");
        }
        let good = named(database, "old.db-owner-0123456789abcdef").unwrap();
        assert_eq!(good, Path::new("/data/old.db-owner-0123456789abcdef"));
    }
}
