-- The outline of one block.
SELECT block, states, created_first, created_last, ended_first, ended_last, operations FROM outlines
WHERE block = :block;
