-- A waiting task waits until the moment that stands in its options. No row changes if it has started or
-- ended (I-3). Moves the row from index ready to index unqueued, or leaves it there.
UPDATE tasks SET state = $delayed, options = :options WHERE seq = :seq AND state IN ($delayed, $ready);
