//! Rate limits: who waits for a token, and until when.
//!
//! The limit of a whole operation is a gate of that: without a token it is closed, until the next
//! one comes. The limit of one value stands at a counter of its own, at which the lanes of that
//! value wait in a group. Either is looked up in the store when it is needed first, and again when
//! another owner has started a task of the operation since: no commit has to say more than that.
//!
//! # Promises
//! - A start takes a token of what the store says, with all that this turn has taken (I-6).
//! - What has no token opens at the moment when it has one again, and is not looked at before.
//! - A lane whose tasks may have different values is judged by its head. If that has to wait, it is
//!   to be put into a lane of its value, so that it holds up no other. Only what is attached to a
//!   process has to wait where it is.
//!
//! Proof: `tests/dispatch_oracle.rs`, `proof/tests/engine/rates.rs`, `proof/tests/random`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::breaker::{Breaker, Shut};
use super::bucket::Bucket;
use super::lane::LaneGate;
use super::slot::{Closed, CounterId, GateSlot, Head, LaneSlot, OperationSlot};
use super::{Dispatch, Progress};
use crate::document;
use crate::error::Result;
use crate::fault::{Fault, is_on};
use crate::id::{LaneId, OperationId, Seq};
use crate::queue::QueueKey;
use crate::rate::{self, Arrival, RateKey, RateLimit};
use crate::store::GateId;
use crate::task::NewTask;
use crate::time::WallMs;

/// How many gates are asked for at once.
const GATES_ASKED_MAX: usize = 256;
/// How much later a process looks for a token whose last one another process took: that one takes
/// the next as well, if it can. So a token wakes one of them, and not all.
const OTHERS_LATER_MS: u64 = 20;

/// What is known of a rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateFacts {
    /// What is said.
    pub rate: Arc<RateLimit>,
    /// For which value; empty if it has none, or for the whole operation.
    pub key: RateKey,
    /// How many tokens there are.
    pub tokens: u32,
    /// When the next one comes; now if there is one.
    pub next_at: WallMs,
}

impl Dispatch {
    /// It is this late in the turn that begins, with others on the file or without: gates open
    /// whose tokens are back.
    pub fn turn_at(&mut self, now: WallMs, is_shared: bool) {
        let has_gone_back = now < self.now;
        (self.now, self.is_shared) = (now, is_shared);
        if self.closed.is_empty() {
            return;
        }
        let due = |at: &WallMs| *at <= now || has_gone_back;
        let due = self.closed.iter().take_while(|(at, _)| due(at)).map(|(_, closed)| *closed);
        for closed in due.collect::<Vec<Closed>>() {
            match closed {
                Closed::ByTokens(gate) => self.judge(gate),
                Closed::ByCircuit(gate) => self.judge_circuit(gate),
            }
        }
    }

    /// Whether a gate is closed by a clock that has been set back since.
    pub fn is_closed_too_long(&self, now: WallMs) -> bool {
        !self.closed.is_empty() && now < self.now
    }

    /// When the first token comes, or the first circuit is half open, for which a task waits that
    /// could start here.
    pub fn next_token(&self) -> Option<WallMs> {
        let is_closed = self.gate().is_some();
        if self.closed.is_empty() || (is_closed && !self.has_takers()) {
            return None;
        }
        let mut first: Option<WallMs> = None;
        for (at, closed) in &self.closed {
            if first.is_some_and(|first| first <= *at) {
                break;
            }
            let is_ours = match closed {
                Closed::ByTokens(gate) => self.bucket(*gate).map(|bucket| bucket.is_ours),
                Closed::ByCircuit(gate) => self.circuit(*gate).map(|breaker| breaker.is_ours),
            };
            if let Some(is_ours) = is_ours.filter(|_| self.is_waited_for(closed.gate(), is_closed))
            {
                let later = if self.is_shared && !is_ours { OTHERS_LATER_MS } else { 0 };
                first = Some(first.map_or(at.plus(later), |first| first.min(at.plus(later))));
            }
        }
        first
    }

    /// Whether a task could start that waits at a gate, but for that; if this process is closed, to
    /// be taken by an executor.
    fn is_waited_for(&self, gate: GateSlot, is_closed: bool) -> bool {
        let operation = self.operation_of(gate).map(|slot| self.operations.get(slot));
        if operation.is_none_or(|one| if one.is_outside() { !one.has_taker } else { is_closed }) {
            return false;
        }
        match gate {
            GateSlot::Operation(slot) => {
                let operation = self.operations.get(slot);
                let by_time = [Some(super::Gate::RateLimit), Some(super::Gate::Circuit)];
                !operation.heads.is_empty() && by_time.contains(&operation.gate())
            }
            GateSlot::Counter(id) => {
                self.counters.get(id).is_some_and(|counter| !counter.groups.is_empty())
            }
        }
    }

