//! Which own fields are indexed: those that an open tasker declares.
//!
//! Each owner writes down what it declares. One that declares something drops the indexes that no
//! living owner wants, and makes those of its own that are missing. An owner that says nothing
//! changes nothing, and indexes stay in the file while nobody has it open.
//!
//! # Promises
//! - An index that a living owner declares is not dropped.
//! - A kill leaves each index whole or not there at all; the next one that declares it makes it.
//! - Nothing is made in a turn: it happens as a handle opens. Others wait for the write lock as
//!   long as SQLite takes to make one index, up to some five minutes.
//!
//! Proof: `tests/indexes.rs`, `__test__/process/indexes.test.mjs`.

use std::collections::BTreeSet;

use tasker_core::error::Result;
use tasker_core::index::IndexPath;
use tasker_core::json::write_string;

use crate::error;
use crate::indexes::{self, IndexSql};
use crate::row::{cached, get};
use crate::sql;
use crate::store::SqliteStore;

impl SqliteStore {
    /// Declares which own fields are indexed, and makes the indexes that are missing.
    ///
    /// # Errors
    /// `Full`, `Busy`, `Corrupt` or `Io`; an index that could not be made is not there.
    pub fn declare_indexes(&mut self, paths: &[IndexPath]) -> Result<()> {
        self.in_long_transaction(|store| store.declare(paths))?;
        for path in paths {
            self.in_long_transaction(|store| store.make(path))?;
        }
        Ok(())
    }

    /// Writes down what we declare, and drops what nobody does.
    fn declare(&mut self, paths: &[IndexPath]) -> Result<()> {
        self.writer.read_owners()?;
        let connection = &self.writer.connection;
        cached(connection, sql::INDEX_RETRACT)?.execute([]).map_err(error::of)?;
        let own = (self.writer.owner.0 as i64, list(paths));
        cached(connection, sql::INDEX_DECLARE)?.execute(own).map_err(error::of)?;
        let mut wanted = self.declared_by_others()?;
        wanted.extend(paths.iter().map(|path| path.as_str().into()));
        for index in indexes::existing(connection)? {
            if !index.path.as_ref().is_some_and(|path| wanted.contains(path.as_str())) {
                connection.execute_batch(&index.drop()).map_err(error::of)?;
            }
        }
        Ok(())
    }

    /// What living owners declare beside us.
    fn declared_by_others(&self) -> Result<BTreeSet<Box<str>>> {
        let mut statement = cached(&self.writer.connection, sql::INDEX_DECLARED)?;
        let mut rows = statement.query([self.writer.owner.0 as i64]).map_err(error::of)?;
        let mut wanted = BTreeSet::new();
        while let Some(row) = rows.next().map_err(error::of)? {
            let (id, text): (i64, String) = (get(row, 0)?, get(row, 1)?);
            if self.writer.dead.iter().all(|dead| dead.id.0 as i64 != id) {
                let list: Vec<Box<str>> = serde_json::from_str(&text)
                    .map_err(|_| error::corrupt("indexes of an owner that are no list"))?;
                wanted.extend(list);
            }
        }
        Ok(wanted)
    }

    /// Makes an index, unless it is there.
    fn make(&mut self, path: &IndexPath) -> Result<()> {
        let connection = &self.writer.connection;
        let existing = indexes::existing(connection)?;
        if existing.iter().any(|index| index.path.as_ref() == Some(path)) {
            return Ok(());
        }
        tracing::debug!(%path, "an index is made");
        connection.execute_batch(&IndexSql::of(path).make()).map_err(error::of)
    }
}

/// Paths as a JSON list.
fn list(paths: &[IndexPath]) -> String {
    let mut text = String::from("[");
    for (i, path) in paths.iter().enumerate() {
        text.push_str(if i > 0 { "," } else { "" });
        write_string(path.as_str(), &mut text);
    }
    text + "]"
}
