//! `awf.task/list`: which tasks there are.
//!
//! # Promises
//! - The work is bounded: so many tasks at most, found within [`LIST_TIMEOUT`] (A-8).
//!
//! Proof: the tests below, `__test__/contract/http.test.mjs`.

use std::cmp::Reverse;

use tasker_core::id::Seq;
use tasker_core::json::write_string;
use tasker_core::limits::{OPERATION_BYTES_MAX, READ_BYTES_MAX};
use tasker_core::query::{Query, Sort};
use tasker_core::range::Range;
use tasker_core::read::{EVERY_SEQ, Find};
use tasker_core::state::State;
use tasker_engine::thread::Read;
use tokio::time::timeout;

use crate::context::Context;
use crate::limits::{LIST_MAX, LIST_SORTED_MAX, LIST_TIMEOUT, OPERATIONS_PER_CALL_MAX};
use crate::params::Params;
use crate::refusal::{Reason, Refusal};
use crate::resource::changed_at;
use crate::task::Task;

/// Bytes of a text to look for.
const ILIKE_BYTES_MAX: usize = 255;

/// By what a list is sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    CreatedAt,
    LastUpdated,
}

/// What a list asks for.
struct Wanted {
    query: String,
    by: By,
    is_descending: bool,
}

/// `awf.task/list`
pub(crate) async fn list(context: Context, mut params: Params<'_>) -> Result<String, Refusal> {
    let wanted = Wanted::read(&mut params, context.who.operations.as_deref());
    params.end()?;
    let searched = timeout(LIST_TIMEOUT, resources(&context, &wanted)).await;
    searched.unwrap_or_else(|_| {
        let message = "the search takes too long; narrow it with `filter`";
        Err(Refusal::new(Reason::InvalidParams, message))
    })
}

async fn resources(context: &Context, wanted: &Wanted) -> Result<String, Refusal> {
    let pages = match wanted.by {
        By::CreatedAt => pages(context, wanted, LIST_MAX).await?,
        By::LastUpdated => pages(context, wanted, LIST_SORTED_MAX + 1).await?,
    };
    let mut tasks = Vec::new();
    for page in &pages {
        tasks.extend(Task::read_all(page)?);
    }
    if wanted.by == By::LastUpdated {
        if tasks.len() as u64 > LIST_SORTED_MAX {
            let message = format!("there are more than {LIST_SORTED_MAX} to sort by lastUpdated");
            let path = "params.sort";
            return Err(Refusal::invalid_at(path, message + "; narrow them with `filter`"));
        }
        // What changed at one moment stays in the order in which it was added, as it was read.
        match wanted.is_descending {
            true => tasks.sort_by_key(|task| Reverse(changed_at(task))),
            false => tasks.sort_by_key(changed_at),
        }
    }
    let mut out = r#"{"resources":["#.to_owned();
    for (n, task) in tasks.iter().take(LIST_MAX as usize).enumerate() {
        if n > 0 {
            out.push(',');
        }
        context.write(task, None, &mut out).await?;
    }
    out.push_str("]}");
    Ok(out)
}

/// The documents that match, as arrays of them.
async fn pages(context: &Context, wanted: &Wanted, max: u64) -> Result<Vec<String>, Refusal> {
    let (mut pages, mut left, mut seqs) = (Vec::new(), max, EVERY_SEQ);
    while left > 0 {
        let find = find(wanted, seqs, left.min(LIST_MAX))?;
        let page = context.shared.engine.read(Read::Page(Box::new(find))).await?;
        let (documents, next, _): (Box<serde_json::value::RawValue>, Option<u64>, Option<u64>) =
            serde_json::from_str(&page).map_err(|error| {
                tasker_core::error::Error::bug(format!("a page cannot be read: {error}"))
            })?;
        left = left.saturating_sub(Task::read_all(documents.get())?.len() as u64);
        pages.push(documents.get().to_owned());
        let Some(last) = next else { break };
        seqs = match wanted.is_descending {
            true => Range { low: EVERY_SEQ.low, high: Seq(last.saturating_sub(1)) },
            false => Range { low: Seq(last + 1), high: EVERY_SEQ.high },
        };
    }
    Ok(pages)
}

