-- A task is among those that lapse, until it ends; perhaps it was before. By primary key.
INSERT INTO lapsing (operation_id, seq) VALUES (:operation_id, :seq) ON CONFLICT DO NOTHING;
