-- What an index of an own field holds of a task: one typed value, or nothing if the task has nothing
-- there. Numbers are REAL, texts TEXT and cut off; as BLOB: 01 false, 02 true, 03 null, and 00 for all
-- that may match in more than one way: an array, an object, what lies inside an array, and a text with
-- an escape, because half a surrogate pair is no text of SQLite.
CASE WHEN typeof({column}) = 'text' THEN CASE json_type({column}, {path})
  WHEN 'text' THEN CASE
    WHEN instr({column} -> {path}, '\u') THEN x'00' ELSE substr({column} ->> {path}, 1, {chars}) END
  WHEN 'integer' THEN CAST({column} ->> {path} AS REAL)
  WHEN 'real' THEN CAST({column} ->> {path} AS REAL)
  WHEN 'false' THEN x'01'
  WHEN 'true' THEN x'02'
  WHEN 'null' THEN x'03'
  ELSE x'00' END END
