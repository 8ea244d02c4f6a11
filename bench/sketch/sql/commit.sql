-- A turn is on disk.
COMMIT;
