//! The reading side: a connection of its own that gives tasks page by page.
//!
//! # Promises
//! - Each page is of one moment, and its trips are as many as the page has parts.
//! - A snapshot shows no task and no batch that came after it was taken.
//!
//! # Given up
//! - What a task has become since a snapshot was taken is not hidden, as SQLite does it: a server
//!   keeps no old state. A search over several pages that finds that the store has moved says so
//!   by [`Snapshot::has_moved`], and then gives a task that has changed its place only once. One
//!   that went back to a part that was read already may be missed.
//!
//! # Left to others
//! What is looked for, in which order and how much of it is `core::search`'s. Indexes of own
//! fields, backups and audits are not built.
//!
//! Proof: `conformance::reader`, `conformance::numbers`, `conformance::watching`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use redis::Value;
use rustc_hash::FxHashMap;
use tasker_core::changes::WatchedBatch;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, LaneId, OperationId, Seq};
use tasker_core::index::{IndexPath, Key};
use tasker_core::query::Direction;
use tasker_core::read::{Interrupted, LogsPart, Verified};
use tasker_core::schedules::Schedule;
use tasker_core::search::{
    Columns, EntriesPart, Filter, NumbersPart, Outlines, PageReader, Pages, Place, QueueHead,
    QueuePart, Range, Snapshot,
};
use tasker_core::state::State;
use tasker_core::store::{Head, Operation};
use tasker_core::task::{
    Attempt, AttemptError, LogLine, NewTask, Priority, TaskEnd, TaskRecord, Unsaid,
};
use tasker_core::totals::Totals;

use crate::ask::{Answer, Ask, Found, Stand, Want, beside, from, moment, take_row, to};
use crate::bytes::{corrupt, descending, seq_at};
use crate::keys;
use crate::link::{Link, Location, Settings};
use crate::packed;
use crate::row::Live;
use crate::transaction::{Batched, ask_journal, place, totals};
use crate::value::{all_bytes, bytes, each_bytes, list};

/// Bytes of data and outcomes after which a page ends early.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of the journal that are read at once, or a little more.
const JOURNAL_BYTES: usize = 1024 * 1024;
/// Batches that are read at once.
const BATCHES_AT_ONCE: usize = 256;
/// Log lines that are read at once.
const LINES_AT_ONCE: usize = 500;

/// The reading side of a handle.
pub type RedisReader = PageReader<RedisPages>;

/// Tasks as they were read.
type Part = Vec<(Seq, Found)>;

/// The connection that reads.
pub struct RedisPages {
    link: Link,
    settings: Settings,
    id_key: IdKey,
    names: FxHashMap<OperationId, Arc<str>>,
    /// Where the store stood when the snapshot was taken that is open.
    stand: Option<Stand>,
}

impl RedisPages {
    pub(crate) fn open(location: &Location, settings: Settings, id_key: IdKey) -> Result<Self> {
        let link = Link::open(location, settings)?;
        Ok(Self { link, settings, id_key, names: FxHashMap::default(), stand: None })
    }

    fn look(&mut self) -> Result<Stand> {
        Ok(Ask::default().send(&mut self.link)?.stand)
    }
}

impl Pages for RedisPages {
    type Snapshot<'p> = RedisSnapshot<'p>;

    fn id_key(&self) -> IdKey {
        self.id_key
    }

    fn another(&self) -> Option<RedisPages> {
        match RedisPages::open(self.link.location(), self.settings, self.id_key) {
            Ok(pages) => Some(pages),
            Err(error) => {
                tracing::warn!(%error, "there is no further connection to read with");
                None
            }
        }
    }

