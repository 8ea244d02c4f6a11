-- What is wanted of a run whose task somebody pauses or resumes. No row changes if another run is live
-- or none is (I-4). By primary key.
INSERT INTO pauses (seq, run_id, goes_on)
SELECT seq, run_id, :goes_on FROM tasks
WHERE seq = :seq AND state IN ($paused, $running) AND run_id = :run_id
ON CONFLICT (seq) DO UPDATE SET run_id = excluded.run_id, goes_on = excluded.goes_on;
