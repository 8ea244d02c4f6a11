//! Where the database lies, under one name.
//!
//! # Promises
//! - A relative path is taken from the working directory of the call that names it, not of the
//!   later opening.
//! - Two paths to one file meet at the same lock files: symbolic links are resolved, and a file
//!   with several hard links is refused, because SQLite names its log after the path (F-18).
//! - A file that was moved, replaced or deleted while open is noticed at the next turn (F-18).
//! - A folder on a network file system is refused where the system names it (F-17).
//! - A database in memory leaves nothing behind, not even after `kill -9`.
//!
//! # Left to others
//! Whether the file is one of ours is `migrate`'s question, what a file system is `mount`'s.
//!
//! Proof: the tests below, `tests/open.rs`, `tests/faults.rs`.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::IdKey;

use crate::identity::Identity;
use crate::open_files::OpenFile;
use crate::temporary::Folder;
use crate::{error, mount};

/// Where a database lies: in a file or in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The absolute path; none in memory.
    path: Option<PathBuf>,
    /// Whether it is the file of a test, and what that says.
    test: Option<TestFile>,
}

/// What the file of a test has of its own: it is for the owners of that test alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TestFile {
    /// The secret of a new file, which is drawn at random else.
    pub(crate) id_key: IdKey,
}

impl Location {
    /// In this file, which is made if it is missing; its folder is not. A relative path is taken
    /// from the present working directory. `.` and `..` are worked out in the text of the path.
    ///
    /// # Errors
    /// `Io` if the path is empty or there is no working directory any more.
    pub fn file(path: impl AsRef<Path>) -> Result<Location> {
        let path = path.as_ref();
        let absolute = std::path::absolute(path)
            .map_err(|e| error::of_io(e, &format!("the path '{}'", path.display())))?;
        Ok(Location { path: Some(normalized(&absolute)), test: None })
    }

    /// In memory: in an unlinked temporary file, so that the same code runs as for a file.
    pub fn memory() -> Location {
        Location { path: None, test: None }
    }

    /// The file of a test, by an absolute path.
    pub(crate) fn of_test(path: PathBuf, test: TestFile) -> Location {
        Location { path: Some(path), test: Some(test) }
    }
}

fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

/// The name of a file beside another.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    debug_assert!(suffix.starts_with('-'), "{suffix} runs into the name of the database");
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The file of a database: its canonical path and what it takes to leave nothing behind.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    /// The one name of the file.
    pub(crate) path: PathBuf,
    /// The connection of a store that is closed before its reader.
    parked: Arc<Mutex<Option<Connection>>>,
    /// The folder of a database in memory; it goes when the last holder goes.
    folder: Option<Arc<Folder>>,
    identity: Option<Identity>,
    /// Whether it is the file of a test, and what that says.
    pub(crate) test: Option<TestFile>,
    /// Counts us among those that have the file open; goes last, after the connections.
    open_file: Option<Arc<OpenFile>>,
}

impl DatabaseFile {
    /// Finds the file; makes no database yet.
    pub(crate) fn find(location: &Location) -> Result<DatabaseFile> {
        match &location.path {
            Some(path) => {
                let file = DatabaseFile::of_path(path)?;
                Ok(DatabaseFile { test: location.test, ..file })
            }
            None => DatabaseFile::in_memory(),
        }
    }

    fn new(path: PathBuf, folder: Option<Arc<Folder>>) -> DatabaseFile {
        debug_assert!(path.is_absolute(), "a later working directory would name another file");
        let (identity, test, open_file) = (None, None, None);
        DatabaseFile { path, parked: Arc::default(), folder, identity, test, open_file }
    }

