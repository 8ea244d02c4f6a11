-- Tokens of a key were taken. By primary key.
INSERT INTO gates (operation_id, type, key, at, state) VALUES (:operation, 1, :key, :at, :state)
ON CONFLICT (operation_id, type, key) DO UPDATE SET at = excluded.at, state = excluded.state;
