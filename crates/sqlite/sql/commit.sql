-- The moment of truth of a batch (I-1).
COMMIT;
