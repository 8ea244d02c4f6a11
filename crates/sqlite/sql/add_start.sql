-- A task is added and starts in the same commit: one row write instead of two (I-10). Maintains
-- index live.
INSERT INTO tasks (
  seq, uuid, lane_id, priority, options, created_at, data, padding, state,
  attempt, owner_id, run_id, started_at
) VALUES (
  :seq, :uuid, :lane_id, :priority, :options, :created_at, :data, :padding, $running,
  :attempt, :owner_id, :run_id, :started_at
);
