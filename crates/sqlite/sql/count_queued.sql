-- How many ready tasks a lane has between two positions (I-7), counted no further than to a bound.
-- Straight from index ready.
SELECT count(*) FROM (
  SELECT 1 FROM tasks
  WHERE state = $ready AND lane_id = :lane_id
    AND priority <= :from_priority AND (priority < :from_priority OR seq >= :from_seq)
    AND priority >= :to_priority AND (priority > :to_priority OR seq < :to_seq)
  LIMIT :limit
);
