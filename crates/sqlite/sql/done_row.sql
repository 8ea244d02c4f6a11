-- Tasks with numbers in a row are done with their runs, whose ids stand in ?3 one after the other,
-- and their results of ?6 bytes in ?5; both are NULL if none has one. Fewer rows change if one runs
-- under another run or not at all (I-3, I-4). By row id, not by the index that changes meanwhile;
-- the rows leave index running.
UPDATE OR FAIL tasks NOT INDEXED
SET state = 7, ended_at = ?4, padding = ?7,
  outcome = CAST(substr(?5, ?6 * (seq - ?1) + 1, ?6) AS TEXT)
WHERE seq BETWEEN ?1 AND ?2 AND state = 5 AND run_id = substr(?3, 16 * (seq - ?1) + 1, 16);
