-- The queue of a lane from a position on, first half: the rest of the same priority (I-7). Two
-- statements, because one range over (priority, seq) would read all equal priorities again for each
-- page. Straight from index ready.
FROM tasks
WHERE state = $ready AND lane_id = :lane_id AND priority = :priority AND seq > :seq
ORDER BY seq
LIMIT :limit;
