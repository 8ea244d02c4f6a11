//! Which task runs next.
//!
//! A *lane* is all ready tasks with the same operation and the same conditions. Inside a lane the
//! order is total: greater priority, then smaller sequence number. A lane is *open* when its head
//! may start as soon as this process has capacity, or held back: no runner, or the operation's
//! limit reached. Each lane keeps a *window* of its first tasks in memory; the rest lie in the
//! store.
//!
//! [`Dispatch::starts`] is pure: it looks at this structure and at what the turn is about to change
//! (the [`Turnover`]) and says what to start. The other functions carry out what was committed.
//!
//! # Promises
//! - What starts is the first of all that may start (I-7), at most `limit` at once here and at most
//!   each operation's own limit, which counts the runs of other owners too (I-6). Where the window
//!   does not reach, nothing is started out of order: the answer says that more must be loaded
//!   first.
//! - A start costs O(log n) of what is in memory, whatever waits in the store.
//!
//! Proof: `tests/dispatch_oracle.rs` compares with a scan of everything.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_map};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::id::{LaneId, Seq};
use crate::store::{Lane, ReadyTask, Window};
use crate::task::Priority;

/// The position of a task in the queue: greater priority first, then the older one (I-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueKey {
    priority: Reverse<Priority>,
    /// The task.
    pub seq: Seq,
}

impl QueueKey {
    /// The position of a task with this priority.
    pub fn new(priority: Priority, seq: Seq) -> Self {
        Self { priority: Reverse(priority), seq }
    }

    /// The priority of the task.
    pub fn priority(self) -> Priority {
        self.priority.0
    }

    /// The position of this task.
    pub fn of(task: &ReadyTask) -> Self {
        Self::new(task.def.priority, task.seq)
    }
}

/// How many tasks of a lane stay in memory; what comes after them is read again when needed.
const WINDOW_TASKS_MAX: usize = 8_192;
/// How many bytes of data stay in memory, of all lanes together: each has an equal share, but at
/// least one task.
const WINDOWS_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug)]
struct LaneQueue {
    operation: Arc<str>,
    window: BTreeMap<QueueKey, ReadyTask>,
    bytes: usize,
    /// Whether the window holds every ready task of the lane.
    is_complete: bool,
    /// The entry in `Dispatch::heads`, if the lane is open and its window is not empty.
    head: Option<QueueKey>,
}

#[derive(Debug, Default)]
struct Operation {
    has_runner: bool,
    limit: Option<u32>,
    running: u32,
    /// Live runs of other owners.
    remote: u32,
    lanes: Vec<LaneId>,
}

impl Operation {
    fn has_capacity(&self, freed: u32) -> bool {
        self.has_runner && self.limit.is_none_or(|limit| self.live(freed) < limit)
    }

    /// Live runs of all owners, when so many are over.
    fn live(&self, freed: u32) -> u32 {
        (self.running + self.remote).saturating_sub(freed)
    }
}

/// All that may start, in order, and what holds the rest.
#[derive(Debug)]
pub struct Dispatch {
    is_started: bool,
    limit: u32,
    running: u32,
    lanes: FxHashMap<LaneId, LaneQueue>,
    operations: FxHashMap<Arc<str>, Operation>,
    /// The first task of every open lane.
    heads: BTreeSet<(QueueKey, LaneId)>,
    /// The lanes with a runner whose window does not hold everything.
    partial: BTreeSet<LaneId>,
    /// Bytes of data in all windows.
    bytes: usize,
    /// The lanes whose window holds a task.
    filled: usize,
    /// The share of a lane when all windows were last cut to it.
    cut_to: usize,
}

/// What the turn is about to change, before any of it is carried out.
#[derive(Debug, Default)]
pub struct Turnover {
    /// Runs that end, by operation.
    pub freed: FxHashMap<Arc<str>, u32>,
    /// Ready tasks that leave their position: ended, or given another priority.
    pub gone: FxHashSet<Seq>,
    /// Tasks that enter the queue, in queue order: new ones, given back, given another priority.
    pub arrivals: Vec<Arrival>,
}

