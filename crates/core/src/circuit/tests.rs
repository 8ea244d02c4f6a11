use std::collections::BTreeMap;

use super::*;

fn breaker(text: &str) -> CircuitBreaker {
    CircuitBreaker::read(text, "circuitBreaker").unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn bare(failures: u32, within_ms: u64, open_for_ms: u64, probes: u32) -> CircuitBreaker {
    let (by, when) = (None, None);
    CircuitBreaker { failures, within_ms, open_for_ms, probes, by, when }
}

/// A generator of numbers that needs no crate: xorshift.
fn throw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Everything that happened to one circuit, in order. What it is follows from that alone.
#[derive(Debug, Default)]
struct History {
    /// The failures that count, with the batches in which their runs had begun.
    failures: Vec<WallMs>,
    /// The batch in which it last opened or closed.
    since: u64,
    /// Until when it is open, if it has opened and not closed again.
    until: Option<WallMs>,
    /// The probes since then: of each whether it has ended, and if so how.
    probes: Vec<(Seq, Option<Verdict>)>,
}

impl History {
    fn succeeded(&self) -> u32 {
        self.probes.iter().filter(|(_, end)| *end == Some(Verdict::Succeeded)).count() as u32
    }

    fn under_way(&self) -> u32 {
        self.probes.iter().filter(|(_, end)| end.is_none()).count() as u32
    }

    /// How many may start.
    fn may_start(&self, breaker: &CircuitBreaker, now: WallMs) -> u32 {
        match self.until {
            None => u32::MAX,
            Some(until) if until > now => 0,
            Some(_) => breaker.probes - self.succeeded() - self.under_way(),
        }
    }

    fn start(&mut self, seq: Seq) {
        if self.until.is_some() {
            self.probes.push((seq, None));
        }
    }

    fn open(&mut self, breaker: &CircuitBreaker, now: WallMs, batch: u64) {
        let until = Some(now.plus(breaker.open_for_ms));
        *self = Self { since: batch, until, ..Self::default() };
    }

    fn end(
        &mut self,
        breaker: &CircuitBreaker,
        (seq, began): (Seq, u64),
        verdict: Verdict,
        (now, batch): (WallMs, u64),
    ) {
        if self.until.is_none() {
            if verdict == Verdict::Failed && began >= self.since {
                self.failures.push(now);
                let recent =
                    self.failures.iter().filter(|at| at.0 > now.0 - breaker.within_ms as i64);
                if recent.count() >= breaker.failures as usize {
                    self.open(breaker, now, batch);
                }
            }
            return;
        }
        let probe = self.probes.iter_mut().find(|(other, end)| *other == seq && end.is_none());
        let Some((_, end)) = probe else { return };
        *end = Some(verdict);
        if verdict == Verdict::Failed {
            self.open(breaker, now, batch);
        } else if self.succeeded() == breaker.probes {
            *self = Self { since: batch, ..Self::default() };
        }
    }
}

/// How many a circuit lets start.
fn lets(access: Access) -> u32 {
    match access {
        Access::Free => u32::MAX,
        Access::Probes(probes) => probes,
        Access::Until(_) | Access::Probing => 0,
    }
}

#[test]
fn a_circuit_is_what_follows_from_everything_that_happened() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let (mut opened, mut closed) = (0, 0);
    for said in [bare(1, 10, 5, 1), bare(3, 40, 20, 1), bare(2, 1, 1, 3), bare(5, 100, 30, 2)] {
        let (mut history, mut stored) = (History::default(), None::<Circuit>);
        let (mut now, mut live) = (WallMs(-50), BTreeMap::<Seq, u64>::new());
        for batch in 1..4_000_u64 {
            now = now.plus(throw(&mut state) % 12);
            let moment = Moment { now, batch, from: 0 };
            let ends: Vec<Seq> =
                live.keys().copied().filter(|_| throw(&mut state).is_multiple_of(3)).collect();
            for seq in ends {
                let began = live.remove(&seq).unwrap();
                let verdict = match throw(&mut state) % 4 {
                    0 => Verdict::Nothing,
                    1 => Verdict::Succeeded,
                    _ => Verdict::Failed,
                };
                let run = GuardedRun { seq, began: Some(began) };
                let known = said.known(stored.as_ref(), moment);
                if let Some((circuit, turned)) = said.settle(known, run, verdict, moment) {
                    assert_ne!(stored.as_ref(), Some(&circuit), "a row is written for nothing");
                    opened += u32::from(turned == Some(Turned::Opened));
                    closed += u32::from(turned == Some(Turned::Closed));
                    stored = Some(circuit);
                }
                history.end(&said, (seq, began), verdict, (now, batch));
            }
            for n in 0..throw(&mut state) % 4 {
                let known = said.known(stored.as_ref(), moment);
                let may_start = lets(said.access(known, now));
                assert_eq!(may_start, history.may_start(&said, now), "{said:?} {history:?}");
                if may_start > 0 {
                    let seq = Seq(batch * 10 + n);
                    if let Some((circuit, _)) = said.start(known, seq, now) {
                        stored = Some(circuit);
                    }
                    history.start(seq);
                    live.insert(seq, batch);
                }
            }
            if let Some(circuit) = &stored {
                assert!(circuit.probing() <= said.probes as usize);
                let read = Circuit::read(&circuit.to_json(), circuit.rests_at);
                assert_eq!(read.as_ref(), Some(circuit));
                if let Phase::Closed(failures) = &circuit.phase {
                    assert!(failures.len() < said.failures as usize);
                }
            }
            // What rests says nothing: it may be forgotten at any time.
            if throw(&mut state).is_multiple_of(5) {
                stored = stored.filter(|circuit| circuit.rests_at >= now);
            }
        }
    }
    assert!(opened > 100 && closed > 20, "{opened} opened, {closed} closed");
}