    fn snapshot(&mut self) -> Result<RedisSnapshot<'_>> {
        let stand = match self.stand.take() {
            Some(stand) => stand,
            None => self.look()?,
        };
        self.stand = Some(stand.clone());
        Ok(RedisSnapshot { pages: self, stand, has_moved: false })
    }

    fn end(&mut self) {
        self.stand = None;
    }

    fn head(&mut self) -> Result<Head> {
        Ok(self.look()?.head)
    }

    fn back_up(&mut self, _to: &Path, _interrupted: Interrupted) -> Result<()> {
        let text = "a store on a server is backed up with the server's own means";
        Err(Error::new(Code::Unsupported, text))
    }

    fn verify(&mut self, _interrupted: Interrupted) -> Result<Verified> {
        Err(Error::new(Code::Unsupported, "a store on a server cannot be verified yet"))
    }
}

/// The store as it was, but for what its tasks have become since.
pub struct RedisSnapshot<'p> {
    pages: &'p mut RedisPages,
    stand: Stand,
    has_moved: bool,
}

impl RedisSnapshot<'_> {
    fn send(&mut self, ask: Ask) -> Result<Answer> {
        let answer = ask.send(&mut self.pages.link)?;
        self.has_moved |= answer.stand != self.stand;
        Ok(answer)
    }

    fn has(&self, seq: Seq) -> bool {
        seq < self.stand.head.seq_next
    }

    fn name(&mut self, id: OperationId) -> Result<Arc<str>> {
        if let Some(name) = self.pages.names.get(&id) {
            return Ok(Arc::clone(name));
        }
        self.operations()?;
        let name = self.pages.names.get(&id).cloned();
        name.ok_or_else(|| corrupt("a task without an operation"))
    }

    fn records(&mut self, all: Vec<(Seq, Found)>) -> Result<Vec<TaskRecord>> {
        let all = all.into_iter().filter(|(seq, _)| *seq < self.stand.head.seq_next);
        all.collect::<Vec<_>>().into_iter().map(|(seq, found)| self.record(seq, found)).collect()
    }

    /// The task, with its last attempt if that is in its row.
    fn record(&mut self, seq: Seq, found: Found) -> Result<TaskRecord> {
        let outcome = found.end()?;
        let Found { row, data, .. } = found;
        let operation = self.name(row.lane.operation())?;
        let (priority, unsaid, is_attached) = (row.priority, Unsaid::NONE, false);
        let mut options = row.options.clone();
        if row.state != State::Paused || row.has_halted() {
            options.forget_pause();
        }
        options.conditions.check()?;
        let last = row.run.map(|run| Attempt {
            attempt: row.attempt,
            run,
            started_at: row.started_at.unwrap_or_default(),
            ended_at: row.ended_at,
            end: outcome.as_ref().map(TaskEnd::attempt_end),
            error: outcome.as_ref().and_then(AttemptError::of),
            result: None,
        });
        let is_pausing = row.state == State::Running && row.asked.wish.is_some();
        Ok(TaskRecord {
            seq,
            id: row.id,
            def: NewTask { operation, data, priority, options, unsaid, is_attached },
            state: row.state,
            created_at: row.created_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            attempt: row.attempt,
            outcome,
            progress: row.progress,
            is_pausing,
            attempts: last.into_iter().collect(),
            attempts_left_out: 0,
            version: row.outside.map_or(0, |outside| outside.version),
        })
    }

    /// A part of a stretch, from one end: what was found, and where the rest begins.
    fn numbers_part(
        &mut self,
        (seqs, is_down): (Range<Seq>, bool),
        columns: Columns,
    ) -> Result<(Part, Option<Seq>)> {
        let mut ask = Ask::default();
        let (low, high) = (seqs.low.0.to_be_bytes(), seqs.high.0.to_be_bytes());
        let down = if is_down { b"1" } else { b"0" };
        let room = PAGE_BYTES.to_string().into_bytes();
        let args = vec![want(columns).text(), low.into(), high.into(), down.to_vec(), room];
        ask.add("NUMS", args);
        let mut items = list(self.send(ask)?.next()?)?.into_iter();
        let rest = bytes(items.next().unwrap_or(Value::Nil))?;
        let rest = rest.map(|bytes| seq_at(&bytes, 0)).transpose()?;
        let mut found = Vec::new();
        while let Some(item) = items.next() {
            let seq = seq_at(&bytes(item)?.unwrap_or_default(), 0)?;
            let one = take_row(&mut items, (seq, self.pages.id_key))?;
            found.extend(one.map(|one| (seq, one)));
        }
        Ok((found, rest))
    }
}

