-- Up to which batch the outlines are complete.
SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'outlined';
