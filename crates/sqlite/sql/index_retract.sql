-- Forgets what owners want that are gone.
DELETE FROM meta
WHERE key >= 'indexes:' AND key < 'indexes;' AND substr(key, 9) NOT IN (SELECT CAST(id AS TEXT) FROM owners);
