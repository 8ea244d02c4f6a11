-- The operations with numbers after one, by number.
SELECT id, name FROM operations WHERE id > :after ORDER BY id;
