//! What must be true of the queue in memory, counted anew: for tests and debug builds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Dispatch;
use super::bars::Bars;
use super::breaker::Shut;
use super::counter::{Counter, Run};
use super::group::Group;
use super::lane::Lane;
use super::operation::Operation;
use super::queued;
use super::slot::{Closed, CounterId, GateSlot, Head, OperationSlot};
use crate::id::{LaneId, OperationId, Seq};
use crate::queue::QueueKey;
use crate::store::ReadyTask;

/// What is known of ready tasks: their positions, and how far each lane was examined.
pub type Examined = (BTreeSet<(OperationId, QueueKey)>, BTreeMap<LaneId, Option<QueueKey>>);

/// With more lanes than this a debug build does not look at all of them after each turn.
const LANES_CHECKED_MAX: usize = 256;

impl Dispatch {
    /// What is wrong, if anything is: the invariants D1 to D7 of the design, as far as memory alone
    /// can tell.
    pub fn fault(&self) -> Option<String> {
        let lanes = self.faulty_lane().or_else(|| self.faulty_group());
        let lanes = lanes.or_else(|| self.faulty_counter());
        let lanes = lanes.or_else(|| self.faulty_operation()).or_else(|| self.faulty_sum());
        lanes.or_else(|| self.faulty_closed())
    }

    /// What is known of each lane: the positions before a bound, and the bound; none if these are
    /// all.
    pub fn mirror(&self) -> BTreeMap<LaneId, (Vec<QueueKey>, Option<QueueKey>)> {
        let known = |lane: &Lane| (lane.id, (lane.window.iter().collect(), lane.rest));
        self.lanes.iter().map(|(_, lane)| known(lane)).collect()
    }

    /// How many runs of each operation are live here, and elsewhere.
    pub fn runs(&self) -> BTreeMap<OperationId, (u32, u32)> {
        let counts = |operation: &Operation| (operation.running, operation.remote);
        let runs = |(_, operation): (_, &Operation)| Some((operation.id?, counts(operation)));
        self.operations.iter().filter_map(runs).collect()
    }

    /// The operations that other owners offer.
    pub fn remote_offers(&self) -> impl Iterator<Item = &Arc<str>> {
        let offered = self.operations.iter().filter(|(_, operation)| operation.is_offered);
        offered.map(|(_, operation)| &operation.name)
    }

    /// The tasks of which memory holds what their start needs.
    pub fn kept(&self) -> impl Iterator<Item = &ReadyTask> {
        self.contents.iter()
    }

    /// Whether nothing is wrong. Looks at everything only if it is not much.
    pub(super) fn is_sound(&self) -> bool {
        let is_much = self.lanes.len().max(self.queued.len()) > LANES_CHECKED_MAX;
        is_much || self.fault().is_none()
    }

    /// A lane stands once, in its own position, among the heads of its operation or in a group of
    /// it (D1), and its window is in order and ends before its rest (D2).
    fn faulty_lane(&self) -> Option<String> {
        let is_faulty = |lane: &Lane, slot| {
            let operation = self.operations.get(lane.operation);
            let is_listed = lane.head().is_some_and(|head| match lane.group {
                None => operation.heads.contains(&(head, Head::Lane(slot))),
                Some(group) => self.groups.get(group).is_some_and(|group| {
                    group.operation == lane.operation && group.lanes.contains(&(head, slot))
                }),
            });
            let is_sorted = lane.window.iter().is_sorted_by(|a, b| a < b);
            let is_covered = lane.window.iter().all(|key| lane.covers(key));
            let is_own = operation.id == Some(lane.id.operation());
            !(is_listed && is_sorted && is_covered && is_own)
        };
        let faulty = self.lanes.iter().find(|(slot, lane)| is_faulty(lane, *slot));
        faulty.map(|(_, lane)| format!("{lane:?}"))
    }

