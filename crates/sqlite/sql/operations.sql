-- The operations with numbers after one, by number.
SELECT id, name, version, paused_at, settings FROM operations WHERE id > :after ORDER BY id;
