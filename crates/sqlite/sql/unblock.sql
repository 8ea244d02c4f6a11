-- A blocked task is ready. No row changes if it is not blocked (I-3). Moves the row from index unqueued
-- to index ready.
UPDATE tasks SET state = $ready WHERE seq = :seq AND state = $blocked;
