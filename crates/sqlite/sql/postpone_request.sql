-- Until when a run is to be given back, if somebody asked for it. By primary key.
SELECT due_at, reason FROM postponements WHERE seq = :seq AND run_id = :run_id;
