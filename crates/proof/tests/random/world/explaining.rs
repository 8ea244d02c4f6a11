//! Questions: after steps with which nothing went wrong, tasks say why they do not run.

use std::sync::Arc;

use tasker_core::id::TaskId;
use tasker_engine::input::{Input, Question};
use tasker_engine::metrics::Format;
use tasker_engine::turn::{Engine, Next};

use super::World;

/// How many tasks are asked for at once.
const ASKED_MAX: usize = 6;

impl World {
    /// Asks some tasks why they do not run, and compares what they say with all that is known. The
    /// world goes on as if nobody had asked.
    pub(super) fn explain(&mut self) {
        let rng = self.rng.clone();
        self.ask_some();
        self.watch();
        self.rng = rng;
    }

    fn ask_some(&mut self) {
        if self.is_short || self.oracle.is_stopping() || !self.rng.once_in(3) {
            return;
        }
        let known: Vec<TaskId> = self.oracle.tasks.keys().copied().collect();
        let count = self.rng.below(ASKED_MAX);
        let asked: Vec<TaskId> =
            (0..count).filter_map(|_| self.rng.pick(&known).copied()).collect();
        let ask = |id| Input::Ask(self.ticket(), Question::Task(id));
        let mut inputs: Vec<Input> = asked.into_iter().map(ask).collect();
        let question = Question::Metrics { format: Format::Json, operations_max: 100 };
        inputs.push(Input::Ask(self.ticket(), question));
        let mut after = self.turn(inputs, None);
        while after != Next::Closed && self.oracle.has_questions() {
            after = self.turn(Vec::new(), None);
        }
        for (id, text) in self.oracle.take_explained() {
            self.oracle.compare_explanation(id, &text);
        }
        let living = self.processes.iter().filter(|one| one.engine.is_some()).count();
        let living = (after != Next::Closed).then_some(living);
        for text in self.oracle.take_figures() {
            self.oracle.compare_figures(&text, living);
        }
        self.turn_on(after);
    }

    /// What the other processes offer, as far as the store knows.
    pub(super) fn offered_elsewhere(&self) -> Vec<(usize, Arc<str>)> {
        let others = self.processes.iter().enumerate().filter(|(at, _)| *at != self.me);
        let engines = others.filter_map(|(at, process)| Some((at, process.engine.as_ref()?)));
        let offers = |(at, engine): (usize, &Engine)| {
            let names = engine.memory().offers.iter().cloned();
            names.map(move |name| (at, name)).collect::<Vec<_>>()
        };
        engines.flat_map(offers).collect()
    }
}
