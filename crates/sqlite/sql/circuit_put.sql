-- A circuit is another one. By primary key.
INSERT INTO gates (operation_id, type, key, at, state) VALUES (:operation, 2, :key, :at, :state)
ON CONFLICT (operation_id, type, key) DO UPDATE SET at = excluded.at, state = excluded.state;
