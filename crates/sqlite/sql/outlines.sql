-- The outlines of all blocks: a row for 4,096 tasks.
SELECT block, states, created_first, created_last, ended_first, ended_last, operations FROM outlines;
