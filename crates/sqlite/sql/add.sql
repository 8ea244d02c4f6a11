-- A task enters and waits. State 3 is ready. Maintains index ready.
INSERT INTO tasks (
  seq, uuid, lane_id, state, priority, options, attempt, created_at, data, padding
) VALUES (?1, ?2, ?3, 3, ?4, ?5, 0, ?6, ?7, ?8);