    pub(super) fn rate_of(&self, slot: OperationSlot) -> Option<Arc<RateLimit>> {
        self.operations.get(slot).options.rate_limit.clone()
    }

    /// Whether an operation has a gate for each value of a path.
    pub(super) fn has_keys(&self, slot: OperationSlot) -> bool {
        self.operations.get(slot).options.key_path().is_some()
    }

    /// The rate limit that holds at a gate, if the operation of that has one there.
    fn rate_at(&self, gate: GateSlot) -> Option<Arc<RateLimit>> {
        let rate = self.rate_of(self.operation_of(gate)?)?;
        (rate.by.is_some() == gate.is_of_key()).then_some(rate)
    }

    /// The same for the number of an operation.
    pub fn has_gate_keys(&self, id: OperationId) -> bool {
        self.operations.by_id(id).is_some_and(|slot| self.has_keys(slot))
    }

    fn bucket(&self, gate: GateSlot) -> Option<&Bucket> {
        match gate {
            GateSlot::Operation(slot) => Some(&self.operations.get(slot).bucket),
            GateSlot::Counter(id) => Some(&self.counters.get(id)?.rate.as_ref()?.bucket),
        }
    }

    fn bucket_mut(&mut self, gate: GateSlot) -> Option<&mut Bucket> {
        match gate {
            GateSlot::Operation(slot) => Some(&mut self.operations.get_mut(slot).bucket),
            GateSlot::Counter(id) => Some(&mut self.counters.get_mut(id)?.rate.as_mut()?.bucket),
        }
    }

    pub(super) fn operation_of(&self, gate: GateSlot) -> Option<OperationSlot> {
        match gate {
            GateSlot::Operation(slot) => Some(slot),
            GateSlot::Counter(id) => Some(self.counters.get(id)?.rate.as_ref()?.operation),
        }
    }

    pub(super) fn id_of(&self, gate: GateSlot) -> Option<GateId> {
        let id = self.operations.get(self.operation_of(gate)?).id?;
        match gate {
            GateSlot::Operation(_) => Some((id, "".into())),
            GateSlot::Counter(counter) => {
                Some((id, self.counters.get(counter)?.rate.as_ref()?.key.clone()))
            }
        }
    }

    /// Whether it is known what the store says of the tokens of a gate, if it has any.
    fn is_read(&self, gate: GateSlot) -> bool {
        if self.rate_at(gate).is_none() {
            return true;
        }
        let starts = self.operation_of(gate).map(|slot| self.operations.get(slot).starts_elsewhere);
        self.bucket(gate).is_some_and(|bucket| bucket.read_at == starts)
    }

    /// A gate opens or closes, as its tokens say. One of which nothing is known passes for open,
    /// for it is read before anything starts.
    pub(super) fn judge(&mut self, gate: GateSlot) {
        let (now, is_read, rate) = (self.now, self.is_read(gate), self.rate_at(gate));
        let Some(bucket) = self.bucket_mut(gate) else { return };
        let tokens = rate.filter(|_| is_read).map(|rate| bucket.tokens(&rate, now));
        let until = tokens.filter(|(tokens, _)| *tokens == 0).map(|(_, next_at)| next_at);
        debug_assert!(until.is_none_or(|until| until > now), "a gate opens in the past");
        let old = std::mem::replace(&mut bucket.closed_until, until);
        if old != until {
            self.relist_closed(Closed::ByTokens(gate), (old, until));
        }
    }

    /// A gate opens or closes, and stands among those that do so by time at the moments that are
    /// given.
    pub(super) fn relist_closed(
        &mut self,
        closed: Closed,
        (old, new): (Option<WallMs>, Option<WallMs>),
    ) {
        if let Some(old) = old {
            let was_closed = self.closed.remove(&(old, closed));
            debug_assert!(was_closed, "{closed:?} was not among the closed");
        }
        if let Some(new) = new {
            self.closed.insert((new, closed));
        }
        match closed.gate() {
            GateSlot::Operation(slot) => self.relist(slot),
            GateSlot::Counter(id) => self.relist_groups(id, 0),
        }
    }