fn want(columns: Columns) -> Want {
    match columns {
        Columns::Narrow => Want::Row,
        Columns::Wide => Want::All,
    }
}

impl Snapshot for RedisSnapshot<'_> {
    fn renew(&mut self) -> Result<()> {
        self.stand = self.pages.look()?;
        self.has_moved = false;
        self.pages.stand = Some(self.stand.clone());
        Ok(())
    }

    fn has_moved(&self) -> bool {
        self.has_moved
    }

    fn head(&mut self) -> Result<Head> {
        Ok(self.stand.head)
    }

    fn batches(&mut self, after: u64, batches_max: usize) -> Result<Vec<WatchedBatch>> {
        let (mut batches, mut bytes, mut after) = (Vec::new(), 0, after);
        while batches.len() < batches_max && after < self.stand.number && bytes < JOURNAL_BYTES {
            let max = (batches_max - batches.len()).min(BATCHES_AT_ONCE);
            let ask = ask_journal(after, self.stand.number, max);
            let part = Batched::all(self.send(ask)?.next()?)?;
            let (Some(oldest), Some(newest)) = (part.first(), part.last()) else { break };
            // It was trimmed meanwhile, so that it begins with the oldest that is kept.
            if oldest.number != after + 1 {
                batches.clear();
            }
            after = newest.number;
            for mut one in part {
                let (at, transitions) = (moment(&one.take("a")?)?, one.take("t")?.into());
                let notes = one.take("n").ok().map(Vec::into_boxed_slice);
                let batch = WatchedBatch { number: one.number, at, transitions, notes };
                bytes += batch.transitions.len() + batch.notes.as_ref().map_or(0, |n| n.len());
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        let mut ask = Ask::default();
        ask.add("HVALS", vec![keys::OPERATIONS.into()]);
        let all = all_bytes(self.send(ask)?.next()?)?;
        let all = all.iter().map(|bytes| packed::read_operation(bytes));
        let mut operations = all.collect::<Result<Vec<_>>>()?;
        operations.sort_by_key(|operation| operation.id);
        for operation in &operations {
            self.pages.names.insert(operation.id, Arc::clone(&operation.name));
        }
        Ok(operations)
    }

    fn schedules(&mut self, first: &str, max: usize) -> Result<Vec<Schedule>> {
        let mut ask = Ask::default();
        ask.range(keys::SCHEDULE_ORDER, from(first.as_bytes()), b"+".to_vec(), max);
        let ids = all_bytes(self.send(ask)?.next()?)?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = Ask::default();
        ask.fields(keys::SCHEDULE_NAMES, &ids);
        let numbers = self.send(ask)?.fields(ids.len())?;
        let numbers: Vec<Vec<u8>> = numbers.into_iter().flatten().collect();
        let mut ask = Ask::default();
        ask.fields(keys::SCHEDULES, &numbers);
        let values = self.send(ask)?.fields(numbers.len())?;
        values.into_iter().flatten().map(|bytes| packed::read_schedule(&bytes)).collect()
    }

    fn task(&mut self, seq: Seq, columns: Columns) -> Result<Option<TaskRecord>> {
        if !self.has(seq) {
            return Ok(None);
        }
        let mut ask = Ask::default();
        ask.rows(&[seq], want(columns));
        let key = self.pages.id_key;
        let found = self.send(ask)?.rows(&[seq], key)?.pop().flatten();
        found.map(|found| self.record(seq, found)).transpose()
    }

    fn queue_heads(&mut self, after: Option<LaneId>, lanes_max: usize) -> Result<Vec<QueueHead>> {
        let low = after.map_or(b"-".to_vec(), |lane| {
            beside(&[&lane.0.to_be_bytes()[..], &[0xff; 32]].concat())
        });
        let max = lanes_max.to_string().into_bytes();
        let mut ask = Ask::default();
        ask.add("EACH", vec![keys::READY.into(), b"8".to_vec(), low, max, b"1".to_vec()]);
        let mut heads = Vec::new();
        for lane in list(self.send(ask)?.next()?)? {
            for entry in all_bytes(lane)? {
                let (lane, key) = place(&entry)?;
                let operation = self.name(lane.operation())?;
                let place = Place { priority: key.priority(), seq: key.seq };
                heads.push(QueueHead { lane, operation, place });
            }
        }
        Ok(heads)
    }

    fn queue(&mut self, part: QueuePart, columns: Columns) -> Result<Vec<TaskRecord>> {
        let QueuePart { lane, after, priority_low, tasks_max } = part;
        let lane_bytes = lane.map_or(Vec::new(), |lane| lane.0.to_be_bytes().to_vec());
        let set = if lane.is_some() { keys::READY } else { keys::UNQUEUED };
        let entry = |priority: Priority, rest: &[u8]| {
            [&lane_bytes, &descending(priority)[..], rest].concat()
        };
        let high = to(&entry(priority_low, &[0xff; 16]));
        let (mut tasks, mut after) = (Vec::new(), after);
        // What came later is hidden; the page is short only at the end of the queue.
        while tasks.len() < tasks_max {
            let low = beside(&entry(after.priority, &after.seq.0.to_be_bytes()));
            let max = tasks_max - tasks.len();
            let mut ask = Ask::default();
            ask.find(set, want(columns), (low, high.clone()), max);
            let key = self.pages.id_key;
            let found = self.send(ask)?.found(key)?;
            let Some((seq, last)) = found.last() else { break };
            after = Place { priority: last.row.priority, seq: *seq };
            let is_last = found.len() < max;
            tasks.extend(self.records(found)?);
            if is_last {
                break;
            }
        }
        Ok(tasks)
    }

    fn running(&mut self) -> Result<Vec<Seq>> {
        let mut ask = Ask::default();
        ask.add("ZRANGE", vec![keys::LIVE.into(), b"0".to_vec(), b"-1".to_vec()]);
        let all = all_bytes(self.send(ask)?.next()?)?;
        let all = all.iter().map(|entry| Live::unpack(entry)).collect::<Result<Vec<_>>>()?;
        let mut runs: Vec<_> = all
            .into_iter()
            .filter_map(|live| Some((live.started_at?, live.seq)))
            .filter(|(_, seq)| self.has(*seq))
            .collect();
        runs.sort_unstable();
        Ok(runs.into_iter().map(|(_, seq)| seq).collect())
    }

    fn outlines(&mut self) -> Result<Option<Outlines>> {
        Ok(None)
    }

    fn totals(&mut self) -> Result<Option<Totals>> {
        let mut ask = Ask::default();
        ask.add("HGETALL", vec![keys::TOTALS.into()]);
        totals(self.send(ask)?.next()?).map(Some)
    }

    fn operation_ids(&mut self, names: &BTreeSet<Box<str>>) -> Result<BTreeSet<OperationId>> {
        let named = self.operations()?.into_iter().filter(|one| names.contains(&*one.name));
        Ok(named.map(|one| one.id).collect())
    }

    fn next_number(&mut self, seqs: Range<Seq>, direction: Direction) -> Result<Option<Seq>> {
        let last = self.stand.head.seq_next.0.saturating_sub(1).min(seqs.high.0);
        if seqs.low.0 > last {
            return Ok(None);
        }
        let mut ask = Ask::default();
        let down = if direction == Direction::Down { b"1" } else { b"0" };
        let (low, high) = (seqs.low.0.to_be_bytes(), last.to_be_bytes());
        ask.add("NEXT", vec![low.into(), high.into(), down.to_vec()]);
        bytes(self.send(ask)?.next()?)?.map(|found| seq_at(&found, 0)).transpose()
    }

    fn numbers(
        &mut self,
        part: NumbersPart,
        _filter: &Filter,
        columns: Columns,
    ) -> Result<(Vec<TaskRecord>, bool)> {
        let NumbersPart { seqs, states, direction } = part;
        let last = Seq(self.stand.head.seq_next.0.saturating_sub(1));
        let is_down = direction == Direction::Down;
        let (mut tasks, mut bytes) = (Vec::new(), 0);
        let mut left = Range { low: seqs.low, high: seqs.high.min(last) };
        while left.low <= left.high {
            if bytes >= PAGE_BYTES {
                return Ok((tasks, false));
            }
            let (found, rest) = self.numbers_part((left, is_down), columns)?;
            let matching =
                found.into_iter().filter(|(_, found)| states >> found.row.state.code() & 1 != 0);
            for task in self.records(matching.collect())? {
                bytes += task.bytes();
                tasks.push(task);
            }
            match rest {
                Some(seq) if is_down => left.high = seq,
                Some(seq) => left.low = seq,
                None => break,
            }
        }
        Ok((tasks, true))
    }

    fn indexes(&mut self) -> Result<Vec<IndexPath>> {
        Ok(Vec::new())
    }

    fn entries(&mut self, _part: EntriesPart<'_>) -> Result<Option<Vec<(Key, Seq)>>> {
        Ok(None)
    }

    fn attempts(&mut self, seq: Seq) -> Result<(Vec<Attempt>, u32)> {
        let mut ask = Ask::default();
        let key = keys::attempts(seq);
        ask.add("LRANGE", vec![key.into(), b"0".to_vec(), b"-1".to_vec()]);
        ask.rows(&[seq], Want::Row);
        let key = self.pages.id_key;
        let mut answer = self.send(ask)?;
        let kept = all_bytes(answer.next()?)?;
        let row = answer.rows(&[seq], key)?.pop().flatten();
        let ever = row.map_or(0, |found| found.row.history);
        let left_out = ever.saturating_sub(u32::try_from(kept.len()).unwrap_or(u32::MAX));
        let kept = kept.iter().map(|bytes| packed::read_attempt(bytes));
        Ok((kept.collect::<Result<_>>()?, left_out))
    }

    fn last_log(&mut self, seq: Seq) -> Result<u32> {
        let mut ask = Ask::default();
        ask.rows(&[seq], Want::Row);
        let key = self.pages.id_key;
        let found = self.send(ask)?.rows(&[seq], key)?.pop().flatten();
        Ok(found.map_or(0, |found| found.row.logs))
    }

    fn logs(
        &mut self,
        seq: Seq,
        part: LogsPart,
        take: &mut dyn FnMut(LogLine) -> Result<()>,
    ) -> Result<()> {
        let LogsPart { after, level_max, lines_max } = part;
        // The line with number n stands at place n - 1.
        let (mut at, mut left) = (after as usize, lines_max);
        while left > 0 {
            let mut ask = Ask::default();
            let range = [at, at + LINES_AT_ONCE - 1].map(|place| place.to_string().into_bytes());
            let [first, last] = range;
            ask.add("LRANGE", vec![keys::logs(seq).into(), first, last]);
            let lines = each_bytes(self.send(ask)?.next()?)?;
            let is_last = lines.len() < LINES_AT_ONCE;
            at += lines.len();
            for line in lines.into_iter().flatten() {
                let line = packed::read_log_line(&line)?;
                if left > 0 && line.n > after && line.level <= level_max {
                    left -= 1;
                    take(line)?;
                }
            }
            if is_last {
                break;
            }
        }
        Ok(())
    }
}
