//! Who is alive, and whose runs are orphans.
//!
//! An *owner* is one open handle. It has a row in the database and a lock file beside it that the
//! kernel unlocks however the process ends, so death is known and never guessed by a clock.
//!
//! # Promises
//! - While an owner lives, its runs are not given to anyone else (I-5).
//! - An owner is forgotten only when none of its runs is live (I-4).
//! - A lock file's name is random and never used again, so a dead owner cannot seem alive.
//!
//! Lock files are made and removed outside, rows inside a write transaction; a lock file without a
//! row that nobody holds is swept at the next open.
//!
//! # Left to others
//! What becomes of an orphan is decided by the engine.
//!
//! Proof: `tests/owner.rs`, `conformance::orphans`, `storm`.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::OwnerId;

use crate::place::{Home, random};
use crate::{error, sql};

/// What stands between the name of the database and the random part of a lock file's name.
const MARK: &str = "-owner-";

/// A lock file of our own, held as long as this lives and removed with it.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _held: File,
}

impl Lock {
    /// Makes and holds a new lock file beside the database.
    pub(crate) fn take(home: &Home) -> Result<Lock> {
        let path = beside(&home.path, &format!("{:016x}", random()?));
        let cannot = |e| error::of_io(e, &format!("{} cannot be made", path.display()));
        let file = File::options().write(true).create_new(true).open(&path).map_err(cannot)?;
        // Nobody holds a new name for longer than a sweep takes to look at it.
        file.lock().map_err(cannot)?;
        Ok(Lock { path, _held: file })
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

/// An owner that has died and whose runs are not yet all given back.
#[derive(Clone, Debug)]
pub(crate) struct Dead {
    pub(crate) id: OwnerId,
    lock_file: PathBuf,
}

impl Dead {
    /// Removes the lock file of an owner whose row is gone for good.
    pub(crate) fn bury(self) {
        // If it stays, it is free, and the next open sweeps it.
        let _ = fs::remove_file(self.lock_file);
    }
}

/// Forgets an owner if it has no live run; tells whether it did. Inside a transaction.
pub(crate) fn forget(writer: &Connection, id: OwnerId) -> Result<bool> {
    let mut statement = writer.prepare_cached(sql::OWNER_FORGET).map_err(error::of)?;
    Ok(statement.execute([id.0 as i64]).map_err(error::of)? > 0)
}

/// What registering found.
#[derive(Debug)]
pub(crate) struct Registered {
    /// Our own number.
    pub(crate) id: OwnerId,
    /// The lock that says we live; a database in memory needs none.
    pub(crate) lock: Option<Lock>,
    /// Owners that died and left live runs.
    pub(crate) dead: Vec<Dead>,
}

/// The lock file of a new handle; a database in memory needs none.
pub(crate) fn lock(home: &Home) -> Result<Option<Lock>> {
    if home.is_memory() { Ok(None) } else { Lock::take(home).map(Some) }
}

/// Registers this handle, unless a living one holds the file.
///
/// # Errors
/// `Locked` with the pid of the living owner; nothing is registered then.
pub(crate) fn register(writer: &Connection, home: &Home, lock: Option<Lock>) -> Result<Registered> {
    writer.execute_batch(sql::BEGIN).map_err(error::of)?;
    match enroll(writer, home, lock) {
        Ok((registered, forgotten)) => {
            writer.execute_batch(sql::COMMIT).map_err(error::of)?;
            forgotten.into_iter().for_each(Dead::bury);
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
fn enroll(
    writer: &Connection,
    home: &Home,
    mut lock: Option<Lock>,
) -> Result<(Registered, Vec<Dead>)> {
    let others = others(writer, home)?;
    if let Some(held) = &lock
        && !held.path.exists()
    {
        // Another open swept it in the moment between making and locking it.
        lock = Some(Lock::take(home)?);
    }
    if lock.is_some() {
        sweep(&home.path, &others)?;
    }
    let (mut dead, mut forgotten) = (Vec::new(), Vec::new());
    for other in others {
        if forget(writer, other.id)? { forgotten.push(other) } else { dead.push(other) }
    }
    let name = lock.as_ref().map(Lock::name).unwrap_or_default();
    let me = Process::current();
    writer.execute(sql::OWNER, (me.boot_id, me.pid, me.started_at, name)).map_err(error::of)?;
    let id = OwnerId(writer.last_insert_rowid() as u64);
    Ok((Registered { id, lock, dead }, forgotten))
}

/// Every other owner, all dead.
fn others(writer: &Connection, home: &Home) -> Result<Vec<Dead>> {
    let mut statement = writer.prepare(sql::OWNERS).map_err(error::of)?;
    let me = Process::current();
    let mut rows = statement.query((me.boot_id, me.pid, me.started_at)).map_err(error::of)?;
    let mut dead = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        let id = OwnerId(row.get::<_, i64>(0).map_err(error::of)? as u64);
        let pid: u32 = row.get(1).map_err(error::of)?;
        let name: String = row.get(2).map_err(error::of)?;
        let lock_file = named(&home.path, &name)?;
        if is_held(&lock_file)? {
            let is_ours = row.get(3).map_err(error::of)?;
            return Err(locked(home, pid, is_ours));
        }
        dead.push(Dead { id, lock_file });
    }
    Ok(dead)
}

/// The refusal of a second handle. That it is the same process is easy to miss from a pid alone.
fn locked(home: &Home, pid: u32, is_ours: bool) -> Error {
    let name = home.name();
    let message = if is_ours {
        format!("{name} is open in this process (pid {pid}) already; use that handle or close it")
    } else {
        format!("{name} is in use by process {pid}; close it there")
    };
    Error::new(Code::Locked, message).with_pid(pid)
}

/// Removes free lock files that no row names: of an open or a close that was killed half-way.
fn sweep(database: &Path, named: &[Dead]) -> Result<()> {
    let Some(folder) = database.parent() else { return Ok(()) };
    let prefix = format!("{}{MARK}", file_name(database));
    let entries = fs::read_dir(folder).map_err(|e| error::of_io(e, "the folder cannot be read"))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_ours = file_name(&path).strip_prefix(&prefix).is_some_and(is_random_part);
        let is_known = named.iter().any(|other| other.lock_file == path);
        if is_ours && !is_known && !is_held(&path)? {
            // If it stays, the next open tries again.
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// Whether a living process holds the lock file; a missing one is held by nobody.
fn is_held(path: &Path) -> Result<bool> {
    let file = match File::options().write(true).open(path) {
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

fn beside(database: &Path, random: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(MARK);
    name.push(random);
    PathBuf::from(name)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The facts of our process, for messages.
struct Process {
    boot_id: String,
    pid: u32,
    started_at: Option<i64>,
}

impl Process {
    fn current() -> Process {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let started_at = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| ticks(&stat));
        Process { boot_id: boot_id.trim().into(), pid: std::process::id(), started_at }
    }
}

/// When a process started, in ticks since boot: the 22nd field, counted after the name in brackets.
fn ticks(stat: &str) -> Option<i64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_read_behind_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(ticks(stat), Some(4711));
    }

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
