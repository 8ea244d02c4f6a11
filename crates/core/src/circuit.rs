//! Circuit breakers: after so many failures nothing of an operation starts for a time, in all
//! processes together; then a few runs are tried.
//!
//! A circuit is *closed* as long as it lets everything start. The `failures`-th failure within
//! `within` *opens* it: nothing starts for `openFor`. Then it is *half open*: some runs start, its
//! *probes*. If so many of them succeed it closes again, and the first one that fails opens it
//! anew.
//!
//! # Promises
//! - A closed circuit opens with the failure that is one too many in an exact window that slides.
//!   A success does not reset the count.
//! - A run that began before the circuit opened, or before it closed again, counts for nothing.
//! - No more probes are under way than may still be needed, and each that ends without a verdict
//!   gives its place back.
//! - A clock that is set back lengthens no time that a circuit stays open beyond `openFor` from
//!   then on; failures that lie ahead of the clock count as if they had just been.
//! - What is stored of a circuit that rests says nothing: it may be forgotten.
//!
//! # Left to others
//! Who waits for a circuit: `dispatch`. Keeping it: `store`. Which run was a failure: the engine.
//!
//! Proof: `circuit/tests.rs`, against a list of everything that happened; `proof/tests/engine`,
//! `proof/tests/random`.

use std::fmt::Write;

use serde::Deserialize;

use crate::argument;
use crate::error::{Code, Error, Result};
use crate::id::Seq;
use crate::json::write_string;
use crate::limits::{
    CIRCUIT_FAILURES_MAX, CIRCUIT_KEPT_MS, CIRCUIT_MS_MAX, CIRCUIT_PROBES_MAX,
    CIRCUIT_WHEN_BYTES_MAX,
};
use crate::members::Members;
use crate::query::{Query, Value};
use crate::rate::read_by;
use crate::time::WallMs;

#[cfg(test)]
mod tests;

/// When the circuit of an operation opens, and when it closes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// With so many failures.
    pub failures: u32,
    /// Within so many milliseconds.
    pub within_ms: u64,
    /// For so many milliseconds.
    pub open_for_ms: u64,
    /// After so many runs that succeed, at most that many at once.
    pub probes: u32,
    /// The path to the value for which that holds; for the whole operation if there is none.
    pub by: Option<Box<str>>,
    /// Which errors count; all if that is not said.
    pub when: Option<ErrorQuery>,
}

/// A query of the error of an attempt.
#[derive(Clone, Debug)]
pub struct ErrorQuery {
    query: Query,
    text: Box<str>,
}

impl PartialEq for ErrorQuery {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ErrorQuery {}

impl ErrorQuery {
    fn read(text: &str, path: &str) -> Result<Self> {
        if text.len() > CIRCUIT_WHEN_BYTES_MAX {
            let message = format!("is longer than {CIRCUIT_WHEN_BYTES_MAX} bytes");
            return Err(Error::at(Code::TooLarge, path, message));
        }
        let value = Value::from_json(text).map_err(|error| {
            Error::at(Code::InvalidQuery, path, "is not JSON").with_source(error)
        })?;
        Ok(Self { query: Query::of_any(&value, path)?, text: text.into() })
    }

    /// Whether it matches an error, given as it is stored.
    ///
    /// # Errors
    /// `Corrupt` if that is not JSON.
    fn matches(&self, error: &str) -> Result<bool> {
        let error = Value::from_json(error)
            .map_err(|why| Error::new(Code::Corrupt, "an error is not JSON").with_source(why))?;
        Ok(self.query.matches(&error))
    }
}

/// What is stored of a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// The batch in which it last opened or closed again; before that happened, the one in which
    /// its breaker was first said.
    pub since: u64,
    /// Until when it says something.
    pub rests_at: WallMs,
    /// Where it is.
    pub phase: Phase,
}

/// Where a circuit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everything starts. The last failures, one less than open it, in the order of their commits.
    Closed(Vec<WallMs>),
    /// Nothing starts before this moment.
    Open(WallMs),
    /// Some runs are tried.
    HalfOpen {
        /// The tasks of those that are under way, in the order in which they began.
        probes: Vec<Seq>,
        /// How many have succeeded.
        succeeded: u32,
    },
}

/// What has become of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turned {
    /// It has opened.
    Opened,
    /// Its first probe has begun.
    HalfOpened,
    /// It has closed again.
    Closed,
}

impl Turned {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::HalfOpened => "halfOpened",
            Self::Closed => "closed",
        }
    }
}

/// How a run ended, as far as its circuit asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its runner returned.
    Succeeded,
    /// It failed, and that counts.
    Failed,
    /// Neither: it was given back, aborted or lost, or its failure does not count.
    Nothing,
}

/// A run, as its circuit knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardedRun {
    /// Its task.
    pub seq: Seq,
    /// The batch in which it began; nothing if it is of a process that has died.
    pub began: Option<u64>,
}

/// When something happens to a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the clock.
    pub now: WallMs,
    /// In this batch.
    pub batch: u64,
    /// The batch in which it was first said that there is a breaker with this path: what is older
    /// is of another one.
    pub from: u64,
}

