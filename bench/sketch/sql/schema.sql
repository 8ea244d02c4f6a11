-- One table, a partial index on what waits, a unique index on a uuid in time order.
CREATE TABLE tasks (
  id         INTEGER PRIMARY KEY,
  uuid       BLOB    NOT NULL UNIQUE,
  operation  TEXT    NOT NULL,
  status     INTEGER NOT NULL,
  priority   REAL    NOT NULL,
  data       TEXT    NOT NULL,
  result     TEXT,
  attempt    INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER
);

CREATE INDEX waiting ON tasks (priority DESC, id) WHERE status = 0;
