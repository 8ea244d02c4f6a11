//! Reads that go to the server together.
//!
//! # Promises
//! - All answers of one trip are of one moment, and say which: the script runs alone.
//!
//! Proof: `conformance::shared`, `conformance::reader`.

use std::vec::IntoIter;

use redis::Value;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, Seq};
use tasker_core::store::Head;
use tasker_core::task::{Json, TaskEnd};
use tasker_core::time::WallMs;

use crate::bytes::{corrupt, json};
use crate::keys;
use crate::link::{Failure, Link, Location, Script};
use crate::packed;
use crate::row::Row;
use crate::value::{bytes, digits, list, some_bytes};

static READ: Script = Script::new("read", include_str!("lua/read.lua"));

/// Arguments of one command: a script has no room for many more.
pub(crate) const ARGS_MAX: usize = 1_000;

/// Runs a script that may run twice: it reads, or the second time changes nothing. So a connection
/// that was cut since it was used last is no reason to give up, and nothing is ever left open.
///
/// # Errors
/// What the server says; `Busy` if it does not answer.
pub(crate) fn call_again(link: &mut Link, script: &Script, args: &[Vec<u8>]) -> Result<Value> {
    let key = head_key(link.location());
    let unanswered = match link.call(script, &key, args) {
        Ok(answer) => return Ok(answer),
        Err(Failure::NotExecuted(error)) => return Err(error),
        Err(Failure::Unknown(error)) => error,
    };
    tracing::debug!(error = %unanswered, "a script is run again");
    link.call(script, &key, args).map_err(|failure| match failure {
        Failure::NotExecuted(error) => error,
        Failure::Unknown(error) => {
            Error::new(Code::Busy, error.message().to_owned()).with_source(error)
        }
    })
}

/// The one key that each script is given.
pub(crate) fn head_key(location: &Location) -> Vec<Vec<u8>> {
    vec![[location.tag().as_bytes(), keys::HEAD.as_bytes()].concat()]
}

/// Where a store stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// The number of the last batch.
    pub(crate) number: u64,
    /// A random text that this batch alone has: numbers are counted again after a lost history.
    pub(crate) stamp: Vec<u8>,
    pub(crate) head: Head,
}

impl Stand {
    /// Reads the first three values of an answer.
    pub(crate) fn take(answer: &mut IntoIter<Value>) -> Result<Self> {
        let mut next = || bytes(answer.next().unwrap_or(Value::Nil));
        let number = next()?.map_or(Ok(0), |text| digits(&text))?;
        let stamp = next()?.unwrap_or_default();
        let head = packed::read_head(number, next()?.as_deref())?;
        Ok(Self { number, stamp, head })
    }
}

/// How much of a task is read besides its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Row = 0,
    Data = 1,
    Outcome = 2,
    All = 3,
}

/// A task as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) row: Row,
    pub(crate) data: Option<Json>,
    pub(crate) outcome: Option<Json>,
}

impl Found {
    /// How it ended, if it did. Without the payload a reader asked for none: it stands for a text
    /// that nobody looks at.
    pub(crate) fn end(&self) -> Result<Option<TaskEnd>> {
        use tasker_core::state::State;
        let cause = || self.row.cause.ok_or_else(|| corrupt("an end without a cause"));
        let payload = || self.outcome.clone().unwrap_or_else(|| Json::trusted("null"));
        Ok(match self.row.state {
            State::Done => Some(TaskEnd::Done(self.outcome.clone())),
            State::Failed => Some(TaskEnd::Failed(cause()?, payload())),
            State::Aborted => Some(TaskEnd::Aborted(cause()?, payload())),
            State::Blocked
            | State::Delayed
            | State::Ready
            | State::Claimed
            | State::Running
            | State::Paused => None,
        })
    }
}

/// Reads that are being gathered.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    args: Vec<Vec<u8>>,
    count: usize,
}

impl Ask {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A command with its arguments, the first of which is the name of a key in most.
    pub(crate) fn add(&mut self, command: &str, args: Vec<Vec<u8>>) {
        self.args.extend([args.len().to_string().into_bytes(), command.into()]);
        self.args.extend(args);
        self.count += 1;
    }

    /// Entries of a set from one to another, which say with their first byte whether they are in.
    pub(crate) fn range(&mut self, set: &str, low: Vec<u8>, high: Vec<u8>, max: usize) {
        let max = max.min(i64::MAX as usize).to_string().into_bytes();
        let args = vec![set.into(), low, high, "LIMIT".into(), "0".into(), max];
        self.add("ZRANGEBYLEX", args);
    }

