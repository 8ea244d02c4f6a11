//! The row of a task: all that changes of it, and its identity. Its data and its outcome lie apart,
//! for they may be long, and most reads need neither.
//!
//! # Promises
//! - A row that no version of tasker can have written is `Corrupt`, never a wrong task (F-14).
//!
//! Proof: the tests below, `conformance::reader`.

use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::id::{IdKey, LaneId, OwnerId, RunId, Seq, TaskId};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::{OutsideChange, PauseWish, Start};
use tasker_core::stored;
use tasker_core::task::{
    AbortReason, Cause, NewTask, Postponement, Priority, Progress, SharedOptions,
};
use tasker_core::time::WallMs;

use crate::bytes::{Packer, Unpacker, corrupt, sortable};
use crate::keys;

/// What is kept of a task that an executor has ever taken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outside {
    pub(crate) version: u32,
    /// While an executor has it.
    pub(crate) live: Option<(RunId, WallMs)>,
    pub(crate) executor: Option<Arc<str>>,
}

/// What is wanted of a live run, by others than itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    pub(crate) abort: Option<AbortReason>,
    pub(crate) postponement: Option<Postponement>,
    pub(crate) wish: Option<PauseWish>,
}

/// A task, but for its data and its outcome.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: TaskId,
    pub(crate) state: State,
    pub(crate) lane: LaneId,
    pub(crate) priority: Priority,
    pub(crate) options: SharedOptions,
    pub(crate) created_at: WallMs,
    pub(crate) started_at: Option<WallMs>,
    pub(crate) ended_at: Option<WallMs>,
    pub(crate) attempt: u32,
    pub(crate) failures: u32,
    pub(crate) losses: u32,
    /// The number of its last log line.
    pub(crate) logs: u32,
    /// How many attempts went to its history, kept or not.
    pub(crate) history: u32,
    /// The run that is live, or with which it ended.
    pub(crate) run: Option<RunId>,
    /// Whose that is; of nobody if it is an executor's.
    pub(crate) owner: Option<OwnerId>,
    /// Why it ended, unless it is done.
    pub(crate) cause: Option<Cause>,
    pub(crate) progress: Option<Progress>,
    pub(crate) asked: Asked,
    pub(crate) outside: Option<Outside>,
}

impl Row {
    /// A task that enters, and is ready.
    pub(crate) fn new(id: TaskId, lane: LaneId, def: &NewTask, at: WallMs) -> Self {
        Self {
            id,
            state: State::Ready,
            lane,
            priority: def.priority,
            options: def.options.clone(),
            created_at: at,
            started_at: None,
            ended_at: None,
            attempt: 0,
            failures: 0,
            losses: 0,
            logs: 0,
            history: 0,
            run: None,
            owner: None,
            cause: None,
            progress: None,
            asked: Asked::default(),
            outside: None,
        }
    }

    /// Whether it runs, or has halted at a checkpoint of its run.
    pub(crate) fn has_live_run(&self) -> bool {
        self.state == State::Running || self.has_halted()
    }

    /// Whether it has halted at a checkpoint of a live run.
    pub(crate) fn has_halted(&self) -> bool {
        self.state == State::Paused && self.run.is_some()
    }

