//! What memory mirrors: the journal, operations, lanes, runs, what owners offer and leave.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use redis::Value;
use tasker_core::error::Result;
use tasker_core::hold::{Hold, HoldId};
use tasker_core::id::{LaneId, OperationId, OwnerId, Seq, TaskId};
use tasker_core::queue::QueueKey;
use tasker_core::state::State;
use tasker_core::store::{Entry, LaneHead, Offers, Operation, Orphan, Whose};
use tasker_core::totals::Totals;

use super::RedisTransaction;
use crate::ask::{Ask, Found, Want, beginning, beside};
use crate::bytes::{corrupt, eight, from_descending, seq_at};
use crate::keys;
use crate::overlay::total_field;
use crate::owners::id;
use crate::packed;
use crate::row::Live;
use crate::value::{all_bytes, digits, list, pairs, some_bytes};

/// Batches that are read at once.
const BATCHES_MAX: usize = 1_000;

/// An entry of the journal, with its fields.
pub(crate) struct Batched {
    pub(crate) number: u64,
    pub(crate) fields: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Batched {
    /// The entries of a part of the stream.
    pub(crate) fn all(value: Value) -> Result<Vec<Self>> {
        list(value)?.into_iter().map(Self::one).collect()
    }

    fn one(value: Value) -> Result<Self> {
        let mut parts = list(value)?.into_iter();
        let mut next = || parts.next().unwrap_or(Value::Nil);
        let (name, fields) = (some_bytes(next())?, pairs(next())?);
        let number = name.split(|byte| *byte == b'-').next().unwrap_or_default();
        Ok(Self { number: digits(number)?, fields: fields.into_iter().collect() })
    }

    pub(crate) fn take(&mut self, field: &str) -> Result<Vec<u8>> {
        let taken = self.fields.remove(field.as_bytes());
        taken.ok_or_else(|| corrupt("a batch of the journal without a field"))
    }
}

/// Batches behind a number, as a question.
pub(crate) fn ask_journal(after: u64, last: u64, batches_max: usize) -> Ask {
    let text = |number: u64| number.to_string().into_bytes();
    let count = text(batches_max.min(BATCHES_MAX) as u64);
    let (from, to) = (text(after.saturating_add(1)), text(last));
    let mut ask = Ask::default();
    ask.add("XRANGE", vec![keys::JOURNAL.into(), from, to, "COUNT".into(), count]);
    ask
}

/// The figures of operations, as their hash has them.
pub(crate) fn totals(value: Value) -> Result<Totals> {
    let mut totals = Totals::default();
    for (field, figure) in pairs(value)? {
        let (operation, state) =
            total_field(&field).ok_or_else(|| corrupt("a figure of no operation"))?;
        let figure = str::from_utf8(&figure).ok().and_then(|text| text.parse().ok());
        let figure = figure.ok_or_else(|| corrupt("a figure that is none"))?;
        totals.shift(OperationId(operation), (None, Some(state)), figure);
    }
    Ok(totals)
}

impl RedisTransaction<'_> {
    pub(super) fn all_of(&mut self, command: &str, hash: &str) -> Result<Value> {
        let mut ask = Ask::default();
        ask.add(command, vec![hash.into()]);
        self.send(ask)?.next()
    }

    pub(super) fn read_totals(&mut self) -> Result<Totals> {
        totals(self.all_of("HGETALL", keys::TOTALS)?)
    }

