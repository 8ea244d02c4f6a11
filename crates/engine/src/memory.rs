//! What the engine keeps in memory: a cache of the store, and what only this process knows.
//!
//! What mirrors the store changes after a commit: in `apply` if it was ours, in `catch_up` if it
//! was another owner's. The queue alone changes while a turn is planned, and back if it is not
//! committed. What is never stored is changed by `control`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::dispatch::Dispatch;
use tasker_core::error::Code;
use tasker_core::hold::Holds;
use tasker_core::id::{OperationId, OwnerId, Seq};
use tasker_core::operation::OperationOptions;
use tasker_core::state::Counts;
use tasker_core::store::Offers;
use tasker_core::task::OnStop;
use tasker_core::time::{MonoMs, WallMs};

use crate::client_id::ClientId;
use crate::gathering::Batches;
use crate::input::{Question, RunSlot, StopOptions, Ticket};
use crate::leases::Leases;
use crate::live::LiveRuns;
use crate::log_listeners::LogListeners;
use crate::metrics::Meters;
use crate::polls::Polls;
use crate::rest::Rest;
use crate::subscribers::Subscribers;

/// What does not change while a handle is open.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most runs at once in this process.
    pub concurrency: u32,
    /// What a stop does with a task that does not say.
    pub on_stop: OnStop,
}

/// How far memory mirrors the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// It is as its last batch left it.
    Current,
    /// Others may have committed what it does not know yet.
    Behind,
    /// It is not as the store says: everything must be read anew.
    Wrong,
}

/// The engine's memory.
#[derive(Debug)]
pub struct Memory {
    /// What does not change.
    pub settings: Settings,
    /// Who we are in the store.
    pub owner: OwnerId,
    /// How far what follows can be trusted.
    pub freshness: Freshness,
    /// The number of the last batch.
    pub number: u64,
    /// The next free sequence number.
    pub seq_next: Seq,
    /// The next free number of a lane.
    pub lane_next: u64,
    /// How many tasks are in each state.
    pub counts: Counts,
    /// When the next timer is due, or before.
    pub next_timer: Option<WallMs>,
    /// The queue.
    pub dispatch: Dispatch,
    /// The runs.
    pub live: LiveRuns,
    /// The number of the next run, as its client knows it.
    pub next_slot: RunSlot,
    /// The number of the next operation that is seen for the first time.
    pub next_operation: usize,
    /// Who waits for a task to end.
    pub waiters: Waiters,
    /// Who listens to logs.
    pub log_listeners: LogListeners,
    /// The runners.
    pub(crate) runners: FxHashMap<Arc<str>, Runner>,
    /// How many threads the runner has that an operation is given next.
    pub(crate) threads: FxHashMap<Arc<str>, u32>,
    /// What the store says that we offer.
    pub offers: Offers,
    /// Whether a runner, or the start, may have come or gone since that was written.
    pub(crate) has_new_offers: bool,
    /// Who waits for tasks, to take them to executors outside.
    pub(crate) polls: Polls,
    /// Until when those must be heard of that have one.
    pub(crate) leases: Leases,
    /// What each other owner offers, and a dead one as long as it is not buried.
    pub remote_offers: BTreeMap<OwnerId, Offers>,
    /// All holds.
    pub holds: Holds,
    /// The runners here that take several tasks at once, and what waits for them.
    pub(crate) batches: Batches,
    /// When somebody looks at the gates of rate limits of these operations next, as we have set it.
    pub(crate) gate_looks: FxHashMap<OperationId, WallMs>,
    /// What to tell besides answers and runs.
    pub(crate) subscribers: Subscribers,
    /// Whether anything was left to do, and who waits for that.
    pub(crate) rest: Rest,
    /// Questions to be answered when the turn is over.
    pub(crate) questions: Vec<(Ticket, Question)>,
    /// When the store has refused a commit, and why, if it has taken none since.
    pub(crate) refused: Option<(MonoMs, Code)>,
    /// What was done, to be told as metrics.
    pub meters: Meters,
    /// A stop that is under way.
    pub stopping: Option<Stopping>,
    /// Starts asked for while a stop was under way.
    pub start_after_stop: Vec<Ticket>,
    /// Whether tasks may be left that are attached to us.
    pub(crate) has_attached: bool,
}

