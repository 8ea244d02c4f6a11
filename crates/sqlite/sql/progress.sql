-- A run says how far it is. No row changes if another run is live or none is (I-4).
UPDATE tasks SET progress = ?3 WHERE seq = ?1 AND state = 5 AND run_id = ?2;