    pub(super) fn read_journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        let (mut entries, last) = (Vec::new(), self.stand.number);
        let mut after = after;
        while entries.len() < batches_max && after < last {
            let ask = ask_journal(after, last, batches_max - entries.len());
            let part = Batched::all(self.send(ask)?.next()?)?;
            let (Some(oldest), Some(newest)) = (part.first(), part.last()) else { break };
            // It was trimmed meanwhile, so that it begins with the oldest that is kept.
            if oldest.number != after + 1 {
                entries.clear();
            }
            after = newest.number;
            for mut one in part {
                let (owner, transitions) = (id(&one.take("o")?)?, one.take("t")?.into());
                entries.push(Entry { number: one.number, owner, transitions });
            }
        }
        Ok(entries)
    }

    pub(super) fn read_operations(&mut self) -> Result<Vec<Operation>> {
        let all = all_bytes(self.all_of("HVALS", keys::OPERATIONS)?)?;
        let all = all.iter().map(|bytes| packed::read_operation(bytes));
        let mut operations = all.collect::<Result<Vec<_>>>()?;
        operations.sort_by_key(|operation| operation.id);
        Ok(operations)
    }

    pub(super) fn read_holds(&mut self) -> Result<Vec<Hold>> {
        let all = all_bytes(self.all_of("HVALS", keys::HOLDS)?)?;
        let mut holds =
            all.iter().map(|bytes| packed::read_hold(bytes)).collect::<Result<Vec<_>>>()?;
        holds.sort_by_key(|hold| hold.id);
        Ok(holds)
    }

    pub(super) fn read_held(&mut self, hold: HoldId, max: usize) -> Result<Vec<Seq>> {
        let (low, high) = beginning(&hold.0.to_be_bytes());
        let mut ask = Ask::default();
        ask.range(keys::HELD, low, high, max);
        all_bytes(self.send(ask)?.next()?)?.iter().map(|entry| seq_at(entry, 8)).collect()
    }

    pub(super) fn read_heads(&mut self, after: LaneId, max: usize) -> Result<Vec<LaneHead>> {
        let low = beside(&[&after.0.to_be_bytes()[..], &[0xff; 32]].concat());
        let mut ask = Ask::default();
        let args = [keys::READY.into(), b"8".to_vec(), low, max.to_string().into(), b"2".to_vec()];
        ask.add("EACH", args.into());
        let lanes = list(self.send(ask)?.next()?)?;
        let mut heads = Vec::new();
        for lane in lanes {
            let entries = all_bytes(lane)?;
            let mut places = entries.iter().map(|entry| place(entry));
            let Some(first) = places.next().transpose()? else { continue };
            let next = places.next().transpose()?.map(|(_, key)| key);
            heads.push(LaneHead { lane: first.0, first: first.1, next });
        }
        Ok(heads)
    }

    /// The live runs and claims, by number.
    pub(super) fn live(&mut self) -> Result<Vec<Live>> {
        let mut ask = Ask::default();
        ask.add("ZRANGE", vec![keys::LIVE.into(), b"0".to_vec(), b"-1".to_vec()]);
        let all = all_bytes(self.send(ask)?.next()?)?;
        let all = all.iter().map(|entry| Live::unpack(entry)).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().filter(|live| self.has(live.seq)).collect())
    }

    pub(super) fn read_remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        let (own, mut lanes) = (Some(self.writer.owner), BTreeMap::new());
        for live in self.live()?.into_iter().filter(|live| live.owner != own) {
            *lanes.entry(live.lane).or_default() += 1;
        }
        Ok(lanes.into_iter().collect())
    }

    pub(super) fn offers(&mut self) -> Result<Vec<(OwnerId, Offers)>> {
        let all = pairs(self.all_of("HGETALL", keys::OFFERS)?)?;
        let read =
            |(owner, offers): (Vec<u8>, Vec<u8>)| Ok((id(&owner)?, packed::read_offers(&offers)?));
        let mut all = all.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        all.sort_by_key(|(owner, _)| *owner);
        Ok(all)
    }

    pub(super) fn read_orphans(&mut self) -> Result<Vec<Orphan>> {
        if !self.has_dead {
            return Ok(Vec::new());
        }
        let live = self.live()?;
        let is_dead = |owner: &OwnerId| !self.lives(*owner);
        let lost = live.into_iter().filter(|live| live.owner.as_ref().is_some_and(is_dead));
        let seqs: Vec<Seq> = lost.map(|live| live.seq).collect();
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.rows(&seqs, Want::Row)?;
        let pairs = found.into_iter().zip(&seqs);
        let mut orphans: Vec<Orphan> =
            pairs.filter_map(|(found, seq)| orphan(found?, *seq)).collect();
        orphans.sort_by_key(|orphan| (Reverse(orphan.priority), orphan.seq));
        Ok(orphans)
    }

    pub(super) fn read_attached(&mut self, whose: Whose, max: usize) -> Result<Vec<Seq>> {
        let owners = match whose {
            Whose::Ours => vec![self.writer.owner],
            Whose::OfTheDead if !self.has_dead => Vec::new(),
            Whose::OfTheDead => self.attached_dead()?,
        };
        let mut ask = Ask::default();
        for owner in &owners {
            let (low, high) = beginning(&keys::owner(*owner));
            ask.range(keys::ATTACHED, low, high, max);
        }
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let mut answer = self.send(ask)?;
        let mut seqs = BTreeSet::new();
        for _ in owners {
            for entry in all_bytes(answer.next()?)? {
                seqs.insert(seq_at(&entry, 8)?);
            }
        }
        Ok(seqs.into_iter().filter(|seq| self.has(*seq)).take(max).collect())
    }

    /// The dead to whom something is attached.
    fn attached_dead(&mut self) -> Result<Vec<OwnerId>> {
        let mut ask = Ask::default();
        let most = u32::MAX.to_string().into_bytes();
        let args = [keys::ATTACHED.into(), b"8".to_vec(), b"-".to_vec(), most, b"1".to_vec()];
        ask.add("EACH", args.into());
        let mut dead = Vec::new();
        for first in list(self.send(ask)?.next()?)? {
            for entry in all_bytes(first)? {
                dead.push(id(&entry)?);
            }
        }
        dead.retain(|owner| !self.lives(*owner));
        Ok(dead)
    }

    pub(super) fn read_runs_of(
        &mut self,
        operations: &[OperationId],
        each_max: usize,
    ) -> Result<Vec<Vec<TaskId>>> {
        let live = self.live()?;
        let of = |operation: &OperationId| {
            let own = live.iter().filter(|live| live.lane.operation() == *operation);
            own.map(|live| live.seq).take(each_max).collect::<Vec<Seq>>()
        };
        let seqs: Vec<Vec<Seq>> = operations.iter().map(of).collect();
        let mut found = self.rows(&seqs.concat(), Want::Row)?.into_iter();
        let ids = |own: &Vec<Seq>| {
            let own = found.by_ref().take(own.len());
            own.flatten().map(|one| one.row.id).collect()
        };
        Ok(seqs.iter().map(ids).collect())
    }
}

/// The lane and the place of an entry of the queue.
pub(crate) fn place(entry: &[u8]) -> Result<(LaneId, QueueKey)> {
    let lane = LaneId(u64::from_be_bytes(eight(entry, 0)?));
    Ok((lane, QueueKey::new(from_descending(eight(entry, 8)?)?, seq_at(entry, 16)?)))
}

fn orphan(Found { row, .. }: Found, seq: Seq) -> Option<Orphan> {
    let options = &row.options;
    Some(Orphan {
        seq,
        lane: row.lane,
        priority: row.priority,
        id: row.id,
        run: row.run?,
        started_at: row.started_at?,
        attempt: row.attempt,
        failures: row.failures,
        losses: row.losses,
        on_interrupted: options.on_interrupted,
        has_dependencies: options.depends_on.is_some(),
        lapses: options.lapses(),
        retention: options.retention.clone(),
        abort: row.asked.abort,
        postponement: row.asked.postponement,
        wish: row.asked.wish,
        is_paused: row.state == State::Paused,
    })
}
