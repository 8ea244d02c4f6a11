-- How many tasks of each operation are in each state.
SELECT operation_id, blocked, delayed, paused, claimed, running, ready, done, failed, aborted
FROM totals;
