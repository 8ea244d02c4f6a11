-- The first tasks of an operation that lapse, within these numbers. From the primary key.
SELECT seq FROM lapsing
WHERE operation_id = :operation_id AND seq BETWEEN :first AND :last ORDER BY seq LIMIT :max;
