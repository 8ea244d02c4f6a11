//! The ways into each state. A state without a way is one of a later version.

use tasker_core::error::Result;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Json, NewTask, StartTime};
use tasker_engine::input::{Input, RetryOptions};

use super::stage::{HALTED, OUTSIDE, Stage, aborting};
use super::verbs::{DELAY_MS, pause};

/// One way: what happened to the task, and how to make it happen.
pub(super) struct Way {
    pub(super) name: &'static str,
    /// When the task may start.
    pub(super) start_time: Option<StartTime>,
    /// Whether it depends on a task that has not ended.
    pub(super) is_blocked: bool,
    pub(super) take: fn(&mut Stage) -> Result<()>,
}

impl Way {
    /// Whether a task goes this way that is attached to its tasker: one that has ended never does
    /// so again.
    pub(super) fn keeps_attachment(&self) -> bool {
        !self.name.starts_with("run again")
    }
}

/// The ways into what a column of the page is about. Each begins with a task that was added.
pub(super) fn ways(column: &str) -> &'static [Way] {
    match column {
        "running, abort asked" => ASKED,
        HALTED => HALTS,
        OUTSIDE => BEGUN,
        "no such task" => NOWHERE,
        _ => {
            let state = State::ALL.iter().find(|state| state.as_str() == column);
            state.map_or(&[], |state| ways_into(*state))
        }
    }
}

/// Whether a column says that there is no task.
pub(super) fn is_nowhere(column: &str) -> bool {
    column == "no such task"
}

fn ways_into(state: State) -> &'static [Way] {
    match state {
        State::Ready => READY,
        State::Running => RUNNING,
        State::Done => DONE,
        State::Failed => FAILED,
        State::Aborted => ABORTED,
        State::Delayed => DELAYED,
        State::Blocked => BLOCKED,
        State::Paused => PAUSED,
        State::Claimed => CLAIMED,
    }
}

const NOWHERE: &[Way] =
    &[Way { name: "it never was", start_time: None, is_blocked: false, take: |_| Ok(()) }];

const READY: &[Way] = &[
    Way { name: "added", start_time: None, is_blocked: false, take: |_| Ok(()) },
    Way {
        name: "given back",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            stage.begin()?;
            stage.turn(vec![Input::Postpone(stage.slot())])
        },
    },
    Way {
        name: "run again by hand",
        start_time: None,
        is_blocked: false,
        take: |stage| run_again(stage, None),
    },
];

const BLOCKED: &[Way] = &[
    Way { name: "added", start_time: None, is_blocked: true, take: |_| Ok(()) },
    Way {
        name: "added with a start time",
        start_time: Some(StartTime::After(DELAY_MS)),
        is_blocked: true,
        take: |_| Ok(()),
    },
    Way {
        name: "paused and put back",
        start_time: None,
        is_blocked: true,
        take: |stage| {
            pause(stage)?;
            let id = stage.id();
            stage.call(|ticket| Input::Resume(ticket, id)).map(drop)
        },
    },
];

const DELAYED: &[Way] = &[
    Way {
        name: "added with a start time",
        start_time: Some(StartTime::After(DELAY_MS)),
        is_blocked: false,
        take: |_| Ok(()),
    },
    Way {
        name: "snoozed",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            stage.begin()?;
            stage.settle(Settlement::Snoozed(DELAY_MS))
        },
    },
    Way {
        name: "held as it came up",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            stage.hold(DELAY_MS)?;
            stage.begin()
        },
    },
    Way {
        name: "run again later by hand",
        start_time: None,
        is_blocked: false,
        take: |stage| run_again(stage, Some(DELAY_MS)),
    },
];

fn run_again(stage: &mut Stage, delay_ms: Option<u64>) -> Result<()> {
    stage.begin()?;
    stage.settle(Settlement::Returned(None))?;
    let (id, options) = (stage.id(), RetryOptions { delay_ms, priority: None });
    stage.call(|ticket| Input::Retry(ticket, id, options)).map(drop)
}

const PAUSED: &[Way] = &[
    Way {
        name: "paused while it was blocked",
        start_time: None,
        is_blocked: true,
        take: |stage| pause(stage).map(drop),
    },
    Way {
        name: "paused while it was ready",
        start_time: None,
        is_blocked: false,
        take: |stage| pause(stage).map(drop),
    },
    Way {
        name: "paused while it was delayed",
        start_time: Some(StartTime::After(DELAY_MS)),
        is_blocked: false,
        take: |stage| pause(stage).map(drop),
    },
    Way {
        name: "given back at its checkpoint",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            halt(stage)?;
            stage.turn(vec![Input::Postpone(stage.slot())])
        },
    },
    Way {
        name: "given back before its checkpoint",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            stage.begin()?;
            pause(stage)?;
            stage.turn(vec![Input::Postpone(stage.slot())])
        },
    },
];

const HALTS: &[Way] = &[
    Way { name: "paused here", start_time: None, is_blocked: false, take: halt },
    Way {
        name: "paused by the neighbour",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            stage.begin()?;
            let id = stage.id();
            stage.neighbour_calls(|ticket| Input::Pause(ticket, id))?;
            stage.reach_checkpoint()
        },
    },
];

/// It is paused while it runs, and comes to a checkpoint.
fn halt(stage: &mut Stage) -> Result<()> {
    stage.begin()?;
    pause(stage)?;
    stage.reach_checkpoint()
}

const CLAIMED: &[Way] =
    &[Way { name: "asked for", start_time: None, is_blocked: false, take: |stage| stage.claim() }];

const BEGUN: &[Way] = &[Way {
    name: "begun",
    start_time: None,
    is_blocked: false,
    take: |stage| {
        stage.claim()?;
        stage.begin_outside().map(drop)
    },
}];

const RUNNING: &[Way] =
    &[Way { name: "started", start_time: None, is_blocked: false, take: |stage| stage.begin() }];

const ASKED: &[Way] = &[
    Way { name: "aborted here", start_time: None, is_blocked: false, take: abort_run },
    Way {
        name: "aborted by the neighbour",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            stage.begin()?;
            let id = stage.id();
            stage.neighbour_calls(|ticket| aborting(ticket, id))
        },
    },
];

const DONE: &[Way] = &[Way {
    name: "returned",
    start_time: None,
    is_blocked: false,
    take: |stage| {
        stage.begin()?;
        stage.settle(Settlement::Returned(None))
    },
}];

const FAILED: &[Way] = &[Way {
    name: "threw what no attempt can mend",
    start_time: None,
    is_blocked: false,
    take: |stage| {
        stage.begin()?;
        stage.settle(Settlement::Unrecoverable(Json::trusted("{}")))
    },
}];

const ABORTED: &[Way] = &[
    Way {
        name: "aborted before it ran",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            let id = stage.id();
            stage.call(|ticket| aborting(ticket, id)).map(drop)
        },
    },
    Way {
        name: "aborted while it ran",
        start_time: None,
        is_blocked: false,
        take: |stage| {
            abort_run(stage)?;
            stage.settle(Settlement::Threw(Json::trusted("{}")))
        },
    },
];

fn abort_run(stage: &mut Stage) -> Result<()> {
    stage.begin()?;
    let id = stage.id();
    stage.call(|ticket| aborting(ticket, id)).map(drop)
}

/// Adds a task that has lost so many runs already.
pub(super) fn enter(stage: &mut Stage, def: NewTask, losses: u32) -> Result<()> {
    stage.add(def)?;
    for _ in 0..losses {
        stage.begin()?;
        stage.die();
        stage.reopen()?;
    }
    Ok(())
}
