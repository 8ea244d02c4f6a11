-- A task that was attached to an owner has ended. From the primary key.
DELETE FROM attached WHERE owner_id = :owner_id AND seq = :seq;
