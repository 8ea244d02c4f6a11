-- The first tasks for which a task waits. From index waits_of.
SELECT tasks.seq, uuid FROM waits CROSS JOIN tasks ON tasks.seq = dependency
WHERE dependent = :dependent AND is_met = 0
ORDER BY dependency
LIMIT :limit;
