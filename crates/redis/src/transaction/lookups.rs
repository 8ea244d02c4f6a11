//! Lookups of tasks by their numbers or keys, and of what belongs to them.

use std::ops::RangeInclusive;

use tasker_core::error::Result;
use tasker_core::executor::Lease;
use tasker_core::id::{OperationId, RunId, Seq};
use tasker_core::key::Key;
use tasker_core::schedules::{Schedule, ScheduleName};
use tasker_core::state::State;
use tasker_core::store::{
    Background, Brief, Expired, GATES_SWEPT_MAX, GateId, GatesLeft, KeyHolder, OutsideRun, Wait,
};
use tasker_core::task::Attempt;
use tasker_core::time::WallMs;

use super::RedisTransaction;
use crate::ask::{Ask, Found, Want, beginning, beside, from, to};
use crate::bytes::{eight, from_sortable, seq_at};
use crate::keys;
use crate::packed;
use crate::row::Asked;
use crate::value::{all_bytes, bytes, number};

/// Rows that are looked through at once.
const ROWS_AT_ONCE: usize = 2_000;

impl RedisTransaction<'_> {
    /// Asks whether tasks that have not ended depend on these.
    fn ask_needed(ask: &mut Ask, seqs: &[Seq]) {
        for seq in seqs {
            let (low, high) = beginning(&seq.0.to_be_bytes());
            ask.range(keys::NEEDED, low, high, 1);
        }
    }

    pub(super) fn read_briefs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Brief>>> {
        let mut ask = Ask::default();
        ask.rows(seqs, Want::Outcome);
        Self::ask_needed(&mut ask, seqs);
        let (mut answer, key) = (self.send(ask)?, self.key());
        let found = answer.rows(seqs, key)?;
        let mut briefs = Vec::new();
        for (found, seq) in found.into_iter().zip(seqs) {
            let is_needed = !all_bytes(answer.next()?)?.is_empty();
            let found = found.filter(|_| self.has(*seq));
            briefs.push(found.map(|found| brief(&found, is_needed)).transpose()?);
        }
        Ok(briefs)
    }

    pub(super) fn read_expired(
        &mut self,
        seqs: &RangeInclusive<Seq>,
        now: WallMs,
    ) -> Result<Vec<Expired>> {
        let last = seqs.end().0.min(self.stand.head.seq_next.0.saturating_sub(1));
        let mut expired: Vec<Expired> = Vec::new();
        let mut first = seqs.start().0;
        while first <= last {
            let end = last.min(first + (ROWS_AT_ONCE as u64 - 1));
            let part: Vec<Seq> = (first..=end).map(Seq).collect();
            let found = self.rows(&part, Want::Row)?;
            let pairs = part.iter().zip(found);
            expired.extend(pairs.filter_map(|(seq, found)| over(*seq, &found?, now)));
            first = end + 1;
        }
        let mut ask = Ask::default();
        let seqs: Vec<Seq> = expired.iter().map(|one| one.seq).collect();
        Self::ask_needed(&mut ask, &seqs);
        if !expired.is_empty() {
            let mut answer = self.send(ask)?;
            for one in &mut expired {
                one.is_needed = !all_bytes(answer.next()?)?.is_empty();
            }
        }
        Ok(expired)
    }

    pub(super) fn read_schedules(
        &mut self,
        names: &[ScheduleName],
    ) -> Result<Vec<Option<Schedule>>> {
        let mut numbers: Vec<Option<Vec<u8>>> = Vec::new();
        let ids = names.iter().filter_map(|name| match name {
            ScheduleName::Id(id) => Some(id.as_bytes().to_vec()),
            ScheduleName::No(_) => None,
        });
        let ids: Vec<Vec<u8>> = ids.collect();
        let mut by_id = self.fields(keys::SCHEDULE_NAMES, &ids)?.into_iter();
        for name in names {
            numbers.push(match name {
                ScheduleName::Id(_) => by_id.next().flatten(),
                ScheduleName::No(no) => Some(no.0.to_be_bytes().to_vec()),
            });
        }
        let known: Vec<Vec<u8>> = numbers.iter().flatten().cloned().collect();
        let mut values = self.fields(keys::SCHEDULES, &known)?.into_iter();
        let read = |number: Option<Vec<u8>>| {
            let value = number.and_then(|_| values.next().flatten());
            value.map(|bytes| packed::read_schedule(&bytes)).transpose()
        };
        numbers.into_iter().map(read).collect()
    }

    pub(super) fn read_schedule_count(&mut self) -> Result<usize> {
        let count = self.all_of("HLEN", keys::SCHEDULES)?;
        Ok(usize::try_from(number(&count)?).unwrap_or(0))
    }

    fn fields(&mut self, hash: &str, fields: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = Ask::default();
        ask.fields(hash, fields);
        self.send(ask)?.fields(fields.len())
    }

    pub(super) fn read_dependents(
        &mut self,
        dependencies: &[Seq],
        each_max: usize,
        max: usize,
    ) -> Result<Vec<Wait>> {
        let mut ask = Ask::default();
        for dependency in dependencies {
            let (low, high) = beginning(&dependency.0.to_be_bytes());
            ask.range(keys::OPEN, low, high, each_max.min(max));
        }
        let mut waits = Vec::new();
        if dependencies.is_empty() {
            return Ok(waits);
        }
        let mut answer = self.send(ask)?;
        for dependency in dependencies {
            for entry in all_bytes(answer.next()?)? {
                waits.push(Wait { dependency: *dependency, dependent: seq_at(&entry, 8)? });
            }
        }
        waits.retain(|wait| self.has(wait.dependent));
        waits.truncate(max);
        Ok(waits)
    }

    pub(super) fn read_open_dependencies(&mut self, tasks: &[(Seq, usize)]) -> Result<Vec<usize>> {
        let mut ask = Ask::default();
        for (seq, _) in tasks {
            let (low, high) = beginning(&seq.0.to_be_bytes());
            ask.count(keys::OPEN_OF, low, high);
        }
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let mut answer = self.send(ask)?;
        let count = |(_, max): &(Seq, usize)| {
            Ok(usize::try_from(number(&answer.next()?)?).unwrap_or(0).min(*max))
        };
        tasks.iter().map(count).collect()
    }

    pub(super) fn read_keys(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyHolder>>> {
        let fields: Vec<Vec<u8>> = keys.iter().map(Key::bytes).collect();
        let values = self.fields(keys::KEYS, &fields)?;
        let read = |value: Option<Vec<u8>>| {
            let holder = value.map(|bytes| packed::read_holder(&bytes)).transpose()?;
            Ok(holder.filter(|holder| self.has(holder.seq)))
        };
        values.into_iter().map(read).collect()
    }

    pub(super) fn read_gates<T>(
        &mut self,
        gates: &[GateId],
        kind: u8,
        read: fn(&[u8]) -> Result<T>,
    ) -> Result<Vec<Option<T>>> {
        let fields: Vec<Vec<u8>> =
            gates.iter().map(|(operation, key)| keys::gate(kind, *operation, key)).collect();
        let values = self.fields(keys::GATES, &fields)?;
        values.into_iter().map(|value| value.map(|bytes| read(&bytes)).transpose()).collect()
    }

    pub(super) fn read_gates_left(
        &mut self,
        operation: OperationId,
        now: WallMs,
    ) -> Result<GatesLeft> {
        let border = keys::gate_rest(operation, now);
        let mut ask = Ask::default();
        let first = keys::gate_rest(operation, WallMs::FIRST);
        ask.count(keys::GATES_REST, from(&first), beside(&border));
        let last = to(&[&operation.0.to_be_bytes()[..], &[0xff; 64]].concat());
        ask.range(keys::GATES_REST, from(&border), last, 1);
        let mut answer = self.send(ask)?;
        let resting = number(&answer.next()?)?;
        let busy = all_bytes(answer.next()?)?;
        if resting > GATES_SWEPT_MAX as i64 {
            return Ok(GatesLeft::Resting);
        }
        Ok(match busy.first() {
            None => GatesLeft::Nothing,
            Some(entry) => GatesLeft::Busy(from_sortable(eight(entry, 2)?).plus(1)),
        })
    }

    /// The last attempts in the histories of tasks.
    pub(super) fn last_attempts(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Attempt>>> {
        let mut ask = Ask::default();
        for seq in seqs {
            ask.add("LINDEX", vec![keys::attempts(*seq).into(), b"-1".to_vec()]);
        }
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let mut answer = self.send(ask)?;
        let read = |_| {
            let last = bytes(answer.next()?)?;
            last.map(|bytes| packed::read_attempt(&bytes)).transpose()
        };
        seqs.iter().map(read).collect()
    }

    pub(super) fn read_outside_runs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<OutsideRun>>> {
        let found = self.rows(seqs, Want::Row)?;
        Ok(found.into_iter().zip(seqs).map(|(found, seq)| outside_run(found?, *seq)).collect())
    }

    pub(super) fn read_backgrounds(
        &mut self,
        seqs: &[Seq],
        open_max: usize,
    ) -> Result<Vec<Option<Background>>> {
        let found = self.rows(seqs, Want::Row)?;
        let last = self.last_attempts(seqs)?;
        let mut ask = Ask::default();
        for seq in seqs {
            let (low, high) = beginning(&seq.0.to_be_bytes());
            ask.range(keys::OPEN_OF, low, high, open_max);
        }
        let mut open: Vec<Vec<Seq>> = Vec::new();
        if !seqs.is_empty() {
            let mut answer = self.send(ask)?;
            for _ in seqs {
                let entries = all_bytes(answer.next()?)?;
                open.push(entries.iter().map(|one| seq_at(one, 8)).collect::<Result<_>>()?);
            }
        }
        let mut blockers = self.rows(&open.concat(), Want::Row)?.into_iter();
        let mut backgrounds = Vec::new();
        for ((found, last), open) in found.into_iter().zip(last).zip(open) {
            let own = blockers.by_ref().take(open.len()).flatten();
            let open: Vec<_> = own.map(|one| one.row.id).collect();
            backgrounds.push(found.map(|found| Background {
                ended_at: found.row.ended_at,
                last_end: last.and_then(|attempt| attempt.end),
                open,
            }));
        }
        Ok(backgrounds)
    }

    /// What is asked of live runs.
    pub(super) fn of_runs<T>(
        &mut self,
        runs: &[(Seq, RunId)],
        take: fn(Asked) -> Option<T>,
    ) -> Result<Vec<Option<T>>> {
        let seqs: Vec<Seq> = runs.iter().map(|(seq, _)| *seq).collect();
        let found = self.rows(&seqs, Want::Row)?;
        let asked = |(found, (_, run)): (Option<Found>, &(Seq, RunId))| {
            let row = found?.row;
            if row.has_live_run() && row.run == Some(*run) { take(row.asked) } else { None }
        };
        Ok(found.into_iter().zip(runs).map(asked).collect())
    }
}

fn brief(found: &Found, is_needed: bool) -> Result<Brief> {
    let outcome = found.end()?;
    let row = &found.row;
    let options = &row.options;
    let claim = row.outside.as_ref().and_then(|outside| outside.live).map(|(run, _)| run);
    let claim = claim.filter(|_| row.state == State::Claimed);
    let run = row.run.filter(|_| row.has_live_run()).or(claim);
    let is_out = row.state == State::Paused && run.is_none();
    Ok(Brief {
        id: row.id,
        lane: row.lane,
        state: row.state,
        priority: row.priority,
        run_at: options.run_at(),
        queue_timeout: options.queue_timeout,
        has_started: row.started_at.is_some(),
        on_failure: options.depends_on.as_ref().map(|all| all.on_failure),
        has_delay: options.has_delay(),
        is_held: options.is_held(),
        lapses: options.lapses(),
        paused_at: options.paused_at.filter(|_| is_out),
        run,
        is_outside: row.has_outside_run(),
        latest_at: row.created_at.max(row.started_at.unwrap_or_default()),
        outcome,
        created_at: row.created_at,
        unique: options.unique.clone(),
        retention: options.retention.clone(),
        is_needed,
    })
}

/// A task whose retention is over.
fn over(seq: Seq, found: &Found, now: WallMs) -> Option<Expired> {
    let row = &found.row;
    let retention = row.options.retention.as_ref().filter(|_| row.state.is_final())?;
    let (state, kept_ms) = (row.state, retention.ms(row.state)?);
    retention.is_over(state, row.ended_at?, now).then_some(Expired {
        seq,
        lane: row.lane,
        state,
        id: row.id,
        priority: row.priority,
        kept_ms,
        is_needed: false,
    })
}

/// The live run, or the claim, that an executor has.
fn outside_run(Found { row, .. }: Found, seq: Seq) -> Option<OutsideRun> {
    let outside = row.outside?;
    let (run, until) = outside.live?;
    Some(OutsideRun {
        seq,
        id: row.id,
        lane: row.lane,
        state: row.state,
        lease: Lease { run, until, executor: outside.executor },
        started_at: row.started_at.filter(|_| row.state == State::Running),
        attempt: row.attempt,
        failures: row.failures,
        logs: row.logs,
        retry: row.options.retry.clone(),
        run_timeout_ms: row.options.run_timeout_ms,
    })
}
