-- Forgets an owner that has no live run left, offers nothing, and to which no task is attached; else
-- nothing changes, so that the run stays an orphan (I-5), and the others are told that it is dead. Uses
-- index live.
DELETE FROM owners
WHERE id = :id AND offers IS NULL AND NOT EXISTS (
  SELECT 1 FROM tasks WHERE state BETWEEN $claimed AND $running AND owner_id = :id
) AND NOT EXISTS (
  SELECT 1 FROM pauses CROSS JOIN tasks ON tasks.seq = pauses.seq
  WHERE tasks.state = $paused AND owner_id = :id
) AND NOT EXISTS (SELECT 1 FROM attached WHERE owner_id = :id);
