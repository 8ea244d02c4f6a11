-- A task is not among those that lapse any more. From the primary key.
DELETE FROM lapsing WHERE operation_id = :operation_id AND seq = :seq;
