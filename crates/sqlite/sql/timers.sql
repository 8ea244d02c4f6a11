-- The first timers within bounds, in the order in which they fire. By primary key.
SELECT at, kind, ref FROM timers WHERE at BETWEEN :first AND :last ORDER BY at, kind, ref LIMIT :limit;
