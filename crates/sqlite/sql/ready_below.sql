-- The queue of a lane from a position on, second half: the lower priorities, down to a bound (I-7).
-- Straight from index ready.
FROM tasks
WHERE state = $ready AND lane_id = :lane_id AND priority < :priority AND priority >= :priority_low
ORDER BY priority DESC, seq
LIMIT :limit;
