-- A hold holds a task; perhaps not for the first time. By primary key.
INSERT INTO held (hold, seq) VALUES (:hold, :seq) ON CONFLICT DO NOTHING;
