-- One task in brief, by its number.
SELECT uuid, lane_id, state, priority, cause, outcome FROM tasks WHERE seq = ?1;
