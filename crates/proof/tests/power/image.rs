//! The bytes of a database and of its log, and what a power cut leaves of them.

use std::fs;
use std::path::{Path, PathBuf};

use tasker_proof::rng::Rng;

/// What a disk writes at once, if it writes anything.
const SECTOR: usize = 512;
/// The head of a log of SQLite.
const HEAD: usize = 32;

/// Both files at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    database: Vec<u8>,
    log: Vec<u8>,
}

/// What has come to the disk of what was written between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tear {
    Nothing,
    /// The log up to some sector.
    Cut,
    /// Some sectors of the log.
    Holes,
    /// Some sectors of the log, one of them in part.
    Sector,
    /// The log, and some sectors of the database.
    Database,
    Everything,
}

impl Tear {
    pub(crate) const ALL: [Tear; 6] =
        [Tear::Nothing, Tear::Cut, Tear::Holes, Tear::Sector, Tear::Database, Tear::Everything];
}

impl Image {
    pub(crate) fn read(database: &Path) -> Self {
        let log = fs::read(log_of(database)).unwrap_or_default();
        Self { database: fs::read(database).unwrap(), log }
    }

    pub(crate) fn write(&self, database: &Path) {
        fs::write(database, &self.database).unwrap();
        fs::write(log_of(database), &self.log).unwrap();
    }

    pub(crate) fn has_other_database(&self, other: &Image) -> bool {
        self.database != other.database
    }

    /// What is left if the power went while this became `new`.
    pub(crate) fn torn(&self, new: &Image, tear: Tear, rng: &mut Rng) -> Image {
        let (database, log) = (self.database.clone(), new.log.clone());
        match tear {
            Tear::Nothing => self.clone(),
            Tear::Cut => Image { database, log: cut(&self.log, &new.log, rng) },
            Tear::Holes => Image { database, log: mixed_log(&self.log, &new.log, rng) },
            Tear::Sector => {
                let mut log = mixed_log(&self.log, &new.log, rng);
                spoil(&self.log, &mut log, rng);
                keep_head(&new.log, &mut log);
                Image { database, log }
            }
            Tear::Database => {
                let mut database = mixed(&self.database, &new.database, rng);
                spoil(&self.database, &mut database, rng);
                Image { database, log }
            }
            Tear::Everything => new.clone(),
        }
    }
}

fn log_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}

/// The new bytes up to some sector, the old ones behind it.
fn cut(old: &[u8], new: &[u8], rng: &mut Rng) -> Vec<u8> {
    let at = (SECTOR * rng.below(new.len() / SECTOR + 2)).min(new.len());
    let rest = old.get(at..).unwrap_or_default();
    [&new[..at], rest].concat()
}

/// A log that begins anew brings its head to the disk before anything else.
fn mixed_log(old: &[u8], new: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut log = mixed(old, new, rng);
    keep_head(new, &mut log);
    log
}

fn keep_head(new: &[u8], log: &mut [u8]) {
    let head = HEAD.min(new.len()).min(log.len());
    log[..head].copy_from_slice(&new[..head]);
}

/// Each sector new or old, or of zeros where there was none; as long as it became, or less.
fn mixed(old: &[u8], new: &[u8], rng: &mut Rng) -> Vec<u8> {
    let grown = new.len().saturating_sub(old.len());
    let len = if rng.once_in(2) { new.len() } else { new.len() - rng.below(grown + 1) };
    let mut bytes = new[..len].to_vec();
    for (n, sector) in bytes.chunks_mut(SECTOR).enumerate() {
        if rng.once_in(2) {
            continue;
        }
        let before = old.get(n * SECTOR..).unwrap_or_default();
        let kept = before.len().min(sector.len());
        sector[..kept].copy_from_slice(&before[..kept]);
        sector[kept..].fill(0);
    }
    bytes
}

/// One of the sectors that were written is in part anything. Not what stood there before and was
/// not written: SQLite trusts a disk so far (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`).
fn spoil(old: &[u8], torn: &mut [u8], rng: &mut Rng) {
    let is_written = |at: usize| old.get(at) != torn.get(at);
    let first_of = |sector: usize| {
        let end = ((sector + 1) * SECTOR).min(torn.len());
        (sector * SECTOR..end).find(|at| is_written(*at)).map(|first| first..end)
    };
    let written: Vec<_> = (0..torn.len().div_ceil(SECTOR)).filter_map(first_of).collect();
    let Some(range) = rng.pick(&written).cloned() else { return };
    let from = range.start + rng.below(range.len());
    for byte in &mut torn[from..range.end] {
        *byte = rng.throw() as u8;
    }
}
