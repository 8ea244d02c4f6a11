-- What a waiting task brings along that has started before: its attempts that count, its failures, its
-- losses in a row and the number of its last log line. By primary keys.
SELECT
  attempt,
  coalesce((SELECT failures FROM attempts WHERE seq = :seq ORDER BY n DESC LIMIT 1), 0),
  coalesce((SELECT losses FROM attempts WHERE seq = :seq ORDER BY n DESC LIMIT 1), 0),
  coalesce((SELECT max(n) FROM logs WHERE seq = :seq), 0)
FROM tasks
WHERE seq = :seq;