fn find(wanted: &Wanted, seqs: Range<Seq>, limit: u64) -> Result<Find, Refusal> {
    let sort = if wanted.is_descending { r#"{"seq":-1}"# } else { r#"{"seq":1}"# };
    Ok(Find {
        query: Query::parse(&wanted.query)?,
        seqs,
        sort: Some(Sort::parse(sort)?),
        skip: 0,
        limit: Some(limit),
        logs: None,
        fields: Some(Task::fields()?),
        bytes_max: READ_BYTES_MAX,
    })
}

const STATUSES: &[(&str, &[State])] = &[
    ("created", &[State::Blocked]),
    ("waiting", &[State::Delayed, State::Paused]),
    ("ready", &[State::Ready]),
    ("requested", &[State::Claimed]),
    ("in-progress", &[State::Running]),
    ("done", &[State::Done, State::Failed, State::Aborted]),
];

const OUTCOMES: &[(&str, State)] =
    &[("succeeded", State::Done), ("failed", State::Failed), ("canceled", State::Aborted)];

impl Wanted {
    fn read(params: &mut Params<'_>, confined: Option<&[std::sync::Arc<str>]>) -> Self {
        let mut filter = params.inner("filter");
        let mut parts = Vec::new();
        let limits = (OPERATIONS_PER_CALL_MAX, OPERATION_BYTES_MAX);
        if let Some(names) = filter.texts("includeDefinitions", limits) {
            parts.push(operations("$in", names.iter().map(String::as_str)));
        }
        if let Some(names) = filter.texts("excludeDefinitions", limits) {
            parts.push(operations("$nin", names.iter().map(String::as_str)));
        }
        if let Some(names) = confined {
            parts.push(operations("$in", names.iter().map(|name| &**name)));
        }
        if let Some(states) = filter.word("status", STATUSES) {
            parts.push(status(states));
        }
        if let Some(state) = filter.word("outcome", OUTCOMES) {
            parts.push(format!(r#"{{"state":"{}"}}"#, state.as_str()));
        }
        if let Some(text) = filter.text("ilike", ILIKE_BYTES_MAX) {
            parts.push(like(&text));
        }
        params.close_inner("filter", filter);
        let mut sort = params.inner("sort");
        let directions = [("asc", false), ("desc", true)];
        let created = sort.word("createdAt", &directions);
        let updated = sort.word("lastUpdated", &directions);
        if created.is_some() && updated.is_some() {
            sort.fault("lastUpdated", "give createdAt or lastUpdated");
        }
        params.close_inner("sort", sort);
        let by = if updated.is_some() { By::LastUpdated } else { By::CreatedAt };
        let query = if parts.is_empty() {
            "{}".to_owned()
        } else {
            format!(r#"{{"$and":[{}]}}"#, parts.join(","))
        };
        Self { query, by, is_descending: updated.or(created).unwrap_or(true) }
    }
}

fn operations<'n>(operator: &str, names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(quoted).collect();
    format!(r#"{{"operation":{{"{operator}":[{}]}}}}"#, names.join(","))
}

/// Tasks in these states; what is paused with a live run is in progress.
fn status(states: &[State]) -> String {
    let words: Vec<String> = states.iter().map(|state| quoted(state.as_str())).collect();
    let states = format!(r#""state":{{"$in":[{}]}}"#, words.join(","));
    if words.iter().any(|word| word == r#""running""#) {
        r#"{"status":"running"}"#.to_owned()
    } else {
        format!(r#"{{{states},"status":{{"$ne":"running"}}}}"#)
    }
}

/// Tasks with this text in their definition, label or id, whatever its case. `%` stands for any
/// text, as in SQL.
fn like(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        match c {
            '%' => pattern.push_str(".*"),
            _ if c.is_alphanumeric() || c == ' ' || c == '_' => pattern.push(c),
            // Within a class every mark but these stands for itself.
            '\\' | ']' | '[' | '^' | '-' | '&' | '~' => pattern.extend(['\\', c]),
            _ => pattern.extend(['[', c, ']']),
        }
    }
    let regex = format!(r#"{{"$regex":{},"$options":"is"}}"#, quoted(&pattern));
    let fields = ["operation", "label", "id"].map(|field| format!(r#"{{"{field}":{regex}}}"#));
    format!(r#"{{"$or":[{}]}}"#, fields.join(","))
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_string(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn wanted(text: &str) -> Wanted {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let mut params = Params::read(Some(&raw)).unwrap();
        let wanted = Wanted::read(&mut params, None);
        params.end().unwrap();
        wanted
    }

    #[test]
    fn every_filter_is_a_query() {
        for text in [
            "{}".to_owned(),
            r#"{"filter":{"includeDefinitions":["a"],"excludeDefinitions":["b"]}}"#.to_owned(),
            r#"{"filter":{"ilike":"a.b*[^\\]-%&&~~(é)#\n"}}"#.to_owned(),
        ]
        .into_iter()
        .chain(STATUSES.iter().map(|(word, _)| format!(r#"{{"filter":{{"status":"{word}"}}}}"#)))
        .chain(OUTCOMES.iter().map(|(word, _)| format!(r#"{{"filter":{{"outcome":"{word}"}}}}"#)))
        {
            let query = wanted(&text).query;
            assert!(Query::parse(&query).is_ok(), "{text}: {query}");
        }
    }

    #[test]
    fn every_state_has_a_status() {
        for state in State::ALL {
            assert!(STATUSES.iter().any(|(_, states)| states.contains(state)), "{state:?}");
        }
    }

    #[test]
    fn a_list_is_sorted_by_one_thing() {
        assert!(wanted("{}").is_descending);
        assert!(!wanted(r#"{"sort":{"createdAt":"asc"}}"#).is_descending);
        assert!(wanted(r#"{"sort":{"lastUpdated":"desc"}}"#).by == By::LastUpdated);
        let text = r#"{"sort":{"createdAt":"asc","lastUpdated":"up"},"filter":{"status":"new"}}"#;
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let mut params = Params::read(Some(&raw)).unwrap();
        Wanted::read(&mut params, None);
        let faults = params.end().unwrap_err().faults;
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["params.filter.status", "params.sort.lastUpdated"]);
    }
}
