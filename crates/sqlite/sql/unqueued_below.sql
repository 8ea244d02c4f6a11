-- The waiting tasks outside the lanes from a position on, second half: the lower priorities, down to
-- a bound. Straight from index unqueued.
FROM tasks
WHERE state < $running AND (run_id IS NULL OR state <> $paused) AND priority < :priority AND priority >= :priority_low
ORDER BY priority DESC, seq
LIMIT :limit;
