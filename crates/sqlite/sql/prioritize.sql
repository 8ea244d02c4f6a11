-- A ready task gets another priority. No row changes if it is not ready. Moves within index ready.
UPDATE tasks SET priority = ?2 WHERE seq = ?1 AND state = 3;
