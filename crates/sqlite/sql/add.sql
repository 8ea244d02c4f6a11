-- A task is added and waits. Maintains index ready.
INSERT INTO tasks (
  seq, uuid, lane_id, priority, options, created_at, data, padding, state, attempt
) VALUES (
  :seq, :uuid, :lane_id, :priority, :options, :created_at, :data, :padding, $ready, 0
);
