-- How many tasks each operation has.
SELECT operation_id, "all", done, failed, aborted FROM totals;
