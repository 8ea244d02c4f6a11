//! Ready tasks of lanes, contents of tasks, and timers.

use std::ops::RangeInclusive;
use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::id::{OperationId, Seq};
use tasker_core::store::{QueuePart, ReadyTask, Window, WindowQuery};
use tasker_core::task::{NewTask, Unsaid};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::RedisTransaction;
use crate::ask::{Ask, Found, Want, beside, from, to};
use crate::bytes::{corrupt, eight, from_sortable, seq_at, sortable};
use crate::keys;
use crate::value::{all_bytes, number};

/// Tasks that are read with their data at once.
const TASKS_AT_ONCE: usize = 256;

/// What may still be read of data; nothing once the bound is passed.
struct BytesLeft(Option<usize>);

impl BytesLeft {
    fn is_passed(&self) -> bool {
        self.0.is_none()
    }

    fn take(&mut self, task: &ReadyTask) {
        self.0 = self.0.and_then(|left| left.checked_sub(task.def.bytes()));
    }
}

/// A task as its start needs it.
fn ready_task(seq: Seq, found: Found, operation: &Arc<str>) -> ReadyTask {
    let Found { row, data, .. } = found;
    let mut options = row.options;
    // It may be put back in the very turn that asks.
    options.forget_pause();
    let operation = Arc::clone(operation);
    let priority = row.priority;
    let (unsaid, is_attached) = (Unsaid::NONE, false);
    ReadyTask {
        seq,
        id: row.id,
        created_at: row.created_at,
        def: NewTask { operation, data, priority, options, unsaid, is_attached },
        attempt: row.attempt,
        failures: row.failures,
        losses: row.losses,
        logs: row.logs,
    }
}

