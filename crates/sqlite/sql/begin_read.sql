-- One snapshot for several reads; the snapshot is taken by the first of them.
BEGIN DEFERRED;
