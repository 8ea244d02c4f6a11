-- Keys of removed tasks whose time is over go, the oldest first, so many at once. From index
-- keys_until.
DELETE FROM keys
WHERE key IN (SELECT key FROM keys WHERE uuid IS NOT NULL AND until <= :now ORDER BY until, key LIMIT :limit);
