-- Says which own fields an owner wants to be indexed, as a JSON list.
INSERT INTO meta (key, value) VALUES ('indexes:' || :owner_id, :paths)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
