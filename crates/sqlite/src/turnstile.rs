//! The order in which the owners of one file take its write lock.
//!
//! SQLite's lock goes to whoever asks at the right moment; a busy process could starve the others.
//! So an owner passes a turnstile first, and stays in it until it has the write lock: whoever has
//! just written has to queue behind the one that waits there.
//!
//! # Promises
//! - Nobody starves while the others are busy (`tests/shared.rs` measures it).
//! - The turnstile never decides who may write: SQLite's lock does. Where two owners meet at
//!   different files, or one is passed by because it was stopped inside, only fairness is lost.
//! - Opening and closing happen inside it, so that no open meets a half-made or half-removed file.
//!
//! Proof: `tests/shared.rs`, the storm.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tasker_core::error::{Error, Result};

use crate::error;
use crate::identity::Identity;
use crate::place::Home;

/// Between two tries.
const PAUSE: Duration = Duration::from_micros(200);

/// How long to wait for whoever is inside: longer than any turn, unless its process is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// About a quarter of a second.
    Turn = 1_000,
    /// About five seconds.
    Open = 20_000,
}

/// A turnstile beside the database; a database in memory has none.
#[derive(Debug)]
pub(crate) struct Turnstile {
    path: Option<PathBuf>,
    file: Option<File>,
    /// Whether we made the file.
    is_maker: bool,
}

impl Turnstile {
    /// The turnstile of a database; nothing is made yet.
    pub(crate) fn of(home: &Home) -> Turnstile {
        let path = (!home.is_memory()).then(|| beside(&home.path));
        Turnstile { path, file: None, is_maker: false }
    }

    /// Waits until nobody else is in it, and enters; false when its patience ends before that. The
    /// caller goes on in both cases, and `leave` is right in both.
    ///
    /// # Errors
    /// What the system says if the file cannot be made.
    pub(crate) fn enter(&mut self, patience: Patience) -> Result<bool> {
        let Some(path) = self.path.clone() else { return Ok(true) };
        for _ in 0..patience as u32 {
            let file = self.file(&path)?;
            match file.try_lock() {
                Ok(()) if Identity::of_file(file) == Identity::of_path(&path) => return Ok(true),
                // The last owner removed it when it closed.
                Ok(()) => self.file = None,
                Err(TryLockError::WouldBlock) => pause(),
                Err(TryLockError::Error(e)) => return Err(cannot(e, &path)),
            }
        }
        tracing::warn!("a process is stopped inside the turnstile; it is passed by");
        Ok(false)
    }

    /// Lets the next one in.
    pub(crate) fn leave(&self) {
        if let Some(file) = &self.file
            && let Err(error) = file.unlock()
        {
            tracing::warn!(%error, "the turnstile could not be left");
        }
    }

    /// Removes it from within; nobody else has the database open.
    pub(crate) fn remove(&mut self) {
        if let (Some(path), Some(_)) = (&self.path, self.file.take()) {
            // If it stays, the next open uses it.
            let _ = fs::remove_file(path);
        }
    }

    /// An open failed: takes back what it made.
    pub(crate) fn give_up(&mut self) {
        if self.is_maker {
            self.remove();
        }
        self.file = None;
    }

    fn file(&mut self, path: &Path) -> Result<&File> {
        if self.file.is_none() {
            let made = File::options().write(true).create_new(true).open(path);
            self.is_maker = made.is_ok();
            let old = || File::options().write(true).create(true).truncate(false).open(path);
            self.file = Some(made.or_else(|_| old()).map_err(|e| cannot(e, path))?);
        }
        self.file.as_ref().ok_or_else(|| Error::bug("a turnstile without a file"))
    }
}

#[expect(clippy::disallowed_methods, reason = "no signal of another process can be waited for")]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// What a call does while another process has SQLite's own lock: 100 µs first, then 1 ms, for about
/// five seconds. A longer sleep would let the lock go by.
#[expect(clippy::disallowed_methods, reason = "SQLite asks what to do while a lock is held")]
pub(crate) fn wait_for_lock(tries: i32) -> bool {
    let pause = if tries < 200 { Duration::from_micros(100) } else { Duration::from_millis(1) };
    std::thread::sleep(pause);
    tries < 5_000
}

fn cannot(error: std::io::Error, path: &Path) -> Error {
    error::of_io(error, &format!("{} cannot be made", path.display()))
}

fn beside(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push("-turn");
    PathBuf::from(name)
}
