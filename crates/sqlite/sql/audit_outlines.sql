-- What an outline must allow of each task.
SELECT seq, state, lane_id, created_at, ended_at FROM tasks;
