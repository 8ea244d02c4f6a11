//! Deliberate faults, which the oracle and the random worlds must notice.
//!
//! They exist in one proof build only, with feature `faults`. In any other build [`is_on`] is false
//! when it is compiled, and nothing is left of them.
//!
//! Proof: `tests/dispatch_faults.rs`, `proof/tests/random`.

/// A fault that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A rollback does not put tasks back that have left the queue.
    RollbackForgetsLeave,
    /// A rollback does not take tasks out that have entered.
    RollbackForgetsEnter,
    /// A window that is loaded in the middle of a turn says nothing of what the turn did.
    LoadForgetsTurn,
    /// A window that is loaded passes for the whole lane.
    LoadClaimsAll,
    /// The limit of an operation does not count the runs of other owners.
    GateForgetsRemoteRuns,
    /// A paused operation starts tasks.
    GateForgetsPause,
    /// An operation starts more tasks than its runner has threads.
    GateForgetsThreads,
    /// A rollback does not give an operation its old record back.
    RollbackForgetsRecord,
    /// An operation that stood at its limit stays closed when a run ends.
    EndForgetsToReopen,
    /// A lane goes on although another one comes first.
    MergeForgetsOthers,
    /// A task that leaves stays in the window.
    LeaveForgetsWindow,
    /// A run that begins here is not counted by conditions.
    StartForgetsCounters,
    /// Conditions do not count the runs of other owners.
    CounterForgetsRemoteRuns,
    /// A counter that changes opens and closes nothing.
    CounterForgetsGroups,
    /// A lane whose conditions are not known passes for one without.
    LaneForgetsToLearn,
    /// A document with several values at a path is looked up by the first.
    FamilyForgetsArrays,
    /// A rollback does not count a run again that has not ended.
    RollbackForgetsCounters,
    /// What comes and goes ahead of a task makes no difference to its conditions.
    BarStays,
    /// What memory does not know of the queue passes for nothing.
    AheadForgetsToExamine,
    /// A task that has come since does not count for those behind it.
    AheadForgetsUnread,
    /// Ready tasks that nobody starts, or that are paused, hold others back.
    AheadForgetsOffers,
    /// What is examined in the middle of a turn says nothing of what the turn did.
    ExamineForgetsTurn,
    /// A start takes no token of its rate limit.
    StartTakesNoToken,
    /// A rollback gives no token back.
    RollbackForgetsTokens,
    /// The tokens that other owners have taken make no difference.
    RateForgetsOthers,
    /// A task that a half open circuit lets start is none of its probes.
    StartIsNoProbe,
    /// A start that was taken back stays a probe.
    RollbackForgetsProbes,
    /// What was not committed of a circuit is as if it were.
    RollbackForgetsTurns,
    /// A circuit that another process has turned is as it was.
    CircuitForgetsOthers,
    /// What was read of gates counts on when something else is said of them.
    ChangeKeepsGates,
    /// A task that joins a batch takes a place of its own.
    MemberTakesPlace,
    /// A task goes to the last of those who wait for it.
    TakerOvertakes,
    /// A rollback leaves those who wait with what the turn had counted for them.
    RollbackForgetsTakers,
    /// What an executor takes is not counted.
    ClaimIsNotCounted,
    /// What executors take stands behind what starts here.
    OutsideForgetsOrder,
    /// Memory passes for current before all is read that others did.
    CatchUpForgetsToWait,
    /// What is not committed is told as if it were.
    TellsWhatIsNotCommitted,
    /// A throw after an abort is a failure.
    SettleForgetsSignal,
    /// An attempt that failed is followed by the next one at once.
    RetryForgetsItsPause,
    /// A snoozed run counts as an attempt.
    SnoozeIsCounted,
    /// A timer acts without a look at what it finds.
    DueForgetsToLook,
    /// The losses of a task in a row are not counted.
    LossForgetsCount,
    /// A run that was to be aborted is given back when its owner dies.
    LossForgetsAbort,
    /// A run that was to be given back counts as lost when its owner dies.
    LossForgetsPostponement,
    /// The `queueTimeout` of a task ends it although a run has begun.
    ExpireForgetsRuns,
    /// A timer of an earlier `queueTimeout` ends a task.
    ExpireForgetsMoment,
    /// A unique key is held beyond its `ttl`.
    KeyForgetsItsEnd,
    /// A unique key is held by a task that has ended.
    KeyForgetsStates,
    /// A task is removed on which another one depends.
    RemovalForgetsDependents,
    /// Nobody looks at those who depend on a task that ends.
    EndForgetsDependents,
    /// A hold that is released goes on holding what it has held.
    ReleaseForgetsHeld,
    /// A task that leaves a state is counted there still.
    CountForgetsLeaving,
    /// A probe whose process has died keeps its place.
    LossForgetsProbes,
}

