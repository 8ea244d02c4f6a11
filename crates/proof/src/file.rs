//! A database of SQLite in a folder of its own, for the cases of the conformance suite.

use tasker_core::error::{Code, Error, Result};
use tasker_sqlite::{Durability, Location, Options};
use tempfile::TempDir;

use crate::conformance::{Backend, Handle};

/// A folder that goes with the last handle on its database.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// A new folder without a database.
    ///
    /// # Errors
    /// `Io` if the system gives none.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir();
        folder.map(Self).map_err(|e| Error::new(Code::Io, "no folder for a test").with_source(e))
    }
}

impl Backend for Folder {
    fn open(&self) -> Result<Handle> {
        let location = Location::file(self.0.path().join("tasks.db"))?;
        // A case crashes by dropping the handle, which no sync can make safer, only slower.
        let options = Options { durability: Durability::Process, exclusive: false };
        let (store, reader) = tasker_sqlite::open(&location, options)?;
        Ok(Handle { store: Box::new(store), reader: Box::new(reader) })
    }
}
