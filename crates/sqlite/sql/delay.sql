-- A task waits until the moment that stands in its options: one that was ready, or that waited for
-- something else. No row changes if it was neither (I-3). Enters index unqueued, or stays there.
UPDATE tasks SET state = $delayed, options = :options
WHERE seq = :seq AND state IN ($blocked, $paused, $ready);
