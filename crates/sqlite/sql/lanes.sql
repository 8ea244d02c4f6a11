-- The lanes with numbers after one, by number.
SELECT id, operation FROM lanes WHERE id > :after ORDER BY id;
