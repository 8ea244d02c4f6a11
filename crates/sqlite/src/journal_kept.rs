//! How much of the journal is kept: the batches of the last minute, or 64 MiB of them if those are
//! fewer.
//!
//! The bytes of each batch are counted once, by whoever keeps house, in parts of some batches: so
//! what may go is known without reading the journal again. The age of a batch is how much older
//! than the newest one it is, so what nobody writes to keeps what it has.
//!
//! # Promises
//! - What is trimmed is older than a minute, or lies behind 64 MiB; the newest thousand stay.
//! - No commit pays for it: it is counted with the housekeeping, a bounded number at a time.
//!
//! Proof: the tests below, `tests/shared.rs`.

use std::collections::VecDeque;

use rusqlite::Connection;
use tasker_core::error::Result;

use crate::row::{cached, get};
use crate::{error, sql};

/// How old a batch may be, in milliseconds.
pub(crate) const KEPT_MS: i64 = 60_000;
/// Bytes of batches that are kept.
pub(crate) const KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// The newest batches, which are kept however old they are.
const BATCHES_KEPT: i64 = 1_000;
/// What a batch takes besides what it says: the counts, numbers and moments.
const ROW_BYTES: u64 = 128;
/// Batches of a part.
const PART_BATCHES: u32 = 64;
/// Batches that are counted at once.
const BATCHES_COUNTED_MAX: i64 = 10_000;

/// Some batches in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// The number of the last one.
    last: i64,
    /// When that was written.
    at: i64,
    batches: u32,
    bytes: u64,
}

/// What is known of the journal.
#[derive(Debug, Default)]
pub(crate) struct JournalKept {
    /// Oldest first.
    parts: VecDeque<Part>,
    bytes: u64,
}

/// What may be trimmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trimmable {
    /// Up to this batch.
    pub(crate) last: i64,
    /// How many batches that are.
    pub(crate) batches: u64,
    /// How many bytes.
    pub(crate) bytes: u64,
}

impl JournalKept {
    /// Counts batches that have come since.
    pub(crate) fn count(&mut self, connection: &Connection) -> Result<()> {
        let counted = self.parts.back().map_or(-1, |part| part.last);
        let mut statement = cached(connection, sql::BATCH_SIZES)?;
        let mut rows = statement.query([counted, BATCHES_COUNTED_MAX]).map_err(error::of)?;
        while let Some(row) = rows.next().map_err(error::of)? {
            self.add(get(row, 0)?, get(row, 1)?, get::<i64>(row, 2)?.max(0) as u64 + ROW_BYTES);
        }
        Ok(())
    }

    fn add(&mut self, number: i64, at: i64, bytes: u64) {
        self.bytes += bytes;
        match self.parts.back_mut() {
            Some(part) if part.batches < PART_BATCHES => {
                *part =
                    Part { last: number, at, batches: part.batches + 1, bytes: part.bytes + bytes };
            }
            _ => self.parts.push_back(Part { last: number, at, batches: 1, bytes }),
        }
    }

    /// The oldest parts that need not be kept, as far as batch `floor`.
    pub(crate) fn trimmable(&self, floor: i64) -> Trimmable {
        let mut trimmable = Trimmable::default();
        let Some(newest) = self.parts.back() else { return trimmable };
        let floor = floor.min(newest.last - BATCHES_KEPT);
        for part in &self.parts {
            let is_old = newest.at.saturating_sub(part.at) > KEPT_MS;
            let is_over = self.bytes - trimmable.bytes > KEPT_BYTES;
            if part.last > floor || !(is_old || is_over) {
                break;
            }
            trimmable.last = part.last;
            trimmable.batches += u64::from(part.batches);
            trimmable.bytes += part.bytes;
        }
        trimmable
    }

    /// These are gone.
    pub(crate) fn trimmed(&mut self, up_to: i64) {
        while self.parts.front().is_some_and(|part| part.last <= up_to) {
            self.bytes -= self.parts.pop_front().map_or(0, |part| part.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch every so many milliseconds, of this size.
    fn kept(batches: i64, every_ms: i64, bytes: u64) -> JournalKept {
        let mut kept = JournalKept::default();
        (1..=batches).for_each(|number| kept.add(number, number * every_ms, bytes));
        kept
    }

    #[test]
    fn what_is_older_than_a_minute_may_go_but_for_the_newest() {
        let all = kept(10_000, 10, 100);
        let last = all.trimmable(i64::MAX).last;
        assert!((10_000 - last) * 10 >= KEPT_MS, "{last} is younger");
        assert!((10_000 - last) * 10 < KEPT_MS + 64 * 20, "{last} is not all");
        assert_eq!(all.trimmable(900).last, 896, "no more than the outlines know");
        let slow = kept(1_064, 60_000, 100);
        assert_eq!(slow.trimmable(i64::MAX).last, 64);
        assert_eq!(kept(1_000, 60_000, 1).trimmable(i64::MAX), Trimmable::default());
    }

    #[test]
    fn what_lies_behind_64_mib_may_go_however_young() {
        let mut all = kept(10_000, 1, 10_000);
        let Trimmable { last, bytes, batches } = all.trimmable(i64::MAX);
        assert_eq!((batches, bytes), (last as u64, last as u64 * 10_000));
        assert!(all.bytes - bytes <= KEPT_BYTES && all.bytes - bytes > KEPT_BYTES - 640_000);
        all.trimmed(last);
        assert_eq!(all.trimmable(i64::MAX), Trimmable::default());
    }

    #[test]
    fn a_clock_that_was_set_back_trims_nothing_young() {
        let mut all = kept(2_000, 10, 1);
        (2_001..4_000).for_each(|number| all.add(number, number - 3_600_000, 1));
        assert_eq!(all.trimmable(i64::MAX), Trimmable::default());
    }
}
