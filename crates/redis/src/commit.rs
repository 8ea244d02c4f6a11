//! One batch to the server, and what became of it.
//!
//! # Promises
//! - All checks come before the first write, in one script that nothing interrupts (I-2).
//! - If nobody answers, the session is made void before the journal is asked: what may still be on
//!   its way finds another session and writes nothing.
//! - Where memory is full, runs still end and tasks are still removed; nothing is half-done.
//!
//! Proof: `conformance::commit`, `conformance::guards`.

use std::time::Duration;

use redis::Value;
use tasker_core::error::{Code, Error, Result};
use tasker_core::store::{Batch, Change, Commit};
use tasker_core::{journal, journal_notes};

use crate::ask::{Stand, head_key};
use crate::keys;
use crate::link::{Failure, Script};
use crate::overlay::Overlay;
use crate::packed;
use crate::write::{self, Unwritten};
use crate::writer::{Writer, random};

static COMMIT: Script = Script::new("commit", include_str!("lua/commit.lua"));
/// How long is asked what became of a commit.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

static RESOLVE: Script = Script::new("resolve", include_str!("lua/resolve.lua"));

impl Writer {
    /// Commits a batch that was planned where the store stood.
    pub(crate) fn commit(&mut self, batch: &Batch, stand: &Stand) -> Commit {
        let loaded = Overlay::load(&mut self.link, write::needs(batch), (stand, self.id_key));
        let mut overlay = match loaded {
            Ok(Some(overlay)) => overlay,
            Ok(None) => return Commit::Overtaken,
            Err(error) => return Commit::NotCommitted(error),
        };
        match write::apply(&mut overlay, &batch.changes, batch.owner) {
            Ok(()) => {}
            Err(Unwritten::Refused(refused)) => return Commit::Refused(refused),
            Err(Unwritten::Failed(error)) => return Commit::NotCommitted(error),
        }
        let stamp = match random() {
            Ok(stamp) => stamp,
            Err(error) => return Commit::NotCommitted(error),
        };
        let next = Stand { number: batch.number, stamp, head: batch.head() };
        let mut args = self.arguments(batch, (stand, &next));
        overlay.finish().put(&mut args);
        let key = head_key(self.link.location());
        match self.link.call(&COMMIT, &key, &args) {
            Ok(answer) => self.committed(&answer, next),
            Err(Failure::NotExecuted(error)) => Commit::NotCommitted(error),
            Err(Failure::Unknown(error)) => match self.resolve(&next) {
                Ok(true) => self.committed(&Value::Okay, next),
                Ok(false) => {
                    let text = "the server did not answer a commit, which was not written";
                    Commit::NotCommitted(Error::new(Code::Busy, text).with_source(error))
                }
                Err(late) => Commit::Unknown(unknown(&late).with_source(error)),
            },
        }
    }

    fn arguments(&self, batch: &Batch, (stand, next): (&Stand, &Stand)) -> Vec<Vec<u8>> {
        let text = |number: u64| number.to_string().into_bytes();
        vec![
            text(stand.number),
            stand.stamp.clone(),
            keys::owner(self.owner).to_vec(),
            self.session.clone(),
            text(next.number),
            next.stamp.clone(),
            packed::head(&next.head, batch.at),
            batch.at.0.to_string().into_bytes(),
            journal::pack(batch),
            journal_notes::pack(batch).unwrap_or_default(),
            if gives_back(batch) { b"1".to_vec() } else { b"0".to_vec() },
        ]
    }

    fn committed(&mut self, answer: &Value, next: Stand) -> Commit {
        match answer {
            Value::Okay => {}
            Value::BulkString(text) if text == b"ok" => {}
            Value::BulkString(text) if text == b"behind" => return Commit::Overtaken,
            _ => {
                let text = "others have taken this tasker for dead";
                return Commit::NotCommitted(Error::new(Code::Io, text));
            }
        }
        self.seen = Some(next);
        self.commits += 1;
        Commit::Committed
    }

    /// Whether a batch of which nothing was heard is in the journal.
    fn resolve(&mut self, next: &Stand) -> Result<bool> {
        let session = random()?;
        let number = next.number.to_string().into_bytes();
        let owner = keys::owner(self.owner).to_vec();
        let stamp = next.stamp.clone();
        let args = [owner, self.session.clone(), session.clone(), number, stamp];
        let key = head_key(self.link.location());
        let answer = self.link.resolve(&RESOLVE, &key, &args, RESOLVE_TIME)?;
        if answer == Value::Nil {
            return Err(Error::new(Code::Io, "others have taken this tasker for dead"));
        }
        self.set_session(session);
        match answer {
            Value::Int(1) => Ok(true),
            Value::Int(0) => Ok(false),
            _ => Err(Error::new(Code::Unknown, "the journal does not reach back so far")),
        }
    }
}

/// Whether a batch only ends and forgets: so that results are stored where memory is full, and room
/// can be made.
fn gives_back(batch: &Batch) -> bool {
    batch.changes.iter().all(|change| {
        matches!(
            change,
            Change::End { .. }
                | Change::Release { .. }
                | Change::LetGo { .. }
                | Change::Met { .. }
                | Change::Unblock { .. }
                | Change::Lapses { .. }
                | Change::Timer { .. }
                | Change::Fired(_)
                | Change::Purge { .. }
                | Change::SweepKeys(_)
                | Change::Bury(_)
                | Change::Outside(_)
        )
    })
}

fn unknown(late: &Error) -> Error {
    Error::new(Code::Unknown, format!("nobody answered a commit, and then: {}", late.message()))
}
