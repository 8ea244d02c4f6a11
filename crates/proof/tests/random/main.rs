//! The whole engine in random worlds, alone or with one or two others on the same disk, against an
//! oracle that scans a list of everything.
//!
//! A world is a number: from it come calls of every kind, windows of a few tasks, clocks that jump,
//! those of each process for itself, commits that fail, whose fate is open, and crashes (G-2,
//! G-24). After each turn the oracle says what must be true: I-1 to I-8, I-10 to I-13, I-19.
//! Together they use each verb on tasks in each state, as `docs/internals/interplay.md` lists them.
//!
//! In short worlds of two engines each call of a store fails once: then memory says of the store
//! what a fresh mirror of it says, and the world goes on.
//!
//! `TASKER_SEED=n` runs world `n` alone, `TASKER_WORLDS=n` so many of each kind, `TASKER_FIRST=n`
//! from that one on. A world that fails is made shorter, and `TASKER_STEPS` repeats what is left of
//! it: then it prints what is asked of whom.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod batches;
mod every_call;
mod executors;
mod mirror;
mod oracle;
mod queue;
mod schedules;
mod shrink;
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use oracle::coverage::{self, Coverage};
use shrink::{quietly, shrink};
use tasker_proof::conformance::Backend;
use tasker_proof::file::Folder;
use tasker_proof::model::Disk;
use world::{World, watching};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// So many worlds, or three times as many, use every verb in every state.
const COVERING_WORLDS: u64 = 2_000;

/// The steps of a world to which `TASKER_STEPS` keeps it.
fn steps_to_repeat() -> Option<Vec<usize>> {
    let text = std::env::var("TASKER_STEPS").ok()?;
    Some(text.split(',').map(|step| step.parse().expect("numbers of steps")).collect())
}

/// One kind of world.
#[derive(Clone, Copy)]
struct Kind {
    processes: fn(u64) -> usize,
    lab: fn() -> Box<dyn Backend>,
}

impl Kind {
    fn world(self, seed: u64) -> World {
        World::new(seed, (self.lab)(), (self.processes)(seed))
    }

    fn fails(self, seed: u64, steps: &[usize]) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.world(seed).with_steps(steps).run())).is_err()
    }

    /// Says how to repeat what is left of a world that fails.
    fn name_failure(self, seed: u64) -> ! {
        let all = self.world(seed).len();
        let steps = quietly(|| shrink((0..all).collect(), |steps| self.fails(seed, steps)));
        let count = steps.len();
        let steps = steps.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        panic!(
            "world {seed} fails with {count} of its {all} steps: repeat it with \
             TASKER_SEED={seed}, and them with TASKER_SEED={seed} TASKER_STEPS={steps}"
        );
    }
}

/// Runs worlds one after the other, and names the one that fails.
fn run(worlds: u64, processes: fn(u64) -> usize, lab: fn() -> Box<dyn Backend>) {
    let kind = Kind { processes, lab };
    if let (Some(seed), Some(steps)) = (number("TASKER_SEED"), steps_to_repeat()) {
        kind.world(seed).with_steps(&steps).aloud().run();
        return;
    }
    let first = number("TASKER_SEED").or(number("TASKER_FIRST")).unwrap_or(0);
    let count = match number("TASKER_SEED") {
        Some(_) => 1,
        None => number("TASKER_WORLDS").unwrap_or(worlds),
    };
    let covers = count >= COVERING_WORLDS;
    let (mut started, mut used, mut told) = (0, Coverage::new(), watching::Told::new());
    for seed in first..first + 3 * count {
        // Some more, if the last states that a verb has not met are rare.
        if seed >= first + count && (!covers || coverage::missing(&used).is_empty()) {
            break;
        }
        match catch_unwind(AssertUnwindSafe(|| kind.world(seed).run())) {
            Ok(life) => {
                started += life.started;
                used.extend(life.used);
                told.extend(life.told);
            }
            Err(_) => kind.name_failure(seed),
        }
    }
    assert!(started > count, "worlds in which nothing runs prove nothing");
    if covers {
        coverage::assert_complete(&used);
        watching::assert_complete(&told);
    }
}

fn one(_seed: u64) -> usize {
    1
}

fn two_or_three(seed: u64) -> usize {
    2 + (seed % 2) as usize
}

/// I-1 I-2 I-3 I-4 I-5 I-7 I-8 I-10 I-12 I-13 I-19 F-1 F-2 F-10 F-12 F-19 F-21
#[test]
fn twenty_five_hundred_random_worlds_over_the_model_keep_every_invariant() {
    run(2_500, one, || Box::new(Disk::default()));
}

