-- A schedule is stored for the first time. No row changes if its number or its id is taken.
INSERT INTO schedules (no, id, version, spec, defaults, anchor_at, next_at, last_at, last_uuid, made,
  paused_at)
VALUES (:no, :id, :version, :spec, :defaults, :anchor_at, :next_at, :last_at, :last_uuid, :made,
  :paused_at) ON CONFLICT DO NOTHING;
