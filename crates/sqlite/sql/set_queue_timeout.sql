-- The queueTimeout of a waiting task ends at the moment that stands in its options. No row changes if
-- it has started or ended (I-3). By row id.
UPDATE tasks SET options = :options
WHERE seq = :seq AND state IN ($blocked, $delayed, $paused, $ready) AND run_id IS NULL;
