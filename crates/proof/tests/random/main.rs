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
//! `TASKER_SEED=n` runs world `n` alone, `TASKER_WORLDS=n` so many of each kind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod every_call;
mod mirror;
mod oracle;
mod queue;
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use oracle::coverage::{self, Coverage};
use tasker_proof::conformance::Backend;
use tasker_proof::file::Folder;
use tasker_proof::model::Disk;
use world::{World, watching};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// So many worlds use every verb in every state.
const COVERING_WORLDS: u64 = 2_000;

/// Runs worlds one after the other, and names the one that fails.
fn run(worlds: u64, processes: fn(u64) -> usize, lab: fn() -> Box<dyn Backend>) {
    let seeds = match number("TASKER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TASKER_WORLDS").unwrap_or(worlds),
    };
    let (mut started, mut used, mut told) = (0, Coverage::new(), watching::Told::new());
    for seed in seeds.clone() {
        let world = || World::new(seed, lab(), processes(seed)).run();
        match catch_unwind(AssertUnwindSafe(world)) {
            Ok(life) => {
                started += life.started;
                used.extend(life.used);
                told.extend(life.told);
            }
            Err(_) => panic!("world {seed}: repeat it with TASKER_SEED={seed}"),
        }
    }
    assert!(started > seeds.end - seeds.start, "worlds in which nothing runs prove nothing");
    if seeds.end - seeds.start >= COVERING_WORLDS {
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

/// Only with feature `faults`.
#[cfg(feature = "faults")]
#[test]
fn some_world_notices_each_deliberate_fault_of_the_queue() {
    use tasker_core::fault::{Fault, switch};
    std::panic::set_hook(Box::new(|_| {}));
    let passes = |seed| {
        let world = || World::new(seed, Box::new(Disk::default()), two_or_three(seed)).run();
        catch_unwind(AssertUnwindSafe(world)).is_ok()
    };
    let is_unnoticed = |fault: &&Fault| {
        switch(Some(**fault));
        (0..2_000).all(passes)
    };
    let unnoticed: Vec<_> = Fault::QUEUE.iter().filter(is_unnoticed).collect();
    switch(None);
    let _ = std::panic::take_hook();
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}
