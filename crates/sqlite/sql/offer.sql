-- The operations for which an owner has a runner, a JSON array. By primary key.
UPDATE owners SET operations = ?2 WHERE id = ?1;
