-- The last number in a stretch that a task has: one seek, however long the gap behind it.
SELECT seq FROM tasks WHERE seq BETWEEN :first AND :last ORDER BY seq DESC LIMIT 1;
