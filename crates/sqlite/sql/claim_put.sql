-- Who has a task outside, under which run, and until when. By primary key; enters index leases.
INSERT INTO outside (seq, version, changed_at, run_id, lease_until, executor)
VALUES (:seq, 0, :changed_at, :run_id, :lease_until, :executor)
ON CONFLICT (seq) DO UPDATE SET
  run_id = excluded.run_id, lease_until = excluded.lease_until, executor = excluded.executor;
