-- Nothing is wanted of a run any more. No row changes if nothing was. By primary key.
DELETE FROM pauses WHERE seq = :seq AND run_id = :run_id;
