//! Watching tasks: what changes in those that match a query, in the order of the commits.
//!
//! A *watch* reads the journal, on the reader's side: an engine does no more for it than to say
//! that there is something to read. Which tasks match is said by what the journal tells of each
//! step, and by the task's document.
//!
//! A watch that begins without a position tells the tasks that match by then, page by page. No
//! snapshot stays open between two pages: after a page its watch knows the tasks up to a number, as
//! of a commit, and goes on by telling what later commits did to those before it tells the next
//! ones. So positions only grow, and a watch can go on from any of them.
//!
//! # Promises
//! - Each change is told once and in order (I-11), to a watch that goes on from the position of the
//!   last one that it saw too.
//! - State, status and priority are those of the position. Which tasks match is exact for what the
//!   journal tells (operation, state, status, priority) and for what is fixed when a task is added;
//!   for the rest it is judged when it is read.
//! - Watches that have heard everything share one reading of a commit, and each task is read once
//!   for all of them. A watch that nobody asks keeps no changes: it reads them when it is asked.
//! - Behind what the journal keeps, a watch tells a gap and begins anew.
//!
//! # Left to others
//! When to look, and which reader looks: the engine's thread for reads.
//!
//! Proof: `proof/tests/random`, `__test__/contract/watching.test.mjs`,
//! `__test__/process/watching.test.mjs`.

mod position;
mod members;
mod step;
mod document;
mod page;
mod filter;
mod look;
#[allow(clippy::wildcard_enum_match_arm, reason = "what it does not know narrows nothing")]
mod index;
mod snapshot;
mod judge;
mod watches;

pub use filter::{WatchFilter, WatchNo};
pub use position::Position;
pub use watches::{From, Told, Watches};
