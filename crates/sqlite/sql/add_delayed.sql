-- A task is added and waits for its start time, with a timer of its own. Enters index unqueued.
INSERT INTO tasks (
  seq, uuid, lane_id, priority, options, created_at, data, padding, state, attempt
) VALUES (
  :seq, :uuid, :lane_id, :priority, :options, :created_at, :data, :padding, $delayed, 0
);
