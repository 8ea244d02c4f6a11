-- The numbers of the tasks with a live run, by start. A scan of the index live, which holds no more
-- than what runs at once.
SELECT seq FROM tasks WHERE state BETWEEN $claimed AND $running ORDER BY started_at, seq;
