-- A task was added under this key. The guard is the primary key: one that is there already changes no
-- row (I-2).
INSERT INTO keys (key, seq) VALUES (:key, :seq) ON CONFLICT DO NOTHING;
