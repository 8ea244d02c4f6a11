-- Why a run is to be aborted, if somebody asked for it. By primary key.
SELECT cause, reason FROM aborts WHERE seq = :seq AND run_id = :run_id;
