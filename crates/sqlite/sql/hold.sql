-- A hold is made. No row changes if its number is taken. By primary key.
INSERT INTO holds (id, query, since, until, pid, uuid, is_released)
VALUES (:id, :query, :since, :until, :pid, :uuid, 0) ON CONFLICT DO NOTHING;
