-- The waiting tasks outside the lanes from a position on, first half: the rest of the same priority.
-- Two statements, as for the queue of a lane. Straight from index unqueued.
FROM tasks
WHERE state < $running AND (run_id IS NULL OR state <> $paused) AND priority = :priority AND seq > :seq
ORDER BY seq
LIMIT :limit;
