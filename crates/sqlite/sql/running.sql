-- The numbers of the running tasks, by start. A scan of the index live, which holds no more than
-- what runs at once, and needs its own condition to be used.
SELECT seq FROM tasks
WHERE state BETWEEN $claimed AND $running AND state = $running
ORDER BY started_at, seq;
