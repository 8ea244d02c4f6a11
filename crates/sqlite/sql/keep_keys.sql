-- The keys of outbox rows whose tasks are about to be removed stay until a moment, and keep the uuids
-- (I-20). From
-- index keys_of, which they leave.
UPDATE keys
SET until = :until, uuid = (SELECT tasks.uuid FROM tasks WHERE tasks.seq = keys.seq)
WHERE seq BETWEEN :first AND :last AND uuid IS NULL AND holds = $idempotency_key;
