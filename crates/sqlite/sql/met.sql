-- A dependency is met for those within bounds that wait for it. By primary key.
UPDATE waits SET is_met = 1
WHERE dependency = :dependency AND is_met = 0 AND dependent BETWEEN :first AND :last;
