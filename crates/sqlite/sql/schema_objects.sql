-- How many tables, indexes and so on there are; none in a new file.
SELECT count(*) FROM sqlite_schema;
