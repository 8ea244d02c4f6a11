-- The first tasks that wait for one, by number. By primary key.
SELECT dependent FROM waits WHERE dependency = :dependency AND is_met = 0
ORDER BY dependent LIMIT :limit;