const RUN: GuardedRun = GuardedRun { seq: Seq(7), began: Some(3) };

fn at(now: i64, batch: u64) -> Moment {
    Moment { now: WallMs(now), batch, from: 0 }
}

#[test]
fn failures_that_lie_ahead_of_the_clock_count_as_if_they_had_just_been() {
    let said = bare(3, 100, 10, 1);
    let (circuit, _) = said.settle(None, RUN, Verdict::Failed, at(1_000_000, 5)).unwrap();
    let (circuit, _) = said.settle(Some(&circuit), RUN, Verdict::Failed, at(0, 6)).unwrap();
    assert_eq!(circuit.phase, Phase::Closed(vec![WallMs(0), WallMs(0)]));
    let (circuit, turned) = said.settle(Some(&circuit), RUN, Verdict::Failed, at(99, 7)).unwrap();
    assert_eq!((circuit.phase, turned), (Phase::Open(WallMs(109)), Some(Turned::Opened)));
}

#[test]
fn the_window_slides_and_a_success_does_not_reset_it() {
    let said = bare(2, 100, 10, 1);
    let (circuit, _) = said.settle(None, RUN, Verdict::Failed, at(0, 5)).unwrap();
    assert_eq!(said.settle(Some(&circuit), RUN, Verdict::Succeeded, at(1, 6)), None);
    let just = said.settle(Some(&circuit), RUN, Verdict::Failed, at(99, 6)).unwrap();
    let late = said.settle(Some(&circuit), RUN, Verdict::Failed, at(100, 6)).unwrap();
    assert_eq!((just.1, late.1), (Some(Turned::Opened), None));
}

#[test]
fn a_circuit_that_is_open_for_too_long_is_noticed() {
    let said = bare(1, 1, 1_000, 1);
    let (circuit, _) = said.settle(None, RUN, Verdict::Failed, at(50_000, 5)).unwrap();
    assert!(!said.is_too_far(&circuit, WallMs(50_000)));
    assert!(said.is_too_far(&circuit, WallMs(49_999)));
}

#[test]
fn what_was_said_first_later_than_a_circuit_is_stored_knows_nothing_of_it() {
    let said = bare(1, 1, 1_000, 1);
    let (circuit, _) = said.settle(None, RUN, Verdict::Failed, at(0, 5)).unwrap();
    assert_eq!(circuit.since, 5);
    let from = |from| said.known(Some(&circuit), Moment { now: WallMs(0), batch: 9, from });
    assert_eq!((from(5), from(6)), (Some(&circuit), None));
}

#[test]
fn fewer_probes_than_have_succeeded_leave_one_to_try() {
    let phase = Phase::HalfOpen { probes: Vec::new(), succeeded: 2 };
    let circuit = Circuit { since: 1, rests_at: WallMs(9), phase };
    let said = bare(1, 1, 1, 1);
    assert_eq!(said.access(Some(&circuit), WallMs(0)), Access::Probes(1));
    let (circuit, _) = said.start(Some(&circuit), RUN.seq, WallMs(0)).unwrap();
    assert_eq!(said.access(Some(&circuit), WallMs(0)), Access::Probing);
    let (_, turned) = said.settle(Some(&circuit), RUN, Verdict::Succeeded, at(0, 5)).unwrap();
    assert_eq!(turned, Some(Turned::Closed));
}