    /// The gate of the value of the head of a lane. Nothing if that is not known.
    fn gate_of_key(&mut self, lane: LaneSlot, by: &str) -> Result<Option<GateSlot>> {
        if let Some(counter) = self.counter_of(lane) {
            return Ok(Some(GateSlot::Counter(counter)));
        }
        let Some(head) = self.lanes.get(lane).head() else { return Ok(None) };
        let key = match self.documents.get(&head.seq) {
            Some(document) => rate::key_at(document, by),
            None => match self.contents.get(head.seq) {
                Some(task) => document::gate_key(&task.def, by)?,
                None => return Ok(None),
            },
        };
        let id = self.set_lane_key(lane, &key);
        Ok(Some(GateSlot::Counter(id)))
    }

    /// The counter of the value of the head of a lane, if that is known.
    pub(super) fn counter_of(&self, lane: LaneSlot) -> Option<CounterId> {
        let lane = self.lanes.get(lane);
        let gate = lane.gate.as_ref()?;
        let head = lane.head().map(|head| head.seq);
        (gate.of.is_none() || gate.of == head).then_some(gate.counter)
    }

    /// Whether all tasks of a lane have one value at the path of the gates of their operation.
    pub(super) fn is_of_one_key(&self, id: LaneId) -> bool {
        let operation = self.operations.by_id(id.operation());
        operation.is_some_and(|slot| {
            let from = self.operations.get(slot).record.lanes_from;
            id.has_conditions() && id.n() >= from && self.has_keys(slot)
        })
    }

    /// The head of a lane, and if all are alike all of its tasks, have this value.
    pub(super) fn set_lane_key(&mut self, lane: LaneSlot, key: &RateKey) -> CounterId {
        self.forget_lane_key(lane);
        let (id, operation) = (self.lanes.get(lane).id, self.lanes.get(lane).operation);
        let of = self.lanes.get(lane).head().map(|head| head.seq);
        let of = of.filter(|_| !self.is_of_one_key(id));
        let hash = self.key_hash(operation, key);
        let counter = self.counters.refer_key(hash, operation, key);
        self.lanes.set_gate(lane, Some(LaneGate { counter, of }));
        counter
    }

    fn key_hash(&self, operation: OperationSlot, key: &str) -> u128 {
        self.hashes.of(&format!("gate {} {key}", operation.0))
    }

    /// Nothing is known of the value of a lane any more. It stands among the heads if it waited for
    /// a token of that.
    pub(super) fn forget_lane_key(&mut self, slot: LaneSlot) {
        let lane = self.lanes.get(slot);
        let Some(counter) = lane.gate.as_ref().map(|gate| gate.counter) else { return };
        let (group, head, operation) = (lane.group, lane.head(), lane.operation);
        let waits = |group| self.groups.get(group).is_some_and(|group| group.counter == counter);
        if let Some(group) = group.filter(|group| waits(*group)) {
            self.leave_group(group, slot, (head, head));
            self.relist(operation);
        }
        self.lanes.set_gate(slot, None);
        // It stays until the turn is over, for that may have taken tokens of it.
        self.released.push(counter);
    }

    /// The lanes that have referred to counters of values do so no more.
    pub(super) fn release_keys(&mut self) {
        while let Some(counter) = self.released.pop() {
            self.release_key(counter);
        }
    }

    fn release_key(&mut self, counter: CounterId) {
        let gate = GateSlot::Counter(counter);
        let until = self.bucket(gate).and_then(|bucket| bucket.closed_until);
        let shut = self.circuit(gate).and_then(|breaker| breaker.shut);
        if self.counters.release(counter).is_none() {
            return;
        }
        if let Some(until) = until {
            self.closed.remove(&(until, Closed::ByTokens(gate)));
        }
        match shut {
            Some(Shut::Until(until)) => drop(self.closed.remove(&(until, Closed::ByCircuit(gate)))),
            Some(Shut::Probing) => drop(self.probing.remove(&gate)),
            None => {}
        }
    }

    /// A lane that stood in a group at `old` stands among the heads, at `new`.
    pub(super) fn leave_group(
        &mut self,
        group: super::slot::GroupSlot,
        lane: LaneSlot,
        (old, new): (Option<QueueKey>, Option<QueueKey>),
    ) {
        let operation = self.lanes.get(lane).operation;
        self.move_in_group(group, lane, (old, None));
        self.move_among_heads(operation, Head::Lane(lane), (None, new));
    }

