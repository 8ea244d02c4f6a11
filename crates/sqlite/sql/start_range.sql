-- Tasks with numbers in a row start, all ready or all delayed until now, each under a new run id of
-- its own (I-4, I-10): the ids stand in :run_ids one after the other. Fewer rows change if one of
-- them is in another state. One statement for many, because to begin and end a statement costs as
-- much as a row. By row id; moves the rows from index ready or unqueued to index live.
UPDATE OR FAIL tasks NOT INDEXED
SET state = $running, owner_id = :owner_id, run_id = substr(:run_ids, 16 * (seq - :first) + 1, 16), attempt = :attempt,
  started_at = :started_at, padding = :padding
WHERE seq BETWEEN :first AND :last AND state = :state;
