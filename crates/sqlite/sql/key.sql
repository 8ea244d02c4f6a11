-- A task was added under this key, or takes it over from the task that had it. The guard is the primary
-- key and who had it last: one that another task has changes no row (I-2). By primary key.
INSERT INTO keys (key, seq, holds, until) VALUES (:key, :seq, :holds, :until)
ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, holds = excluded.holds, until = excluded.until, uuid = NULL
WHERE keys.seq = :had_by;
