-- The journal row of a commit: its number, who wrote it and when, where the store stands after it, and
-- when tasks entered or ended by it (I-13).
INSERT INTO batches
  (number, owner_id, at, seq_next, lane_next, counts, first_at, last_at, notes, transitions)
VALUES (
  :number, :owner_id, :at, :seq_next, :lane_next, :counts, :first_at, :last_at, :notes,
  :transitions
);
