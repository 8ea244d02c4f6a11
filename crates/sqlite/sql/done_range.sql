-- Tasks with numbers in a row are done with their runs. The ids of these stand in :run_ids one after
-- the other, and the results, of :result_bytes each, in :results; both are NULL if none has one.
-- Fewer rows change if one runs under another run or not at all (I-3, I-4). By row id, not by the
-- index that changes meanwhile; the rows leave index live.
UPDATE OR FAIL tasks NOT INDEXED
SET state = $done, ended_at = :ended_at, padding = :padding,
  outcome = CAST(substr(:results, :result_bytes * (seq - :first) + 1, :result_bytes) AS TEXT)
WHERE seq BETWEEN :first AND :last
  AND state = $running
  AND run_id = substr(:run_ids, 16 * (seq - :first) + 1, 16);
