//! A worker waits until none of its runs is live and nothing more may start.

use tasker_core::error::{Error, Result};
use tasker_engine::input::Input;

use super::super::line::Line;
use super::{Call, FIRST, Worker};

impl Worker {
    /// One wait at a time.
    pub(super) fn awaits_rest(&self) -> bool {
        self.calls.values().any(|(call, _)| matches!(call, Call::Rest))
    }

    pub(super) fn await_rest(&mut self) {
        self.call(Call::Rest, Input::AwaitIdle);
    }

    /// That answer came: no run of ours may be live. Who only runs what is left is done by that,
    /// when its figures are right.
    pub(super) fn rests(&mut self) -> Result<()> {
        if let Some(run) = self.runs.iter().find(|((who, _), _)| *who == FIRST) {
            return Err(Error::bug(format!("a worker is idle beside {run:?}")));
        }
        self.tell(Line::Rests);
        if self.orders.drains {
            self.ask_figures();
        }
        Ok(())
    }
}
