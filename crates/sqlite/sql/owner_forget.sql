-- Forgets an owner that has no live run left; with one left nothing changes, so that the run stays
-- an orphan (I-5). Uses index running.
DELETE FROM owners
WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tasks WHERE state = 5 AND owner_id = ?1);
