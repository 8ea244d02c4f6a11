//! One read under way: what it asks, how far it is, the text of its answer.
//!
//! Proof: `proof/tests/thread.rs`, `__test__/contract/queries.test.mjs`.

use std::path::PathBuf;
use std::sync::Arc;

use tasker_core::document;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{Seq, TaskId};
use tasker_core::json::write_string;
use tasker_core::limits::{PAGE_BYTES, READ_BYTES_MAX};
use tasker_core::operation::{self, WHOLE_STORE};
use tasker_core::query::{Projection, Query};
use tasker_core::read::{
    Find, Found, LogsPart, LogsRead, Request, Step, WithLogs, cancelled_read, too_much,
};
use tasker_core::reader::{Interrupted, Reader, Search, Verified};
use tasker_core::schedules::Schedule;
use tasker_core::store::Operation;
use tokio_util::sync::CancellationToken;

use crate::input::Ticket;

/// Schedules of one page. Each may be large.
const SCHEDULES_MAX: usize = 100;

/// What to read.
#[derive(Debug)]
pub enum Read {
    /// One task, as a document.
    Get(TaskId, Option<WithLogs>, Option<Projection>),
    /// The tasks that match, as an array of documents.
    Find(Box<Find>),
    /// The first of the tasks that match, as many as make a page: an array of the documents, the
    /// number of the last of them if more may follow, and the last number that was given.
    Page(Box<Find>),
    /// Whether any task matches.
    Exists(Box<Query>),
    /// How many match.
    Count(Box<Query>),
    /// How the tasks that match are found.
    Explain(Box<Query>),
    /// The numbers of those that match and were added before: an array of ranges, each an array of
    /// its first and its last number.
    Matching(Box<Query>),
    /// The next lines of the logs of a task: an array of them, the number behind which to go on,
    /// whether there are more by now, and whether no more will come.
    Logs(TaskId, LogsPart),
    /// Every operation, as an array of documents.
    Operations,
    /// The first schedules by id, from this one on: an array of their documents, and the id of the
    /// next one if there is one.
    Schedules(Box<str>),
    /// A copy of the store in this file.
    BackUp(PathBuf),
    /// What is wrong with the store: an object with the number of tasks and the faults.
    Verify,
}

/// A read under way.
pub(crate) struct OpenRead {
    pub(crate) ticket: Ticket,
    pub(crate) token: CancellationToken,
    asked: Asked,
    /// With which it reads; nothing while it rests.
    pub(crate) reader: Option<Box<dyn Reader>>,
    /// Steps that it has taken.
    pub(crate) steps: u64,
}

enum Asked {
    Get(TaskId, Option<WithLogs>, Option<Projection>),
    Logs(TaskId, LogsPart),
    Operations,
    Schedules(Box<str>),
    BackUp(PathBuf),
    Verify,
    Search(Search, Documents),
}

/// The documents of an answer.
struct Documents {
    text: String,
    /// How many there are.
    count: u64,
    /// The number of the last one.
    last: Option<u64>,
    is_page: bool,
}

impl OpenRead {
    /// A read that has not begun.
    pub(crate) fn new(ticket: Ticket, read: Read, token: CancellationToken) -> Self {
        let search = |request, is_page| {
            let documents = Documents { text: String::new(), count: 0, last: None, is_page };
            Asked::Search(Search::new(request), documents)
        };
        let asked = match read {
            Read::Get(id, logs, fields) => Asked::Get(id, logs, fields),
            Read::Logs(id, part) => Asked::Logs(id, part),
            Read::Operations => Asked::Operations,
            Read::Schedules(from) => Asked::Schedules(from),
            Read::BackUp(path) => Asked::BackUp(path),
            Read::Verify => Asked::Verify,
            Read::Find(find) => search(Request::Find(find), false),
            Read::Page(find) => search(Request::Find(find), true),
            Read::Exists(query) => search(Request::Exists(query), false),
            Read::Count(query) => search(Request::Count(query), false),
            Read::Explain(query) => search(Request::Explain(query), false),
            Read::Matching(query) => search(Request::Matching(query), false),
        };
        Self { ticket, token, asked, reader: None, steps: 0 }
    }

    /// Gives the reader away; goes on later, in a newer snapshot.
    pub(crate) fn rest(&mut self) -> Option<Box<dyn Reader>> {
        let mut reader = self.reader.take()?;
        self.let_go(reader.as_mut());
        Some(reader)
    }

    /// Lets go of what it holds of the store.
    pub(crate) fn let_go(&mut self, reader: &mut dyn Reader) {
        match &mut self.asked {
            Asked::Search(search, _) => reader.rest(Some(search)),
            Asked::Get(..)
            | Asked::Logs(..)
            | Asked::Operations
            | Asked::Schedules(_)
            | Asked::BackUp(_)
            | Asked::Verify => reader.rest(None),
        }
    }

