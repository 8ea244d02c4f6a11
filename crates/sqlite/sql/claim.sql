-- An executor outside takes a task. No row changes if it is not ready. Moves the row from index ready to
-- indexes unqueued and live.
UPDATE tasks SET state = $claimed WHERE seq = :seq AND state = $ready;