impl Turnover {
    /// One more run of this operation ends.
    pub fn free(&mut self, operation: &Arc<str>) {
        match self.freed.get_mut(operation) {
            Some(freed) => *freed += 1,
            None => {
                self.freed.insert(operation.clone(), 1);
            }
        }
    }
}

/// A task that enters the queue in this turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its position.
    pub key: QueueKey,
    /// Its lane.
    pub lane: LaneId,
    /// Its operation.
    pub operation: Arc<str>,
}

/// A task that is to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Its lane.
    pub lane: LaneId,
    /// Its position.
    pub key: QueueKey,
    /// Whether it entered the queue in this very turn.
    pub is_arrival: bool,
}

/// What to start now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Starts {
    /// In the order in which they start.
    pub picks: Vec<Pick>,
    /// Whether a window ran out before the capacity did: load and ask again.
    pub is_starved: bool,
}

impl Dispatch {
    /// An empty queue that starts nothing yet; at most `limit` runs at once.
    pub fn new(limit: u32) -> Self {
        Self {
            is_started: false,
            limit,
            running: 0,
            lanes: FxHashMap::default(),
            operations: FxHashMap::default(),
            heads: BTreeSet::new(),
            partial: BTreeSet::new(),
            bytes: 0,
            filled: 0,
            cut_to: usize::MAX,
        }
    }

    /// Whether tasks are being started.
    pub fn is_started(&self) -> bool {
        self.is_started
    }

    /// Begins or ceases to start tasks.
    pub fn set_started(&mut self, is_started: bool) {
        self.is_started = is_started;
    }

    /// How many runs are live here.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Makes a lane known. What waits in it is in the store, unless the lane is new.
    pub fn add_lane(&mut self, lane: &Lane, is_new: bool) {
        let queue = LaneQueue {
            operation: lane.operation.clone(),
            window: BTreeMap::new(),
            bytes: 0,
            is_complete: is_new,
            head: None,
        };
        if self.lanes.insert(lane.id, queue).is_none() {
            self.operations.entry(lane.operation.clone()).or_default().lanes.push(lane.id);
        }
    }

    /// The lane with this number.
    pub fn lane(&self, id: LaneId) -> Option<Lane> {
        self.lanes.get(&id).map(|queue| Lane { id, operation: queue.operation.clone() })
    }

    /// The lane of an operation without conditions.
    pub fn lane_of(&self, operation: &str) -> Option<LaneId> {
        self.operations.get(operation)?.lanes.first().copied()
    }

    /// Whether the operation has a runner here.
    pub fn has_runner(&self, operation: &str) -> bool {
        self.operations.get(operation).is_some_and(|operation| operation.has_runner)
    }

    /// Gives an operation a runner and a limit, or takes the runner away. Live runs go on.
    pub fn set_runner(&mut self, operation: &Arc<str>, has_runner: bool, limit: Option<u32>) {
        let entry = self.operations.entry(operation.clone()).or_default();
        entry.has_runner = has_runner;
        entry.limit = limit;
        self.refresh_operation(operation);
    }

    /// The lanes that must be loaded before [`Dispatch::starts`] can use the free capacity, and how
    /// many tasks of each at least.
    pub fn lanes_to_load(&self, turnover: &Turnover) -> Vec<(LaneId, usize)> {
        let free = self.free(turnover) as usize;
        if free == 0 {
            return Vec::new();
        }
        let needed = free + turnover.gone.len();
        let is_wanted = |queue: &LaneQueue| {
            queue.window.len() < needed && self.has_capacity(&queue.operation, turnover)
        };
        let partial = self.partial.iter();
        partial
            .filter(|lane| self.lanes.get(lane).is_some_and(is_wanted))
            .map(|lane| (*lane, needed))
            .collect()
    }

    /// How many bytes of data of one lane may stay in memory.
    pub fn window_bytes_max(&self) -> usize {
        WINDOWS_BYTES_MAX / self.filled.max(1)
    }

    /// How many bytes of data all windows hold.
    pub fn window_bytes(&self) -> usize {
        self.bytes
    }

