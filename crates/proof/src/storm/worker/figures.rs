//! A worker asks what its engine has counted, and compares that with what it was told.
//!
//! Figures are answered behind all that their turn has told, and that comes as one parcel. So when
//! the parcel is read to its end, the books of the worker say the same. Two operations are left
//! out: of a guest that has gone nobody is told how its runs ended, and the runs of executors begin
//! by calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::error::{Error, Result};
use tasker_core::state::State;
use tasker_engine::effect::{Added, Answer, Effect, RunEnd};
use tasker_engine::input::{Input, Question, RunSlot, StopOptions};
use tasker_engine::metrics::{Figures, OperationFigures};

use super::super::line::Line;
use super::super::{LENT, OPERATIONS};
use super::{Call, FIRST, GUESTS, Who, Worker};

/// How many runs of a guest can be live, and with it untold.
const GUEST_RUNS: u64 = 2;
/// How runs end by what only their own process commits.
const OUTCOMES: [&str; 3] = ["done", "retried", "snoozed"];

/// What the clients were told behind the first figures.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// The first figures. What was before them is told by nobody.
    begin: Option<Box<Figures>>,
    /// Those that are to be compared when their parcel is read.
    figures: Option<Box<Figures>>,
    added: u64,
    ended: BTreeMap<State, u64>,
    started: BTreeMap<Arc<str>, u64>,
    runs: BTreeMap<(Arc<str>, &'static str), u64>,
    live: BTreeMap<(Who, RunSlot), Arc<str>>,
}

impl Books {
    /// Enters what a client is told.
    pub(super) fn enter(&mut self, who: Who, effect: &Effect) {
        match effect {
            Effect::Start(run) => {
                self.live.insert((who, run.slot), run.operation.clone());
                *self.started.entry(run.operation.clone()).or_default() += 1;
            }
            Effect::RunEnded(slot, end) => {
                let Some(operation) = self.live.remove(&(who, *slot)) else { return };
                let (word, state) = outcome(end);
                *self.runs.entry((operation, word)).or_default() += 1;
                state.into_iter().for_each(|state| *self.ended.entry(state).or_default() += 1);
            }
            // Each client is told of the rest; what the guest asks for adds nothing.
            _ if who != FIRST => {}
            Effect::TaskEnded(_, end) => *self.ended.entry(end.state()).or_default() += 1,
            Effect::Added(_) | Effect::Answer(_, Answer::Task(_)) => self.added += 1,
            Effect::Answer(_, Answer::Tasks(ids)) => self.added += ids.len() as u64,
            Effect::Answer(_, Answer::Adds(adds)) => {
                self.added += adds.iter().filter(|(_, added)| *added == Added::New).count() as u64;
            }
            _ => {}
        }
    }

    /// Begins to count, or compares.
    fn take(&mut self, mut figures: Box<Figures>, guests: Who) -> Result<Option<Box<Figures>>> {
        let Some(begin) = &self.begin else {
            let live = std::mem::take(&mut self.live);
            *self = Books { begin: Some(figures), live, ..Books::default() };
            return Ok(None);
        };
        figures.count_from(begin);
        for operation in &figures.operations {
            if ![GUESTS, LENT].contains(&&*operation.name) {
                self.compare_runs(operation)?;
            }
        }
        let added = figures.operations.iter().map(|one| one.meter.added).sum::<u64>();
        expect("added", added, self.added..=self.added)?;
        self.compare_ends(&figures, guests)?;
        for state in State::ALL {
            let all = figures.operations.iter().map(|one| one.gauges.count(*state)).sum::<u64>();
            let stored = figures.counts.get(*state);
            expect(state.as_str(), all, stored..=stored)?;
        }
        Ok(Some(figures))
    }

