-- A claim under this run is over, and its task ready again. No row changes if that is not so (I-4).
-- Moves the row from indexes unqueued and live to index ready.
UPDATE tasks SET state = $ready
WHERE seq = :seq AND state = $claimed
  AND EXISTS (SELECT 1 FROM outside WHERE outside.seq = :seq AND outside.run_id = :run_id);
