-- For how many others a task waits, counted no further than to a bound. From index waits_of.
SELECT count(*) FROM (
  SELECT 1 FROM waits WHERE dependent = :dependent AND is_met = 0 LIMIT :limit
);
