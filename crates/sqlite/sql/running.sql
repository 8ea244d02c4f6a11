-- The numbers of the tasks that run or have halted, by start. A scan of the index live, which holds no
-- more than what runs at once, and needs its own condition to be used; and of the runs that have
-- halted.
SELECT seq, started_at FROM tasks
WHERE state BETWEEN $claimed AND $running AND state = $running
UNION ALL
SELECT tasks.seq, started_at FROM pauses CROSS JOIN tasks ON tasks.seq = pauses.seq
WHERE tasks.state = $paused
ORDER BY 2, 1;
