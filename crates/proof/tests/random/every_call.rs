//! The first call of a store fails, in the next world the second, and so on to the last.
//!
//! A world is the same up to the call that fails, so each of its calls has its turn. It fails once,
//! with a code that may pass; a commit is refused, overtaken, or its fate is open.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tasker_core::error::Code;
use tasker_proof::conformance::Backend;
use tasker_proof::faulty_store::Call;
use tasker_proof::model::Disk;
use tasker_proof::rng::Rng;

use crate::number;
use crate::store::{FailingCall, Fault};
use crate::world::{PASSING, World};

/// So many worlds see every call fail, and every commit in every way.
const COVERING_WORLDS: u64 = 4_000;
const READS: [Call; 23] = [
    Call::Attached,
    Call::PauseWishes,
    Call::PostponeRequests,
    Call::States,
    Call::Dependents,
    Call::OpenDependencies,
    Call::BeginRead,
    Call::RefreshOwners,
    Call::Head,
    Call::Journal,
    Call::Operations,
    Call::RemoteRuns,
    Call::Orphans,
    Call::RemoteOffers,
    Call::Unburied,
    Call::Heads,
    Call::Windows,
    Call::Timers,
    Call::Expired,
    Call::Contents,
    Call::Briefs,
    Call::FindByKeys,
    Call::AbortRequests,
];

/// Runs at least so many worlds in which a call fails, and names the one that is wrong.
pub(crate) fn run(worlds: u64, lab: fn() -> Box<dyn Backend>) {
    let alone = number("TASKER_SEED");
    let worlds = number("TASKER_WORLDS").unwrap_or(worlds);
    let mut failed = Vec::new();
    for seed in alone.unwrap_or_default().. {
        if failed.len() as u64 >= worlds || alone.is_some_and(|alone| seed > alone) {
            break;
        }
        let calls = World::short(seed, lab(), None).run().calls;
        for number in 1..=calls {
            let world = || World::short(seed, lab(), Some(failing(seed, number))).run();
            match catch_unwind(AssertUnwindSafe(world)) {
                Ok(life) => failed.extend(life.failed),
                Err(_) => {
                    panic!("call {number} of world {seed}: repeat it with TASKER_SEED={seed}")
                }
            }
        }
    }
    if failed.len() as u64 >= COVERING_WORLDS {
        assert_complete(&failed);
    }
}

fn failing(seed: u64, number: u64) -> FailingCall {
    let mut rng = Rng::new(seed << 32 | number);
    let code = rng.one_of(&PASSING);
    let commits = [
        Fault::Commit(code),
        Fault::Commit(Code::Full),
        Fault::Overtaken(1),
        Fault::Unknown(false),
        Fault::Unknown(true),
    ];
    FailingCall { number, code, commit: rng.one_of(&commits) }
}

fn assert_complete(failed: &[Fault]) {
    // With which code it fails is left to chance.
    let any = |fault: fn(Code) -> Fault| PASSING.map(fault).to_vec();
    let reads = READS.map(|call| PASSING.map(|code| Fault::Read(code, call)).to_vec());
    let others = [Fault::Begin, Fault::Commit, Fault::Maintain, Fault::Close].map(any);
    let ends = [Fault::Overtaken(1), Fault::Unknown(false), Fault::Unknown(true)].map(|f| vec![f]);
    let mut kinds = reads.into_iter().chain(others).chain(ends);
    let missing = kinds.find(|kind| !kind.iter().any(|fault| failed.contains(fault)));
    assert_eq!(missing, None, "no world saw it");
}

/// A world in which nothing is recovered: at an open there is no memory yet that could be wrong.
const WORLD_WITHOUT_ORPHANS: u64 = 1;

/// Memory that is not as the store is noticed.
#[test]
fn a_commit_that_says_that_it_did_not_happen_is_noticed() {
    let seed = number("TASKER_SEED").unwrap_or(WORLD_WITHOUT_ORPHANS);
    let lying = |number| FailingCall { number, code: Code::Full, commit: Fault::Lie(Code::Full) };
    let world = |number| World::short(seed, Box::new(Disk::default()), Some(lying(number))).run();
    let is_noticed = |number: &u64| catch_unwind(AssertUnwindSafe(|| world(*number))).is_err();
    let lives = (1..=world(0).calls).filter(|number| !is_noticed(number)).map(world);
    let failed: Vec<_> = lives.filter_map(|life| life.failed).collect();
    assert!(!failed.is_empty() && !failed.contains(&Fault::Lie(Code::Full)), "{failed:?}");
}

/// A catch-up that is read by half is noticed. Only with feature `faults`.
#[cfg(feature = "faults")]
#[test]
#[should_panic(expected = "repeat it with")]
fn the_deliberate_fault_of_the_catch_up_is_noticed() {
    use tasker_core::fault;
    fault::switch(Some(fault::Fault::CatchUpForgetsToWait));
    run(COVERING_WORLDS, || Box::new(Disk::default()));
}
