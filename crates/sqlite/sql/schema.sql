-- How each table and each index was made; those that SQLite makes by itself have no text.
SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL;