    /// Whether it waits, for whatever, and has no run.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Blocked | State::Delayed | State::Paused | State::Ready)
            && self.run.is_none()
    }

    /// Whether an executor has it, claimed or running.
    pub(crate) fn has_outside_run(&self) -> bool {
        self.state == State::Claimed || (self.has_live_run() && self.owner.is_none())
    }

    /// Its place in the queue.
    pub(crate) fn key(&self, seq: Seq) -> QueueKey {
        QueueKey::new(self.priority, seq)
    }

    pub(crate) fn start(&mut self, Start { run, attempt, at }: Start, owner: Option<OwnerId>) {
        (self.state, self.attempt, self.owner) = (State::Running, attempt, owner);
        (self.started_at, self.run) = (Some(at), Some(run));
    }

    /// It waits for another run: what it had of the last one is history.
    pub(crate) fn go_on(&mut self) {
        (self.run, self.owner, self.cause, self.ended_at) = (None, None, None, None);
        (self.progress, self.asked) = (None, Asked::default());
        self.state = State::Ready;
    }

    /// Sees to it that a lease goes with the run that it was for.
    pub(crate) fn touch(&mut self) {
        let is_live = self.has_outside_run();
        if let Some(outside) = &mut self.outside {
            outside.version += 1;
            outside.live = outside.live.filter(|_| is_live);
        }
    }

    /// A change of what an executor has; false if its guard does not hold.
    pub(crate) fn change_outside(&mut self, change: &OutsideChange) -> bool {
        let claim = self.outside.as_ref().and_then(|outside| outside.live);
        let is_claimed =
            |run| self.state == State::Claimed && claim.is_some_and(|(live, _)| live == run);
        match change {
            OutsideChange::Claim { lease, .. } if self.state == State::Ready => {
                self.state = State::Claimed;
                let version = self.outside.as_ref().map_or(0, |outside| outside.version);
                let live = Some((lease.run, lease.until));
                self.outside = Some(Outside { version, live, executor: lease.executor.clone() });
            }
            OutsideChange::Begin { start, until, .. } if is_claimed(start.run) => {
                self.start(*start, None);
                self.lease_until(*until);
            }
            OutsideChange::Unclaim { run, .. } if is_claimed(*run) => self.state = State::Ready,
            OutsideChange::Renew { run, until, .. }
                if self.state == State::Running
                    && self.run == Some(*run)
                    && self.owner.is_none() =>
            {
                self.lease_until(*until);
            }
            OutsideChange::Touch { .. } => self.touch(),
            OutsideChange::Claim { .. }
            | OutsideChange::Begin { .. }
            | OutsideChange::Unclaim { .. }
            | OutsideChange::Renew { .. } => return false,
        }
        true
    }

    fn lease_until(&mut self, until: WallMs) {
        if let Some(outside) = &mut self.outside {
            outside.version += 1;
            outside.live = outside.live.map(|(run, _)| (run, until));
        }
    }

    /// The entries of sets in order that it stands in, by the sets' names.
    pub(crate) fn entries(&self, seq: Seq) -> Vec<(&'static str, Vec<u8>)> {
        let mut entries = Vec::new();
        let has_run = self.has_live_run();
        if self.state == State::Ready {
            entries.push((keys::READY, keys::ready(self.lane, self.key(seq))));
        } else if self.is_waiting() || self.state == State::Claimed {
            entries.push((keys::UNQUEUED, keys::unqueued(self.priority, seq)));
        }
        if has_run || self.state == State::Claimed {
            let live = Live {
                seq,
                lane: self.lane,
                owner: self.owner,
                started_at: self.started_at.filter(|_| has_run),
            };
            entries.push((keys::LIVE, live.pack()));
        }
        if let Some(owner) = self.lane.attached_to().filter(|_| !self.state.is_final()) {
            entries.push((keys::ATTACHED, keys::pair(owner.0, seq.0)));
        }
        if let Some((_, until)) = self.outside.as_ref().and_then(|outside| outside.live) {
            entries.push((keys::LEASES, [sortable(until), seq.0.to_be_bytes()].concat()));
        }
        entries
    }

    /// The owners to whom it belongs: by its live run, and by what it is attached to.
    pub(crate) fn owners(&self) -> impl Iterator<Item = OwnerId> {
        let runs = self.owner.filter(|_| self.has_live_run());
        let attached = self.lane.attached_to().filter(|_| !self.state.is_final());
        runs.into_iter().chain(attached)
    }

    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut to = Packer::new();
        to.fixed(self.id.0.as_bytes()).byte(self.state.code()).number(self.lane.0);
        to.fixed(&self.priority.get().to_bits().to_be_bytes()).moment(self.created_at);
        to.maybe(stored::options(&self.options), |to, text| to.text(&text));
        let has_more = *self
            != Row {
                id: self.id,
                state: self.state,
                lane: self.lane,
                priority: self.priority,
                created_at: self.created_at,
                options: self.options.clone(),
                ..Row::new(self.id, self.lane, &NewTask::new(""), self.created_at)
            };
        // Most of those that wait have never started.
        to.maybe(has_more.then_some(()), |to, ()| self.pack_rest(to));
        to.done()
    }

    fn pack_rest<'p>(&self, to: &'p mut Packer) -> &'p mut Packer {
        to.maybe(self.started_at, |to, at| to.moment(at));
        to.maybe(self.ended_at, |to, at| to.moment(at));
        for number in [self.attempt, self.failures, self.losses, self.logs, self.history] {
            to.number(u64::from(number));
        }
        to.maybe(self.run, |to, run| to.fixed(run.0.as_bytes()));
        to.maybe(self.owner, |to, owner| to.number(owner.0));
        to.maybe(self.cause, |to, cause| to.byte(cause.code()));
        to.maybe(self.progress.as_ref(), |to, all| to.text(&stored::progress(all)));
        let Asked { abort, postponement, wish } = &self.asked;
        to.maybe(abort.as_ref(), |to, abort| {
            to.byte(abort.cause.code()).text(abort.reason.as_str())
        });
        to.maybe(postponement.as_ref(), |to, wish| {
            to.maybe(wish.due_at, |to, at| to.moment(at)).text(wish.reason.as_str())
        });
        to.maybe(*wish, |to, wish| to.byte(u8::from(wish == PauseWish::GoOn)));
        to.maybe(self.outside.as_ref(), |to, outside| {
            to.number(u64::from(outside.version));
            to.maybe(outside.live, |to, (run, until)| to.fixed(run.0.as_bytes()).moment(until));
            to.maybe(outside.executor.as_deref(), |to, name| to.text(name))
        })
    }

    /// The row of this task.
    pub(crate) fn unpack(bytes: &[u8], (seq, id_key): (Seq, IdKey)) -> Result<Self> {
        let mut from = Unpacker::new(bytes)?;
        let id = from.task()?;
        if id_key.seq_of(id) != seq {
            return Err(corrupt("a task under the number of another one"));
        }
        let state = State::from_code(from.byte()?).ok_or_else(|| corrupt("an unknown state"))?;
        let lane = LaneId(from.number()?);
        let (priority, created_at) = (from.priority()?, from.moment()?);
        let options = from.maybe(|from| options(from.text()?))?.unwrap_or_default();
        let mut row =
            Self { state, priority, options, ..Self::new(id, lane, &NewTask::new(""), created_at) };
        from.maybe(|from| row.unpack_rest(from))?;
        from.end()?;
        Ok(row)
    }

    fn unpack_rest(&mut self, from: &mut Unpacker<'_>) -> Result<()> {
        (self.started_at, self.ended_at) =
            (from.maybe(Unpacker::moment)?, from.maybe(Unpacker::moment)?);
        (self.attempt, self.failures, self.losses) = (from.small()?, from.small()?, from.small()?);
        (self.logs, self.history) = (from.small()?, from.small()?);
        self.run = from.maybe(Unpacker::run)?;
        self.owner = from.maybe(|from| from.number().map(OwnerId))?;
        self.cause = from.maybe(cause)?;
        self.progress = from.maybe(|from| {
            stored::read_progress(from.text()?).ok_or_else(|| corrupt("progress of no run"))
        })?;
        self.asked.abort =
            from.maybe(|from| Ok(AbortReason { cause: cause(from)?, reason: from.json()? }))?;
        self.asked.postponement = from.maybe(|from| {
            Ok(Postponement { due_at: from.maybe(Unpacker::moment)?, reason: from.json()? })
        })?;
        self.asked.wish = from.maybe(|from| match from.byte()? {
            0 => Ok(PauseWish::Halt),
            1 => Ok(PauseWish::GoOn),
            _ => Err(corrupt("an unknown wish")),
        })?;
        self.outside = from.maybe(|from| {
            let version = from.small()?;
            let live = from.maybe(|from| Ok((from.run()?, from.moment()?)))?;
            let executor = from.maybe(|from| Ok(from.text()?.into()))?;
            Ok(Outside { version, live, executor })
        })?;
        Ok(())
    }
}

