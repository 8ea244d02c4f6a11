-- A run goes on. No row changes if another run is live or none is (I-4). Moves the row from index
-- unqueued to index live, or keeps it there.
UPDATE tasks SET state = $running WHERE seq = :seq AND state IN ($paused, $running) AND run_id = :run_id;
