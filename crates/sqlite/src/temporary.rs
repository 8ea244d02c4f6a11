//! The folder of a database in memory.
//!
//! Two connections with snapshots need a write-ahead log, and SQLite has no log for what is truly
//! in memory: its `memdb` lets no one write while another reads. So such a database is a file
//! without syncs that loses its name as soon as it is open.
//!
//! # Promises
//! - The system's temporary folder need not be there: the usual others are tried after it.
//! - Nobody else can look into the folder, and nothing of it stays.
//!
//! Proof: the tests below, `__test__/process/location.test.mjs`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tasker_core::error::{Code, Error, Result};

use crate::error;

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes a new folder in the first place that takes one.
    ///
    /// # Errors
    /// Why none of them does, and what to do.
    pub(crate) fn make() -> Result<Folder> {
        Folder::named("tasker-")
    }

    /// The same with this at the front of its name.
    pub(crate) fn named(prefix: &str) -> Result<Folder> {
        Folder::within(&candidates(), prefix)
    }

    fn within(candidates: &[PathBuf], prefix: &str) -> Result<Folder> {
        let name = format!("{prefix}{:016x}", random()?);
        let mut refusals: Vec<(&Path, io::Error)> = Vec::new();
        for candidate in candidates {
            let folder = candidate.join(&name);
            match private().create(&folder) {
                Ok(()) => return Ok(Folder(folder)),
                Err(error) => refusals.push((candidate, error)),
            }
        }
        Err(refused(refusals))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the folder with its files, where an open file outlives its name.
    pub(crate) fn unlink(&self) -> Result<()> {
        if !cfg!(unix) {
            return Ok(());
        }
        fs::remove_dir_all(&self.0)
            .map_err(|e| error::of_io(e, "the temporary folder cannot be removed"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left who could be told; on unix the folder is already gone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where a temporary folder may be made, best first. In a container with a read-only root, shared
/// memory can still be written.
fn candidates() -> Vec<PathBuf> {
    let mut all = vec![std::env::temp_dir()];
    if cfg!(unix) {
        all.extend(["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from));
    }
    all
}

/// Makes a folder for the eyes of this user only.
fn private() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn refused(refusals: Vec<(&Path, io::Error)>) -> Error {
    let tried = refusals.iter().map(|(folder, error)| format!("{} ({error})", folder.display()));
    let message = format!(
        "a store in memory needs a folder for an unlinked temporary file, and found none to write \
         to: {}; set TMPDIR (on Windows: TEMP) to one",
        tried.collect::<Vec<_>>().join(", ")
    );
    match refusals.into_iter().next() {
        Some((_, first)) => error::of_io_as(first, message),
        None => Error::bug(message),
    }
}

/// A random number that names a file or keys a database.
pub(crate) fn random() -> Result<u64> {
    getrandom::u64()
        .map_err(|e| Error::new(Code::Io, "the system gives no random numbers").with_source(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_can_be_written_is_taken() {
        let good = tempfile::tempdir().unwrap();
        let missing = good.path().join("missing");
        let folder = Folder::within(&[missing, good.path().into()], "tasker-").unwrap();
        assert_eq!(folder.path().parent(), Some(good.path()));
        let path = folder.path().to_owned();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn the_refusal_names_each_folder_and_what_to_do() {
        let good = tempfile::tempdir().unwrap();
        let missing = ["a", "b"].map(|name| good.path().join(name));
        let error = Folder::within(&missing, "tasker-").unwrap_err();
        assert_eq!(error.code(), Code::Io);
        let paths = missing.iter().map(|path| path.display().to_string());
        for part in paths.chain(["TMPDIR".into()]) {
            assert!(error.message().contains(&part), "{error}");
        }
    }
}
