-- Where the ready tasks of the lanes from a number on stand, lane by lane in queue order. From index
-- ready alone.
SELECT lane_id, priority, seq
FROM tasks
WHERE state = $ready AND lane_id >= :lane_id
ORDER BY lane_id, priority DESC, seq;
