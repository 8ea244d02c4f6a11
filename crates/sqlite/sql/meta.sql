-- A fact about the database itself.
SELECT value FROM meta WHERE key = :key;
