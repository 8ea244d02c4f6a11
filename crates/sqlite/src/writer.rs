//! The connection that writes, and what is known of the other owners.
//!
//! Proof: `tests/shared.rs`, `tests/owner.rs`.

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::id::{IdKey, OwnerId};

use crate::location::DatabaseFile;
use crate::notifier::Notifier;
use crate::owner::{self, DeadOwner, LiveOwner, OtherOwners};
use crate::row::cached;
use crate::{error, sql};

/// What a transaction works with.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) owner: OwnerId,
    pub(crate) id_key: IdKey,
    pub(crate) database: DatabaseFile,
    pub(crate) notifier: Option<Notifier>,
    /// Owners that live beside us.
    pub(crate) living: Vec<LiveOwner>,
    /// Dead owners whose runs are not all given back.
    pub(crate) dead: Vec<DeadOwner>,
    /// Dead owners that the open transaction forgets.
    forgotten: Vec<DeadOwner>,
    /// What SQLite says of the file while nobody else has changed it.
    version: Option<i64>,
    /// Commits since `maintain` last checked.
    pub(crate) commits: u32,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        (owner, id_key): (OwnerId, IdKey),
        database: DatabaseFile,
        OtherOwners { living, dead }: OtherOwners,
        notifier: Option<Notifier>,
    ) -> Writer {
        debug_assert!(owner.0 > 0, "owners count from 1");
        debug_assert!(dead.iter().all(|dead| dead.id != owner), "we are not dead (I-5)");
        let (forgotten, version, commits) = (Vec::new(), None, 0);
        Writer {
            connection,
            owner,
            id_key,
            database,
            notifier,
            living,
            dead,
            forgotten,
            version,
            commits,
        }
    }

    /// Runs a statement of a transaction's frame.
    pub(crate) fn frame(&self, text: &'static str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(text)?.execute([]).map(drop)
    }

    /// Whether another connection has changed the file since this was last asked. Inside a
    /// transaction.
    pub(crate) fn has_changes(&mut self) -> Result<bool> {
        debug_assert!(!self.connection.is_autocommit(), "the answer would not hold");
        let mut statement = cached(&self.connection, sql::DATA_VERSION)?;
        let version = statement.query_row([], |row| row.get(0)).map_err(error::of)?;
        drop(statement);
        let is_changed = self.version != Some(version);
        if is_changed && self.living.is_empty() {
            // It may be the first thing that we see of a new owner.
            self.read_owners()?;
        }
        // Last: what could not be told is told the next time.
        self.version = Some(version);
        Ok(is_changed)
    }

    /// Reads who the others are and whether they live.
    pub(crate) fn read_owners(&mut self) -> Result<()> {
        if !self.database.is_memory() {
            let found = owner::others(&self.connection, &self.database, Some(self.owner))?;
            debug_assert!(
                found.dead.iter().all(|dead| dead.id != self.owner),
                "we would give our own runs to somebody else (I-5)"
            );
            (self.living, self.dead) = (found.living, found.dead);
        }
        Ok(())
    }

    /// Forgets the dead owners whose last run the open transaction has given back or ended.
    pub(crate) fn forget_dead(&mut self) -> Result<()> {
        debug_assert!(
            !self.connection.is_autocommit(),
            "the dead are forgotten with a commit (I-4)"
        );
        debug_assert!(self.forgotten.is_empty(), "an owner was forgotten, and its file stays");
        for dead in std::mem::take(&mut self.dead) {
            match owner::forget(&self.connection, dead.id) {
                Ok(true) => self.forgotten.push(dead),
                Ok(false) => self.dead.push(dead),
                Err(error) => {
                    self.dead.push(dead);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Commits the open transaction; the dead that it forgets leave no file behind.
    pub(crate) fn commit(&mut self) -> rusqlite::Result<()> {
        self.frame(sql::COMMIT)?;
        debug_assert!(self.connection.is_autocommit(), "a commit leaves a transaction open");
        self.commits = self.commits.saturating_add(1);
        self.forgotten.drain(..).for_each(DeadOwner::remove_files);
        self.notify_others();
        Ok(())
    }

    /// Ends the open transaction, if there is one, as if it had never been.
    pub(crate) fn rollback(&mut self) {
        self.dead.append(&mut self.forgotten);
        // After a commit nothing is open, and after a full disk SQLite may have rolled back by
        // itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.frame(sql::ROLLBACK)
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }

    /// Wakes the other owners.
    pub(crate) fn notify_others(&self) {
        owner::notify(self.notifier.as_ref(), &self.living);
    }
}