/// What a plan only reads of memory.
#[derive(Clone, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) owner: OwnerId,
    /// The number of the last batch.
    pub(crate) number: u64,
    pub(crate) seq_next: Seq,
    pub(crate) lane_next: u64,
    pub(crate) counts: Counts,
    pub(crate) next_timer: Option<WallMs>,
    pub(crate) live: &'a LiveRuns,
    pub(crate) next_operation: usize,
    pub(crate) waiters: &'a Waiters,
    pub(crate) log_listeners: &'a LogListeners,
    pub(crate) stopping: Option<&'a Stopping>,
    /// What we offer, if the store says something else.
    pub(crate) new_offers: Option<Offers>,
    pub(crate) polls: &'a Polls,
    pub(crate) leases: &'a Leases,
    pub(crate) remote_offers: &'a BTreeMap<OwnerId, Offers>,
    pub(crate) holds: &'a Holds,
    pub(crate) batches: &'a Batches,
    pub(crate) gate_looks: &'a FxHashMap<OperationId, WallMs>,
}

/// The options of a runner, and the version of the record that has them.
pub(crate) type Assigned = (OperationOptions, u32);

/// Who carries out the tasks of an operation here.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    /// The call that assigned it.
    pub(crate) ticket: Ticket,
    /// The options with which it was assigned, if it was with any.
    pub(crate) assigned: Option<Assigned>,
}

impl Runner {
    /// Whose it is.
    pub(crate) fn client(&self) -> ClientId {
        ClientId::of(self.ticket)
    }
}

/// What a stop has still to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lapse {
    /// The operations that we offered.
    pub(crate) operations: VecDeque<Arc<str>>,
    /// Of the first one, those up to this number have been looked at.
    pub(crate) after: Seq,
    /// Those from this number on were added after the stop had begun; nothing in the turn in
    /// which it begins, which looks only whether there are any.
    pub(crate) before: Option<Seq>,
    /// The tasks that had a run here when the stop began.
    pub(crate) running: Arc<BTreeSet<Seq>>,
}

/// A stop that is under way.
#[derive(Debug)]
pub struct Stopping {
    /// Whom to answer when no run is live.
    pub tickets: Vec<Ticket>,
    /// Whether the handle closes then.
    pub closes: bool,
    /// How.
    pub options: StopOptions,
    /// When it no longer waits for live runs.
    pub deadline: MonoMs,
    /// Whether the live runs have been dealt with by their `onStop`.
    pub has_begun: bool,
    /// What it has to end of what waits.
    pub(crate) lapse: Option<Lapse>,
}

impl Memory {
    /// A memory that knows nothing of the store yet.
    pub fn new(settings: Settings, owner: OwnerId, opened_at: WallMs) -> Self {
        Self {
            settings,
            owner,
            freshness: Freshness::Wrong,
            number: 0,
            seq_next: Seq(1),
            lane_next: 1,
            counts: Counts::default(),
            next_timer: None,
            dispatch: Dispatch::new(settings.concurrency).owned_by(owner),
            has_attached: false,
            live: LiveRuns::default(),
            next_slot: 1,
            next_operation: 1,
            waiters: Waiters::default(),
            log_listeners: LogListeners::default(),
            runners: FxHashMap::default(),
            threads: FxHashMap::default(),
            offers: Offers::default(),
            has_new_offers: false,
            polls: Polls::default(),
            leases: Leases::default(),
            remote_offers: BTreeMap::new(),
            holds: Holds::default(),
            batches: Batches::default(),
            gate_looks: FxHashMap::default(),
            subscribers: Subscribers::default(),
            rest: Rest::default(),
            questions: Vec::new(),
            refused: None,
            meters: Meters::new(opened_at),
            stopping: None,
            start_after_stop: Vec::new(),
        }
    }
}