/// Whom a circuit lets start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Free,
    /// So many more probes.
    Probes(u32),
    /// Nobody before this moment.
    Until(WallMs),
    /// Nobody before a probe has ended.
    Probing,
}

/// What a circuit is from now on, and what has become of it, if something has.
pub type Change = (Circuit, Option<Turned>);

impl CircuitBreaker {
    /// Reads `{ failures, within, openFor, probes, by, when }`.
    ///
    /// # Errors
    /// `Invalid`, `InvalidQuery` or `TooLarge` with the path of the member.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        let wrong = "must be { failures, within, openFor, probes, by, when }";
        let mut members = Members::read(text, path, wrong)?;
        let failures = |text: &str, path: &str| argument::count(text, path, CIRCUIT_FAILURES_MAX);
        let probes = |text: &str, path: &str| argument::count(text, path, CIRCUIT_PROBES_MAX);
        let breaker = Self {
            failures: members.required("failures", failures)?,
            within_ms: members.required("within", duration)?,
            open_for_ms: members.required("openFor", duration)?,
            probes: members.optional("probes", probes)?.unwrap_or(1),
            by: members.optional("by", read_by)?,
            when: members.optional("when", ErrorQuery::read)?,
        };
        members.end("failures, within, openFor, probes, by, when")?;
        Ok(breaker)
    }

    /// The JSON text that [`CircuitBreaker::read`] reads.
    pub fn to_json(&self) -> String {
        let mut json = self.numbers();
        if let Some(when) = &self.when {
            json.push_str(r#","when":"#);
            json.push_str(&when.text);
        }
        format!("{{{json}}}")
    }

    /// The members of that but for the query, which an explanation does without.
    pub fn numbers(&self) -> String {
        let Self { failures, within_ms, open_for_ms, probes, by, .. } = self;
        let times = format!(r#""within":{within_ms},"openFor":{open_for_ms}"#);
        let mut json = format!(r#""failures":{failures},{times},"probes":{probes}"#);
        if let Some(by) = by {
            json.push_str(r#","by":"#);
            write_string(by, &mut json);
        }
        json
    }

    /// Whether a failure with this error counts.
    ///
    /// # Errors
    /// `Corrupt` if the error is not JSON.
    pub fn counts(&self, error: &str) -> Result<bool> {
        self.when.as_ref().map_or(Ok(true), |when| when.matches(error))
    }

    /// What is stored of a circuit, as far as that says something still.
    pub fn known<'c>(
        &self,
        stored: Option<&'c Circuit>,
        Moment { now, from, .. }: Moment,
    ) -> Option<&'c Circuit> {
        stored.filter(|circuit| circuit.since >= from && circuit.rests_at >= now)
    }

    /// Whether a circuit is open for longer than it may be: the clock was set back, or `openFor`
    /// was another one.
    pub fn is_too_far(&self, circuit: &Circuit, now: WallMs) -> bool {
        matches!(circuit.phase, Phase::Open(until) if until > now.plus(self.open_for_ms))
    }

    /// Whom a circuit lets start.
    pub fn access(&self, known: Option<&Circuit>, now: WallMs) -> Access {
        match known.map(|circuit| &circuit.phase) {
            None | Some(Phase::Closed(_)) => Access::Free,
            Some(Phase::Open(until)) if *until > now => Access::Until(*until),
            Some(Phase::Open(_)) => Access::Probes(self.probes),
            Some(Phase::HalfOpen { probes, succeeded }) => {
                // One at least, for there may have been more to succeed when they began.
                debug_assert!(self.probes > 0, "nothing would ever close it");
                let wanted = self.probes.saturating_sub(*succeeded).max(1);
                let under_way = u32::try_from(probes.len()).unwrap_or(u32::MAX);
                match wanted.saturating_sub(under_way) {
                    0 => Access::Probing,
                    more => Access::Probes(more),
                }
            }
        }
    }

    /// A task starts that its circuit lets start. Nothing if that makes no difference.
    pub fn start(&self, known: Option<&Circuit>, seq: Seq, now: WallMs) -> Option<Change> {
        let circuit = known?;
        let (mut probes, succeeded, turned) = match &circuit.phase {
            Phase::Closed(_) => return None,
            Phase::Open(_) => (Vec::new(), 0, Some(Turned::HalfOpened)),
            Phase::HalfOpen { probes, succeeded } => (probes.clone(), *succeeded, None),
        };
        debug_assert!(!probes.contains(&seq), "task {} is tried twice at once (I-4)", seq.0);
        probes.push(seq);
        let phase = Phase::HalfOpen { probes, succeeded };
        Some((Circuit { since: circuit.since, rests_at: kept(now), phase }, turned))
    }

    /// A run is over. Nothing if that makes no difference.
    pub fn settle(
        &self,
        known: Option<&Circuit>,
        run: GuardedRun,
        verdict: Verdict,
        moment: Moment,
    ) -> Option<Change> {
        let Moment { now, batch, from } = moment;
        match known.map(|circuit| (circuit, &circuit.phase)) {
            None => self.count((from, now), &[], (run, verdict), moment),
            Some((circuit, Phase::Closed(failures))) => {
                let rests_at = circuit.rests_at.min(kept(now));
                self.count((circuit.since, rests_at), failures, (run, verdict), moment)
            }
            Some((_, Phase::Open(_))) => None,
            Some((circuit, Phase::HalfOpen { probes, succeeded })) => {
                if !probes.contains(&run.seq) {
                    return None;
                }
                let rest = probes.iter().copied().filter(|seq| *seq != run.seq).collect();
                let half_open = |succeeded| Circuit {
                    since: circuit.since,
                    rests_at: kept(now),
                    phase: Phase::HalfOpen { probes: rest, succeeded },
                };
                Some(match verdict {
                    Verdict::Failed => (self.open(moment), Some(Turned::Opened)),
                    Verdict::Succeeded if succeeded + 1 >= self.probes => {
                        let phase = Phase::Closed(Vec::new());
                        let closed = Circuit { since: batch, rests_at: kept(now), phase };
                        (closed, Some(Turned::Closed))
                    }
                    Verdict::Succeeded => (half_open(succeeded + 1), None),
                    Verdict::Nothing => (half_open(*succeeded), None),
                })
            }
        }
    }

    /// A run of a closed circuit is over.
    fn count(
        &self,
        (since, rests_at): (u64, WallMs),
        failures: &[WallMs],
        (run, verdict): (GuardedRun, Verdict),
        moment: Moment,
    ) -> Option<Change> {
        let is_older = run.began.is_none_or(|began| began < since);
        if verdict != Verdict::Failed || is_older {
            return None;
        }
        let now = moment.now;
        let seen = failures.iter().map(|at| (*at).min(now));
        debug_assert!(self.failures > 0, "it would open without a failure");
        let mut recent: Vec<WallMs> =
            seen.filter(|at| now.ms_since(*at) < self.within_ms).chain([now]).collect();
        if recent.len() >= self.failures as usize {
            return Some((self.open(moment), Some(Turned::Opened)));
        }
        let more = recent.len().saturating_sub(CIRCUIT_FAILURES_MAX as usize - 1);
        recent.drain(..more);
        let rests_at = rests_at.max(now.plus(self.within_ms));
        Some((Circuit { since, rests_at, phase: Phase::Closed(recent) }, None))
    }

    fn open(&self, Moment { now, batch, .. }: Moment) -> Circuit {
        debug_assert!(self.open_for_ms > 0, "it would be open for no time");
        let until = now.plus(self.open_for_ms);
        Circuit { since: batch, rests_at: kept(until), phase: Phase::Open(until) }
    }
}

/// So long is kept what has once been open, and nobody asks for any more.
fn kept(from: WallMs) -> WallMs {
    from.plus(CIRCUIT_KEPT_MS)
}

fn duration(text: &str, path: &str) -> Result<u64> {
    let ms = argument::duration(text, path)?;
    if ms > CIRCUIT_MS_MAX {
        return Err(Error::invalid(path, "must be 30 days or less"));
    }
    Ok(ms)
}

/// What is stored of a circuit besides its moment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    since: u64,
    failures: Option<Vec<i64>>,
    until: Option<i64>,
    probes: Option<Vec<u64>>,
    succeeded: Option<u32>,
}

