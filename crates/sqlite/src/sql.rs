//! Every statement, by name. The text lies in `sql/`, one statement per file, with what it
//! promises. The statements that frame a transaction share a file, and those that read whole tasks
//! share their columns.
//!
//! Parameters have names in the text and are bound by the order in which they first stand there.
//! States and timers have names too, which give way to codes (`code_words`).
//!
//! Proof: the tests below, `tests/plans.rs`.

use crate::code_words::with_codes;

macro_rules! statements {
    ($($name:ident $file:literal,)*) => {
        $(pub(crate) const $name: &str =
            with_codes!(body(include_str!(concat!("../sql/", $file))));)*
    };
}

/// Statements that begin with the columns of a task.
macro_rules! of_tasks {
    ($($name:ident $file:literal,)*) => {
        $(pub(crate) const $name: &str = with_codes!(body(concat!(
            include_str!("../sql/task_columns.sql"),
            include_str!(concat!("../sql/", $file)),
        )));)*
    };
}

/// A text without its header, which would be hashed at each look into the cache of statements.
const fn body(text: &'static str) -> &'static str {
    let bytes = text.as_bytes();
    let mut at = 0;
    while bytes[at] == b'-' || bytes[at] == b'\n' {
        while bytes[at] != b'\n' {
            at += 1;
        }
        at += 1;
    }
    text.split_at(at).1
}

/// The n-th statement of a text, from 0 on.
const fn nth(text: &'static str, n: usize) -> &'static str {
    let text = body(text);
    let mut end = 0;
    while text.as_bytes()[end] != b';' {
        end += 1;
    }
    let (statement, rest) = text.split_at(end + 1);
    if n == 0 { statement } else { nth(rest, n - 1) }
}

const FRAME: &str = include_str!("../sql/frame.sql");
pub(crate) const BEGIN: &str = nth(FRAME, 0);
pub(crate) const BEGIN_READ: &str = nth(FRAME, 1);
pub(crate) const COMMIT: &str = nth(FRAME, 2);
pub(crate) const ROLLBACK: &str = nth(FRAME, 3);
pub(crate) const DATA_VERSION: &str = nth(FRAME, 4);

of_tasks! {
    GET "get.sql",
    READY_EQUAL "ready_equal.sql",
    READY_BELOW "ready_below.sql",
    UNQUEUED_EQUAL "unqueued_equal.sql",
    UNQUEUED_BELOW "unqueued_below.sql",
    NUMBERS_UP "numbers_up.sql",
    NUMBERS_DOWN "numbers_down.sql",
}

statements! {
    OPERATION "operation.sql",
    OPERATION_CHANGE "operation_change.sql",
    ADD "add.sql",
    ADD_START "add_start.sql",
    ADD_DELAYED "add_delayed.sql",
    ADD_BLOCKED "add_blocked.sql",
    DEPEND_ON "depend_on.sql",
    MET "met.sql",
    UNBLOCK "unblock.sql",
    LET_GO "let_go.sql",
    ATTACH "attach.sql",
    DETACH "detach.sql",
    ATTACHED "attached.sql",
    LAPSING_PUT "lapsing_put.sql",
    LAPSING_FORGET "lapsing_forget.sql",
    LAPSING "lapsing.sql",
    TIMER "timer.sql",
    FIRED "fired.sql",
    DUE "due.sql",
    DUE_RANGE "due_range.sql",
    KEY "key.sql",
    START "start.sql",
    START_RANGE "start_range.sql",
    END_RUN "end_run.sql",
    DONE_RANGE "done_range.sql",
    IS_WRITTEN "is_written.sql",
    FIRST_BETWEEN "first_between.sql",
    END_READY "end_ready.sql",
    RELEASE_HISTORY "release_history.sql",
    RELEASE "release.sql",
    RELEASE_DELAYED "release_delayed.sql",
    ATTEMPTS_TRIM "attempts_trim.sql",
    REOPEN_HISTORY "reopen_history.sql",
    REOPEN_TALLY "reopen_tally.sql",
    REOPEN "reopen.sql",
    DELAY "delay.sql",
    HOLD_BACK "hold_back.sql",
    FREE "free.sql",
    HOLD "hold.sql",
    HOLD_RELEASE "hold_release.sql",
    HOLD_FORGET "hold_forget.sql",
    HELD_PUT "held_put.sql",
    HELD_FORGET "held_forget.sql",
    SCHEDULE "schedule.sql",
    SCHEDULE_CHANGE "schedule_change.sql",
    SCHEDULE_REMOVE "schedule_remove.sql",
    SCHEDULE_BY_NO "schedule_by_no.sql",
    SCHEDULE_BY_ID "schedule_by_id.sql",
    SCHEDULES "schedules.sql",
    SCHEDULES_COUNT "schedules_count.sql",
    SIZE "size.sql",
    POSTPONE_REQUEST "postpone_request.sql",
    REQUEST_POSTPONE "request_postpone.sql",
    OPTIONS "options.sql",
    SET_QUEUE_TIMEOUT "set_queue_timeout.sql",
    UPDATE "update.sql",
    PRIORITIZE "prioritize.sql",
    PRIORITIZE_UNQUEUED "prioritize_unqueued.sql",
    SORT "sort.sql",
    PAUSE "pause.sql",
    RESUME "resume.sql",
    BLOCK "block.sql",
    REQUEST_PAUSE "request_pause.sql",
    PAUSE_RUN "pause_run.sql",
    RESUME_RUN "resume_run.sql",
    PAUSE_FORGET "pause_forget.sql",
    PROGRESS "progress.sql",
    LOG "log.sql",
    REQUEST_ABORT "request_abort.sql",
    PURGE "purge.sql",
    PURGE_ATTEMPTS "purge_attempts.sql",
    PURGE_LOGS "purge_logs.sql",
    PURGE_ABORTS "purge_aborts.sql",
    PURGE_POSTPONEMENTS "purge_postponements.sql",
    KEEP_KEYS "keep_keys.sql",
    PURGE_KEYS "purge_keys.sql",
    SWEEP_KEYS "sweep_keys.sql",
    CLAIM "claim.sql",
    CLAIM_PUT "claim_put.sql",
    BEGIN_OUTSIDE "begin.sql",
    UNCLAIM "unclaim.sql",
    RENEW "renew.sql",
    TOUCH "touch.sql",
    LEASED "leased.sql",
    OUTSIDE_RUN "outside_run.sql",
    PURGE_OUTSIDE "purge_outside.sql",
    GATE_PUT "gate_put.sql",
    CIRCUIT_PUT "circuit_put.sql",
    GATE_SWEEP "gate_sweep.sql",
    BATCH "batch.sql",
    BATCH_SIZES "batch_sizes.sql",
    BATCH_TRIM "batch_trim.sql",
    WATCHED "watched.sql",
    INDEX_KEY "index_key.sql",
    INDEX_HAS "index_has.sql",
    INDEX_MAKE "index_make.sql",
    INDEX_DROP "index_drop.sql",
    INDEXES "indexes.sql",
    INDEX_RANGE "index_range.sql",
    INDEX_EQUAL "index_equal.sql",
    INDEX_ABOVE "index_above.sql",
    INDEX_DECLARE "index_declare.sql",
    INDEX_DECLARED "index_declared.sql",
    INDEX_RETRACT "index_retract.sql",
    OUTLINES "outlines.sql",
    TOTALS "totals.sql",
    TOTAL_PUT "total_put.sql",
    OUTLINE "outline.sql",
    OUTLINE_PUT "outline_put.sql",
    OUTLINED "outlined.sql",
    OUTLINED_PUT "outlined_put.sql",
    OUTLINE_BATCHES "outline_batches.sql",
    HEAD "head.sql",
    JOURNAL "journal.sql",
    LIVE_RUNS "live_runs.sql",
    REMOTE_RUNS "remote_runs.sql",
    ABORT_REQUEST "abort_request.sql",
    PAUSE_WISH "pause_wish.sql",
    OPERATIONS "operations.sql",
    WINDOW "window.sql",
    CONTENTS "contents.sql",
    HEADS "heads.sql",
    HISTORY "history.sql",
    TIMERS "timers.sql",
    EXPIRED "expired.sql",
    HOLDS "holds.sql",
    HELD "held.sql",
    GATE "gate.sql",
    CIRCUIT "circuit.sql",
    GATES_RESTING "gates_resting.sql",
    GATES_BUSY "gates_busy.sql",
    BRIEF "brief.sql",
    IDENTITY "identity.sql",
    DEPENDENTS "dependents.sql",
    OPEN_DEPENDENCIES "open_dependencies.sql",
    FIND_BY_KEY "find_by_key.sql",
    LAST_ERROR "last_error.sql",
    ORPHANS "orphans.sql",
    OWNER "owner.sql",
    OWNERS "owners.sql",
    OWNER_FORGET "owner_forget.sql",
    OFFER "offer.sql",
    BURY "bury.sql",
    REMOTE_OFFERS "remote_offers.sql",
    HAS_OFFERS "has_offers.sql",
    OWNERS_ELSEWHERE "owners_elsewhere.sql",
    BACK_UP "back_up.sql",
    BACKGROUND "background.sql",
    BLOCKERS "blockers.sql",
    RUNS_OF "runs_of.sql",
    COUNT_QUEUED "count_queued.sql",
    META "meta.sql",
    META_PUT "meta_put.sql",
    SCHEMA "schema.sql",
    SCHEMA_OBJECTS "schema_objects.sql",
    IMMUTABLE_END "immutable_end.sql",
    LAST "last.sql",
    QUEUE_HEADS "queue_heads.sql",
    NEXT_UP "next_up.sql",
    NEXT_DOWN "next_down.sql",
    RUNNING "running.sql",
    ATTEMPTS "attempts.sql",
    LOGS "logs.sql",
    LAST_LOG "last_log.sql",
    AUDIT_COUNTS "audit_counts.sql",
    AUDIT_TOTALS "audit_totals.sql",
    AUDIT_STRAYS "audit_strays.sql",
    AUDIT_JOURNAL "audit_journal.sql",
    AUDIT_TASK "audit_task.sql",
    AUDIT_OUTLINES "audit_outlines.sql",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_of_a_transaction_is_five_statements() {
        let all = [BEGIN, BEGIN_READ, COMMIT, ROLLBACK, DATA_VERSION];
        let expected =
            ["BEGIN IMMEDIATE;", "BEGIN DEFERRED;", "COMMIT;", "ROLLBACK;", "PRAGMA data_version;"];
        assert_eq!(all, expected);
    }
}
