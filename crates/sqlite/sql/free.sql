-- A held task is ready, from the moment on that stands in its options. No row changes if it is not
-- delayed (I-3). Moves the row from index unqueued to index ready.
UPDATE tasks SET state = $ready, options = :options WHERE seq = :seq AND state = $delayed;
