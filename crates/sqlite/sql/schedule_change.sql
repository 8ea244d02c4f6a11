-- A schedule gets its next version. No row changes if it has not the one before. By primary key.
UPDATE schedules SET version = :version, spec = :spec, defaults = :defaults, anchor_at = :anchor_at,
  next_at = :next_at, last_at = :last_at, last_uuid = :last_uuid, made = :made, paused_at = :paused_at
WHERE no = :no AND id = :id AND version = :version - 1;
