-- What other owners want to be indexed, and which of them. There are few.
SELECT CAST(substr(key, 9) AS INTEGER), value FROM meta
WHERE key >= 'indexes:' AND key < 'indexes;' AND key <> 'indexes:' || :owner_id;
