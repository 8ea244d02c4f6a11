-- The indexes of own fields, whoever made them.
SELECT name, sql FROM sqlite_schema
WHERE type = 'index' AND tbl_name = 'tasks' AND name >= 'own:' AND name < 'own;';