impl Fault {
    /// Those of the queue that both notice.
    pub const QUEUE: &[Fault] = &[
        Fault::RollbackForgetsLeave,
        Fault::RollbackForgetsEnter,
        Fault::LoadForgetsTurn,
        Fault::LoadClaimsAll,
        Fault::GateForgetsRemoteRuns,
        Fault::GateForgetsPause,
        Fault::RollbackForgetsRecord,
        Fault::EndForgetsToReopen,
        Fault::MergeForgetsOthers,
        Fault::LeaveForgetsWindow,
        Fault::StartForgetsCounters,
        Fault::CounterForgetsRemoteRuns,
        Fault::CounterForgetsGroups,
        Fault::LaneForgetsToLearn,
        Fault::FamilyForgetsArrays,
        Fault::RollbackForgetsCounters,
        Fault::BarStays,
        Fault::AheadForgetsToExamine,
        Fault::AheadForgetsUnread,
        Fault::AheadForgetsOffers,
        Fault::ExamineForgetsTurn,
        Fault::StartTakesNoToken,
        Fault::RollbackForgetsTokens,
        Fault::RateForgetsOthers,
        Fault::StartIsNoProbe,
        Fault::RollbackForgetsProbes,
        Fault::CircuitForgetsOthers,
    ];

    /// Those of the queue that the oracle alone notices: the large random worlds have no threads,
    /// batches or executors, and come upon the two of gates too seldom.
    pub const ORACLE: &[Fault] = &[
        Fault::GateForgetsThreads,
        Fault::RollbackForgetsTurns,
        Fault::ChangeKeepsGates,
        Fault::MemberTakesPlace,
        Fault::TakerOvertakes,
        Fault::RollbackForgetsTakers,
        Fault::ClaimIsNotCounted,
        Fault::OutsideForgetsOrder,
    ];

    /// Those of the engine.
    pub const ENGINE: &[Fault] = &[
        Fault::TellsWhatIsNotCommitted,
        Fault::SettleForgetsSignal,
        Fault::RetryForgetsItsPause,
        Fault::SnoozeIsCounted,
        Fault::DueForgetsToLook,
        Fault::LossForgetsCount,
        Fault::LossForgetsAbort,
        Fault::LossForgetsPostponement,
        Fault::ExpireForgetsRuns,
        Fault::ExpireForgetsMoment,
        Fault::KeyForgetsItsEnd,
        Fault::KeyForgetsStates,
        Fault::RemovalForgetsDependents,
        Fault::EndForgetsDependents,
        Fault::ReleaseForgetsHeld,
        Fault::CountForgetsLeaving,
        Fault::LossForgetsProbes,
    ];
}

#[cfg(feature = "faults")]
mod switch {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static ON: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Switches a fault on in this thread, or all off.
    pub fn switch(fault: Option<Fault>) {
        ON.set(fault);
    }

    /// Whether this fault is on in this thread.
    pub fn is_on(fault: Fault) -> bool {
        ON.get() == Some(fault)
    }
}

#[cfg(feature = "faults")]
pub use switch::{is_on, switch};

/// Whether this fault is on.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn is_on(_: Fault) -> bool {
    false
}
