-- Ended tasks with numbers in a row go. Fewer rows change if one has not ended so (I-3). By row id: what
-- has ended stands in no index.
DELETE FROM tasks
WHERE seq BETWEEN :first AND :last AND state = :from AND state IN ($done, $failed, $aborted);
