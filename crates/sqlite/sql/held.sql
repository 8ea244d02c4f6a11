-- The first tasks by number that a hold has held. By primary key.
SELECT seq FROM held WHERE hold = :hold ORDER BY seq LIMIT :limit;
