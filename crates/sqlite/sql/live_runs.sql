-- The live runs of whichever owner (I-6). A scan of the index live, which holds no more than what runs
-- at once, and of the runs that have halted; the caller sorts them.
SELECT seq, lane_id FROM tasks WHERE state BETWEEN $claimed AND $running
UNION ALL
SELECT tasks.seq, lane_id FROM pauses CROSS JOIN tasks ON tasks.seq = pauses.seq
WHERE tasks.state = $paused;