impl Memory {
    /// What a plan only reads, and the queue, in which it plans.
    pub(crate) fn split(&mut self) -> (Known<'_>, &mut Dispatch) {
        let new_offers =
            self.has_new_offers.then(|| self.offered()).filter(|new| *new != self.offers);
        let known = Known {
            settings: &self.settings,
            owner: self.owner,
            number: self.number,
            seq_next: self.seq_next,
            lane_next: self.lane_next,
            counts: self.counts,
            next_timer: self.next_timer,
            live: &self.live,
            next_operation: self.next_operation,
            waiters: &self.waiters,
            log_listeners: &self.log_listeners,
            stopping: self.stopping.as_ref(),
            new_offers,
            polls: &self.polls,
            leases: &self.leases,
            remote_offers: &self.remote_offers,
            holds: &self.holds,
            batches: &self.batches,
            gate_looks: &self.gate_looks,
        };
        (known, &mut self.dispatch)
    }

    /// The operations of which we start tasks.
    pub(crate) fn started(&self) -> impl Iterator<Item = &Arc<str>> {
        self.runners.keys().filter(|_| self.dispatch.is_started())
    }

    /// Those, and the ones of which we give tasks to executors outside.
    pub(crate) fn offered(&self) -> Offers {
        // Nobody polls here any more once the handle closes.
        let closes = self.stopping.as_ref().is_some_and(|stopping| stopping.closes);
        let polled = self.polls.served().iter().filter(|_| !closes);
        Offers::new(self.started().chain(polled).cloned().collect())
    }
}

/// Who waits for which task to end.
#[derive(Debug, Default)]
pub struct Waiters {
    by_task: FxHashMap<Seq, Vec<Ticket>>,
    by_ticket: FxHashMap<Ticket, Seq>,
}

impl Waiters {
    /// One more.
    pub fn add(&mut self, seq: Seq, ticket: Ticket) {
        self.by_task.entry(seq).or_default().push(ticket);
        let old = self.by_ticket.insert(ticket, seq);
        debug_assert_eq!(old, None, "ticket {ticket} waits twice, and is answered once");
    }

    /// One less.
    pub fn remove(&mut self, ticket: Ticket) {
        let Some(seq) = self.by_ticket.remove(&ticket) else { return };
        debug_assert!(self.has(seq), "ticket {ticket} waits for a task that nobody waits for");
        if let Some(tickets) = self.by_task.get_mut(&seq) {
            tickets.retain(|other| *other != ticket);
            if tickets.is_empty() {
                self.by_task.remove(&seq);
            }
        }
    }

    /// A client has gone, and with it all that it waited for.
    pub(crate) fn remove_all(&mut self, client: ClientId) {
        let tickets = self.by_ticket.keys().copied();
        let gone: Vec<Ticket> = tickets.filter(|one| ClientId::of(*one) == client).collect();
        gone.into_iter().for_each(|ticket| self.remove(ticket));
    }

    /// Whether anybody waits for this task.
    pub fn has(&self, seq: Seq) -> bool {
        self.by_task.contains_key(&seq)
    }

    /// Whether nobody waits for anything.
    pub fn is_empty(&self) -> bool {
        self.by_task.is_empty()
    }

    /// The tasks that somebody waits for.
    pub fn tasks(&self) -> Vec<Seq> {
        self.by_task.keys().copied().collect()
    }

    /// Removes those who wait for this task.
    pub fn take(&mut self, seq: Seq) -> Vec<Ticket> {
        let tickets = self.by_task.remove(&seq).unwrap_or_default();
        for ticket in &tickets {
            let waited = self.by_ticket.remove(ticket);
            debug_assert_eq!(waited, Some(seq), "ticket {ticket} waits for another task");
        }
        tickets
    }
}
