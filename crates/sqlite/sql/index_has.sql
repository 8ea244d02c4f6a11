-- Whether an index of an own field has an entry for a task: it has something there, or an array on the
-- way to it. A task without costs one look into its JSON.
CASE WHEN typeof({column}) = 'text'
  THEN json_type({column}, {path}) IS NOT NULL OR 'array' IN ({above}) END
