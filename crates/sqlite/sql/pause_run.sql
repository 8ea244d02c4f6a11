-- A run halts at a checkpoint. No row changes if another run is live, or none is, or it has halted
-- already (I-4). Moves the row from index live to index unqueued.
UPDATE tasks SET state = $paused WHERE seq = :seq AND state = $running AND run_id = :run_id;
