//! What is known of a process beside its engine: the requests that were answered, whichever server
//! they came to, and whether its event loop goes round.
//!
//! # Promises
//! - A request is counted when its answer is there; of those that wait for tasks it is not told how
//!   long they took.
//! - Its labels come from closed lists: routes, and codes of status.
//!
//! Proof: the tests below, `__test__/contract/metrics.test.mjs`,
//! `__test__/systems/metrics-parsers.test.mjs`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use hyper::StatusCode;
use parking_lot::Mutex;
use tasker_engine::metrics::text::{MICROS, Text};
use tasker_engine::metrics::{Distribution, json};
use tasker_engine::thread::Moment;

use crate::pulse::{Awaited, Pulse};

/// Bounds of durations, in microseconds.
const BOUNDS: [u64; 10] =
    [1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 30_000_000];

/// What is known of a process.
#[derive(Default)]
pub struct Process {
    pub(crate) pulse: Arc<Pulse>,
    answered: Mutex<BTreeMap<&'static str, Answered>>,
}

/// The requests of a route.
struct Answered {
    by_status: BTreeMap<u16, u64>,
    /// How long they took, in microseconds.
    durations: Distribution,
}

impl Default for Answered {
    fn default() -> Self {
        Self { by_status: BTreeMap::new(), durations: Distribution::of_durations() }
    }
}

impl Process {
    /// The event loop goes round.
    pub fn beat(&self) {
        self.pulse.beat();
    }

    /// From now on the event loop tells of itself each second, until what this gives is dropped.
    pub fn awaits_beats(&self) -> Awaited {
        self.pulse.awaited()
    }

    /// A request was answered; it came at that moment, unless it is not told how long it took.
    pub(crate) fn answered(&self, route: &'static str, status: StatusCode, began: Option<Moment>) {
        let took = began.map(|began| began.elapsed_micros());
        let mut all = self.answered.lock();
        let its = all.entry(route).or_default();
        *its.by_status.entry(status.as_u16()).or_default() += 1;
        took.into_iter().for_each(|micros| its.durations.observe(micros));
    }

    /// The families of this process, without the mark at the end of a text.
    pub fn text(&self, is_open: bool) -> String {
        let mut text = Text::new(is_open);
        let name = "tasker_event_loop_blocked_seconds_total";
        text.counter(name, "For how long the event loop stood still.");
        text.sample(name, &[], self.pulse.blocked_ms() as f64 / 1_000.0);
        let all = self.answered.lock();
        let name = "tasker_http_requests_total";
        text.counter(name, "Requests that were answered, by route and status.");
        for (route, answered) in &*all {
            for (status, count) in &answered.by_status {
                let labels = [("route", *route), ("code", &status.to_string())];
                text.sample(name, &labels, *count as f64);
            }
        }
        let name = "tasker_http_request_duration_seconds";
        text.histogram(name, "How long answers took, but for those that wait for tasks.");
        for (route, answered) in &*all {
            text.distribution((name, &[("route", *route)]), &answered.durations, (&BOUNDS, MICROS));
        }
        text.into_string()
    }

    /// The same as JSON, times in milliseconds.
    pub fn json(&self) -> String {
        let mut out = format!(r#"{{"eventLoopBlocked":{},"http":{{"#, self.pulse.blocked_ms());
        for (n, (route, answered)) in self.answered.lock().iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let counts =
                answered.by_status.iter().map(|(code, count)| format!("\"{code}\":{count}"));
            let counts = counts.collect::<Vec<_>>().join(",");
            // Writing to a String cannot fail.
            let _ = write!(out, r#"{comma}"{route}":{{"requests":{{{counts}}},"duration":"#);
            let _ = write!(out, "{}}}", json::durations(&answered.durations));
        }
        out.push_str("}}");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_was_asked_yet() {
        let process = Process::default();
        assert_eq!(process.json(), r#"{"eventLoopBlocked":0,"http":{}}"#);
        let heads = process.text(false);
        assert!(heads.ends_with("# TYPE tasker_http_request_duration_seconds histogram\n"));
    }

    #[test]
    fn requests_are_counted_by_route_and_status() {
        let process = Process::default();
        process.answered("rpc", StatusCode::OK, Some(Moment::now()));
        process.answered("rpc", StatusCode::OK, None);
        process.answered("other", StatusCode::NOT_FOUND, Some(Moment::now()));
        let text = process.text(false);
        for line in [
            r#"tasker_http_requests_total{route="rpc",code="200"} 2"#,
            r#"tasker_http_requests_total{route="other",code="404"} 1"#,
            r#"tasker_http_request_duration_seconds_count{route="rpc"} 1"#,
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
        }
        assert!(process.json().contains(r#""other":{"requests":{"404":1},"duration":{"count":1,"#));
    }
}
