-- The first schedules by id, from one on. By the index of ids.
SELECT no, id, version, spec, defaults, anchor_at, next_at, last_at, last_uuid, made, paused_at
FROM schedules WHERE id >= :from ORDER BY id LIMIT :limit;
