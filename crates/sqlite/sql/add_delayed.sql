-- A task is added and waits for its start time. In none of the indexes: its timer stands for it.
INSERT INTO tasks (
  seq, uuid, lane_id, priority, options, created_at, data, padding, state, attempt
) VALUES (
  :seq, :uuid, :lane_id, :priority, :options, :created_at, :data, :padding, $delayed, 0
);
