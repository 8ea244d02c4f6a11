-- A run says how far it is. No row changes if another run is live or none is (I-4).
UPDATE tasks SET progress = :progress WHERE seq = :seq AND state IN ($paused, $running) AND run_id = :run_id;