    /// Replaces a lane's window by what the store holds.
    pub fn load(&mut self, lane: LaneId, window: Window) {
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        self.filled -= usize::from(!queue.window.is_empty());
        self.bytes -= queue.bytes;
        queue.is_complete = window.is_complete;
        queue.bytes = window.tasks.iter().map(bytes_of).sum();
        queue.window = window.tasks.into_iter().map(|task| (QueueKey::of(&task), task)).collect();
        self.filled += usize::from(!queue.window.is_empty());
        self.bytes += queue.bytes;
        self.cut(lane, self.window_bytes_max());
        self.refresh(lane);
        self.cut_windows();
    }

    /// Cuts every window to its share when all together hold too much. A pass over the lanes is
    /// made only when the share has halved since the last one, so many lanes do not make it often.
    fn cut_windows(&mut self) {
        let share = self.window_bytes_max();
        if self.bytes <= WINDOWS_BYTES_MAX {
            self.cut_to = usize::MAX;
            return;
        }
        if share > self.cut_to / 2 {
            return;
        }
        self.cut_to = share;
        let is_over = |queue: &LaneQueue| queue.bytes > share && queue.window.len() > 1;
        let over = self.lanes.iter().filter(|(_, queue)| is_over(queue));
        for lane in over.map(|(lane, _)| *lane).collect::<Vec<_>>() {
            self.cut(lane, share);
            self.refresh(lane);
        }
    }

    /// Takes tasks from the end of a window until it has its share; the first one stays.
    fn cut(&mut self, lane: LaneId, share: usize) {
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        while queue.window.len() > WINDOW_TASKS_MAX
            || (queue.bytes > share && queue.window.len() > 1)
        {
            let Some((_, last)) = queue.window.pop_last() else { break };
            queue.bytes -= bytes_of(&last);
            self.bytes -= bytes_of(&last);
            queue.is_complete = false;
        }
    }

    /// Forgets what is known of a lane; it is loaded again when it is needed.
    pub fn forget_window(&mut self, lane: LaneId) {
        self.load(lane, Window { tasks: Vec::new(), is_complete: false });
    }

    /// Forgets every window.
    pub fn forget_windows(&mut self) {
        let lanes: Vec<LaneId> = self.lanes.keys().copied().collect();
        for lane in lanes {
            self.forget_window(lane);
        }
    }

    /// What to start, given what the turn is about to change. Every lane that
    /// [`Dispatch::lanes_to_load`] names must have been loaded, as far as it goes: an arrival
    /// stands behind a window that runs out.
    pub fn starts(&self, turnover: &Turnover) -> Starts {
        let free = self.free(turnover);
        if free == 0 { Starts::default() } else { Search::new(self, turnover).run(free) }
    }

    /// A task of the queue has started: it leaves its lane and uses capacity.
    pub fn start(&mut self, lane: LaneId, key: QueueKey) -> Option<ReadyTask> {
        let task = self.dequeue(lane, key)?;
        self.acquire(&task.def.operation);
        Some(task)
    }

    /// A run begins to use capacity.
    pub fn acquire(&mut self, operation: &Arc<str>) {
        self.running += 1;
        let entry = self.operations.entry(operation.clone()).or_default();
        entry.running += 1;
        if entry.limit.is_some_and(|limit| entry.live(0) >= limit) {
            self.refresh_operation(operation);
        }
    }

    /// A run ended and gives its capacity back.
    pub fn release(&mut self, operation: &Arc<str>) {
        self.running = self.running.saturating_sub(1);
        let Some(entry) = self.operations.get_mut(operation) else { return };
        entry.running = entry.running.saturating_sub(1);
        if entry.limit.is_some() {
            self.refresh_operation(operation);
        }
    }

    /// So many runs of other owners are live in this lane's operation.
    pub fn add_remote_runs(&mut self, lane: LaneId, runs: u32) {
        self.change_remote_runs(lane, |remote| remote + runs);
    }

    /// So many runs of other owners are over in this lane's operation.
    pub fn remove_remote_runs(&mut self, lane: LaneId, runs: u32) {
        self.change_remote_runs(lane, |remote| remote.saturating_sub(runs));
    }

    /// Forgets every run of other owners.
    pub fn clear_remote_runs(&mut self) {
        self.operations.values_mut().for_each(|entry| entry.remote = 0);
    }

