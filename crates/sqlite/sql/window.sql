-- Ready tasks of a lane from a position on, in queue order (I-7), straight from index ready, no
-- sorting. What a task that has started before brings along is asked for with history.sql: there
-- are few.
SELECT seq, uuid, priority, options, started_at, data, created_at
FROM tasks
WHERE state = $ready AND lane_id = :lane_id
  AND priority <= :priority AND (priority < :priority OR seq >= :seq)
ORDER BY priority DESC, seq
LIMIT :limit;
