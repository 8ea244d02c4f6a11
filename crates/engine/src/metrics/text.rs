//! Figures in the text format of Prometheus: times in seconds.
//!
//! What begins with `tasker_store_` is of the whole store, the same from every process: take the
//! maximum. All else is of this process alone: take the sum.

use std::fmt::Write;

use tasker_core::state::State;
use tasker_core::totals::{Bytes, Extent};

use super::{Distribution, Figures, OperationFigures};

/// Bounds of waits and runs, in microseconds.
const TASK_BOUNDS: [u64; 14] = [
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    100_000_000,
    300_000_000,
    1_000_000_000,
    3_000_000_000,
    10_000_000_000,
];
/// Bounds of turns and commits, in microseconds.
const TURN_BOUNDS: [u64; 9] = [100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];
/// Bounds of sizes.
const SIZE_BOUNDS: [u64; 7] = [1, 4, 16, 64, 256, 1_024, 8_192];

/// The version that is told.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The mark at the end of a text of `OpenMetrics`.
pub const END: &str = "# EOF\n";

/// The whole text, or that of `OpenMetrics`, which ends with a mark.
pub fn write(figures: &Figures, is_open: bool) -> String {
    let mut text = Text::new(is_open);
    write_process(figures, &mut text);
    write_operations(figures, &mut text);
    write_store(figures, &mut text);
    if is_open {
        text.out.push_str(END);
    }
    text.out
}

/// What is written so far; others write families of their own with it.
#[derive(Debug)]
pub struct Text {
    out: String,
    is_open: bool,
}

/// The labels of a sample.
pub type Labels<'l> = &'l [(&'l str, &'l str)];

impl Text {
    /// Nothing yet, in the format of `OpenMetrics` or in that of Prometheus.
    pub fn new(is_open: bool) -> Self {
        Self { out: String::new(), is_open }
    }

    /// What was written, without the mark at its end.
    pub fn into_string(self) -> String {
        self.out
    }

    fn head(&mut self, name: &str, kind: &str, what: &str) {
        let _ = writeln!(self.out, "# HELP {name} {what}\n# TYPE {name} {kind}");
    }

    /// Begins a family of gauges.
    pub fn gauge(&mut self, name: &str, what: &str) {
        self.head(name, "gauge", what);
    }

    /// Begins one of counters. Their name ends with `_total`, which `OpenMetrics` leaves out of the
    /// head.
    pub fn counter(&mut self, name: &str, what: &str) {
        let name = if self.is_open { name.trim_end_matches("_total") } else { name };
        self.head(name, "counter", what);
    }

    /// Begins one of histograms.
    pub fn histogram(&mut self, name: &str, what: &str) {
        self.head(name, "histogram", what);
    }

    /// One value.
    pub fn sample(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        self.out.push_str(name);
        for (at, (label, word)) in labels.iter().enumerate() {
            self.out.push(if at == 0 { '{' } else { ',' });
            let _ = write!(self.out, "{label}=\"");
            escape(word, &mut self.out);
            self.out.push('"');
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }

    /// The buckets, the sum and the count of one; `unit` is how many of the values are one.
    pub fn distribution(
        &mut self,
        (name, labels): (&str, Labels<'_>),
        seen: &Distribution,
        (bounds, unit): (&[u64], f64),
    ) {
        let bucket = format!("{name}_bucket");
        for bound in bounds {
            // `OpenMetrics` wants numbers with a point.
            let le = format!("{:?}", *bound as f64 / unit);
            self.sample(&bucket, &[labels, &[("le", &le)]].concat(), seen.up_to(*bound) as f64);
        }
        self.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), seen.count() as f64);
        self.sample(&format!("{name}_sum"), labels, seen.sum() as f64 / unit);
        self.sample(&format!("{name}_count"), labels, seen.count() as f64);
    }
}

