//! Which read goes on: those that are under way take turns, step by step.
//!
//! # Promises
//! - A read that has just come takes its first step before those under way go on, so what is short
//!   waits for one step of what is long, however long that is.
//! - None starves: after a bounded number of new ones the next one under way goes on.
//! - At most [`READERS_MAX`] connections read. One more long read takes the connection of the one
//!   that has gone furthest, which goes on in a newer snapshot.
//!
//! Proof: `proof/tests/thread.rs`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tasker_core::error::{Error, Result};
use tasker_core::reader::Reader;

use crate::input::Ticket;
use crate::open_read::OpenRead;

/// Connections that read at once.
const READERS_MAX: usize = 4;
/// New reads that take their first step before the next one under way goes on.
const NEW_READS_MAX: u32 = 64;

/// The reads under way, and with what they read.
pub(crate) struct TurnsOfReads {
    open: VecDeque<Box<OpenRead>>,
    idle: Vec<Box<dyn Reader>>,
    readers: usize,
    readers_max: usize,
    /// New reads since one under way went on.
    new: u32,
}

/// The answer to a read.
pub(crate) type Answered = (Ticket, Result<String>);

impl TurnsOfReads {
    pub(crate) fn new(reader: Box<dyn Reader>) -> Self {
        let (open, idle) = (VecDeque::new(), vec![reader]);
        Self { open, idle, readers: 1, readers_max: READERS_MAX, new: 0 }
    }

    /// Whether none is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether the turn is a new read's, if there is one.
    pub(crate) fn takes_new(&self) -> bool {
        self.open.is_empty() || self.new < NEW_READS_MAX
    }

    /// One more connection, for a read that takes turns with nobody; nothing if there can be none.
    pub(crate) fn another(&self) -> Option<Box<dyn Reader>> {
        let open = self.open.iter().filter_map(|read| read.reader.as_ref());
        self.idle.iter().chain(open).next()?.another()
    }

    /// A new read takes its first step.
    pub(crate) fn begin(&mut self, read: Box<OpenRead>) -> Option<Answered> {
        self.new += 1;
        self.step(read)
    }

    /// The next one under way takes a step.
    pub(crate) fn go_on(&mut self) -> Option<Answered> {
        self.new = 0;
        let read = self.open.pop_front()?;
        self.step(read)
    }

    /// Lends a connection that nobody uses meanwhile.
    pub(crate) fn lend<T>(&mut self, work: impl FnOnce(&mut dyn Reader) -> Vec<T>) -> Vec<T> {
        let Some(mut reader) = self.reader() else {
            debug_assert!(false, "a reader was lost");
            return Vec::new();
        };
        let done = work(reader.as_mut());
        self.idle.push(reader);
        done
    }

    fn step(&mut self, mut read: Box<OpenRead>) -> Option<Answered> {
        let Some(mut reader) = read.reader.take().or_else(|| self.reader()) else {
            return Some((read.ticket, Err(Error::bug("a reader was lost"))));
        };
        let Some(answer) = take_step(&mut read, reader.as_mut()).transpose() else {
            read.reader = Some(reader);
            self.open.push_back(read);
            return None;
        };
        self.idle.push(reader);
        debug_assert!(self.idle.len() <= self.readers, "a reader has come from nowhere");
        Some((read.ticket, answer))
    }

    /// A reader that nobody uses.
    fn reader(&mut self) -> Option<Box<dyn Reader>> {
        if let Some(reader) = self.idle.pop() {
            return Some(reader);
        }
        let furthest = self.open.iter_mut().filter(|read| read.reader.is_some());
        let furthest = furthest.max_by_key(|read| read.steps)?;
        if self.readers < self.readers_max {
            if let Some(another) = furthest.reader.as_ref().and_then(|reader| reader.another()) {
                self.readers += 1;
                return Some(another);
            }
            self.readers_max = self.readers;
        }
        furthest.rest()
    }
}

/// A step of a read. One that panics is answered, and lets go of what it held.
fn take_step(read: &mut OpenRead, reader: &mut dyn Reader) -> Result<Option<String>> {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let stepped = read.step(reader);
        if !matches!(stepped, Ok(None)) {
            read.let_go(reader);
        }
        stepped
    }));
    caught.unwrap_or_else(|_| {
        let _ = catch_unwind(AssertUnwindSafe(|| read.let_go(reader)));
        Err(Error::bug("a read panicked"))
    })
}

/// The answer to a read that is over after one step, with a reader of its own.
pub(crate) fn read_whole(mut read: Box<OpenRead>, mut reader: Box<dyn Reader>) -> Answered {
    let answer = take_step(&mut read, reader.as_mut());
    let answer = answer.and_then(|text| text.ok_or_else(|| Error::bug("a read has no answer")));
    (read.ticket, answer)
}
