//! What a batch touches, as it was and as it becomes: rows, values of hashes, parts of sets. Rules
//! are applied here; what differs in the end is written.
//!
//! # Promises
//! - A later change of a batch sees the earlier ones.
//! - A row and the sets and figures that tell of it are written by one difference, so they agree.
//!
//! Proof: `conformance::commit`, `conformance::guards`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use rustc_hash::FxHashMap;
use tasker_core::error::{Error, Result};
use tasker_core::id::{IdKey, LaneId, OwnerId, Seq};
use tasker_core::state::State;
use tasker_core::task::Json;
use tasker_core::timer::Timer;

use crate::ask::{Ask, Stand, Want};
use crate::keys;
use crate::link::Link;
use crate::row::Row;
use crate::value::all_bytes;
use crate::writes::Writes;

/// What has to be known before a batch can be applied.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Rows of tasks, and whether with their outcomes.
    pub(crate) rows: BTreeMap<Seq, bool>,
    pub(crate) cells: BTreeMap<&'static str, BTreeSet<Vec<u8>>>,
    /// Parts of sets: from, to, and how many entries.
    pub(crate) parts: Vec<(&'static str, Vec<u8>, Vec<u8>, usize)>,
}

impl Needs {
    pub(crate) fn row(&mut self, seq: Seq) {
        self.rows.entry(seq).or_default();
    }

    pub(crate) fn cell(&mut self, hash: &'static str, field: impl Into<Vec<u8>>) {
        self.cells.entry(hash).or_default().insert(field.into());
    }
}

