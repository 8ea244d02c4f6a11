//! A copy of the database in a file of its own.
//!
//! # Promises
//! - The copy is the database as of one commit, however many are made meanwhile; no writer waits
//!   for it but as for any long read: a moment when the log must begin anew, and twice as long each
//!   time when it has grown by half.
//!   It is brought to the disk in portions: a writer's sync that meets one waits for no more.
//! - It gets its name when it is on disk and its books were found to balance. Until then, and after
//!   a fault, what had the name before has it.
//! - Only a database of ours that nobody has open is replaced.
//! - Whoever opens the copy finds no living owner in it: the runs of those that were live are given
//!   back as after a crash.
//! - It has the mode and the owner of the database, as far as the system lets us.
//!
//! # Left to others
//! That the log cannot be written back while the copy is made: who copies often has it grow.
//!
//! Proof: `tests/backup.rs`, `__test__/contract/file.test.mjs`.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use tasker_core::error::{Code, Error, Result};
use tasker_core::reader::Interrupted;

use crate::audit;
use crate::location::{DatabaseFile, Location, beside};
use crate::{error, migrate, owner, side_file, sql};

/// What stands behind the name of a copy that is not finished.
const PARTIAL: &str = ".partial";
/// How many steps of a statement are made between two looks at whether it goes on.
pub(crate) const STEPS_BETWEEN_LOOKS: i32 = 100_000;
/// How much of a copy is written before it is brought to the disk.
const PORTION_BYTES: u64 = 8 * 1024 * 1024;

/// Copies what a reader's connection sees now.
pub(crate) fn make(
    connection: &mut Connection,
    database: &DatabaseFile,
    to: &Path,
    interrupted: &Interrupted,
) -> Result<()> {
    let to = target(database, to)?;
    let partial = Partial::make(&to, database)?;
    copy(connection, &partial, interrupted)?;
    check(&partial.path, &to, interrupted)?;
    partial.finish(&to)
}

/// Where the copy goes, if it may.
fn target(database: &DatabaseFile, to: &Path) -> Result<PathBuf> {
    let target = DatabaseFile::find(&Location::file(to)?)?;
    let shown = target.path.display();
    let refuse = |what: &str| Err(Error::invalid("path", format!("{shown} {what}")));
    if target.path == database.path {
        return refuse("is the database itself; give the copy another name");
    }
    if owner::is_in_use(&target.path)? || beside(&target.path, "-wal").exists() {
        return refuse("is a database that is open, or was not closed; give the copy another name");
    }
    migrate::inspect(&target).map_err(|e| {
        Error::invalid("path", format!("{shown} would be replaced, and is no copy of ours"))
            .with_source(e)
    })?;
    Ok(target.path)
}

/// Writes the copy.
fn copy(connection: &mut Connection, partial: &Partial, interrupted: &Interrupted) -> Result<()> {
    let name = partial.path.to_str().ok_or_else(|| {
        Error::invalid("path", format!("{} is no Unicode text", partial.path.display()))
    })?;
    let portions = Arc::new(Portions::of(partial)?);
    let both: Interrupted = {
        let (look, portions) = (Interrupted::clone(interrupted), Arc::clone(&portions));
        Arc::new(move || look() || portions.fail_to_sync())
    };
    // SQLite writes the copy as a database beside ours, which a reader may not have otherwise.
    let limit = connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1).map_err(error::of)?;
    let copied = interruptible(connection, &both, |connection| {
        connection.pragma_update(None, "query_only", false).map_err(error::of)?;
        connection.execute(sql::BACK_UP, [name]).map_err(error::of)
    });
    connection.pragma_update(None, "query_only", true).map_err(error::of)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, limit).map_err(error::of)?;
    match portions.fault().take() {
        Some(fault) => Err(partial.unfinished(fault)),
        None => copied.map(drop),
    }
}

/// Brings a copy to the disk while it grows. All at once at its end it would keep the disk from
/// every writer for as long as that takes: seconds for a gigabyte.
struct Portions {
    file: File,
    synced: AtomicU64,
    fault: Mutex<Option<io::Error>>,
}

