//! Durations, as the engine counts them: whole milliseconds.

use std::time::Duration;

/// In milliseconds, a part of one as a whole one.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
