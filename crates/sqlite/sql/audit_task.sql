-- One task, to compare with what the journal says of it (I-7, I-13).
SELECT state, lane_id, priority FROM tasks WHERE seq = :seq;
