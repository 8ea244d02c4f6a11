-- When the first of the gates of an operation rests that do not yet. By primary key, over those of the
-- operation.
SELECT min(at) FROM gates WHERE operation_id = :operation AND at >= :now;
