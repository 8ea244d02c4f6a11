-- A task that executors have ever taken was changed, and its lease is forgotten if no executor has it
-- any more. By primary keys; leaves index leases then.
UPDATE outside SET version = version + 1, changed_at = :changed_at, (run_id, lease_until) = (
  SELECT outside.run_id, outside.lease_until FROM tasks
  WHERE tasks.seq = :seq AND state BETWEEN $claimed AND $running AND owner_id IS NULL
)
WHERE seq = :seq;