    /// What must be read before the head of a lane may start, or what keeps it from starting.
    /// `Ok(None)` if it has a token and its circuit lets it, or its lane is to wait for that.
    pub(super) fn look_at_gates(
        &mut self,
        operation: OperationSlot,
        lane: LaneSlot,
    ) -> Result<Option<GateLook>> {
        if !self.operations.get(operation).options.has_gates() {
            return Ok(None);
        }
        let whole = GateSlot::Operation(operation);
        if let Some(look) = self.look_at_gate(operation, whole) {
            return Ok(Some(look));
        }
        let Some(by) = self.operations.get(operation).options.key_path().map(Box::<str>::from)
        else {
            return Ok(None);
        };
        let Some(gate) = self.gate_of_key(lane, &by)? else { return Ok(Some(GateLook::Task)) };
        let (id, head) = (self.lanes.get(lane).id, self.lanes.get(lane).head());
        Ok(match self.look_at_gate(operation, gate) {
            // What is attached has one lane, and waits in that.
            Some(GateLook::Closed) if id.attached_to().is_some() => None,
            Some(GateLook::Closed) if self.is_of_one_key(id) => None,
            Some(GateLook::Closed) => head.map(|head| GateLook::Misplaced(id, head)),
            look => look,
        })
    }

    /// What must be read of a gate, or that it is closed.
    fn look_at_gate(&mut self, operation: OperationSlot, gate: GateSlot) -> Option<GateLook> {
        if !self.is_read(gate) {
            return Some(GateLook::Gates(self.gates_to_read((operation, gate), Self::is_read)));
        }
        if !self.is_circuit_read(gate) {
            let gates = self.gates_to_read((operation, gate), Self::is_circuit_read);
            return Some(GateLook::Circuits(gates));
        }
        self.judge(gate);
        self.judge_circuit(gate);
        let has_token = self.bucket(gate).is_none_or(|bucket| bucket.closed_until.is_none());
        let is_open = has_token && self.circuit(gate).is_none_or(|breaker| breaker.shut.is_none());
        (!is_open).then_some(GateLook::Closed)
    }

    /// This gate, and those of the lanes that come next, of which it is not known.
    fn gates_to_read(
        &self,
        (operation, first): (OperationSlot, GateSlot),
        is_known: impl Fn(&Self, GateSlot) -> bool,
    ) -> Vec<GateId> {
        let heads = self.operations.get(operation).heads.iter().take(GATES_ASKED_MAX);
        let lanes = heads.filter_map(|(_, head)| self.lane_at(*head));
        let next = lanes.filter_map(|lane| self.counter_of(lane)).map(GateSlot::Counter);
        let mut seen = BTreeSet::new();
        let gates = [first].into_iter().chain(next);
        let gates = gates.filter(|gate| !is_known(self, *gate) && seen.insert(*gate));
        let gates: Vec<GateSlot> = gates.collect();
        gates.into_iter().filter_map(|gate| self.id_of(gate)).collect()
    }

    /// What the store says of gates that [`Progress::Gates`] named.
    pub fn tell_gates(&mut self, gates: &[GateId], arrivals: &[Option<Arrival>]) {
        debug_assert_eq!(gates.len(), arrivals.len(), "a lookup gives one answer for each item");
        for (gate, arrival) in gates.iter().zip(arrivals) {
            let Some(slot) = self.tokens_at(gate) else { continue };
            let starts = self.operation_of(slot);
            let starts = starts.map_or(0, |slot| self.operations.get(slot).starts_elsewhere);
            if let Some(bucket) = self.bucket_mut(slot) {
                bucket.learn(*arrival, starts);
            }
            self.judge(slot);
        }
    }

    fn tokens_at(&self, gate: &GateId) -> Option<GateSlot> {
        let rate = self.rate_of(self.operations.by_id(gate.0)?)?;
        self.gate_at(gate, rate.by.is_some())
    }

    /// Where the gate of an operation, or of one value of it, lies.
    pub(super) fn gate_at(&self, (id, key): &GateId, is_of_key: bool) -> Option<GateSlot> {
        let slot = self.operations.by_id(*id)?;
        if !is_of_key {
            return Some(GateSlot::Operation(slot));
        }
        self.counters.with_key(self.key_hash(slot, key)).map(GateSlot::Counter)
    }

    /// The head of a lane starts, takes its token and passes its circuit. Its run has just begun.
    pub(super) fn pass_gates(
        &mut self,
        (operation, counter): (OperationSlot, Option<CounterId>),
        seq: Seq,
    ) {
        if !self.operations.get(operation).options.has_gates() {
            return;
        }
        let of_key = counter.map(GateSlot::Counter);
        for gate in [GateSlot::Operation(operation)].into_iter().chain(of_key) {
            self.take_token(gate);
            self.pass_circuit(gate, seq);
        }
    }

