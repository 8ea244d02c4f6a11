-- The facts made once per database: the key under which numbers are folded into uuids, and when.
INSERT INTO meta (key, value)
VALUES ('id_key', ?1), ('created_at', CAST(unixepoch('subsec') * 1000 AS INTEGER));
