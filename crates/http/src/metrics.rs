//! The metrics of a tasker, as Prometheus and its like ask for them.
//!
//! # Promises
//! - Who is confined to some operations is told of none: the figures name them all.
//!
//! Proof: `__test__/contract/metrics.test.mjs`.

use hyper::HeaderMap;
use hyper::header::ACCEPT;
use tasker_engine::effect::Answer;
use tasker_engine::input::{Input, Question};
use tasker_engine::metrics::Format;
use tasker_engine::metrics::text::END;

use crate::calls::{Engine, unexpected};
use crate::process::Process;
use crate::refusal::{Reason, Refusal};
use crate::token::Who;

/// How many operations are told by name; the others are told together.
const OPERATIONS_MAX: usize = 100;

/// The text, and the header that says what it is.
///
/// # Errors
/// `Forbidden` for whom it is not meant, or what the engine says.
pub(crate) async fn text(
    engine: &Engine,
    process: &Process,
    headers: &HeaderMap,
    who: &Who,
) -> Result<(&'static str, String), Refusal> {
    if who.operations.is_some() {
        let message = "metrics are of all operations, and you may see only some";
        return Err(Refusal::new(Reason::Forbidden, message));
    }
    let mut accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let is_open = accepted.any(|value| value.contains("application/openmetrics-text"));
    let (format, kind) = match is_open {
        true => (Format::OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        false => (Format::Prometheus, "text/plain; version=0.0.4; charset=utf-8"),
    };
    let question = Question::Metrics { format, operations_max: OPERATIONS_MAX };
    match engine.call(|ticket| Input::Ask(ticket, question)).await? {
        Answer::Json(text) => {
            let text: String = serde_json::from_str(&text).unwrap_or_default();
            Ok((kind, with_process(text, process, is_open)))
        }
        other => Err(unexpected(&other).into()),
    }
}

/// A text of the engine with the families of the process.
fn with_process(mut text: String, process: &Process, is_open: bool) -> String {
    text.truncate(text.strip_suffix(END).unwrap_or(&text).len());
    text.push_str(&process.text(is_open));
    if is_open {
        text.push_str(END);
    }
    text
}