pub(crate) fn cause(from: &mut Unpacker<'_>) -> Result<Cause> {
    Cause::from_code(from.byte()?).ok_or_else(|| corrupt("an unknown cause"))
}

pub(crate) fn options(text: &str) -> Result<SharedOptions> {
    stored::read_options(text).ok_or_else(|| corrupt("options of no task"))
}

/// A live run or a claim, as the set of them has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) seq: Seq,
    pub(crate) lane: LaneId,
    /// Nobody if an executor has it.
    pub(crate) owner: Option<OwnerId>,
    /// Nothing if it is claimed.
    pub(crate) started_at: Option<WallMs>,
}

impl Live {
    fn pack(&self) -> Vec<u8> {
        let owner = self.owner.map_or(0, |owner| owner.0);
        let started_at = sortable(self.started_at.unwrap_or(WallMs::FIRST));
        let is_claimed = u8::from(self.started_at.is_none());
        let (seq, lane) = (self.seq.0.to_be_bytes(), self.lane.0.to_be_bytes());
        [&seq, &lane, &owner.to_be_bytes(), &started_at, [is_claimed].as_slice()].concat()
    }

    pub(crate) fn unpack(entry: &[u8]) -> Result<Self> {
        use crate::bytes::{eight, from_sortable, seq_at};
        let owner = u64::from_be_bytes(eight(entry, 16)?);
        let started_at = from_sortable(eight(entry, 24)?);
        Ok(Self {
            seq: seq_at(entry, 0)?,
            lane: LaneId(u64::from_be_bytes(eight(entry, 8)?)),
            owner: (owner > 0).then_some(OwnerId(owner)),
            started_at: Some(started_at).filter(|_| entry.get(32) == Some(&0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasker_core::id::{IdSource, OperationId};
    use tasker_core::task::{Json, TaskOptions};

    const KEY: IdKey = IdKey(7);

    fn full() -> Row {
        let mut ids = IdSource::new(KEY, [1; 32]);
        let (id, run) = (ids.task(Seq(5), WallMs(1)), ids.run(WallMs(2)));
        let def = NewTask {
            options: TaskOptions { run_timeout_ms: Some(5), ..TaskOptions::default() }.into(),
            priority: Priority::new(-2.5).unwrap(),
            ..NewTask::new("read")
        };
        let mut row = Row::new(id, LaneId::new(OperationId(3), 4), &def, WallMs(-1));
        row.start(Start { run, attempt: 3, at: WallMs(9) }, Some(OwnerId(2)));
        let reason = Json::trusted("{\"message\":\"é\"}");
        row.asked = Asked {
            abort: Some(AbortReason { cause: Cause::User, reason: reason.clone() }),
            postponement: Some(Postponement { due_at: Some(WallMs(7)), reason }),
            wish: Some(PauseWish::GoOn),
        };
        row.progress = Some(Progress { current: 0.1, total: None, unit: Some("km".into()) });
        let live = Some((run, WallMs(-8)));
        row.outside = Some(Outside { version: 3, live, executor: Some("one".into()) });
        row
    }

    #[test]
    fn a_row_comes_back() {
        let full = full();
        assert_eq!(Row::unpack(&full.pack(), (Seq(5), KEY)).unwrap(), full);
        let new = Row::new(full.id, full.lane, &NewTask::new("read"), WallMs(4));
        assert_eq!(Row::unpack(&new.pack(), (Seq(5), KEY)).unwrap(), new);
        assert!(new.pack().len() < 40, "a task that waits takes little room");
    }

    /// F-14
    #[test]
    fn a_row_that_nobody_wrote_is_no_task_and_no_panic() {
        let bytes = full().pack();
        assert!(Row::unpack(&bytes, (Seq(6), KEY)).is_err());
        for end in 0..bytes.len() {
            assert!(Row::unpack(&bytes[..end], (Seq(5), KEY)).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            drop(Row::unpack(&damaged, (Seq(5), KEY)));
        }
    }
}