#[test]
fn errors_count_that_the_query_matches() {
    let text = r#"{"failures":1,"within":1,"openFor":1,"when":
        {"name":"HttpError","status":{"$gte":500},"cause.code":{"$in":["A",null]}}}"#;
    let said = breaker(text);
    for (error, counts) in [
        (r#"{"name":"HttpError","status":503}"#, true),
        (r#"{"name":"HttpError","status":503,"cause":{"code":"A"}}"#, true),
        (r#"{"name":"HttpError","status":503,"cause":{"code":"B"}}"#, false),
        (r#"{"name":"HttpError","status":404}"#, false),
        (r#"{"name":"HttpError"}"#, false),
        (r#""thrown""#, false),
        ("null", false),
    ] {
        assert_eq!(said.counts(error).unwrap(), counts, "{error}");
        assert!(bare(1, 1, 1, 1).counts(error).unwrap());
    }
    assert_eq!(said.counts("{").unwrap_err().code(), Code::Corrupt);
}

#[test]
fn what_was_written_is_read_again() {
    for (text, written) in [
        (
            r#"{"failures":5,"within":"1m","openFor":"30s"}"#,
            r#"{"failures":5,"within":60000,"openFor":30000,"probes":1}"#,
        ),
        (
            r#"{"when":{"a":1},"by":"data.h","probes":10,"openFor":1,"within":2,"failures":100}"#,
            r#"{"failures":100,"within":2,"openFor":1,"probes":10,"by":"data.h","when":{"a":1}}"#,
        ),
    ] {
        assert_eq!(breaker(text).to_json(), written);
        assert_eq!(breaker(written), breaker(text));
    }
}

#[test]
fn every_wrong_member_is_named() {
    let with = |more: &str| format!(r#"{{"failures":1,"within":1,"openFor":1,{more}}}"#);
    let long = format!(r#""when":{{"a":"{}"}}"#, "x".repeat(CIRCUIT_WHEN_BYTES_MAX));
    for (text, path, code) in [
        ("5".into(), "circuitBreaker", Code::Invalid),
        ("{}".into(), "circuitBreaker.failures", Code::Invalid),
        (r#"{"failures":0}"#.into(), "circuitBreaker.failures", Code::Invalid),
        (r#"{"failures":101}"#.into(), "circuitBreaker.failures", Code::Invalid),
        (r#"{"failures":1}"#.into(), "circuitBreaker.within", Code::Invalid),
        (r#"{"failures":1,"within":"31d"}"#.into(), "circuitBreaker.within", Code::Invalid),
        (r#"{"failures":1,"within":1}"#.into(), "circuitBreaker.openFor", Code::Invalid),
        (
            r#"{"failures":1,"within":1,"openFor":0}"#.into(),
            "circuitBreaker.openFor",
            Code::Invalid,
        ),
        (with(r#""probes":11"#), "circuitBreaker.probes", Code::Invalid),
        (with(r#""by":"priority""#), "circuitBreaker.by", Code::Invalid),
        (with(r#""by":"data..a""#), "circuitBreaker.by", Code::Invalid),
        (with(r#""when":7"#), "circuitBreaker.when", Code::InvalidQuery),
        (with(r#""when":{"a":{"$near":1}}"#), "circuitBreaker.when.a.$near", Code::InvalidQuery),
        (with(r#""when":{"$or":[]}"#), "circuitBreaker.when.$or", Code::InvalidQuery),
        (with(&long), "circuitBreaker.when", Code::TooLarge),
        (with(r#""halfOpen":1"#), "circuitBreaker.halfOpen", Code::Invalid),
    ] {
        let error = CircuitBreaker::read(&text, "circuitBreaker").unwrap_err();
        let facts = (error.code(), error.facts().path.as_deref());
        assert_eq!(facts, (code, Some(path)), "{text}");
    }
}

#[test]
fn a_row_that_is_none_is_noticed() {
    for text in [
        "",
        "{}",
        r#"{"since":1}"#,
        r#"{"since":1,"until":1,"failures":[]}"#,
        r#"{"since":1,"probes":[1]}"#,
        r#"{"since":-1,"until":1}"#,
        r#"{"since":1,"until":1,"more":1}"#,
    ] {
        assert_eq!(Circuit::read(text, WallMs(0)), None, "{text}");
    }
}
