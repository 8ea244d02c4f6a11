-- Delayed tasks with numbers in a row are ready. Fewer rows change if one of them is not delayed
-- (I-3). By row id; the rows move from index unqueued to index ready.
UPDATE OR FAIL tasks NOT INDEXED
SET state = $ready
WHERE seq BETWEEN :first AND :last AND state = $delayed;
