//! Watching tasks, on the thread that reads: what is asked, and a turn of it.
//!
//! The engine says no more than the number of its last commit, and only while somebody watches.
//!
//! # Promises
//! - Each wait is answered once: with changes, or with why none will come.
//! - A turn is a bounded piece of work, and holds no snapshot when it is over.
//!
//! # Left to others
//! What matches and what is told: [`tasker_core::watch`].
//!
//! Proof: `__test__/contract/watching.test.mjs`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::IdKey;
use tasker_core::reader::Reader;
use tasker_core::watch::{From, Told, WatchFilter, WatchNo, Watches};

use crate::client_id::ClientId;
use crate::input::Ticket;

/// New reads that are taken before a watch goes on.
const NEW_READS_MAX: u32 = 64;

/// What is asked of the watches.
#[derive(Debug)]
pub enum Watching {
    /// Begins a watch. The ticket is its number.
    Begin(Box<WatchFilter>, From),
    /// Waits for what a watch has to tell: an array of entries.
    Next(WatchNo),
    /// Ends a watch; whoever waits for it is refused.
    End(WatchNo),
}

impl Watching {
    /// Its numbers become those of this client.
    pub(crate) fn enter(&mut self, client: ClientId) {
        match self {
            Watching::Begin(..) => {}
            Watching::Next(no) | Watching::End(no) => *no = client.inside(*no),
        }
    }
}

/// The watches of a handle.
#[derive(Debug)]
pub(crate) struct WatchTurns {
    watches: Watches,
    /// Reads that have begun since the last turn.
    new: u32,
    /// Whether the last turn was theirs.
    was_last: bool,
}

impl WatchTurns {
    /// None yet, of a database with this key.
    pub(crate) fn new(key: IdKey) -> Self {
        Self { watches: Watches::new(key), new: 0, was_last: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// Whether something may be told if this is the last commit.
    pub(crate) fn has_work(&self, last: u64) -> bool {
        self.watches.has_work(last)
    }

    /// Whether it has waited long enough for others.
    pub(crate) fn is_due(&self, last: u64) -> bool {
        self.new >= NEW_READS_MAX && self.has_work(last)
    }

    /// Whether the last turn was theirs.
    pub(crate) fn was_last(&self) -> bool {
        self.was_last
    }

    /// A read has taken a step.
    pub(crate) fn note_read(&mut self) {
        self.new += 1;
        self.was_last = false;
    }

    /// Carries out what is asked; the answers that come at once.
    pub(crate) fn take(&mut self, ticket: Ticket, asked: Watching) -> Vec<Told> {
        match asked {
            Watching::Begin(filter, from) => {
                self.watches.add(ticket, *filter, from);
                vec![(ticket, Ok("null".into()))]
            }
            Watching::Next(no) => {
                self.watches.ask(no, ticket);
                self.watches.take_told()
            }
            Watching::End(no) => {
                let waits = self.watches.remove(no);
                let refused = waits.map(|waits| (waits, Err(over())));
                refused.into_iter().chain([(ticket, Ok("null".into()))]).collect()
            }
        }
    }

    /// Whoever waits with this ticket waits no longer.
    pub(crate) fn give_up(&mut self, ticket: Ticket) -> Vec<Told> {
        self.watches.give_up(ticket);
        self.watches.take_told()
    }

    /// A client has gone with its watches.
    pub(crate) fn leave(&mut self, client: ClientId) -> Vec<Told> {
        let its = self.watches.numbers().into_iter().filter(|no| ClientId::of(*no) == client);
        let waits = its.filter_map(|no| self.watches.remove(no)).collect::<Vec<_>>();
        waits.into_iter().map(|waits| (waits, Err(over()))).collect()
    }

    /// Does a bounded piece of work; `last` is the last commit that is known.
    pub(crate) fn turn(&mut self, reader: &mut dyn Reader, last: u64) -> Vec<Told> {
        (self.new, self.was_last) = (0, true);
        let watches = &mut self.watches;
        let turned = catch_unwind(AssertUnwindSafe(|| turn(watches, reader, last)));
        let turned = turned.unwrap_or_else(|_| Err(Error::bug("a watch panicked")));
        if let Err(error) = turned {
            reader.rest(None);
            self.watches.fail(&error);
        }
        self.watches.take_told()
    }

    /// Nothing will be told any more.
    pub(crate) fn close(&mut self, error: &Error) -> Vec<Told> {
        self.watches.fail(error);
        self.watches.take_told()
    }
}

fn turn(watches: &mut Watches, reader: &mut dyn Reader, last: u64) -> Result<()> {
    if let Some(search) = watches.search(last) {
        let step = reader.step(search)?;
        reader.rest(Some(search));
        watches.found(step);
        return Ok(());
    }
    reader.changes(&mut |changes| watches.look(changes))
}

fn over() -> Error {
    Error::new(Code::Closed, "the watch is over")
}
