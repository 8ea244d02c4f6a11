-- Ready tasks with numbers in a row start, each under a new run id of its own (I-4, I-10): the ids
-- stand in ?3 one after the other. Fewer rows change if one of them is not ready. One statement for
-- many, because to begin and end a statement costs as much as a row. By row id; moves the rows from
-- index ready to index running.
UPDATE OR FAIL tasks NOT INDEXED
SET state = 5, owner_id = ?4, run_id = substr(?3, 16 * (seq - ?1) + 1, 16), attempt = ?5,
  started_at = ?6, padding = ?7
WHERE seq BETWEEN ?1 AND ?2 AND state = 3;
