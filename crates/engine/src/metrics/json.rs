//! Figures as JSON: times in milliseconds, each figure once.

use std::fmt::Write;

use tasker_core::json::write_string;
use tasker_core::state::State;
use tasker_core::totals::{Bytes, Extent};

use super::{Distribution, Figures, Gauges, OperationFigures, OperationMeter};

/// The text of the object.
pub fn write(figures: &Figures) -> String {
    let Figures { at, since, number, counts, live, limit, polls, .. } = figures;
    let mut out = String::new();
    let refused = figures.refused.iter().map(|(code, count)| (code.as_str(), *count));
    let states = State::ALL.iter().map(|state| (state.as_str(), counts.get(*state)));
    let _ = write!(out, r#"{{"at":{},"since":{},"#, at.0, since.0);
    let _ = write!(out, r#""process":{{"running":{live},"concurrency":{limit},"polls":{polls},"#);
    let _ = write!(
        out,
        r#""turns":{},"inputs":{},"commits":{},"refused":{}}},"#,
        durations(&figures.turns),
        sizes(&figures.inputs),
        durations(&figures.commits),
        counted(refused),
    );
    let _ = write!(out, r#""store":{{"commits":{number},"tasks":{},"#, counted(states));
    let Extent { owners, bytes } = figures.extent;
    let bytes = bytes.map_or_else(
        || "null".to_owned(),
        |Bytes { file, wal, free }| format!(r#"{{"file":{file},"wal":{wal},"free":{free}}}"#),
    );
    let schedules = figures.schedules;
    let _ = write!(out, r#""processes":{owners},"schedules":{schedules},"bytes":{bytes}}},"#);
    out.push_str(r#""operations":{"#);
    for (at, operation) in figures.operations.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(&operation.name, &mut out);
        out.push(':');
        write_operation(operation, &mut out);
    }
    out.push_str("}}");
    out
}

fn write_operation(operation: &OperationFigures, out: &mut String) {
    let OperationFigures { meter, gauges, .. } = operation;
    let OperationMeter { added, skipped, started, wait, run, .. } = meter;
    let ended = counted(meter.ended().map(|(state, count)| (state.as_str(), count)));
    let _ = write!(out, r#"{{"added":{added},"skipped":{skipped},"ended":{ended},"#);
    let _ = write!(out, r#""runs":{{"started":{started},"running":{},"#, gauges.live);
    let _ = write!(out, r#""ended":{}}},"#, counted(meter.runs()));
    let _ = write!(out, r#""wait":{},"duration":{},"#, durations(wait), durations(run));
    let Gauges { waiting, next_ready_at, runners, is_paused, is_circuit_open, .. } = gauges;
    let states = State::ALL.iter().map(|state| (state.as_str(), gauges.count(*state)));
    let waiting = waiting.iter().map(|(reason, count)| (reason.as_str(), *count));
    let next = next_ready_at.map_or_else(|| "null".to_owned(), |at| at.0.to_string());
    let _ = write!(
        out,
        r#""store":{{"tasks":{},"waiting":{},"nextReadyAt":{next},"#,
        counted(states),
        counted(waiting)
    );
    let _ = write!(out, r#""runners":{runners},"paused":{is_paused},"#);
    let _ = write!(out, r#""circuitOpen":{is_circuit_open}}}}}"#);
}

fn counted<'w>(counts: impl Iterator<Item = (&'w str, u64)>) -> String {
    let counts: Vec<_> = counts.map(|(word, count)| format!("\"{word}\":{count}")).collect();
    format!("{{{}}}", counts.join(","))
}

/// A distribution of microseconds, told in milliseconds.
pub fn durations(seen: &Distribution) -> String {
    let ms = |micros: f64| (micros / 10.0).round() / 100.0;
    told(seen, ms)
}

fn sizes(seen: &Distribution) -> String {
    told(seen, |size| size.round())
}

fn told(seen: &Distribution, unit: impl Fn(f64) -> f64) -> String {
    let (sum, max) = (unit(seen.sum() as f64), unit(seen.max() as f64));
    let part = |part| unit(seen.percentile(part));
    format!(
        r#"{{"count":{},"sum":{sum},"max":{max},"p50":{},"p90":{},"p99":{}}}"#,
        seen.count(),
        part(0.5),
        part(0.9),
        part(0.99),
    )
}
