-- A waiting task ends. No row changes if it has started or ended (I-3). Leaves index ready. The run
-- id of an earlier attempt was cleared when that attempt was given back.
UPDATE tasks
SET state = ?2, ended_at = ?3, cause = ?4, outcome = ?5, padding = ?6
WHERE seq = ?1 AND state = 3;
