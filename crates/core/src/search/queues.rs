//! The queues of all lanes, and the tasks that wait outside them, merged into one.
//!
//! # Promises
//! - A lane is read only when its turn has come: until then one place of it is in memory.
//! - All lanes together keep a bounded number of tasks ahead, or one each.
//!
//! Proof: `conformance::order`, `crates/sqlite/tests/read.rs`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::filter::Filter;
use super::pages::{Columns, Place, QueueHead, QueuePart, Snapshot};
use crate::error::Result;
use crate::id::{LaneId, Seq};
use crate::state::State;
use crate::task::{Priority, TaskRecord};

/// Lanes that are learned of at once.
const LANES_MAX: usize = 1_000;
/// Tasks that all lanes together keep ahead; with more lanes than that, each keeps one.
const TASKS_AHEAD: usize = 16_000;

/// The queues that may hold a match.
#[derive(Debug)]
pub(super) struct Queues {
    lanes: Vec<Queue>,
    /// For each lane that is not at its end: the place of its next task, or one before it.
    next: BinaryHeap<(Priority, Reverse<Seq>, usize)>,
    /// The last lane that was learned of.
    learned: Option<LaneId>,
    is_learned: bool,
}

/// The queue of one lane, or of all tasks that wait outside the lanes.
#[derive(Debug)]
struct Queue {
    lane: Option<LaneId>,
    /// Read, and not yet given out.
    ahead: VecDeque<TaskRecord>,
    /// What was read last: the next task stands behind it.
    after: Place,
    is_read: bool,
}

/// What is read at once.
#[derive(Clone, Copy)]
pub(super) struct Portion {
    pub(super) tasks_max: usize,
    pub(super) columns: Columns,
}

impl Queues {
    /// The queues of the states that may match.
    pub(super) fn of(filter: &Filter) -> Queues {
        let (lanes, next) = (Vec::new(), BinaryHeap::new());
        let is_learned = !filter.has(State::Ready);
        let mut queues = Queues { lanes, next, learned: None, is_learned };
        let is_outside = |state: &&State| **state != State::Ready;
        if State::ALL.iter().filter(is_outside).any(|state| filter.has_waiting(*state)) {
            queues.push(Queue::outside(filter.priority.high));
        }
        queues
    }

    /// The next tasks of all, in queue order; nothing at the end. There may be none for now: then
    /// a bounded part of the work was done.
    pub(super) fn page(
        &mut self,
        snapshot: &mut impl Snapshot,
        filter: &Filter,
        portion: Portion,
    ) -> Result<Option<Vec<TaskRecord>>> {
        if !self.is_learned {
            self.learn(snapshot, filter)?;
        }
        let mut tasks = Vec::new();
        if !self.is_learned {
            return Ok(Some(tasks));
        }
        let mut reads = 0;
        let ahead = (TASKS_AHEAD / self.lanes.len().max(1)).clamp(1, portion.tasks_max);
        while tasks.len() < portion.tasks_max
            && reads < portion.tasks_max
            && let Some((priority, Reverse(seq), index)) = self.next.pop()
        {
            let queue = &mut self.lanes[index];
            debug_assert_eq!(
                queue.next(),
                Some(Place { priority, seq }),
                "a lane stands in a wrong place (I-7)"
            );
            if let Some(task) = queue.ahead.pop_front() {
                tasks.push(task);
            } else {
                reads += 1;
                queue.read(snapshot, filter, Portion { tasks_max: ahead, ..portion })?;
            }
            self.show_next(index);
        }
        debug_assert!(tasks.len() <= portion.tasks_max, "a page is longer than asked for");
        let is_over = tasks.is_empty() && self.next.is_empty();
        Ok((!is_over).then_some(tasks))
    }

    /// Learns of more lanes, and whether these are all.
    fn learn(&mut self, snapshot: &mut impl Snapshot, filter: &Filter) -> Result<()> {
        let heads = snapshot.queue_heads(self.learned, LANES_MAX)?;
        debug_assert!(heads.len() <= LANES_MAX, "more lanes came than were asked for");
        self.is_learned = heads.len() < LANES_MAX;
        for head in heads {
            self.learned = Some(head.lane);
            if head.place.priority >= filter.priority.low && filter.has_operation(&head.operation) {
                self.push(Queue::of(&head, filter.priority.high));
            }
        }
        Ok(())
    }

    fn push(&mut self, queue: Queue) {
        self.lanes.push(queue);
        self.show_next(self.lanes.len() - 1);
    }

    fn show_next(&mut self, index: usize) {
        if let Some(Place { priority, seq }) = self.lanes[index].next() {
            self.next.push((priority, Reverse(seq), index));
        }
    }
}

impl Queue {
    /// The tasks outside the lanes, from a priority on.
    fn outside(priority_high: Priority) -> Queue {
        let after = Place { priority: priority_high, seq: Seq(0) };
        Queue { lane: None, ahead: VecDeque::new(), after, is_read: false }
    }

    /// A queue from its head on, or from a priority on below it.
    fn of(head: &QueueHead, priority_high: Priority) -> Queue {
        let after = if head.place.priority > priority_high {
            Place { priority: priority_high, seq: Seq(0) }
        } else {
            Place { seq: Seq(head.place.seq.0.saturating_sub(1)), ..head.place }
        };
        Queue { lane: Some(head.lane), ahead: VecDeque::new(), after, is_read: false }
    }

    /// The place of its next task, or one before it that no other task has; nothing at the end.
    fn next(&self) -> Option<Place> {
        match self.ahead.front() {
            Some(task) => Some(place(task)),
            None if self.is_read => None,
            None => Some(Place { seq: Seq(self.after.seq.0 + 1), ..self.after }),
        }
    }

    fn read(
        &mut self,
        snapshot: &mut impl Snapshot,
        filter: &Filter,
        Portion { tasks_max, columns }: Portion,
    ) -> Result<()> {
        debug_assert!(self.ahead.is_empty(), "nothing that was read is dropped");
        debug_assert!(!self.is_read, "a queue is read beyond its end");
        let (lane, after, priority_low) = (self.lane, self.after, filter.priority.low);
        let part = QueuePart { lane, after, priority_low, tasks_max };
        self.ahead = snapshot.queue(part, columns)?.into();
        debug_assert!(self.ahead.len() <= tasks_max, "more tasks came than were asked for");
        self.is_read = self.ahead.len() < tasks_max;
        self.after = self.ahead.back().map_or(after, place);
        Ok(())
    }
}

fn place(task: &TaskRecord) -> Place {
    Place { priority: task.def.priority, seq: task.seq }
}
