-- What a task that is opened again has failed and lost counts no more; the last attempt says how much
-- counts. By primary key.
UPDATE attempts SET failures = 0, losses = 0
WHERE seq = :seq AND n = (SELECT max(n) FROM attempts WHERE seq = :seq);
