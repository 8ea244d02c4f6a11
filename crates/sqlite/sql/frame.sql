-- Takes the write lock at once: a transaction that reads first and writes later could fail with
-- "busy snapshot" however long the busy timeout is.
BEGIN IMMEDIATE;

-- One snapshot for several reads; the snapshot is taken by the first of them.
BEGIN DEFERRED;

-- The moment of truth of a batch (I-1).
COMMIT;

-- As if the transaction had never been.
ROLLBACK;

-- A number that changes when another connection has committed. Our own commits leave it.
PRAGMA data_version;