impl Portions {
    fn of(partial: &Partial) -> Result<Self> {
        let file = partial.file.try_clone().map_err(|e| partial.unfinished(e))?;
        Ok(Self { file, synced: AtomicU64::new(0), fault: Mutex::default() })
    }

    /// Syncs if a portion was written; true if that failed, which must not go unseen: the system
    /// tells a fault once.
    fn fail_to_sync(&self) -> bool {
        let synced = self.file.metadata().map(|metadata| metadata.len()).and_then(|len| {
            if len < self.synced.load(Relaxed) + PORTION_BYTES {
                return Ok(());
            }
            self.synced.store(len, Relaxed);
            self.file.sync_data()
        });
        let fault = synced.err();
        let has_failed = fault.is_some();
        if has_failed {
            *self.fault() = fault;
        }
        has_failed
    }

    fn fault(&self) -> MutexGuard<'_, Option<io::Error>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the copy one that nobody has open, and refuses it if something is wrong with it.
fn check(partial: &Path, to: &Path, interrupted: &Interrupted) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(partial, flags).map_err(error::of)?;
    copy.execute(sql::OWNERS_ELSEWHERE, [owner::lock_prefix(to)]).map_err(error::of)?;
    let audit = interruptible(&mut copy, interrupted, |copy| audit::of(copy))?;
    match audit.faults.first() {
        None => Ok(()),
        Some(fault) => Err(error::corrupt(&format!("its copy is not sound: {fault}"))),
    }
}

/// Does something with a connection that ends with `Closed` when it is interrupted.
pub(crate) fn interruptible<T>(
    connection: &mut Connection,
    interrupted: &Interrupted,
    work: impl FnOnce(&mut Connection) -> Result<T>,
) -> Result<T> {
    let look = Interrupted::clone(interrupted);
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || look())).map_err(error::of)?;
    let done = work(connection);
    connection.progress_handler(0, None::<fn() -> bool>).map_err(error::of)?;
    done
}

/// A copy that is not finished; removed unless it will be.
struct Partial {
    path: PathBuf,
    /// Held, so that another copy to the same name is not made meanwhile.
    file: File,
    is_finished: bool,
}

impl Partial {
    fn make(to: &Path, database: &DatabaseFile) -> Result<Partial> {
        let mut path = to.as_os_str().to_owned();
        path.push(PARTIAL);
        let path = PathBuf::from(path);
        let failed = |e| error::of_io(e, &format!("{} cannot be made", path.display()));
        if is_stale(&path)? {
            fs::remove_file(&path).map_err(failed)?;
        }
        let file = side_file::create_like(&path, &database.path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Partial { path, file, is_finished: false })
    }

    /// Puts the copy in its place for good.
    fn finish(mut self, to: &Path) -> Result<()> {
        self.file.sync_all().map_err(|e| self.unfinished(e))?;
        fs::rename(&self.path, to).map_err(|e| self.unfinished(e))?;
        self.is_finished = true;
        sync_folder(to).map_err(|e| self.unfinished(e))
    }

    fn unfinished(&self, fault: io::Error) -> Error {
        error::of_io(fault, &format!("{} cannot be finished", self.path.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_finished {
            // What stays is replaced by the next copy.
            let _ = fs::remove_file(&self.path);
            let _ = fs::remove_file(beside(&self.path, "-journal"));
        }
    }
}

/// Whether an unfinished copy is left of a process that died; refuses one that is being made.
fn is_stale(path: &Path) -> Result<bool> {
    let file = match side_file::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(error::of_io(e, &format!("{} cannot be opened", path.display()))),
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => {
            let message = format!("{} is being written by another backup", path.display());
            Err(Error::new(Code::Busy, message))
        }
        Err(TryLockError::Error(e)) => {
            Err(error::of_io(e, &format!("{} cannot be locked", path.display())))
        }
    }
}

/// Makes a new name in a folder survive a power cut, where folders can be synced.
fn sync_folder(file: &Path) -> io::Result<()> {
    if cfg!(unix)
        && let Some(folder) = file.parent()
    {
        return File::open(folder)?.sync_all();
    }
    Ok(())
}
