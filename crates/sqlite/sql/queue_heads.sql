-- The first ready task of the next lane that has one: one seek in index ready (I-7), however many
-- tasks the lanes hold.
SELECT lane_id, priority, seq
FROM tasks
WHERE state = $ready AND lane_id > :after
ORDER BY lane_id, priority DESC, seq
LIMIT 1;
