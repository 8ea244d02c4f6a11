-- A task is added and waits for its dependencies. Enters index unqueued.
INSERT INTO tasks (
  seq, uuid, lane_id, priority, options, created_at, data, padding, state, attempt
) VALUES (
  :seq, :uuid, :lane_id, :priority, :options, :created_at, :data, :padding, $blocked, 0
);
