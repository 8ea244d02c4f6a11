-- A task enters and waits. State 3 is ready. Maintains index ready.
INSERT INTO tasks (
  seq, uuid, lane_id, state, priority, run_timeout_ms, on_interrupted, on_stop, attempt, losses,
  created_at, data, room
) VALUES (?1, ?2, ?3, 3, ?4, ?5, ?6, ?7, 0, 0, ?8, ?9, zeroblob(64));
