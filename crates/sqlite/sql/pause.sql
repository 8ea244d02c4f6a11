-- A waiting task is taken out. Since when stands in its options. No row changes if it does not wait
-- (I-3). Moves the row from index ready to index unqueued, or keeps it there.
UPDATE tasks SET state = $paused, options = :options WHERE seq = :seq AND state IN ($blocked, $delayed, $ready);