fn escape(word: &str, out: &mut String) {
    for letter in word.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

/// How many microseconds are a second.
pub const MICROS: f64 = 1_000_000.0;

fn write_process(figures: &Figures, text: &mut Text) {
    text.gauge("tasker_build_info", "The version of tasker.");
    text.sample("tasker_build_info", &[("version", VERSION)], 1.0);
    text.gauge("tasker_open_timestamp_seconds", "From when on this process counts.");
    let opened = figures.since.0 as f64 / 1_000.0;
    text.sample("tasker_open_timestamp_seconds", &[], opened);
    text.gauge("tasker_runs_limit", "How many runs this process may have at once.");
    text.sample("tasker_runs_limit", &[], figures.limit as f64);
    text.gauge("tasker_polls_waiting", "Calls of executors that wait for tasks.");
    text.sample("tasker_polls_waiting", &[], figures.polls as f64);
    let name = "tasker_turn_duration_seconds";
    text.histogram(name, "How long turns of the engine took.");
    text.distribution((name, &[]), &figures.turns, (&TURN_BOUNDS, MICROS));
    let name = "tasker_turn_inputs";
    text.histogram(name, "How many calls and results a turn of the engine took in.");
    text.distribution((name, &[]), &figures.inputs, (&SIZE_BOUNDS, 1.0));
    let name = "tasker_commit_duration_seconds";
    text.histogram(name, "How long commits took.");
    text.distribution((name, &[]), &figures.commits, (&TURN_BOUNDS, MICROS));
    let name = "tasker_commits_refused_total";
    text.counter(name, "Commits that the store has refused, by the code of the error.");
    for (code, count) in &figures.refused {
        text.sample(name, &[("code", code.as_str())], *count as f64);
    }
}

/// A family with one sample for each operation.
fn each(
    text: &mut Text,
    figures: &Figures,
    name: &str,
    value: impl Fn(&OperationFigures) -> Option<f64>,
) {
    for operation in &figures.operations {
        if let Some(value) = value(operation) {
            text.sample(name, &[("operation", &operation.name)], value);
        }
    }
}

/// A family with several samples for each operation, told apart by one more label.
fn each_by(
    text: &mut Text,
    figures: &Figures,
    (name, label): (&str, &str),
    counts: impl Fn(&OperationFigures) -> Vec<(&'static str, u64)>,
) {
    for operation in &figures.operations {
        for (word, count) in counts(operation) {
            text.sample(name, &[("operation", &operation.name), (label, word)], count as f64);
        }
    }
}

fn write_operations(figures: &Figures, text: &mut Text) {
    let name = "tasker_tasks_added_total";
    text.counter(name, "Tasks that this process added.");
    each(text, figures, name, |one| Some(one.meter.added as f64));
    let name = "tasker_adds_skipped_total";
    text.counter(name, "Adds that gave an earlier task back, because of its key.");
    each(text, figures, name, |one| Some(one.meter.skipped as f64));
    let name = "tasker_tasks_ended_total";
    text.counter(name, "Tasks that ended by what this process committed.");
    each_by(text, figures, (name, "status"), |one| {
        one.meter.ended().map(|(state, count)| (state.as_str(), count)).collect()
    });
    let name = "tasker_runs_started_total";
    text.counter(name, "Runs that began in this process.");
    each(text, figures, name, |one| Some(one.meter.started as f64));
    let name = "tasker_runs_ended_total";
    text.counter(name, "Runs that ended by what this process committed.");
    each_by(text, figures, (name, "outcome"), |one| one.meter.runs().collect());
    let name = "tasker_runs_live";
    text.gauge(name, "Runs that go on in this process.");
    each(text, figures, name, |one| Some(one.gauges.live as f64));
    let name = "tasker_task_wait_duration_seconds";
    text.histogram(name, "From when a task could start to its first start.");
    for OperationFigures { name: operation, meter, .. } in &figures.operations {
        let labels = [("operation", &**operation)];
        text.distribution((name, &labels), &meter.wait, (&TASK_BOUNDS, MICROS));
    }
    let name = "tasker_run_duration_seconds";
    text.histogram(name, "From the start of a run to its end.");
    for OperationFigures { name: operation, meter, .. } in &figures.operations {
        let labels = [("operation", &**operation)];
        text.distribution((name, &labels), &meter.run, (&TASK_BOUNDS, MICROS));
    }
}

fn write_store(figures: &Figures, text: &mut Text) {
    let name = "tasker_store_commit_number";
    text.gauge(name, "The number of the last commit.");
    text.sample(name, &[], figures.number as f64);
    let Extent { owners, bytes } = figures.extent;
    let name = "tasker_store_processes";
    text.gauge(name, "Taskers that have the file open.");
    text.sample(name, &[], owners as f64);
    let name = "tasker_store_schedules";
    text.gauge(name, "Schedules that there are.");
    text.sample(name, &[], figures.schedules as f64);
    if let Some(Bytes { file, wal, free }) = bytes {
        let name = "tasker_store_bytes";
        text.gauge(name, "Bytes of the file, of the log beside it, and of free pages in the file.");
        for (part, bytes) in [("file", file), ("wal", wal), ("free", free)] {
            text.sample(name, &[("part", part)], bytes as f64);
        }
    }
    let name = "tasker_store_tasks_ended";
    text.gauge(name, "Ended tasks that are kept.");
    for state in State::ALL.iter().filter(|state| state.is_final()) {
        let count = figures.counts.get(*state) as f64;
        text.sample(name, &[("status", state.as_str())], count);
    }
    let name = "tasker_store_tasks";
    text.gauge(name, "Tasks that have not ended, by state.");
    each_by(text, figures, (name, "state"), |one| {
        let open = State::ALL.iter().filter(|state| !state.is_final());
        open.map(|state| (state.as_str(), one.gauges.count(*state))).collect()
    });
    let name = "tasker_store_waiting";
    text.gauge(name, "Tasks that wait, by the first reason why.");
    each_by(text, figures, (name, "reason"), |one| {
        one.gauges.waiting.iter().map(|(reason, count)| (reason.as_str(), *count)).collect()
    });
    let name = "tasker_store_next_ready_timestamp_seconds";
    text.gauge(name, "When the task was added that is next in the queue.");
    each(text, figures, name, |one| Some(one.gauges.next_ready_at?.0 as f64 / 1_000.0));
    let name = "tasker_store_runners";
    text.gauge(name, "Processes that start tasks of the operation.");
    each(text, figures, name, |one| Some(one.gauges.runners as f64));
    let is = |flag: bool| Some(f64::from(u8::from(flag)));
    let name = "tasker_store_paused";
    text.gauge(name, "Whether the operation is paused.");
    each(text, figures, name, |one| is(one.gauges.is_paused));
    let name = "tasker_store_circuit_open";
    text.gauge(name, "Whether the circuit of the operation lets nothing start.");
    each(text, figures, name, |one| is(one.gauges.is_circuit_open));
}
