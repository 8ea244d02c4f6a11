-- A run's logger wrote a line. Nothing is inserted if another run is live or none is (I-19).
INSERT INTO logs (seq, n, attempt, level, at, message, fields)
SELECT ?1, ?3, ?4, ?5, ?6, ?7, ?8
FROM tasks
WHERE seq = ?1 AND state = 5 AND run_id = ?2;
