-- The first number in a stretch that a task has: one seek, however long the gap before it.
SELECT seq FROM tasks WHERE seq BETWEEN :first AND :last ORDER BY seq LIMIT 1;
