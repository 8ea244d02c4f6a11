-- A ready task gets another priority. No row changes if it is not ready. Moves within index ready.
UPDATE tasks SET priority = :priority WHERE seq = :seq AND state = $ready;