    /// A group has lanes, stands at its counter, and among the heads of its operation exactly if
    /// that lets it pass (D3).
    fn faulty_group(&self) -> Option<String> {
        let is_faulty = |slot, group: &Group| {
            let Group { operation, counter, limit, lanes, listed } = group;
            let first = lanes.first().map(|(key, _)| *key);
            let at =
                self.counters.get(*counter).and_then(|at| at.groups.get(&(*limit, *operation)));
            let heads = &self.operations.get(*operation).heads;
            let is_listed = listed.is_none_or(|key| heads.contains(&(key, Head::Group(slot))));
            let passes = first.filter(|first| self.lets_pass(*counter, *limit, *first));
            first.is_none() || at != Some(&slot) || !is_listed || *listed != passes
        };
        let faulty = self.groups.iter().find(|(slot, group)| is_faulty(*slot, group));
        faulty.map(|(_, group)| format!("{group:?}"))
    }

    /// A counter counts the live runs that match, each of these names its counters (D4), and lanes
    /// refer to each.
    fn faulty_counter(&self) -> Option<String> {
        let mut lanes: BTreeMap<CounterId, u32> = BTreeMap::new();
        for (_, lane) in self.lanes.iter() {
            let counters = lane.terms().iter().map(|term| term.counter);
            let counters = counters.chain(lane.gate.as_ref().map(|gate| gate.counter));
            counters.for_each(|counter| *lanes.entry(counter).or_default() += 1);
        }
        let is_faulty = |id, counter: &Counter| {
            if counter.rate.is_some() {
                return lanes.get(&id) != Some(&counter.lanes);
            }
            let Some(condition) = self.counters.condition(id) else { return true };
            let matches = |(_, run): &(Seq, &Run)| condition.matches(&run.document);
            let live = self.counters.runs().filter(matches).count();
            let named = self.counters.runs().filter(|(_, run)| run.counters.contains(&id)).count();
            let live = if counter.bars.is_some() { 0 } else { live };
            (live, live, lanes.get(&id)) != (counter.live as usize, named, Some(&counter.lanes))
        };
        let faulty = self.counters.iter().find(|(id, counter)| is_faulty(*id, counter));
        let faulty = faulty.map(|(id, counter)| format!("{id:?}: {counter:?}"));
        faulty.or_else(|| self.faulty_runs()).or_else(|| self.faulty_bars())
    }

    /// A counter of ready tasks counts those that are known and match, each of these names its
    /// counters (D4), and its bars are where counting puts them.
    fn faulty_bars(&self) -> Option<String> {
        type Waiting = BTreeMap<(OperationSlot, QueueKey), bool>;
        let is_faulty = |id, bars: &Bars| {
            let Some(condition) = self.counters.condition(id) else { return true };
            let tasks = self.queued.tasks().filter(|(_, task)| condition.matches(&task.document));
            let place = |task: &queued::Waiting| (task.operation, task.key);
            let at = |task| (place(task), self.counts(task.operation));
            let matching: Waiting = tasks.map(|(_, task)| at(task)).collect();
            let naming = self.queued.tasks().filter(|(_, task)| task.counters.contains(&id));
            let naming: Waiting = naming.map(|(_, task)| at(task)).collect();
            let keys = bars.iter().flat_map(|(slot, is_counted, keys)| {
                keys.iter().map(move |key| ((slot, *key), is_counted))
            });
            let counted: Waiting = keys.collect();
            !bars.is_sound() || matching != counted || naming != counted
        };
        let mut all = self.counters.iter();
        let of_tasks = all
            .find(|(id, counter)| counter.bars.as_ref().is_some_and(|bars| is_faulty(*id, bars)));
        let of_tasks = of_tasks.map(|(id, counter)| format!("{id:?}: {counter:?}"));
        of_tasks.or_else(|| {
            let is_wrong = |(slot, is_counted): &(_, bool)| self.counts(*slot) != *is_counted;
            let wrong = self.queued.operations().find(is_wrong);
            wrong.map(|wrong| format!("{wrong:?}"))
        })
    }

