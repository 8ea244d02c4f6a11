//! What to watch.

use crate::query::{Projection, Query};

/// The number of a watch, given by whoever adds it.
pub type WatchNo = u64;

/// Which tasks a watch tells, and what of them.
#[derive(Clone, Debug)]
pub struct WatchFilter {
    /// Which tasks.
    pub query: Query,
    /// Which of their fields; all if absent.
    pub fields: Option<Projection>,
}
