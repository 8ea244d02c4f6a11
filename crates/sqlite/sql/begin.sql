-- Takes the write lock at once: a transaction that reads first and writes later could fail with
-- "busy snapshot" however long the busy timeout is.
BEGIN IMMEDIATE;
