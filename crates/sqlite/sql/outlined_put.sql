-- The outlines are complete up to this batch.
INSERT INTO meta (key, value) VALUES ('outlined', :number)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
