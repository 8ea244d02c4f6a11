-- The facts made once per database: the key under which numbers are folded into uuids, and when.
INSERT INTO meta (key, value)
VALUES ('id_key', :id_key), ('created_at', CAST(unixepoch('subsec') * 1000 AS INTEGER));
