//! The oracle notices each deliberate fault of the queue. Only with feature `faults`.

#![cfg(feature = "faults")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod dispatch_world;

use dispatch_world::{history, live};
use proptest::test_runner::{Config, TestRunner};
use tasker_core::fault::{Fault, switch};

#[test]
fn each_deliberate_fault_of_the_queue_is_noticed() {
    std::panic::set_hook(Box::new(|_| {}));
    // The first that notices a fault is the last: only one that is hard to notice needs so many.
    let config = || Config {
        cases: 32_768,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let passes = |fault: &&Fault| {
        switch(Some(**fault));
        TestRunner::new(config())
            .run(&history(), |history| {
                live(history);
                Ok(())
            })
            .is_ok()
    };
    let all = Fault::QUEUE.iter().chain(Fault::ORACLE);
    let unnoticed: Vec<_> = all.filter(passes).collect();
    switch(None);
    let _ = std::panic::take_hook();
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}