    /// What is known of the ready tasks that conditions look at: the positions in each operation,
    /// and the bound up to which each lane was examined; none if that is all of it.
    pub fn examined(&self) -> Examined {
        let id = |slot| self.operations.get(slot).id;
        let known = self.queued.tasks().map(|(_, task)| (task.operation, task.key));
        let unread = self
            .queued
            .operations()
            .flat_map(|(slot, _)| self.queued.unread(slot).map(move |(_, key)| (slot, key)));
        let keys = known.chain(unread).filter_map(|(slot, key)| Some((id(slot)?, key)));
        (keys.collect(), self.queued.lanes().collect())
    }

    /// The live runs are known all or none.
    fn faulty_runs(&self) -> Option<String> {
        let remote: u32 = self.operations.iter().map(|(_, operation)| operation.remote).sum();
        let (live, known) =
            (self.running + self.without_place + remote, self.counters.runs().count());
        let is_faulty = self.counters.knows_runs() && known != live as usize;
        is_faulty.then(|| format!("{live} runs are live, and {known} are known"))
    }

    /// An operation stands among the open ones exactly if its gate is open and it has a task.
    fn faulty_operation(&self) -> Option<String> {
        let all = self.operations.iter();
        let open = all.filter_map(|(slot, one)| Some(((one.open_head()?, slot), one.is_outside())));
        let (outside, here): (Vec<_>, Vec<_>) = open.partition(|(_, is_outside)| *is_outside);
        let set = |open: Vec<_>| open.into_iter().map(|(one, _)| one).collect::<BTreeSet<_>>();
        let listed = (set(here), set(outside));
        if (&listed.0, &listed.1) != (&self.open, &self.outside) {
            return Some(format!("open are {listed:?}, listed {:?}", (&self.open, &self.outside)));
        }
        let is_faulty = |(slot, one): &(OperationSlot, &Operation)| {
            let has_taker = one.is_outside() && self.takers.first(*slot).is_some();
            (has_taker, self.with_executor.contains(slot)) != (one.has_taker, one.is_outside())
        };
        let faulty = self.operations.iter().find(is_faulty);
        faulty.map(|(_, operation)| format!("who takes its tasks: {operation:?}"))
    }

    /// What has no token, and whose circuit is open, stands among the closed, and nothing else.
    fn faulty_closed(&self) -> Option<String> {
        let operations = self.operations.iter();
        let operations = operations.map(|(slot, operation)| {
            (GateSlot::Operation(slot), &operation.bucket, &operation.breaker)
        });
        let keys = self.counters.iter().filter_map(|(id, counter)| {
            let tokens = counter.rate.as_ref()?;
            Some((GateSlot::Counter(id), &tokens.bucket, &tokens.breaker))
        });
        let (mut closed, mut probing) = (BTreeSet::new(), BTreeSet::new());
        for (gate, bucket, breaker) in operations.chain(keys) {
            closed.extend(bucket.closed_until.map(|at| (at, Closed::ByTokens(gate))));
            match breaker.shut {
                Some(Shut::Until(at)) => drop(closed.insert((at, Closed::ByCircuit(gate)))),
                Some(Shut::Probing) => drop(probing.insert(gate)),
                None => {}
            }
        }
        if probing != self.probing {
            return Some(format!("probing are {probing:?}, listed {:?}", self.probing));
        }
        (closed != self.closed).then(|| format!("closed are {closed:?}, listed {:?}", self.closed))
    }

    /// Heads, runs (D5) and windows add up.
    fn faulty_sum(&self) -> Option<String> {
        let heads: usize = self.operations.iter().map(|(_, operation)| operation.heads.len()).sum();
        let open = self.groups.iter().filter(|(_, group)| group.listed.is_some()).count();
        let grouped: usize = self.groups.iter().map(|(_, group)| group.lanes.len()).sum();
        let runs: u32 = self.operations.iter().map(|(_, operation)| operation.running).sum();
        let outside = self.lanes.iter().map(|(_, lane)| lane.window.outside());
        let outside = outside.filter(|keys| *keys > 0);
        let outside = outside.fold((0, 0), |(keys, windows), more| (keys + more, windows + 1));
        let counted = (heads + grouped, runs, outside);
        let runs = self.running + self.without_place;
        let known = (self.lanes.len() + open, runs, self.lanes.outside());
        (counted != known).then(|| format!("counted {counted:?}, known {known:?}"))
    }
}
