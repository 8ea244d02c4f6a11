-- The first tasks of an operation that run or have halted, by number. A scan of the index live, which
-- holds no more than what runs at once, and of the runs that have halted.
SELECT seq, uuid FROM tasks
WHERE state BETWEEN $claimed AND $running AND lane_id & 65535 = :operation_id
UNION ALL
SELECT tasks.seq, uuid FROM pauses CROSS JOIN tasks ON tasks.seq = pauses.seq
WHERE tasks.state = $paused AND lane_id & 65535 = :operation_id
ORDER BY 1
LIMIT :limit;