/// A task before and after.
#[derive(Debug)]
struct Both {
    old: Option<Row>,
    new: Option<Row>,
    outcome: Option<Json>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    rows: BTreeMap<Seq, Both>,
    cells: FxHashMap<(&'static str, Vec<u8>), Option<Vec<u8>>>,
    sets: BTreeMap<&'static str, BTreeSet<Vec<u8>>>,
    writes: Writes,
}

impl Overlay {
    /// Reads what a batch needs in one trip; nothing if another one committed meanwhile.
    pub(crate) fn load(
        link: &mut Link,
        needs: Needs,
        (stand, key): (&Stand, IdKey),
    ) -> Result<Option<Self>> {
        let mut overlay = Self::default();
        let (known, new): (Vec<_>, Vec<_>) =
            needs.rows.into_iter().partition(|(seq, _)| *seq < stand.head.seq_next);
        for (seq, _) in new {
            overlay.rows.insert(seq, Both { old: None, new: None, outcome: None });
        }
        let (ends, rows): (Vec<_>, Vec<_>) = known.into_iter().partition(|(_, end)| *end);
        let seqs = |all: Vec<(Seq, bool)>| all.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>();
        let (ends, rows) = (seqs(ends), seqs(rows));
        let mut ask = Ask::default();
        ask.rows(&rows, Want::Row);
        ask.rows(&ends, Want::Outcome);
        let cells: Vec<(&'static str, Vec<Vec<u8>>)> =
            needs.cells.into_iter().map(|(hash, all)| (hash, all.into_iter().collect())).collect();
        cells.iter().for_each(|(hash, fields)| ask.fields(hash, fields));
        for (set, low, high, max) in &needs.parts {
            ask.range(set, low.clone(), high.clone(), *max);
        }
        if ask.is_empty() {
            return Ok(Some(overlay));
        }
        let mut answer = ask.send(link)?;
        if answer.stand != *stand {
            return Ok(None);
        }
        for seqs in [rows, ends] {
            for (found, seq) in answer.rows(&seqs, key)?.into_iter().zip(seqs) {
                let (old, outcome) = found.map_or((None, None), |one| (Some(one.row), one.outcome));
                overlay.rows.insert(seq, Both { new: old.clone(), old, outcome });
            }
        }
        for (hash, fields) in cells {
            let values = answer.fields(fields.len())?;
            for (field, value) in fields.into_iter().zip(values) {
                overlay.cells.insert((hash, field), value);
            }
        }
        for (set, ..) in needs.parts {
            overlay.sets.entry(set).or_default().extend(all_bytes(answer.next()?)?);
        }
        Ok(Some(overlay))
    }

    /// The row of a task as it is by now.
    pub(crate) fn row(&mut self, seq: Seq) -> Result<Option<&mut Row>> {
        let both = self.rows.get_mut(&seq).ok_or_else(|| unknown("a row"))?;
        Ok(both.new.as_mut())
    }

    /// The outcome that a task had.
    pub(crate) fn outcome(&self, seq: Seq) -> Option<&Json> {
        self.rows.get(&seq).and_then(|both| both.outcome.as_ref())
    }

    /// A task enters; false if its number is taken.
    pub(crate) fn enter(&mut self, seq: Seq, row: Row, data: Option<&Json>) -> Result<bool> {
        let both = self.rows.get_mut(&seq).ok_or_else(|| unknown("a row"))?;
        if both.new.is_some() {
            return Ok(false);
        }
        both.new = Some(row);
        if data.is_some() {
            self.set_data(seq, data);
        }
        Ok(true)
    }

    /// A task goes, with all that is of it alone.
    pub(crate) fn purge(&mut self, seq: Seq) -> Result<()> {
        let both = self.rows.get_mut(&seq).ok_or_else(|| unknown("a row"))?;
        let Some(row) = both.new.take() else { return Ok(()) };
        self.set_data(seq, None);
        self.set_outcome(seq, None);
        if row.history > 0 {
            self.writes.add("UNLINK", &keys::attempts(seq), Vec::new());
        }
        if row.logs > 0 {
            self.writes.add("UNLINK", &keys::logs(seq), Vec::new());
        }
        Ok(())
    }

    pub(crate) fn set_data(&mut self, seq: Seq, data: Option<&Json>) {
        self.set_apart('d', seq, data);
    }

    pub(crate) fn set_outcome(&mut self, seq: Seq, outcome: Option<&Json>) {
        if let Some(both) = self.rows.get_mut(&seq) {
            both.outcome = outcome.cloned();
        }
        self.set_apart('e', seq, outcome);
    }

    fn set_apart(&mut self, kind: char, seq: Seq, json: Option<&Json>) {
        let (hash, field) = (keys::bucket(kind, seq), keys::field(seq));
        match json {
            Some(json) => self.writes.set(&hash, &field, json.as_str().into()),
            None => self.writes.unset(&hash, &field),
        }
    }

    /// A value of a hash as it is by now.
    pub(crate) fn cell(&self, hash: &'static str, field: &[u8]) -> Result<Option<&[u8]>> {
        let cell = self.cells.get(&(hash, field.to_vec())).ok_or_else(|| unknown(hash))?;
        Ok(cell.as_deref())
    }

    /// Writes a value of a hash, or removes it.
    pub(crate) fn put(&mut self, hash: &'static str, field: &[u8], value: Option<Vec<u8>>) {
        match &value {
            Some(value) => self.writes.set(hash, field, value.clone()),
            None => self.writes.unset(hash, field),
        }
        self.cells.insert((hash, field.to_vec()), value);
    }

    /// The entries of a set that begin so, as far as they were asked for, by now.
    pub(crate) fn entries(&self, set: &'static str, beginning: &[u8]) -> Vec<Vec<u8>> {
        let Some(all) = self.sets.get(set) else { return Vec::new() };
        let from = (Bound::Included(beginning.to_vec()), Bound::Unbounded);
        let all = all.range::<Vec<u8>, _>(from);
        all.take_while(|entry| entry.starts_with(beginning)).cloned().collect()
    }

    pub(crate) fn add_entry(&mut self, set: &'static str, entry: Vec<u8>) {
        self.sets.entry(set).or_default().insert(entry.clone());
        self.writes.enter(set, entry);
    }

    pub(crate) fn drop_entry(&mut self, set: &'static str, entry: Vec<u8>) {
        self.sets.entry(set).or_default().remove(&entry);
        self.writes.leave(set, entry);
    }

    pub(crate) fn timer(&mut self, timer: Timer) {
        self.writes.enter(keys::TIMERS, keys::timer(timer));
    }

    /// A write of which nothing is asked within a batch.
    pub(crate) fn write(&mut self, command: &'static str, key: &str, args: Vec<Vec<u8>>) {
        self.writes.add(command, key, args);
    }

    /// All that is to be written.
    pub(crate) fn finish(self) -> Writes {
        let mut writes = self.writes;
        let mut moved: BTreeMap<(LaneId, u8), i64> = BTreeMap::new();
        let mut owned: BTreeMap<OwnerId, i64> = BTreeMap::new();
        let mut shut = BTreeSet::new();
        for (seq, Both { old, new, .. }) in &self.rows {
            if old == new {
                continue;
            }
            for (row, by) in [(old, -1), (new, 1)] {
                if let Some(row) = row {
                    *moved.entry((operation(row.lane), row.state.code())).or_default() += by;
                    row.owners().for_each(|owner| *owned.entry(owner).or_default() += by);
                }
            }
            let (hash, field) = (keys::bucket('r', *seq), keys::field(*seq));
            let bucket = (seq.0 >> keys::BUCKET_BITS).to_be_bytes().to_vec();
            match new {
                Some(row) => writes.set(&hash, &field, row.pack()),
                None => {
                    writes.unset(&hash, &field);
                    shut.insert((hash, bucket.clone()));
                }
            }
            if old.is_none() {
                writes.enter(keys::BUCKETS, bucket);
            }
            write_entries(&mut writes, *seq, (old.as_ref(), new.as_ref()));
        }
        for ((lane, state), by) in moved.into_iter().filter(|(_, by)| *by != 0) {
            let field = [lane.operation().0.to_be_bytes().as_slice(), &[state]].concat();
            writes.add("HINCRBY", keys::TOTALS, vec![field, by.to_string().into_bytes()]);
        }
        for (owner, by) in owned.into_iter().filter(|(_, by)| *by != 0) {
            let field = keys::owner(owner).to_vec();
            writes.add("HINCRBY", keys::BELONGINGS, vec![field, by.to_string().into_bytes()]);
        }
        for (hash, bucket) in shut {
            writes.add("SHUT", &hash, vec![bucket]);
        }
        writes
    }
}

/// The plain lane of the same operation: figures are of operations.
fn operation(lane: LaneId) -> LaneId {
    LaneId::new(lane.operation(), 0)
}

fn write_entries(writes: &mut Writes, seq: Seq, (old, new): (Option<&Row>, Option<&Row>)) {
    let before = old.map(|row| row.entries(seq)).unwrap_or_default();
    let after = new.map(|row| row.entries(seq)).unwrap_or_default();
    for (set, entry) in before.iter().filter(|entry| !after.contains(entry)) {
        writes.leave(set, entry.clone());
    }
    for (set, entry) in after.iter().filter(|entry| !before.contains(entry)) {
        writes.enter(set, entry.clone());
    }
}

fn unknown(what: &str) -> Error {
    Error::bug(format!("a batch touches {what} that was not asked for"))
}

/// The code of a state as figures have it.
pub(crate) fn total_field(field: &[u8]) -> Option<(u16, State)> {
    let [high, low, state] = field.try_into().ok()?;
    Some((u16::from_be_bytes([high, low]), State::from_code(state)?))
}
