//! A worker pauses tasks of whomever, resumes them, and lets its own runs halt.

use tasker_core::error::Result;
use tasker_core::id::TaskId;
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_engine::input::{Input, RunSlot};
use tasker_engine::thread::Read;

use super::{Call, FIRST, UNENDED, Who, Worker};

/// Tasks that are paused.
const PAUSED: &str = "{\"state\":\"paused\"}";

impl Worker {
    /// Looks for what is paused, which would never end.
    pub(super) fn find_paused(&mut self) -> Result<()> {
        let query = Query::parse(PAUSED)?;
        self.read(Call::FindPaused, Read::Find(Box::new(Find::all(query))));
        Ok(())
    }

    /// Resumes what is paused. If nothing is, asks whether anything is left.
    pub(super) fn resume_all(&mut self, paused: &[TaskId]) -> Result<()> {
        for id in paused {
            self.call(Call::Flag, |ticket| Input::Resume(ticket, *id));
        }
        if paused.is_empty() {
            let query = Query::parse(UNENDED)?;
            self.read(Call::Count, Read::Count(Box::new(query)));
        }
        Ok(())
    }

    /// Resumes more often than it pauses.
    pub(super) fn pause_or_resume(&mut self, id: TaskId) {
        let pauses = self.rng.once_in(3);
        self.call(Call::Flag, |ticket| {
            if pauses { Input::Pause(ticket, id) } else { Input::Resume(ticket, id) }
        });
    }

    /// A run was told to halt. Not every one has a checkpoint.
    pub(super) fn halt(&mut self, (who, slot): (Who, RunSlot)) {
        if self.rng.once_in(4) {
            return;
        }
        let Some(run) = self.runs.get_mut(&(who, slot)) else { return };
        run.has_halted = run.fuse != usize::MAX;
        let client = if who == FIRST { Some(&self.client) } else { self.guest.as_ref() };
        if run.has_halted
            && let Some(client) = client
        {
            client.submit([Input::Halt(slot)]);
        }
    }
}
