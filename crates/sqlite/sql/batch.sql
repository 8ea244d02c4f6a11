-- The journal row of a commit: its number, who wrote it, and where the store stands after it
-- (I-13).
INSERT INTO batches (number, owner_id, seq_next, counts, transitions) VALUES (:number, :owner_id, :seq_next, :counts, :transitions);
