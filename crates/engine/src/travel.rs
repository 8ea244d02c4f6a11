//! The driver when it is quiet: it tells whoever asked, or lets time go by.
//!
//! # Promises
//! - Before it is quiet, all has been looked at: inputs, other owners, what is due.
//! - While time travels, it stands at each moment at which something is due, and goes no further
//!   once anything has been told that somebody may act upon.
//! - What could not be written is tried again each time that somebody asks.
//!
//! Proof: `proof/tests/thread/quiet.rs`.

use std::fmt::Write;

use tasker_core::error::{Code, Error};
use tasker_core::time::{Now, WallMs};

use crate::effect::{Answer, Effect};
use crate::quiet::AskedQuiet;
use crate::thread::{Driver, DriverState, SinceQuiet};
use crate::turn::{Engine, Next};

impl Driver {
    /// Whether somebody asks to hear of that, and there is nothing to do as far as we know.
    pub(crate) fn is_quiet_wanted(&self, after: Next) -> bool {
        matches!(after, Next::Wait(_)) && self.shared.inbox.asks_only_for_quiet()
    }

    /// Looks at others; tells whoever asked that it is quiet, or lets time go by. What
    /// comes after that.
    pub(crate) fn quiet(
        &self,
        engine: &mut Engine,
        state: &mut DriverState,
        effects: &mut Vec<Effect>,
    ) -> Next {
        let Some(AskedQuiet { ticket, travel }) = self.shared.inbox.asked_quiet() else {
            return state.after;
        };
        if engine.retry_at.is_some() {
            if !std::mem::replace(&mut state.since_quiet.has_retried, true) {
                // The pause before that would last as long as the clock stands.
                return Next::More;
            }
            let message = "the store cannot be written just now, so the engine is not quiet";
            effects.push(Effect::Refuse(ticket, Error::new(Code::Io, message)));
            return self.begin_anew(state);
        }
        if travel.is_none() || engine.is_shared() {
            state.peeked_at = self.pace();
            state.after = engine.peek(self.now(), effects);
            state.note(effects);
            if !matches!(state.after, Next::Wait(_)) {
                return state.after;
            }
        }
        let now = self.now();
        let next = next_moment(engine, state.after, now);
        if next.is_some_and(|at| at <= now.wall) {
            return Next::More;
        }
        let since = &mut state.since_quiet;
        if let (Some(at), Some(travel), false) = (next, travel, since.has_told)
            && (travel.is_unheard || !since.has_news)
            && at <= travel.until
            && since.moments < travel.moments_max
        {
            travel.clock.advance_to(at);
            since.moments += 1;
            return Next::More;
        }
        let text = text(engine.memory().number, next, *since);
        effects.push(Effect::Answer(ticket, Answer::Json(text)));
        self.begin_anew(state)
    }

    fn begin_anew(&self, state: &mut DriverState) -> Next {
        self.shared.inbox.forget_quiet();
        state.since_quiet = SinceQuiet::default();
        state.after
    }
}

/// When something is due next, by the wall clock.
fn next_moment(engine: &Engine, after: Next, now: Now) -> Option<WallMs> {
    let due = match after {
        Next::Wait(due) => due,
        Next::Again | Next::More | Next::Closed => None,
    };
    let due = due.map(|at| now.wall.plus(at.0.saturating_sub(now.mono.0)));
    [due, engine.next_timer()].into_iter().flatten().min()
}

/// `[number of the last commit, when something is due next, moments that time went by, whether
/// anything was told]`
fn text(number: u64, next: Option<WallMs>, since: SinceQuiet) -> String {
    let mut text = format!("[{number},");
    // Writing to a String cannot fail.
    let _ = match next {
        Some(WallMs(ms)) => write!(text, "{ms}"),
        None => write!(text, "null"),
    };
    let _ = write!(text, ",{},{}]", since.moments, since.has_told || since.has_news);
    text
}
