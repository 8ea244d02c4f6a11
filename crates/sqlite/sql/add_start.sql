-- A task enters and starts in the same commit: one row write instead of two (I-10). State 5 is
-- running. Maintains index running.
INSERT INTO tasks (
  seq, uuid, lane_id, state, priority, options, attempt, owner_id, run_id, created_at, started_at,
  data, padding
) VALUES (
  ?1, ?2, ?3, 5, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
);
