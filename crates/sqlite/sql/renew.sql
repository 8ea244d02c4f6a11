-- The executor of a run was heard of, which is a change of its task. No row changes if another run is live or none is (I-4). Moves the
-- row in index leases.
UPDATE outside SET lease_until = :lease_until, version = version + 1
WHERE seq = :seq AND run_id = :run_id AND EXISTS (
  SELECT 1 FROM tasks WHERE tasks.seq = :seq AND state = $running AND tasks.run_id = :run_id
);
