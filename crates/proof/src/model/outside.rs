//! Tasks that executors outside take.

use tasker_core::executor::Lease;
use tasker_core::id::{RunId, Seq};
use tasker_core::state::State;
use tasker_core::store::{OutsideChange, OutsideRun};
use tasker_core::task::{Attempt, TaskRecord};
use tasker_core::time::WallMs;

use super::image::Image;
use super::row::{Outside, Row};

impl Image {
    /// Applies a change; nothing if its guard does not hold.
    pub(super) fn apply_outside(&mut self, change: &OutsideChange) -> Option<()> {
        match change {
            OutsideChange::Claim { seq, lane, priority, lease, at } => {
                let row = self.ready(*seq)?.at(*lane, *priority);
                row.task.state = State::Claimed;
                let Lease { run, until, executor } = lease.clone();
                let version = row.outside.as_ref().map_or(0, |outside| outside.version);
                let changed_at = row.outside.as_ref().map_or(*at, |outside| outside.changed_at);
                let live = Some((run, until));
                row.outside = Some(Outside { version, changed_at, live, executor });
            }
            OutsideChange::Begin { seq, lane, priority, start, until } => {
                let row = self.claimed(*seq, start.run)?.at(*lane, *priority);
                let (attempt, run, started_at) = (start.attempt, start.run, start.at);
                let (ended_at, end, error, result) = (None, None, None, None);
                let live = Attempt { attempt, run, started_at, ended_at, end, error, result };
                row.task.attempts.push(live);
                (row.task.state, row.task.attempt) = (State::Running, attempt);
                (row.task.started_at, row.is_outside) = (Some(started_at), true);
                row.lease_until(*until);
            }
            OutsideChange::Unclaim { seq, lane, priority, run } => {
                self.claimed(*seq, *run)?.at(*lane, *priority).task.state = State::Ready;
            }
            OutsideChange::Renew { seq, run, until } => {
                let row = self.running(*seq, *run).filter(|row| row.is_outside)?;
                row.lease_until(*until);
            }
            OutsideChange::Touch { seq, at } => {
                let Some(row) = self.row(*seq) else { return Some(()) };
                let is_live = row.has_outside_run();
                if let Some(outside) = &mut row.outside {
                    (outside.version, outside.changed_at) = (outside.version + 1, *at);
                    outside.live = outside.live.filter(|_| is_live);
                }
            }
        }
        Some(())
    }

    fn claimed(&mut self, seq: Seq, run: RunId) -> Option<&mut Row> {
        let row = self.row(seq).filter(|row| row.task.state == State::Claimed)?;
        let is_its = row.outside.as_ref()?.live.is_some_and(|(live, _)| live == run);
        is_its.then_some(row)
    }

    /// The tasks that executors have, by the end of their leases.
    pub(super) fn leased(&self) -> Vec<Seq> {
        let until = |row: &Row| Some((row.outside.as_ref()?.live?.1, row.task.seq));
        let mut leased: Vec<_> = self.rows().filter_map(until).collect();
        leased.sort_unstable();
        leased.into_iter().map(|(_, seq)| seq).collect()
    }
}

impl Row {
    /// Whether an executor has it, claimed or running.
    pub(super) fn has_outside_run(&self) -> bool {
        match self.task.state {
            State::Claimed => true,
            State::Running => self.is_outside,
            State::Blocked
            | State::Delayed
            | State::Paused
            | State::Ready
            | State::Done
            | State::Failed
            | State::Aborted => false,
        }
    }

    fn lease_until(&mut self, until: WallMs) {
        let live = self.outside.as_mut().and_then(|outside| outside.live.as_mut());
        live.into_iter().for_each(|live| live.1 = until);
        self.outside.iter_mut().for_each(|outside| outside.version += 1);
    }

    /// The live run that an executor has of it.
    pub(super) fn outside_run(&self) -> Option<OutsideRun> {
        let outside = self.outside.as_ref()?;
        let (run, until) = outside.live?;
        let TaskRecord { seq, id, state, attempt, started_at, .. } = self.task;
        let options = &self.task.def.options;
        Some(OutsideRun {
            seq,
            id,
            lane: self.lane,
            state,
            lease: Lease { run, until, executor: outside.executor.clone() },
            started_at: started_at.filter(|_| state == State::Running),
            attempt,
            failures: self.failures,
            logs: self.logs.len() as u32,
            retry: options.retry.clone(),
            run_timeout_ms: options.run_timeout_ms,
        })
    }
}