    /// Such entries, with the rows of the tasks whose numbers they end with.
    pub(crate) fn find(
        &mut self,
        set: &str,
        want: Want,
        (low, high): (Vec<u8>, Vec<u8>),
        max: usize,
    ) {
        let max = max.min(i64::MAX as usize).to_string().into_bytes();
        self.add("FIND", vec![set.into(), want.text(), low, high, max]);
    }

    /// How many such entries there are.
    pub(crate) fn count(&mut self, set: &str, low: Vec<u8>, high: Vec<u8>) {
        self.add("ZLEXCOUNT", vec![set.into(), low, high]);
    }

    /// The rows of tasks; one answer for each thousand of them.
    pub(crate) fn rows(&mut self, seqs: &[Seq], want: Want) {
        for part in seqs.chunks(ARGS_MAX) {
            let mut args = vec![want.text()];
            args.extend(part.iter().map(|seq| seq.0.to_be_bytes().to_vec()));
            self.add("ROWS", args);
        }
    }

    /// Values of a hash; one answer for each thousand fields.
    pub(crate) fn fields(&mut self, hash: &str, fields: &[Vec<u8>]) {
        for part in fields.chunks(ARGS_MAX) {
            let args = std::iter::once(hash.into()).chain(part.iter().cloned());
            self.add("HMGET", args.collect());
        }
    }

    /// Makes the trip.
    pub(crate) fn send(self, link: &mut Link) -> Result<Answer> {
        let answer = call_again(link, &READ, &self.args)?;
        let mut answer = list(answer)?.into_iter();
        let stand = Stand::take(&mut answer)?;
        let all = list(answer.next().unwrap_or(Value::Nil))?;
        if all.len() != self.count {
            return Err(corrupt("an answer that is too short"));
        }
        Ok(Answer { stand, all: all.into_iter() })
    }
}

impl Want {
    pub(crate) fn text(self) -> Vec<u8> {
        (self as u8).to_string().into_bytes()
    }
}

/// The answers of one trip, in the order of the questions.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) stand: Stand,
    all: IntoIter<Value>,
}

impl Answer {
    pub(crate) fn next(&mut self) -> Result<Value> {
        self.all.next().ok_or_else(|| corrupt("an answer that is too short"))
    }

    /// The rows of so many tasks.
    pub(crate) fn rows(&mut self, seqs: &[Seq], key: IdKey) -> Result<Vec<Option<Found>>> {
        let mut found = Vec::with_capacity(seqs.len());
        for part in seqs.chunks(ARGS_MAX) {
            let mut items = list(self.next()?)?.into_iter();
            for seq in part {
                found.push(take_row(&mut items, (*seq, key))?);
            }
        }
        Ok(found)
    }

    /// Entries with their rows.
    pub(crate) fn found(&mut self, key: IdKey) -> Result<Vec<(Seq, Found)>> {
        let mut items = list(self.next()?)?.into_iter();
        let mut found = Vec::new();
        while let Some(entry) = items.next() {
            let entry = some_bytes(entry)?;
            let seq = crate::bytes::seq_at(&entry, entry.len().saturating_sub(8))?;
            let row = take_row(&mut items, (seq, key))?;
            found.push((seq, row.ok_or_else(|| corrupt("an entry of a task that is not there"))?));
        }
        Ok(found)
    }

    /// Values of so many fields.
    pub(crate) fn fields(&mut self, count: usize) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            values.extend(crate::value::each_bytes(self.next()?)?);
        }
        Ok(values)
    }
}

/// Three items of an answer.
pub(crate) fn take_row(
    items: &mut IntoIter<Value>,
    (seq, key): (Seq, IdKey),
) -> Result<Option<Found>> {
    let mut next = || bytes(items.next().unwrap_or(Value::Nil));
    let (row, data, outcome) = (next()?, next()?, next()?);
    let Some(row) = row else { return Ok(None) };
    let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| json(&bytes)).transpose();
    Ok(Some(Found {
        row: Row::unpack(&row, (seq, key))?,
        data: text(data)?,
        outcome: text(outcome)?,
    }))
}

/// The bounds of all entries that begin so: the greatest member has no more bytes than these.
pub(crate) fn beginning(with: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (from(with), [b"[", with, [0xff; 64].as_slice()].concat())
}

/// The bound of entries from this one on.
pub(crate) fn from(entry: &[u8]) -> Vec<u8> {
    [b"[", entry].concat()
}

/// The bound of entries up to this one.
pub(crate) fn to(entry: &[u8]) -> Vec<u8> {
    from(entry)
}

/// The bound of entries behind or before this one.
pub(crate) fn beside(entry: &[u8]) -> Vec<u8> {
    [b"(", entry].concat()
}

/// When a batch was written, as the journal has it.
pub(crate) fn moment(bytes: &[u8]) -> Result<WallMs> {
    let text = str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    text.map(WallMs).ok_or_else(|| corrupt("a moment that is none"))
}
