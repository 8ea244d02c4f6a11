-- A task waits until the moment that stands in its options, whatever it waited for. No row changes if
-- it has started or ended (I-3). Enters index unqueued, or stays there.
UPDATE tasks SET state = $delayed, options = :options
WHERE seq = :seq AND state IN ($blocked, $delayed, $ready);
