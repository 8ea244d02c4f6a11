-- An operation is stored for the first time. Guard: neither its number nor its name is taken.
INSERT OR IGNORE INTO operations (id, name, version, paused_at, settings)
VALUES (:id, :name, :version, :paused_at, :settings);
