-- Why a run is to be aborted, if somebody asked for it. By primary key.
SELECT cause, reason FROM aborts WHERE seq = ?1 AND run_id = ?2;
