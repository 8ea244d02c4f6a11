//! A search, step by step: each is a bounded piece of work, so that many searches can take turns.
//!
//! # Promises
//! - Between two steps a search holds nothing of the backend but a snapshot, and that only until it
//!   rests.
//! - What is found comes in parts, so that no answer need be built in one go.
//!
//! # Left to others
//! Who takes turns with whom is the caller's. To put all matches in order at the end of a find
//! without a limit is one step, however many there are.
//!
//! Proof: `conformance::reader`, `crates/sqlite/tests/read.rs`, `proof/tests/thread.rs`.

use std::vec::IntoIter;

use super::counting::{asks_operations_and_states_only, asks_states_only, count_states};
use super::pages::Snapshot;
use super::scan::{Scan, Wanted};
use super::top_k::TopK;
use crate::error::{Error, Result};
use crate::id::{IdKey, Seq};
use crate::query::Query;
use crate::range::Range;
use crate::read::{ReadBudget, Request, Step};
use crate::state::Counts;
use crate::task::TaskRecord;

/// A search under way.
#[derive(Debug)]
pub struct Search {
    request: Request,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Begin,
    Look(Box<Scan>, Matched),
    Complete { scan: Box<Scan>, chosen: IntoIter<TaskRecord>, budget: ReadBudget },
    Over,
}

/// What there is of the matches so far.
#[derive(Debug)]
enum Matched {
    /// Their number.
    Count(u64),
    /// Their numbers.
    Seqs(Vec<Seq>),
    /// Nothing yet.
    None,
    /// Those that may be returned. If all are, what is too much need not be read to its end.
    Top(TopK, Option<ReadBudget>),
}

impl Search {
    /// A search that has not begun.
    pub fn new(request: Request) -> Search {
        Search { request, work: Work::Begin }
    }

    /// What is asked.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The numbers of the tasks that it looks at, once it has begun.
    pub fn seqs(&self) -> Option<Range<Seq>> {
        match &self.work {
            Work::Look(scan, _) | Work::Complete { scan, .. } => Some(scan.seqs()),
            Work::Begin | Work::Over => None,
        }
    }

    /// The query about states alone that has not been asked yet, if it is one: the counters know.
    pub(super) fn of_states(&self) -> Option<&Query> {
        self.unasked().filter(|query| asks_states_only(query))
    }

    /// The query about operations and states alone that has not been asked yet, if it is one.
    pub(super) fn of_operations(&self) -> Option<&Query> {
        self.unasked().filter(|query| asks_operations_and_states_only(query))
    }

    fn unasked(&self) -> Option<&Query> {
        match (&self.work, &self.request) {
            (Work::Begin, Request::Exists(query) | Request::Count(query)) => Some(query),
            _ => None,
        }
    }

    /// What the counters say to a query about states alone; so many paused tasks have a live run.
    pub(super) fn answer_of(&self, counts: &Counts, halted: u64) -> Step {
        match &self.request {
            Request::Exists(query) | Request::Count(query) => {
                self.answer_count(count_states(query, counts, halted))
            }
            Request::Find(_) | Request::Explain(_) | Request::Matching(_) => {
                Step::Found(Vec::new())
            }
        }
    }

    /// The answer if so many tasks match.
    pub(super) fn answer_count(&self, count: u64) -> Step {
        match &self.request {
            Request::Count(_) => Step::Count(count),
            Request::Exists(_) => Step::Exists(count > 0),
            Request::Find(_) | Request::Explain(_) | Request::Matching(_) => {
                Step::Found(Vec::new())
            }
        }
    }

    /// The snapshot has ended: the search goes on in a newer one.
    pub(super) fn rest(&mut self) {
        match &mut self.work {
            Work::Look(scan, _) | Work::Complete { scan, .. } => scan.rest(),
            Work::Begin | Work::Over => {}
        }
    }

    /// Goes on.
    pub(super) fn step(&mut self, snapshot: &mut impl Snapshot, id_key: IdKey) -> Result<Step> {
        if matches!(self.work, Work::Begin) {
            self.begin(snapshot, id_key)?;
        }
        if let Some(step) = self.look(snapshot)? {
            return Ok(step);
        }
        self.complete(snapshot)
    }