    /// Whether it goes through the whole store in one step, which takes as long as it takes.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.asked, Asked::BackUp(_) | Asked::Verify)
    }

    /// Does a bounded piece of work; its answer, once it has one.
    pub(crate) fn step(&mut self, reader: &mut dyn Reader) -> Result<Option<String>> {
        self.steps += 1;
        if self.token.is_cancelled() {
            return Err(cancelled_read());
        }
        match &mut self.asked {
            Asked::Get(id, logs, fields) => {
                let found =
                    reader.get(*id, *logs, READ_BYTES_MAX)?.ok_or_else(|| not_found(*id))?;
                let mut text = String::new();
                document::write_json(&found, fields.as_ref(), &mut text, READ_BYTES_MAX)?;
                Ok(Some(text))
            }
            Asked::Logs(id, part) => {
                let read = reader.logs(*id, *part)?.ok_or_else(|| not_found(*id))?;
                Ok(Some(page_of_logs(&read, part.lines_max)?))
            }
            Asked::Operations => {
                let operations = reader.operations()?;
                let document = |one: &Operation| operation::document(&one.name, &one.record);
                let named = operations.iter().filter(|one| &*one.name != WHOLE_STORE);
                let documents: Vec<String> = named.map(document).collect();
                Ok(Some(format!("[{}]", documents.join(","))))
            }
            Asked::Schedules(from) => Ok(Some(page_of_schedules(reader, from)?)),
            Asked::BackUp(path) => {
                reader.back_up(path, interrupted(&self.token))?;
                Ok(Some("null".into()))
            }
            Asked::Verify => Ok(Some(verdict(&reader.verify(interrupted(&self.token))?))),
            Asked::Search(search, documents) => documents.step(reader.step(search)?, search),
        }
    }
}

/// The lines that were read, the number behind which to go on, whether there are more, and whether
/// none will come any more.
fn page_of_logs(read: &LogsRead, lines_max: usize) -> Result<String> {
    let LogsRead { lines, last, is_over } = read;
    let cut = lines.last().filter(|_| lines.len() == lines_max);
    let (last, has_more) = (cut.map_or(*last, |line| line.n), cut.is_some());
    let mut text = "[".to_owned();
    document::write_logs(lines, &mut text, READ_BYTES_MAX)?;
    Ok(format!("{text},{last},{has_more},{is_over}]"))
}

/// The documents of the first schedules from this id on, and the id of the next one.
fn page_of_schedules(reader: &mut dyn Reader, from: &str) -> Result<String> {
    let mut found = reader.schedules(from, SCHEDULES_MAX + 1)?;
    let next = found.get(SCHEDULES_MAX).map(|next| next.id.clone());
    found.truncate(SCHEDULES_MAX);
    let documents: Vec<String> = found.iter().map(Schedule::document).collect();
    let mut text = format!("[[{}],", documents.join(","));
    match next {
        Some(id) => write_string(&id, &mut text),
        None => text.push_str("null"),
    }
    Ok(text + "]")
}

/// What a check has found, as JSON.
fn verdict(Verified { tasks, faults }: &Verified) -> String {
    let mut text = format!("{{\"tasks\":{tasks},\"faults\":[");
    for (index, fault) in faults.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_string(fault, &mut text);
    }
    text + "]}"
}

fn interrupted(token: &CancellationToken) -> Interrupted {
    let token = token.clone();
    Arc::new(move || token.is_cancelled())
}

fn not_found(id: TaskId) -> Error {
    Error::new(Code::NotFound, format!("there is no task {}", id.0))
}

impl Documents {
    /// Takes what a step of the search has brought; the answer, once there is one.
    fn step(&mut self, step: Step, search: &Search) -> Result<Option<String>> {
        match step {
            Step::Exists(flag) => Ok(Some(flag.to_string())),
            Step::Count(count) => Ok(Some(count.to_string())),
            Step::Explained(explanation) => Ok(Some(explanation.to_json())),
            Step::Matching(seqs) => {
                let text = ranges(&seqs);
                if text.len() > READ_BYTES_MAX {
                    Err(too_much(READ_BYTES_MAX))
                } else {
                    Ok(Some(text))
                }
            }
            Step::More(found) => {
                self.write(&found, search)?;
                Ok(self.is_full().then(|| self.end(search, true)))
            }
            Step::Found(found) => {
                let has_more = self.write(&found, search)? || self.is_at_limit(search);
                Ok(Some(self.end(search, has_more)))
            }
        }
    }

    fn is_full(&self) -> bool {
        self.is_page && self.text.len() >= PAGE_BYTES
    }

    /// Whether tasks that match may have been left out because of the limit.
    fn is_at_limit(&self, search: &Search) -> bool {
        matches!(search.request(), Request::Find(find) if find.limit == Some(self.count))
    }

    /// Writes documents until a page is full; whether some are left over.
    fn write(&mut self, found: &[Found], search: &Search) -> Result<bool> {
        let Request::Find(find) = search.request() else { return Ok(false) };
        for one in found {
            if self.is_full() {
                return Ok(true);
            }
            self.text.push(if self.text.is_empty() { '[' } else { ',' });
            document::write_json(one, find.fields.as_ref(), &mut self.text, READ_BYTES_MAX)?;
            (self.count, self.last) = (self.count + 1, Some(one.task.seq.0));
        }
        Ok(false)
    }

    /// The answer; `has_more` if tasks that match may come behind it.
    fn end(&mut self, search: &Search, has_more: bool) -> String {
        let mut text = std::mem::take(&mut self.text);
        text.push_str(if text.is_empty() { "[]" } else { "]" });
        if !self.is_page {
            return text;
        }
        let number = |number: Option<u64>| number.map_or_else(|| "null".into(), |n| n.to_string());
        let next = number(self.last.filter(|_| has_more));
        let last = number(search.seqs().map(|seqs| seqs.high.0));
        format!("[{text},{next},{last}]")
    }
}

/// Numbers in order, as JSON of ranges.
fn ranges(seqs: &[Seq]) -> String {
    let chunks = seqs.chunk_by(|one, next| one.0 + 1 == next.0);
    let range = |chunk: &[Seq]| Some(format!("[{},{}]", chunk.first()?.0, chunk.last()?.0));
    let ranges: Vec<_> = chunks.filter_map(range).collect();
    format!("[{}]", ranges.join(","))
}
