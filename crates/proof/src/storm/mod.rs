//! Real processes, really killed.
//!
//! A parent starts worker processes on one database file, several at once. Each drives the real
//! engine: it adds tasks, runs them with random outcomes, aborts, prioritises and watches its own
//! tasks and those of the others, pauses, resumes and defines operations, stops and starts, has a
//! second client that goes from time to time and leaves its runs to the next one, takes tasks of
//! some operations in batches, and tells on its standard output what was acknowledged; each run
//! says in one file that it began and that it is about to end. The parent kills workers after a
//! random time, sometimes while they still open the file or recover what others left, stops some
//! for up to two seconds and lets them go on, and starts another for each that died. Then it looks
//! at what is left.
//!
//! # Promises
//! - No acknowledged task, end, abort or priority is lost (I-1); nothing is stored twice or from
//!   nowhere (I-2); no run has two side effects and no task two runs at a time (I-4, I-5).
//! - An ended task stays as it was when it was first seen so (I-3).
//! - An operation has at most its limit of live runs, over all processes (I-6), while workers
//!   define limits for each other. No task of a paused one starts in any process.
//! - No task starts while more run, or stand ahead of it, than its conditions allow, which it says
//!   itself or the store has said.
//! - A task starts after all that it depends on have ended, in whatever process, and not at all if
//!   one of them failed and it says so.
//! - A run that had a side effect is in its task's attempts: it was counted before its code ran
//!   (I-10). No task loses its process more often than its budget allows.
//! - A tick of a schedule makes one task at most, whichever worker comes to it and whoever is
//!   killed meanwhile (I-2), and a schedule that skips never has two that have not ended.
//! - In no time more tasks start than their rate limit lets, over all workers (I-6).
//! - After a failure that opens a circuit nothing starts there before its time, in any worker.
//! - What executors outside end stays so, what was refused to them changes nothing, and no task is
//!   with two of them, while they forget tasks, come late and are killed.
//! - A watch of all tasks that goes on where the last one was killed is told each change, and two
//!   that are told the same one are told the same of it (I-11).
//! - What an engine counts as added, started and ended is what it has told; the figures of the last
//!   worker say of each operation how its tasks stand.
//! - No worker is told that the file is busy (F-8), and none waits long for its turn (F-4).
//! - When the faults cease, every task ends (I-12), and the books balance (I-13).
//! - A storm that did no work fails.
//!
//! # Left to others
//! Power cuts: a killed process takes nothing with it that the kernel has.
//!
//! Proof: `tests/storm.rs`.

mod watched;
mod line;
mod ledger;
mod loans;
mod trace;
mod graphs;
mod conditions;
mod schedules;
mod rates;
mod child;
mod circuits;
mod lent;
mod worker;
mod check;
mod parent;

pub use ledger::Report;
pub use parent::{Plan, storm};
pub use worker::{Orders, work};

/// The database, in the folder of the storm.
const DATABASE: &str = "tasks.db";
/// What the runs did, beside it.
const TRACE: &str = "trace.log";
/// What workers run, and how many runs of it may be live at a time over all of them.
const OPERATIONS: [(&str, Option<u32>); 9] = [
    ("read", None),
    ("write", Some(3)),
    ("pair", Some(2)),
    ("die", Some(1)),
    (HELD, None),
    (LOOK, None),
    (EDIT, None),
    (CALL, None),
    (LENT, None),
];
/// What may not start too often, nor for a while after a failure.
const CALL: &str = "call";
/// What executors outside take, as which each worker asks for its tasks.
const LENT: &str = "lent";
/// What readers and writers run who look at what stands ahead of them.
const LOOK: &str = "look";
const EDIT: &str = "edit";
/// What every worker pauses before it does anything else, until the last one resumes it.
const HELD: &str = "held";

/// A task that is done, for tests of the judges; its number is its uuid too.
#[cfg(test)]
fn done_task(seq: u64, def: tasker_core::task::NewTask) -> tasker_core::task::TaskRecord {
    tasker_core::task::TaskRecord {
        seq: tasker_core::id::Seq(seq),
        id: tasker_core::id::TaskId(uuid::Uuid::from_u128(seq.into())),
        def,
        state: tasker_core::state::State::Done,
        created_at: tasker_core::time::WallMs(0),
        started_at: None,
        ended_at: None,
        attempt: 1,
        outcome: None,
        progress: None,
        is_pausing: false,
        attempts: Vec::new(),
        attempts_left_out: 0,
        version: 0,
    }
}
