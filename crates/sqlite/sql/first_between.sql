-- The first task within bounds, if there is one. By row id.
SELECT min(seq) FROM tasks WHERE seq BETWEEN :first AND :last;