impl Circuit {
    /// How many probes are under way.
    pub fn probing(&self) -> usize {
        match &self.phase {
            Phase::HalfOpen { probes, .. } => probes.len(),
            Phase::Closed(_) | Phase::Open(_) => 0,
        }
    }

    /// The JSON text that [`Circuit::read`] reads, without the moment at which it rests.
    pub fn to_json(&self) -> String {
        let mut json = format!(r#"{{"since":{}"#, self.since);
        // Writing to a String cannot fail.
        let _ = match &self.phase {
            Phase::Closed(failures) => {
                write!(json, r#","failures":[{}]"#, list(failures.iter().map(|at| at.0)))
            }
            Phase::Open(until) => write!(json, r#","until":{}"#, until.0),
            Phase::HalfOpen { probes, succeeded } => {
                let probes = list(probes.iter().map(|seq| seq.0));
                write!(json, r#","probes":[{probes}],"succeeded":{succeeded}"#)
            }
        };
        json.push('}');
        json
    }

    /// Reads what is stored; nothing if that is no circuit.
    pub fn read(text: &str, rests_at: WallMs) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        let phase = match (stored.failures, stored.until, stored.probes, stored.succeeded) {
            (Some(failures), None, None, None) => {
                Phase::Closed(failures.into_iter().map(WallMs).collect())
            }
            (None, Some(until), None, None) => Phase::Open(WallMs(until)),
            (None, None, Some(probes), Some(succeeded)) => {
                Phase::HalfOpen { probes: probes.into_iter().map(Seq).collect(), succeeded }
            }
            _ => return None,
        };
        Some(Self { since: stored.since, rests_at, phase })
    }
}

fn list<T: ToString>(all: impl Iterator<Item = T>) -> String {
    all.map(|one| one.to_string()).collect::<Vec<_>>().join(",")
}