    fn of_path(path: &Path) -> Result<DatabaseFile> {
        let shown = path.display();
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Err(Error::new(Code::Io, format!("{shown} is not the name of a file")));
        };
        let folder = fs::canonicalize(parent).map_err(|e| {
            error::of_io(e, &format!("the folder {} cannot be used", parent.display()))
        })?;
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => folder.join(name),
            Err(e) => return Err(error::of_io(e, &format!("{shown} cannot be used"))),
        };
        if path.is_dir() {
            return Err(Error::new(Code::Io, format!("{shown} is a folder, not a file")));
        }
        // A symbolic link may have led elsewhere.
        mount::refuse_network(path.parent().unwrap_or(&folder))?;
        refuse_hard_links(&path)?;
        Ok(DatabaseFile::new(path, None))
    }

    fn in_memory() -> Result<DatabaseFile> {
        let folder = Folder::make()?;
        Ok(DatabaseFile::new(folder.path().join("memory.db"), Some(Arc::new(folder))))
    }

    /// Whether the database is in memory.
    pub(crate) fn is_memory(&self) -> bool {
        self.folder.is_some()
    }

    /// How long its log is; 0 if there is none.
    pub(crate) fn wal_bytes(&self) -> u64 {
        fs::metadata(beside(&self.path, "-wal")).map_or(0, |wal| wal.len())
    }

    /// The name to show in messages.
    pub(crate) fn name(&self) -> String {
        if self.is_memory() { ":memory:".into() } else { self.path.display().to_string() }
    }

    /// To be called when every connection has the file open. In memory: removes the names of the
    /// files, where the system keeps an open file without one. In a file: remembers which one it
    /// is.
    pub(crate) fn finish_open(&mut self) -> Result<()> {
        if let Some(folder) = &self.folder {
            return folder.unlink();
        }
        self.identity = Identity::of_path(&self.path);
        // A new file could not be counted before.
        if self.open_file.as_ref().map(|open| open.identity()) != self.identity {
            self.open_file = self.identity.map(|identity| Arc::new(OpenFile::new(identity)));
        }
        Ok(())
    }

    /// Counts us among those that have the file open, before it is; false if something else in this
    /// process has it open.
    pub(crate) fn begin_open(&mut self) -> bool {
        let Some(identity) = Identity::of_path(&self.path) else { return true };
        self.open_file = OpenFile::unless_foreign(identity).map(Arc::new);
        self.open_file.is_some()
    }

    /// Closes the connection of the store with the last holder. A reader that goes last could not
    /// write the log back, and the log would stay beside the file.
    pub(crate) fn park(&self, writer: Connection) {
        debug_assert!(writer.is_autocommit(), "a store closes within a turn");
        if let Ok(mut parked) = self.parked.lock() {
            debug_assert!(parked.is_none(), "a handle has one connection that writes");
            *parked = Some(writer);
        }
    }

    /// Refuses to go on if the name stands for another file than the one that is open.
    pub(crate) fn check(&self) -> Result<()> {
        if self.identity.is_none() || self.identity == Identity::of_path(&self.path) {
            return Ok(());
        }
        let message = "was moved, replaced or deleted while it was open; reopen the right one";
        Err(Error::new(Code::Io, format!("{} {message}", self.name())))
    }
}

#[cfg(unix)]
fn refuse_hard_links(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    match fs::metadata(path) {
        Ok(facts) if facts.nlink() > 1 => Err(Error::new(
            Code::Locked,
            format!(
                "{} has {} names (hard links) and is safe under one only; remove the others",
                path.display(),
                facts.nlink()
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn refuse_hard_links(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_and_plain_from_the_beginning() {
        let here = std::env::current_dir().unwrap();
        let cases = [
            ("tasks.db", "tasks.db"),
            ("./tasks.db", "tasks.db"),
            ("missing/../tasks.db", "tasks.db"),
            ("a/./b/../c/tasks.db", "a/c/tasks.db"),
        ];
        for (given, plain) in cases {
            let location = Location::file(given).unwrap();
            assert_eq!(location, Location { path: Some(here.join(plain)), test: None }, "{given}");
        }
        assert_eq!(Location::file("").unwrap_err().code(), Code::Io);
    }

    #[cfg(unix)]
    #[test]
    fn no_path_leads_above_the_root() {
        let location = Location::file("/../../tasks.db").unwrap();
        assert_eq!(location.path.as_deref(), Some(Path::new("/tasks.db")));
    }
}
