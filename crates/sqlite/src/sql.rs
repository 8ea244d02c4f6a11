//! Every statement, by name. The text lies in `sql/`, one statement per file, with what it
//! promises.

macro_rules! statements {
    ($($name:ident $file:literal,)*) => {
        $(pub(crate) const $name: &str = include_str!(concat!("../sql/", $file));)*
    };
}

statements! {
    BEGIN "begin.sql",
    BEGIN_READ "begin_read.sql",
    COMMIT "commit.sql",
    ROLLBACK "rollback.sql",
    LANE "lane.sql",
    ADD "add.sql",
    ADD_START "add_start.sql",
    START "start.sql",
    START_ROW "start_row.sql",
    END_RUN "end_run.sql",
    DONE_ROW "done_row.sql",
    IS_WRITTEN "is_written.sql",
    END_WAITING "end_waiting.sql",
    RELEASE_HISTORY "release_history.sql",
    RELEASE "release.sql",
    PRIORITIZE "prioritize.sql",
    PROGRESS "progress.sql",
    LOG "log.sql",
    BATCH "batch.sql",
    BATCH_RANGE "batch_range.sql",
    BATCH_TRIM "batch_trim.sql",
    HEAD "head.sql",
    LANES "lanes.sql",
    WINDOW "window.sql",
    PAST "past.sql",
    BRIEF "brief.sql",
    ORPHANS "orphans.sql",
    OWNER "owner.sql",
    OWNERS "owners.sql",
    OWNER_FORGET "owner_forget.sql",
    META "meta.sql",
    META_PUT "meta_put.sql",
    SCHEMA_OBJECTS "schema_objects.sql",
    FINAL_FENCE "final_fence.sql",
    LAST "last.sql",
    GET "get.sql",
    READY_EQUAL "ready_equal.sql",
    READY_BELOW "ready_below.sql",
    RUNNING "running.sql",
    ENDED "ended.sql",
    ATTEMPTS "attempts.sql",
    LOGS "logs.sql",
    AUDIT_COUNTS "audit_counts.sql",
    AUDIT_STRAYS "audit_strays.sql",
    AUDIT_JOURNAL "audit_journal.sql",
    AUDIT_STATE "audit_state.sql",
}
