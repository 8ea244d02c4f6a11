-- A task that has ended depends on nothing any more. From index waits_of.
DELETE FROM waits WHERE dependent = :dependent;
