-- What is wanted of a run, if somebody has paused its task. By primary key.
SELECT goes_on FROM pauses WHERE seq = :seq AND run_id = :run_id;