impl RedisTransaction<'_> {
    pub(super) fn read_windows(
        &mut self,
        windows: &[WindowQuery],
        bytes_max: usize,
    ) -> Result<Vec<Window>> {
        let mut left = BytesLeft(Some(bytes_max));
        let mut found = Vec::new();
        let mut rest = windows;
        while !rest.is_empty() && !left.is_passed() {
            // As many windows in one trip as are likely to be filled.
            let mut tasks = 0;
            let fits = |query: &&WindowQuery| {
                let before = tasks;
                tasks += query.tasks_max.min(TASKS_AT_ONCE);
                before < TASKS_AT_ONCE
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (part, later) = rest.split_at(count);
            self.some_windows(part, &mut left, &mut found)?;
            rest = later;
        }
        Ok(found)
    }

    fn some_windows(
        &mut self,
        windows: &[WindowQuery],
        left: &mut BytesLeft,
        found: &mut Vec<Window>,
    ) -> Result<()> {
        let mut ask = Ask::default();
        for query in windows {
            self.ask_window(&mut ask, query, query.tasks_max);
        }
        let (mut answer, key) = (self.send(ask)?, self.key());
        for query in windows {
            if left.is_passed() {
                break;
            }
            let mut listed = answer.found(key)?;
            let mut window = Window { tasks: Vec::new(), is_complete: true };
            loop {
                let count = listed.len();
                self.fill(query, listed, left, &mut window);
                let is_cut = window.tasks.len() == query.tasks_max || left.is_passed();
                if count <= TASKS_AT_ONCE || is_cut {
                    break;
                }
                // There are more than one trip brings along.
                let after = window.tasks.last().map_or(query.from, |last| {
                    tasker_core::queue::QueueKey::new(last.def.priority, last.seq).after()
                });
                let mut ask = Ask::default();
                let next = WindowQuery { from: after, ..query.clone() };
                self.ask_window(&mut ask, &next, query.tasks_max - window.tasks.len());
                listed = self.send(ask)?.found(key)?;
            }
            found.push(window);
        }
        Ok(())
    }

    fn ask_window(&self, ask: &mut Ask, query: &WindowQuery, tasks_max: usize) {
        let first = keys::ready(query.lane.id, query.from);
        let last = [&query.lane.id.0.to_be_bytes()[..], &[0xff; 32]].concat();
        // One more than asked for tells whether these are all.
        let max = tasks_max.min(TASKS_AT_ONCE).saturating_add(1);
        ask.find(keys::READY, Want::Data, (from(&first), to(&last)), max);
    }

    /// Takes what there is room for; what is left makes the window incomplete.
    fn fill(
        &self,
        query: &WindowQuery,
        listed: Vec<(Seq, Found)>,
        left: &mut BytesLeft,
        window: &mut Window,
    ) {
        let at_once = window.tasks.len() + TASKS_AT_ONCE;
        window.is_complete = true;
        for (seq, one) in listed.into_iter().filter(|(seq, _)| self.has(*seq)) {
            let is_full = window.tasks.len() == query.tasks_max.min(at_once);
            if is_full || left.is_passed() {
                window.is_complete = false;
                return;
            }
            let task = ready_task(seq, one, &query.lane.operation);
            left.take(&task);
            window.tasks.push(task);
        }
    }

    pub(super) fn read_contents(
        &mut self,
        tasks: &[(Seq, Arc<str>)],
        bytes_max: usize,
    ) -> Result<Vec<Option<ReadyTask>>> {
        let mut left = BytesLeft(Some(bytes_max));
        let mut contents = Vec::new();
        for part in tasks.chunks(TASKS_AT_ONCE) {
            if left.is_passed() {
                break;
            }
            let seqs: Vec<Seq> = part.iter().map(|(seq, _)| *seq).collect();
            let found = self.rows(&seqs, Want::Data)?;
            for (found, (seq, operation)) in found.into_iter().zip(part) {
                if left.is_passed() {
                    return Ok(contents);
                }
                let task = found.map(|found| ready_task(*seq, found, operation));
                task.iter().for_each(|task| left.take(task));
                contents.push(task);
            }
        }
        Ok(contents)
    }

    pub(super) fn read_timers(
        &mut self,
        at: &RangeInclusive<WallMs>,
        max: usize,
    ) -> Result<Vec<Timer>> {
        let low = from(&sortable(*at.start()));
        let high = to(&[&sortable(*at.end())[..], &[0xff; 32]].concat());
        let mut ask = Ask::default();
        ask.range(keys::TIMERS, low, high, max);
        let timer = |entry: &Vec<u8>| {
            let kind = entry.get(8).copied().and_then(TimerKind::from_code);
            let kind = kind.ok_or_else(|| corrupt("an unknown timer"))?;
            Ok(Timer { at: from_sortable(eight(entry, 0)?), kind, seq: seq_at(entry, 9)? })
        };
        all_bytes(self.send(ask)?.next()?)?.iter().map(timer).collect()
    }

    pub(super) fn read_lapsing(
        &mut self,
        operation: OperationId,
        seqs: &RangeInclusive<Seq>,
        max: usize,
    ) -> Result<Vec<Seq>> {
        let bound = |seq: &Seq| keys::lapsing(operation, *seq);
        let mut ask = Ask::default();
        ask.range(keys::LAPSING, from(&bound(seqs.start())), to(&bound(seqs.end())), max);
        let all = all_bytes(self.send(ask)?.next()?)?;
        let all = all.iter().map(|entry| seq_at(entry, 2)).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().filter(|seq| self.has(*seq)).collect())
    }

    pub(super) fn read_queued(&mut self, parts: &[QueuePart], max: usize) -> Result<Vec<usize>> {
        let mut ask = Ask::default();
        for QueuePart { lane, from: first, to: end } in parts {
            let (low, high) = (keys::ready(*lane, *first), keys::ready(*lane, *end));
            ask.count(keys::READY, from(&low), beside(&high));
        }
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let mut answer = self.send(ask)?;
        let count = |_| Ok(usize::try_from(number(&answer.next()?)?).unwrap_or(0).min(max));
        parts.iter().map(count).collect()
    }

    pub(super) fn read_leased(&mut self) -> Result<Vec<Seq>> {
        let mut ask = Ask::default();
        ask.add("ZRANGE", vec![keys::LEASES.into(), b"0".to_vec(), b"-1".to_vec()]);
        all_bytes(self.send(ask)?.next()?)?.iter().map(|entry| seq_at(entry, 8)).collect()
    }
}
