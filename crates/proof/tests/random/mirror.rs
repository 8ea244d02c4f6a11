//! What a store holds of all that the memory of an engine mirrors, read anew.
//!
//! How far windows reach is memory's own affair: what it knows of a lane must be so, and complete
//! as far as it says.

use std::collections::{BTreeMap, BTreeSet};

use tasker_core::error::Result;
use tasker_core::hold::Hold;
use tasker_core::id::{LaneId, OperationId, OwnerId, RunId, Seq};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::{
    Brief, Head, Lane, LaneHead, Offers, Operation, PauseWish, ReadyTask, Store, WindowQuery,
};
use tasker_core::task::AbortReason;
use tasker_engine::live::Run;
use tasker_engine::memory::{Freshness, Memory};

/// More than there is.
const TASKS_MAX: usize = 10_000;
const BYTES_MAX: usize = 1 << 30;

/// A fresh mirror of a store.
pub(crate) struct Mirror {
    head: Head,
    operations: Vec<Operation>,
    /// Every ready task, in queue order.
    lanes: BTreeMap<LaneId, Vec<ReadyTask>>,
    remote_runs: Vec<(LaneId, u32)>,
    remote_offers: Vec<(OwnerId, Offers)>,
    holds: Vec<Hold>,
    /// What the store says of the runs that are live here, and of what was asked of them.
    live: Vec<(Option<Brief>, Option<AbortReason>, Option<PauseWish>)>,
}

impl Mirror {
    /// Reads all that there is, beside the live runs of this memory.
    pub(crate) fn read(store: &mut dyn Store, live: &[(Seq, RunId)]) -> Result<Self> {
        let owner = store.owner();
        let mut transaction = store.begin_read()?;
        let operations = transaction.operations()?;
        let window = |LaneHead { lane: id, .. }: LaneHead| {
            let operation = operations.iter().find(|one| one.id == id.operation()).unwrap();
            let lane = Lane { id, operation: operation.name.clone() };
            WindowQuery { lane, from: QueueKey::FIRST, tasks_max: TASKS_MAX }
        };
        let heads = transaction.heads(LaneId(0), TASKS_MAX)?.into_iter();
        // Nothing is known of what only another process may start.
        let is_ours = |head: &LaneHead| head.lane.attached_to().is_none_or(|other| other == owner);
        let lanes: Vec<_> = heads.filter(is_ours).map(window).collect();
        let windows = transaction.windows(&lanes, BYTES_MAX)?;
        assert_eq!(windows.len(), lanes.len());
        assert!(windows.iter().all(|window| window.is_complete));
        let tasks = windows.into_iter().map(|window| window.tasks);
        let seqs: Vec<Seq> = live.iter().map(|(seq, _)| *seq).collect();
        let briefs = transaction.briefs(&seqs)?;
        Ok(Self {
            head: transaction.head()?,
            operations,
            lanes: lanes.iter().map(|query| query.lane.id).zip(tasks).collect(),
            remote_runs: transaction.remote_runs()?,
            remote_offers: transaction.remote_offers()?,
            holds: transaction.holds()?,
            live: {
                let aborts = transaction.abort_requests(live)?;
                let wishes = transaction.pause_wishes(live)?;
                let all = briefs.into_iter().zip(aborts).zip(wishes);
                all.map(|((brief, abort), wish)| (brief, abort, wish)).collect()
            },
        })
    }

    /// Memory says what the store says.
    pub(crate) fn assert_shown_by(&self, memory: &Memory) {
        assert_eq!(memory.freshness, Freshness::Current);
        let Head { number, seq_next, lane_next, counts } = self.head;
        let known = (memory.number, memory.seq_next, memory.lane_next, memory.counts);
        assert_eq!(known, (number, seq_next, lane_next, counts), "memory is not as the store");
        assert_eq!(memory.holds.0, self.holds);
        let last = self.operations.last().map_or(0, |operation| usize::from(operation.id.0));
        assert_eq!(memory.next_operation, last + 1, "{:?}", self.operations);
        for Operation { id, name, record } in &self.operations {
            let known = (memory.dispatch.operation(name), memory.dispatch.record(name));
            assert_eq!(known, (Some(*id), record.clone()), "{name}");
            assert_eq!(memory.dispatch.options(*id), Some(&record.in_force()), "{name}");
        }
        self.assert_lanes(memory);
        self.assert_runs(memory);
        self.assert_offers(memory);
        let live = memory.live.in_order();
        live.into_iter().zip(&self.live).for_each(|(run, stored)| assert_lives(run, stored));
    }

    /// A lane that memory does not know has no ready task.
    fn assert_lanes(&self, memory: &Memory) {
        let mut known = memory.dispatch.mirror();
        for (lane, tasks) in &self.lanes {
            let (keys, rest) = known.remove(lane).unwrap_or_default();
            let stored = tasks.iter().map(|task| QueueKey::new(task.def.priority, task.seq));
            let stored = stored.filter(|key| rest.is_none_or(|rest| *key < rest));
            assert_eq!(keys, stored.collect::<Vec<_>>(), "{lane:?} before {rest:?}");
        }
        let has_keys = known.values().any(|(keys, _)| !keys.is_empty());
        assert!(!has_keys, "lanes of nobody: {known:?}");
        let stored: BTreeMap<Seq, &ReadyTask> =
            self.lanes.values().flatten().map(|task| (task.seq, task)).collect();
        for task in memory.dispatch.kept() {
            assert_eq!(Some(&task), stored.get(&task.seq), "kept for its start");
        }
    }

    /// Of the dead who are not buried too (D8).
    fn assert_offers(&self, memory: &Memory) {
        assert!(memory.remote_offers.iter().eq(self.remote_offers.iter().map(|(o, n)| (o, n))));
        let offered: BTreeSet<_> = self.remote_offers.iter().flat_map(|(_, all)| &**all).collect();
        let known: BTreeSet<_> = memory.dispatch.remote_offers().collect();
        assert_eq!(known, offered, "what other owners offer");
    }

    fn assert_runs(&self, memory: &Memory) {
        let mut runs: BTreeMap<OperationId, (u32, u32)> = BTreeMap::new();
        for run in memory.live.in_order() {
            runs.entry(run.lane.operation()).or_default().0 += 1;
        }
        for (lane, remote) in &self.remote_runs {
            runs.entry(lane.operation()).or_default().1 += remote;
        }
        let known = memory.dispatch.runs().into_iter().filter(|(_, runs)| *runs != (0, 0));
        assert_eq!(known.collect::<BTreeMap<_, _>>(), runs, "runs here and remote ones");
    }
}

/// A run that is live here is its task's run, and knows whether it is to be aborted or to halt.
fn assert_lives(
    run: &Run,
    (brief, abort, wish): &(Option<Brief>, Option<AbortReason>, Option<PauseWish>),
) {
    let state = if run.has_halted() { State::Paused } else { State::Running };
    assert_eq!(run.pause.map(|(pause, _)| pause.wish), *wish, "{run:?}");
    let brief = brief.as_ref().unwrap();
    let stored = (brief.id, brief.lane, brief.state, brief.priority, brief.run);
    assert_eq!(stored, (run.id, run.lane, state, run.priority, Some(run.run)));
    assert!(abort.is_none() || run.fired.is_some(), "{run:?} is to be aborted: {abort:?}");
}