    fn compare_runs(
        &self,
        OperationFigures { name, meter, gauges }: &OperationFigures,
    ) -> Result<()> {
        let started = self.started.get(name).copied().unwrap_or(0);
        expect("started", meter.started, started..=started)?;
        let live = self.live.values().filter(|one| *one == name).count() as u64;
        expect("live", gauges.live, live..=live)?;
        let told = |word| self.runs.get(&(Arc::clone(name), word)).copied().unwrap_or(0);
        for (word, count) in meter.runs().filter(|(word, _)| OUTCOMES.contains(word)) {
            expect(word, count, told(word)..=told(word))?;
        }
        let counted = |word| meter.runs().find(|(one, _)| *one == word).map_or(0, |(_, n)| n);
        // A run whose grace is over is told that it is fenced, and counts as the end of its task.
        expect("fenced", counted("fenced"), 0..=told("fenced"))?;
        // The run of a dead process may have been asked to be given back.
        expect("postponed", counted("postponed"), told("postponed")..=u64::MAX)?;
        let all = self.runs.iter().filter(|((one, _), _)| one == name);
        // Of one that was replaced nobody knows when it ended.
        let all = all.map(|(_, count)| count).sum::<u64>().saturating_sub(counted("fenced"));
        expect("durations", meter.run.count(), all..=all)
    }

    /// Each end was told, but for those of guests that have gone or are not told of it yet.
    fn compare_ends(&self, figures: &Figures, guests: Who) -> Result<()> {
        for state in [State::Done, State::Failed, State::Aborted] {
            let ends = figures.operations.iter().flat_map(|one| one.meter.ended());
            let ends = ends.filter(|(one, _)| *one == state).map(|(_, count)| count).sum::<u64>();
            let told = self.ended.get(&state).copied().unwrap_or(0);
            let untold = GUEST_RUNS * u64::from(guests);
            expect(state.as_str(), ends, told..=told + untold)?;
        }
        Ok(())
    }
}

/// Under which word the engine counts an end of a run, and the state of its task if that has ended.
fn outcome(end: &RunEnd) -> (&'static str, Option<State>) {
    match end {
        RunEnd::Done => ("done", Some(State::Done)),
        RunEnd::Failed(_) => ("failed", Some(State::Failed)),
        RunEnd::Aborted(_) => ("aborted", Some(State::Aborted)),
        RunEnd::Retrying(..) => ("retried", None),
        RunEnd::Snoozed => ("snoozed", None),
        RunEnd::Postponed(_) => ("postponed", None),
        RunEnd::Fenced => ("fenced", None),
    }
}

fn expect(what: &str, counted: u64, told: std::ops::RangeInclusive<u64>) -> Result<()> {
    if told.contains(&counted) {
        return Ok(());
    }
    Err(Error::bug(format!("the engine counts {counted} {what}, and has told {told:?}")))
}

impl Worker {
    /// What has the engine counted?
    pub(super) fn ask_figures(&mut self) {
        self.call(Call::Figures, |ticket| Input::Ask(ticket, Question::Figures));
    }

    pub(super) fn take_figures(&mut self, figures: Box<Figures>) {
        self.books.figures = Some(figures);
    }

    /// A parcel is read. Whoever only runs what is left is done when its figures are right, and
    /// tells how all tasks stand.
    pub(super) fn compare_figures(&mut self) -> Result<()> {
        let Some(figures) = self.books.figures.take() else { return Ok(()) };
        let Some(figures) = self.books.take(figures, self.guests)? else { return Ok(()) };
        self.tell(Line::Figures);
        if !self.orders.drains {
            return Ok(());
        }
        expect("processes", figures.extent.owners, 1..=1)?;
        for OperationFigures { name, gauges, .. } in &figures.operations {
            let place = OPERATIONS.iter().position(|(one, _)| *one == &**name);
            let place = place.ok_or_else(|| Error::bug(format!("{name} is no operation")))?;
            for state in State::ALL {
                self.tell(Line::Stand(place, *state, gauges.count(*state)));
            }
        }
        self.call(Call::Close, |ticket| Input::Close(ticket, StopOptions::default()));
        Ok(())
    }
}