    fn take_token(&mut self, gate: GateSlot) {
        let Some(rate) = self.rate_at(gate) else { return };
        let now = self.now;
        let Some(bucket) = self.bucket_mut(gate) else { return };
        let before = bucket.clone();
        if !is_on(Fault::StartTakesNoToken) {
            bucket.take(&rate, now);
        }
        self.undo.push_token(gate, before);
        self.judge(gate);
    }

    /// A start has not been.
    pub(super) fn give_token_back(&mut self) {
        if let Some((gate, before)) = self.undo.pop_token()
            && !is_on(Fault::RollbackForgetsTokens)
        {
            self.bucket_mut(gate).into_iter().for_each(|bucket| bucket.restore(&before));
            self.judge(gate);
        }
    }

    /// The gates of which this turn has taken tokens, and their arrivals from now on.
    pub fn arrivals(&self) -> Vec<(GateId, Arrival)> {
        let gates: BTreeSet<GateSlot> = self.undo.tokens().collect();
        let arrival = |gate| Some((self.id_of(gate)?, self.bucket(gate)?.stored()?));
        gates.into_iter().filter_map(arrival).collect()
    }

    /// What is said of the gates of an operation is another thing. What its lanes knew of their
    /// values counts no more if the path is another one, and what was read of its gates never
    /// does: an absent value has the key of the whole operation.
    pub(super) fn change_gates(&mut self, slot: OperationSlot, is_same_path: bool) {
        if !is_same_path {
            let lanes = self.lanes.iter().filter(|(_, lane)| lane.operation == slot);
            let lanes: Vec<LaneSlot> = lanes.map(|(lane, _)| lane).collect();
            lanes.into_iter().for_each(|lane| self.forget_lane_key(lane));
        }
        let counters: Vec<CounterId> = self.counters.of_keys(slot).collect();
        let gates = counters.into_iter().map(GateSlot::Counter);
        for gate in gates.chain([GateSlot::Operation(slot)]) {
            if !is_on(Fault::ChangeKeepsGates) {
                self.bucket_mut(gate).into_iter().for_each(Bucket::forget);
                self.circuit_mut(gate).into_iter().for_each(Breaker::forget);
            }
            self.judge(gate);
            self.judge_circuit(gate);
        }
    }

    /// For which value of a new task the gates of its operation hold, if one is by value.
    ///
    /// # Errors
    /// `Corrupt` if a stored text is not JSON.
    pub fn gate_key(&self, id: OperationId, def: &NewTask) -> Result<Option<RateKey>> {
        let by = self.options(id).and_then(|options| options.key_path());
        by.map(|by| document::gate_key(def, by)).transpose()
    }

    /// The gate at which a task needs a token; nothing if its operation has no rate limit.
    ///
    /// # Errors
    /// As [`Dispatch::gate_key`].
    pub fn gate_of_task(&self, id: OperationId, def: &NewTask) -> Result<Option<GateId>> {
        let rate = self.options(id).and_then(|options| options.rate_limit.as_ref());
        let Some(rate) = rate else { return Ok(None) };
        Ok(Some((id, document::rate_key(def, rate)?.unwrap_or_default())))
    }

    /// What is known of a gate, for which the store says this.
    pub fn rate_facts(&self, gate: &GateId, stored: Option<Arrival>) -> Option<RateFacts> {
        let rate = self.options(gate.0)?.rate_limit.clone()?;
        let known = self.tokens_at(gate).filter(|slot| self.is_read(*slot));
        let bucket = known.and_then(|slot| self.bucket(slot)).cloned();
        let mut bucket = bucket.unwrap_or_default();
        bucket.learn(stored, 0);
        let (tokens, next_at) = bucket.tokens(&rate, self.now);
        Some(RateFacts { rate, key: gate.1.clone(), tokens, next_at })
    }
}

/// What keeps the head of a lane from starting.
pub(super) enum GateLook {
    /// Its task must be known.
    Task,
    /// The tokens of these gates must be read.
    Gates(Vec<GateId>),
    /// The circuits of these gates must be.
    Circuits(Vec<GateId>),
    /// Its operation has no token, or its circuit is open.
    Closed,
    /// That holds of its value, and it stands in front of tasks of others.
    Misplaced(LaneId, QueueKey),
}

impl GateLook {
    /// What the turn does next, if it has to ask for something.
    pub(super) fn progress(self, ask: impl FnOnce() -> Progress) -> Option<Progress> {
        match self {
            Self::Task => Some(ask()),
            Self::Gates(gates) => Some(Progress::Gates(gates)),
            Self::Circuits(gates) => Some(Progress::Circuits(gates)),
            Self::Closed => None,
            Self::Misplaced(lane, key) => Some(Progress::Misplaced(lane, key)),
        }
    }
}
