-- The record of an operation gets its next version. Guard: it has the one before.
UPDATE operations SET version = :version, paused_at = :paused_at, settings = :settings
WHERE id = :id AND name = :name AND version = :version - 1;
