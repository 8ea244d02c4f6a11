-- The timers up to one have fired. By primary key.
DELETE FROM timers WHERE (at, kind, ref) <= (:at, :kind, :ref);
