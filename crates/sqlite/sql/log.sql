-- A run's logger wrote a line. Nothing is inserted if another run is live or none is (I-19).
INSERT INTO logs (seq, n, attempt, level, at, message, fields)
SELECT :seq, :n, :attempt, :level, :at, :message, :fields
FROM tasks
WHERE seq = :seq AND state IN ($paused, $running) AND run_id = :run_id;
