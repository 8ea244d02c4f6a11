-- A schedule by its number. By primary key.
SELECT no, id, version, spec, defaults, anchor_at, next_at, last_at, last_uuid, made, paused_at
FROM schedules WHERE no = :no;
