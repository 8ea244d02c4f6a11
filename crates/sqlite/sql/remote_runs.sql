-- The lane of each live run of other owners, and of those that executors outside have (I-6). A scan of the index live, which holds no more
-- than what runs at once, and of the runs that have halted.
SELECT lane_id FROM tasks WHERE state BETWEEN $claimed AND $running AND owner_id IS NOT :owner_id
UNION ALL
SELECT lane_id FROM pauses CROSS JOIN tasks ON tasks.seq = pauses.seq
WHERE tasks.state = $paused AND owner_id <> :owner_id;
