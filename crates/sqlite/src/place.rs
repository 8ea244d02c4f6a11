//! Where the database lies, under one name.
//!
//! # Promises
//! - Two paths to one file meet at the same lock files: symbolic links are resolved, and a file
//!   with several hard links is refused, because SQLite names its log after the path (F-18).
//! - A file that was moved, replaced or deleted while open is noticed at the next turn (F-18).
//! - A folder on a network file system is refused where the system names it (F-17).
//! - A database in memory leaves nothing behind, not even after `kill -9`.
//!
//! # Left to others
//! Whether the file is one of ours is `migrate`'s question, what a file system is `mount`'s.
//!
//! Proof: `tests/open.rs`, `tests/faults.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tasker_core::error::{Code, Error, Result};

use crate::claim::Claim;
use crate::identity::Identity;
use crate::{error, mount};

/// Where a database lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this file, which is made if it is missing; its folder is not.
    File(PathBuf),
    /// In an unlinked temporary file, so that the same code runs as for a file.
    Memory,
}

/// A place that was found: the canonical path and what it takes to leave nothing behind.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The one name of the file.
    pub(crate) path: PathBuf,
    /// The connection of a store that is closed before its reader.
    parked: Arc<Mutex<Option<Connection>>>,
    /// The folder of a database in memory; it goes when the last holder goes.
    folder: Option<Arc<Folder>>,
    identity: Option<Identity>,
    /// Says that we have the file open; goes last, after the connections.
    claim: Option<Arc<Claim>>,
}

/// A folder that is removed when it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left who could be told; on unix the folder is already gone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Home {
    /// Finds the place; makes no database yet.
    pub(crate) fn find(place: &Place) -> Result<Home> {
        match place {
            Place::File(path) => Home::of_file(path),
            Place::Memory => Home::in_memory(),
        }
    }

    fn of_file(path: &Path) -> Result<Home> {
        let shown = path.display();
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Err(Error::new(Code::Io, format!("{shown} is not the name of a file")));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
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
        Ok(Home { path, parked: Arc::default(), folder: None, identity: None, claim: None })
    }

    fn in_memory() -> Result<Home> {
        let folder = std::env::temp_dir().join(format!("tasker-{:016x}", random()?));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(|e| {
            error::of_io(e, &format!("the temporary folder {} cannot be made", folder.display()))
        })?;
        let path = folder.join("memory.db");
        let folder = Some(Arc::new(Folder(folder)));
        Ok(Home { path, parked: Arc::default(), folder, identity: None, claim: None })
    }

    /// Whether the database is in memory.
    pub(crate) fn is_memory(&self) -> bool {
        self.folder.is_some()
    }

    /// The name to show in messages.
    pub(crate) fn name(&self) -> String {
        if self.is_memory() { ":memory:".into() } else { self.path.display().to_string() }
    }

    /// The file is open on every connection. In memory: takes its names away, where an open file
    /// outlives them. In a file: remembers which one it is.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if let Some(folder) = &self.folder {
            if cfg!(unix) {
                fs::remove_dir_all(&folder.0)
                    .map_err(|e| error::of_io(e, "the temporary folder cannot be removed"))?;
            }
            return Ok(());
        }
        self.identity = Identity::of_path(&self.path);
        self.claim = self.identity.map(|identity| Arc::new(Claim::new(identity)));
        Ok(())
    }

    /// Closes the connection of the store with the last holder. A reader that goes last could not
    /// write the log back, and the log would stay beside the file.
    pub(crate) fn park(&self, writer: Connection) {
        if let Ok(mut parked) = self.parked.lock() {
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

/// A random number that names a file or keys a database.
pub(crate) fn random() -> Result<u64> {
    getrandom::u64()
        .map_err(|e| Error::new(Code::Io, "the system gives no random numbers").with_source(e))
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
