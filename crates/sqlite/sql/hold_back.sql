-- A ready task is held until the moment that stands in its options. No row changes if it is not ready
-- (I-3). Moves the row from index ready to index unqueued.
UPDATE tasks SET state = $delayed, options = :options WHERE seq = :seq AND state = $ready;
