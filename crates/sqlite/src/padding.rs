//! How many zeros a row keeps, so that it has the same size all its life.
//!
//! SQLite overwrites a row in its place when the new one has as many bytes. Otherwise it takes the
//! cell out of its page and puts another in, and a page that overflows is split. The run and its
//! outcome therefore take their bytes from column `padding`, exactly. A wrong figure costs time,
//! and nothing else.
//!
//! Proof: the tests below, `tests/write.rs`.

use rusqlite::blob::ZeroBlob;
use tasker_core::task::TaskEnd;

/// Bytes that the row of a ready task keeps free: enough for a run and a small outcome. More than
/// 57 would need a second byte in the row's header.
const FREE: u64 = 48;
/// Bytes of a run id.
const RUN: u64 = 16;
/// Bytes of a time between the years 1974 and 6429.
const TIME: u64 = 6;
/// From this length on the type of a text takes two bytes in the row's header: it is 13 and twice
/// the length, seven bits to a byte.
const LONG_TEXT: usize = 58;

/// The zeros of a ready task.
pub(crate) const READY: ZeroBlob = ZeroBlob(FREE);
/// The zeros of a task that is ready again; its row keeps the time of the last start.
pub(crate) const READY_AGAIN: ZeroBlob = ZeroBlob(FREE - TIME);

/// The zeros of a row that runs for an executor outside, and so for no owner.
pub(crate) const RUNNING_OUTSIDE: ZeroBlob = ZeroBlob(FREE - RUN - TIME);

/// The zeros of a row that runs for this owner.
pub(crate) fn running(owner: i64) -> ZeroBlob {
    debug_assert!(owner > 0, "a run of nobody");
    ZeroBlob(FREE - RUN - TIME - integer_bytes(owner))
}

/// The zeros of a row that had these before and ends so; nothing if it outgrows them.
pub(crate) fn ended(before: ZeroBlob, outcome: &TaskEnd) -> Option<ZeroBlob> {
    let cause = outcome.cause().map_or(0, |cause| integer_bytes(cause.code().into()));
    done(ZeroBlob(before.0.checked_sub(cause)?), outcome.payload().map(|json| json.as_str().len()))
}

/// The zeros of a row that had these before and is done with a result of so many bytes.
pub(crate) fn done(before: ZeroBlob, result_bytes: Option<usize>) -> Option<ZeroBlob> {
    debug_assert!(before.0 <= FREE, "a row grows while its task ends");
    before.0.checked_sub(TIME + result_bytes.map_or(0, text_bytes)).map(ZeroBlob)
}

/// Bytes of a stored integer.
fn integer_bytes(value: i64) -> u64 {
    match value {
        0 | 1 => 0,
        -0x80..=0x7f => 1,
        -0x8000..=0x7fff => 2,
        -0x80_0000..=0x7f_ffff => 3,
        -0x8000_0000..=0x7fff_ffff => 4,
        -0x8000_0000_0000..=0x7fff_ffff_ffff => 6,
        _ => 8,
    }
}

/// Bytes of a stored text of this length, with what it adds to the row's header.
fn text_bytes(length: usize) -> u64 {
    length as u64 + u64::from(length >= LONG_TEXT)
}

#[cfg(test)]
mod tests {
    use tasker_core::task::{Cause, Json};

    use super::*;

    fn left(owner: i64, outcome: &TaskEnd) -> Option<u64> {
        ended(running(owner), outcome).map(|zeros| zeros.0)
    }

    #[test]
    fn a_run_and_its_outcome_take_their_bytes_from_the_padding() {
        let used = RUN + 2 * TIME;
        assert_eq!(left(1, &TaskEnd::Done(None)), Some(FREE - used));
        let one = Some(Json::trusted("1"));
        assert_eq!(left(300, &TaskEnd::Done(one)), Some(FREE - used - 2 - 1));
        let user = TaskEnd::Aborted(Cause::Poison, Json::trusted("1"));
        assert_eq!(left(1, &user), Some(FREE - used - 1 - 1));
    }

    #[test]
    fn an_outcome_that_needs_more_than_the_padding_has_leaves_none() {
        let text = |length: u64| Some(Json::trusted(&"1".repeat(length as usize)));
        let most = FREE - RUN - 2 * TIME;
        assert_eq!(left(1, &TaskEnd::Done(text(most))), Some(0));
        assert_eq!(left(1, &TaskEnd::Done(text(most + 1))), None);
        assert_eq!(left(1, &TaskEnd::Done(text(100_000))), None);
    }

    #[test]
    fn an_integer_has_the_bytes_that_sqlite_gives_it() {
        let ends = [0x7f, 0x7fff, 0x7f_ffff, 0x7fff_ffff, 0x7fff_ffff_ffff];
        for (end, bytes) in ends.into_iter().zip([1, 2, 3, 4, 6]) {
            assert_eq!((integer_bytes(end), integer_bytes(-end - 1)), (bytes, bytes));
            assert!(integer_bytes(end + 1) > bytes);
        }
        assert_eq!([0, 1, 2].map(integer_bytes), [0, 0, 1]);
    }
}