    fn begin(&mut self, snapshot: &mut impl Snapshot, id_key: IdKey) -> Result<()> {
        let scan = Scan::begin(snapshot, id_key, &self.request)?;
        let matched = match &self.request {
            Request::Find(find) => {
                let returns_all = find.limit.is_none() && find.skip == 0;
                let budget = returns_all.then(|| ReadBudget::new(find.bytes_max));
                Matched::Top(TopK::new(find), budget)
            }
            Request::Exists(_) => Matched::None,
            Request::Count(_) | Request::Explain(_) => Matched::Count(0),
            Request::Matching(_) => Matched::Seqs(Vec::new()),
        };
        self.work = Work::Look(Box::new(scan), matched);
        Ok(())
    }

    /// Looks at a page; nothing once all that are returned are known.
    fn look(&mut self, snapshot: &mut impl Snapshot) -> Result<Option<Step>> {
        let Work::Look(scan, matched) = &mut self.work else { return Ok(None) };
        let is_known = matches!(matched, Matched::Top(top, _) if top.is_complete());
        let page =
            if is_known { None } else { scan.page(snapshot, Wanted::of_request(&self.request))? };
        match (matched, page) {
            (Matched::Count(count), Some(matches)) => *count += matches.tasks.len() as u64,
            (Matched::Count(count), None) => {
                return Ok(Some(match &self.request {
                    Request::Explain(query) => {
                        Step::Explained(Box::new(scan.explanation(query, *count)))
                    }
                    Request::Find(_)
                    | Request::Exists(_)
                    | Request::Matching(_)
                    | Request::Count(_) => Step::Count(*count),
                }));
            }
            (Matched::Seqs(seqs), Some(matches)) => {
                seqs.extend(matches.tasks.iter().map(|(task, _)| task.seq));
            }
            (Matched::Seqs(seqs), None) => {
                let (mut seqs, known) = (std::mem::take(seqs), scan.seqs());
                seqs.retain(|seq| known.has(*seq));
                seqs.sort_unstable();
                debug_assert!(seqs.is_sorted_by(|one, next| one < next), "a task is found twice");
                return Ok(Some(Step::Matching(seqs)));
            }
            (Matched::None, Some(matches)) if matches.tasks.is_empty() => {}
            (Matched::None, page) => return Ok(Some(Step::Exists(page.is_some()))),
            (Matched::Top(top, budget), Some(matches)) => {
                if let Some(budget) = budget {
                    matches.tasks.iter().try_for_each(|(task, _)| budget.take_task(task))?;
                }
                top.take(matches.tasks, matches.order);
                if top.is_complete() {
                    self.choose();
                    return Ok(None);
                }
            }
            (Matched::Top(..), None) => {
                self.choose();
                return Ok(None);
            }
        }
        Ok(Some(Step::More(Vec::new())))
    }

    /// All that are returned are known.
    fn choose(&mut self) {
        let Request::Find(find) = &self.request else { return };
        let Work::Look(scan, Matched::Top(top, _)) = std::mem::replace(&mut self.work, Work::Over)
        else {
            return;
        };
        let (chosen, budget) = (top.finish(), ReadBudget::new(find.bytes_max));
        debug_assert!(
            find.limit.is_none_or(|limit| chosen.len() as u64 <= limit),
            "more was chosen than is returned"
        );
        self.work = Work::Complete { scan, chosen: chosen.into_iter(), budget };
    }

    /// Loads of some that were chosen what was not read while searching.
    fn complete(&mut self, snapshot: &mut impl Snapshot) -> Result<Step> {
        let (Work::Complete { scan, chosen, budget }, Request::Find(find)) =
            (&mut self.work, &self.request)
        else {
            return Err(Error::bug("a search that is over goes on"));
        };
        let found = scan.complete(snapshot, chosen, (find, Wanted::to_find(find)), budget)?;
        if chosen.len() > 0 {
            return Ok(Step::More(found));
        }
        Ok(Step::Found(found))
    }
}
