-- The journal row of a commit: its number, who wrote it and when, and where the store stands after it
-- (I-13).
INSERT INTO batches (number, owner_id, at, seq_next, counts, transitions)
VALUES (:number, :owner_id, :at, :seq_next, :counts, :transitions);