/// I-1 I-2 I-3 I-4 I-5 I-7 I-8 I-10 I-12 I-13 I-19 F-1 F-2 F-10 F-12 F-19 F-21
#[test]
fn forty_random_worlds_over_a_file_keep_every_invariant() {
    run(40, one, || Box::new(Folder::new().unwrap()));
}

/// I-1 I-2 I-3 I-4 I-5 I-6 I-7 I-8 I-10 I-11 I-12 I-13 I-19 F-1 F-2 F-8 F-10 F-12 F-19 F-21
#[test]
fn two_thousand_random_worlds_of_several_engines_over_the_model_keep_every_invariant() {
    run(2_000, two_or_three, || Box::new(Disk::default()));
}

/// I-1 I-2 I-3 I-4 I-5 I-6 I-7 I-8 I-10 I-11 I-12 I-13 I-19 F-1 F-2 F-8 F-10 F-12 F-19 F-21
#[test]
fn forty_random_worlds_of_several_engines_over_a_file_keep_every_invariant() {
    run(40, two_or_three, || Box::new(Folder::new().unwrap()));
}

/// I-1 I-2 I-3 I-4 I-5 I-6 I-7 I-8 I-10 I-11 I-12 I-13 I-19 F-8 F-10 F-12 F-19 F-21
#[test]
fn in_eight_thousand_worlds_over_the_model_each_call_of_a_store_fails_once() {
    every_call::run(8_000, || Box::new(Disk::default()));
}

/// I-1 I-2 I-3 I-4 I-5 I-6 I-7 I-8 I-10 I-11 I-12 I-13 I-19 F-8 F-10 F-12 F-19 F-21
#[test]
fn in_a_hundred_worlds_over_a_file_each_call_of_a_store_fails_once() {
    every_call::run(100, || Box::new(Folder::new().unwrap()));
}

/// G-24: what a world does comes from its number alone.
#[test]
fn a_world_that_is_repeated_tells_the_same() {
    let trace = |seed| {
        let world = World::new(seed, Box::new(Disk::default()), two_or_three(seed));
        world.traced().run().trace
    };
    for seed in (0..500).step_by(100) {
        let first = trace(seed);
        assert!(first.is_some() && first == trace(seed), "world {seed}");
    }
}

/// Only with feature `faults`.
#[cfg(feature = "faults")]
mod faults {
    use super::*;
    use tasker_core::fault::{Fault, switch};

    const WORLDS: u64 = 500;
    const KIND: Kind = Kind { processes: two_or_three, lab: || Box::new(Disk::default()) };

    /// The first world that notices a fault.
    fn first_to_notice(fault: Fault) -> Option<u64> {
        switch(Some(fault));
        let noticed = |seed: &u64| KIND.fails(*seed, &(0..100).collect::<Vec<_>>());
        let first = quietly(|| (0..WORLDS).find(noticed));
        switch(None);
        first
    }

    fn assert_noticed(faults: &[Fault]) {
        let (noticed, unnoticed): (Vec<_>, Vec<_>) = faults
            .iter()
            .map(|fault| (*fault, first_to_notice(*fault)))
            .partition(|it| it.1.is_some());
        assert!(unnoticed.is_empty(), "{unnoticed:?} of {WORLDS} worlds, but {noticed:?}");
    }

    #[test]
    fn some_world_notices_each_deliberate_fault_of_the_queue() {
        assert_noticed(Fault::QUEUE);
    }

    #[test]
    fn some_world_notices_each_deliberate_fault_of_the_engine() {
        assert_noticed(Fault::ENGINE);
    }

    /// What is left of a world notices the deliberate fault, and needs all of its steps.
    #[test]
    fn a_world_that_notices_a_deliberate_fault_is_made_shorter() {
        let fault = Fault::LossForgetsAbort;
        let seed = first_to_notice(fault).unwrap();
        let all: Vec<usize> = (0..KIND.world(seed).len()).collect();
        switch(Some(fault));
        let left = quietly(|| shrink(all.clone(), |steps| KIND.fails(seed, steps)));
        let without = |at: usize| {
            let rest = [&left[..at], &left[at + 1..]].concat();
            quietly(|| KIND.fails(seed, &rest))
        };
        let is_needed = (0..left.len()).all(|at| !without(at));
        switch(None);
        assert!(is_needed && left.len() < all.len(), "{left:?} of {}", all.len());
        assert!(!KIND.fails(seed, &left), "without the fault it passes");
    }
}
