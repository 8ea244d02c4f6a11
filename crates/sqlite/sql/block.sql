-- A task that was put back waits for others still, and until the moment that stands in its options. No
-- row changes if it is not ready (I-3). Moves the row from index ready to index unqueued.
UPDATE tasks SET state = $blocked, options = :options WHERE seq = :seq AND state = $ready;
