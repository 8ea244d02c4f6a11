//! The wish to hear when the engine has nothing to do until time goes by.
//!
//! A test that moves the clock has to know that everything has been done that is due, and when
//! something is due next.
//!
//! # Left to others
//! Carrying it out: `travel`.
//!
//! Proof: `proof/tests/thread/quiet.rs`.

use std::sync::Arc;

use tasker_core::time::WallMs;

use crate::input::Ticket;
use crate::virtual_clock::VirtualClock;

/// How far time may go by itself.
#[derive(Clone, Debug)]
pub struct Travel {
    /// The clock of the engine. No other engine may go by it, for that one is not waited for.
    pub clock: Arc<VirtualClock>,
    /// No further than this.
    pub until: WallMs,
    /// At most so many moments.
    pub moments_max: u64,
    /// Whether nobody listens to events: then they do not hold it up.
    pub is_unheard: bool,
}

/// Who asks to hear when it is quiet.
#[derive(Clone, Debug)]
pub(crate) struct AskedQuiet {
    pub(crate) ticket: Ticket,
    pub(crate) travel: Option<Travel>,
}
