-- A ready task is put into another lane of its operation. No row changes if it is not ready any more
-- (I-3). Moves within index ready.
UPDATE tasks SET lane_id = :lane_id WHERE seq = :seq AND state = $ready;
