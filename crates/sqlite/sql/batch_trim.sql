-- Forgets batches up to a number. The caller always keeps the last one.
DELETE FROM batches WHERE number <= :number;
