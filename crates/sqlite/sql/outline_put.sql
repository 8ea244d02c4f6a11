-- The outline of a block, for the first time or wider than before.
INSERT OR REPLACE INTO outlines
  (block, states, created_first, created_last, ended_first, ended_last, operations)
VALUES (:block, :states, :created_first, :created_last, :ended_first, :ended_last, :operations);
