-- The oldest and the newest batch that are kept: two seeks.
SELECT
  (SELECT min(number) FROM batches),
  (SELECT max(number) FROM batches);