    fn change_remote_runs(&mut self, lane: LaneId, change: impl FnOnce(u32) -> u32) {
        let Some(queue) = self.lanes.get(&lane) else { return };
        let operation = queue.operation.clone();
        let Some(entry) = self.operations.get_mut(&operation) else { return };
        let had_capacity = entry.has_capacity(0);
        entry.remote = change(entry.remote);
        if entry.has_capacity(0) != had_capacity {
            self.refresh_operation(&operation);
        }
    }

    /// A task is ready in a lane from now on.
    pub fn enqueue(&mut self, lane: LaneId, task: ReadyTask) {
        let is_wanted = self.is_started && self.has_runner(&task.def.operation);
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        let key = QueueKey::of(&task);
        let is_within = queue.window.last_key_value().is_some_and(|(last, _)| key < *last);
        let fits = queue.is_complete && is_wanted;
        if !fits && !is_within {
            // It lies behind what memory holds: the store has it.
            queue.is_complete = false;
            self.refresh(lane);
            return;
        }
        self.filled += usize::from(queue.window.is_empty());
        self.bytes += bytes_of(&task);
        queue.bytes += bytes_of(&task);
        queue.window.insert(key, task);
        let is_first = queue.head.is_none_or(|head| key < head);
        self.cut(lane, self.window_bytes_max());
        if is_first || self.lanes.get(&lane).is_some_and(|queue| !queue.is_complete) {
            self.refresh(lane);
        }
    }

    /// The task in this position leaves the queue. It may not be in memory.
    pub fn dequeue(&mut self, lane: LaneId, key: QueueKey) -> Option<ReadyTask> {
        let queue = self.lanes.get_mut(&lane)?;
        let task = queue.window.remove(&key)?;
        queue.bytes -= bytes_of(&task);
        self.bytes -= bytes_of(&task);
        self.filled -= usize::from(queue.window.is_empty());
        if queue.head == Some(key) {
            self.refresh(lane);
        }
        Some(task)
    }

    /// The ready task in this position, if memory holds it.
    pub fn peek(&self, lane: LaneId, key: QueueKey) -> Option<&ReadyTask> {
        self.lanes.get(&lane)?.window.get(&key)
    }

    fn free(&self, turnover: &Turnover) -> u32 {
        if !self.is_started {
            return 0;
        }
        let freed: u32 = turnover.freed.values().sum();
        self.limit.saturating_sub(self.running.saturating_sub(freed))
    }

    fn has_capacity(&self, operation: &str, turnover: &Turnover) -> bool {
        let freed = turnover.freed.get(operation).copied().unwrap_or(0);
        self.operations.get(operation).is_some_and(|entry| entry.has_capacity(freed))
    }

    fn refresh_operation(&mut self, operation: &str) {
        let Some(entry) = self.operations.get(operation) else { return };
        for lane in entry.lanes.clone() {
            self.refresh(lane);
        }
    }

    /// Brings `heads` and `partial` up to date for one lane.
    fn refresh(&mut self, lane: LaneId) {
        let Some(queue) = self.lanes.get_mut(&lane) else { return };
        let entry = self.operations.get(&queue.operation);
        let is_open = entry.is_some_and(|entry| entry.has_capacity(0));
        if !queue.is_complete && entry.is_some_and(|entry| entry.has_runner) {
            self.partial.insert(lane);
        } else {
            self.partial.remove(&lane);
        }
        let first = queue.window.first_key_value().map(|(key, _)| *key);
        let head = first.filter(|_| is_open);
        if queue.head == head {
            return;
        }
        if let Some(old) = queue.head.take() {
            self.heads.remove(&(old, lane));
        }
        if let Some(new) = head {
            self.heads.insert((new, lane));
            queue.head = Some(new);
        }
    }
}

fn bytes_of(task: &ReadyTask) -> usize {
    task.def.data.as_ref().map_or(0, |data| data.as_str().len())
}

/// A candidate for the next start: its position, and which lane it comes from.
type Candidate = Reverse<(QueueKey, usize)>;

/// Merges the open lanes and the tasks that join in this turn, in queue order.
struct Search<'a> {
    dispatch: &'a Dispatch,
    turnover: &'a Turnover,
    /// The lanes taken up so far.
    lanes: Vec<(LaneId, &'a LaneQueue, btree_map::Iter<'a, QueueKey, ReadyTask>)>,
    /// Their next tasks.
    next: BinaryHeap<Candidate>,
    /// Capacity left, of each operation that was asked for.
    left: FxHashMap<&'a str, u32>,
    starts: Starts,
}

impl<'a> Search<'a> {
    fn new(dispatch: &'a Dispatch, turnover: &'a Turnover) -> Self {
        Self {
            dispatch,
            turnover,
            lanes: Vec::new(),
            next: BinaryHeap::new(),
            left: FxHashMap::default(),
            starts: Starts::default(),
        }
    }

    fn run(mut self, free: u32) -> Starts {
        self.reopen_lanes();
        let mut heads = self.dispatch.heads.iter().peekable();
        let mut arrivals = self.turnover.arrivals.iter().peekable();
        while (self.starts.picks.len() as u64) < u64::from(free) && !self.starts.is_starved {
            let head = heads.peek().map(|(key, _)| *key);
            let queued = self.next.peek().map(|Reverse((key, _))| *key);
            let joining = arrivals.peek().map(|arrivals| arrivals.key);
            let Some(first) = [head, queued, joining].into_iter().flatten().min() else { break };
            if head == Some(first) {
                if let Some((_, lane)) = heads.next() {
                    self.open(*lane);
                }
            } else if queued == Some(first) {
                self.take_queued();
            } else if let Some(arrivals) = arrivals.next() {
                self.take_arrival(arrivals);
            }
        }
        // Without capacity it does not matter what the windows lack.
        self.starts.is_starved &= (self.starts.picks.len() as u64) < u64::from(free);
        self.starts
    }

    /// Lanes that stand behind an operation's limit now and get capacity by what this turn frees.
    fn reopen_lanes(&mut self) {
        for operation in self.turnover.freed.keys() {
            let Some(entry) = self.dispatch.operations.get(operation) else { continue };
            if !entry.has_capacity(0) {
                for lane in &entry.lanes {
                    self.open(*lane);
                }
            }
        }
    }

    fn open(&mut self, lane: LaneId) {
        if let Some(queue) = self.dispatch.lanes.get(&lane)
            && *self.left(&queue.operation) > 0
        {
            self.lanes.push((lane, queue, queue.window.iter()));
            self.advance(self.lanes.len() - 1);
        }
    }

    /// Puts the next task of a lane among the candidates.
    fn advance(&mut self, at: usize) {
        let (_, queue, tasks) = &mut self.lanes[at];
        let gone = &self.turnover.gone;
        match tasks.find(|(key, _)| !gone.contains(&key.seq)) {
            Some((key, _)) => self.next.push(Reverse((*key, at))),
            // What follows is in the store and may come before the tasks of other lanes.
            None => self.starts.is_starved |= !queue.is_complete,
        }
    }

    fn take_queued(&mut self) {
        let Some(Reverse((key, at))) = self.next.pop() else { return };
        let (lane, queue, _) = self.lanes[at];
        if self.acquire(&queue.operation) {
            self.starts.picks.push(Pick { lane, key, is_arrival: false });
            self.advance(at);
        }
    }

    fn take_arrival(&mut self, arrivals: &'a Arrival) {
        if self.acquire(&arrivals.operation) {
            let (lane, key) = (arrivals.lane, arrivals.key);
            self.starts.picks.push(Pick { lane, key, is_arrival: true });
        }
    }

    /// The capacity that an operation has left.
    fn left(&mut self, operation: &'a str) -> &mut u32 {
        let Search { dispatch, turnover, left, .. } = self;
        left.entry(operation).or_insert_with(|| {
            let freed = turnover.freed.get(operation).copied().unwrap_or(0);
            let entry = dispatch.operations.get(operation).filter(|entry| entry.has_runner);
            entry.map_or(0, |entry| {
                let limit = entry.limit.unwrap_or(u32::MAX);
                limit.saturating_sub(entry.live(freed))
            })
        })
    }

    fn acquire(&mut self, operation: &'a str) -> bool {
        let left = self.left(operation);
        let has_capacity = *left > 0;
        *left = left.saturating_sub(1);
        has_capacity
    }
}
